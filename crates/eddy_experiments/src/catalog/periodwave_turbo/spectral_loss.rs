//! The mean absolute difference of the log-magnitudes of short spectra at several lengths, with its derivative.

use super::waves::LEN;

/// Lengths of the frames; each moves by half of itself.
const LENGTHS: [usize; 3] = [64, 32, 16];
/// Added to powers: below it differences do not count.
const FLOOR: f32 = 3e-3;

struct Scale {
    length: usize,
    /// Windowed cosines and sines, [frequency][sample].
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// The loss and its tables.
pub struct SpectralLoss {
    scales: Vec<Scale>,
    count: f32,
}

impl SpectralLoss {
    pub fn new() -> Self {
        let scale = |length: usize| {
            let bins = length / 2 + 1;
            let at = |i: usize| {
                let (k, n) = (i / length, i % length);
                let turn = std::f64::consts::TAU / length as f64;
                // Hann's window, centred between the samples so that none is lost.
                let window = 0.5 - 0.5 * (turn * (n as f64 + 0.5)).cos();
                (window, turn * (k * n % length) as f64)
            };
            let table = |f: fn(f64) -> f64| (0..bins * length).map(|i| (at(i).0 * f(at(i).1)) as f32).collect();
            Scale { length, cos: table(f64::cos), sin: table(f64::sin) }
        };
        let scales: Vec<Scale> = LENGTHS.map(scale).into();
        let count = scales.iter().map(|s| (frames(s.length).count() * (s.length / 2 + 1)) as f32).sum();
        Self { scales, count }
    }

    /// Loss of waves against as many true ones of the same condition, the powers of each group averaged before the
    /// logarithm; adds `weight` times its derivative by the waves to `adjoints`. With one wave in a group this is the
    /// paired loss, which is least for a wave of medium loudness at every frequency, always the same; a larger group is
    /// content with waves that differ as true ones do.
    pub fn add(&self, waves: &[[f32; LEN]], truths: &[[f32; LEN]], weight: f32, adjoints: &mut [[f32; LEN]]) -> f32 {
        let share = 1.0 / waves.len().max(1) as f32;
        let mut parts = vec![(0.0, 0.0); waves.len()];
        let mut sum = 0.0;
        for scale in &self.scales {
            let length = scale.length;
            for (skipped, range) in frames(length) {
                for k in 0..=length / 2 {
                    let row = k * length + skipped..k * length + skipped + range.len();
                    let (cos, sin) = (&scale.cos[row.clone()], &scale.sin[row]);
                    let along = |x: &[f32; LEN]| {
                        let (mut re, mut im) = (0.0, 0.0);
                        for ((x, c), s) in x[range.clone()].iter().zip(cos).zip(sin) {
                            re += x * c;
                            im += x * s;
                        }
                        (re, im)
                    };
                    let square = |(re, im): (f32, f32)| share * (re * re + im * im);
                    parts.iter_mut().zip(waves).for_each(|(p, x)| *p = along(x));
                    let power = FLOOR + parts.iter().map(|p| square(*p)).sum::<f32>();
                    let other = FLOOR + truths.iter().map(|x| square(along(x))).sum::<f32>();
                    let difference = 0.5 * (power / other).ln();
                    sum += difference.abs();
                    let factor = weight * share * difference.signum() / (self.count * power);
                    for (adjoint, (re, im)) in adjoints.iter_mut().zip(&parts) {
                        let (re, im) = (factor * re, factor * im);
                        let rows = cos.iter().zip(sin);
                        adjoint[range.clone()].iter_mut().zip(rows).for_each(|(a, (c, s))| *a += re * c + im * s);
                    }
                }
            }
        }
        sum / self.count
    }
}

/// Samples of a frame that lie before the wave, and the samples of the wave under it. The first frame begins half a frame
/// before the wave: the window is 0 at its ends, so that else the ends of the wave would not be heard.
fn frames(length: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    (0..=LEN).step_by(length / 2).map(move |middle| {
        let skipped = (length / 2).saturating_sub(middle);
        (skipped, middle.saturating_sub(length / 2)..(middle + length / 2).min(LEN))
    })
}
