//! Waves of 64 samples: three damped harmonics that the condition determines, and noise that it does not.

use std::f64::consts::TAU;

use eddy_numerics::rng::{Philox, Stream};

/// Samples of a wave, and frequencies of its spectrum.
pub const LEN: usize = 64;
pub const BINS: usize = LEN / 2 + 1;
/// Numbers that tell a network the condition.
pub const FEATURES: usize = 10;
/// Frequencies of the noise band, whole cycles per wave, and its power; the power of the white noise below everything.
const BAND: std::ops::RangeInclusive<usize> = 23..=28;
const BAND_POWER: f64 = 0.04;
const WHITE_POWER: f64 = 0.0025;
/// The first harmonic, cycles per wave, and the damping over a wave.
const FREQUENCY: (f64, f64) = (3.0, 7.0);
const DAMPING: (f64, f64) = (0.5, 3.0);
/// The range of the frequency is cut into cells; every fifth is never trained on.
const CELLS: usize = 40;
const HELD_OUT: usize = 5;

/// Frequency and damping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    pub frequency: f64,
    pub damping: f64,
}

impl Condition {
    /// From two numbers in (0, 1), in the cells that are trained on or in those that are not.
    pub fn new(u: f64, v: f64, held_out: bool) -> Self {
        let scaled = u * (CELLS as f64) / HELD_OUT as f64;
        let (group, within) = (scaled.floor(), scaled.fract());
        // The last cell of each group is kept for the tests.
        let first = (HELD_OUT - 1) as f64;
        let cell = group * HELD_OUT as f64 + if held_out { first + within } else { first * within };
        Self {
            frequency: FREQUENCY.0 + (FREQUENCY.1 - FREQUENCY.0) * cell / CELLS as f64,
            damping: DAMPING.0 + (DAMPING.1 - DAMPING.0) * v,
        }
    }

    /// The condition as the networks see it.
    pub fn features(&self) -> [f64; FEATURES] {
        let f = 2.0 * (self.frequency - FREQUENCY.0) / (FREQUENCY.1 - FREQUENCY.0) - 1.0;
        let d = 2.0 * (self.damping - DAMPING.0) / (DAMPING.1 - DAMPING.0) - 1.0;
        let mut out = [f, d, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        // Half a turn of the highest harmonic's end is a twelfth of the range: these waves resolve it.
        for (k, turns) in [0.5, 1.0, 2.0, 4.0].into_iter().enumerate() {
            let (sin, cos) = (std::f64::consts::PI * turns * f).sin_cos();
            (out[2 + 2 * k], out[3 + 2 * k]) = (sin, cos);
        }
        out
    }

    /// The part that the condition determines.
    pub fn tone(&self) -> [f64; LEN] {
        std::array::from_fn(|n| {
            let s = n as f64 / LEN as f64;
            let part = |h: f64| (-self.damping * h * s).exp() / h * (TAU * h * self.frequency * s + 0.6 * h).sin();
            part(1.0) + part(2.0) + part(3.0)
        })
    }

    /// A wave with its noise.
    pub fn draw(&self, rng: &Philox, stream: Stream, index: u32) -> [f64; LEN] {
        let mut wave = self.tone();
        for (c, part) in wave.chunks_mut(4).enumerate() {
            let z = rng.normals(stream, 1, index, c as u32);
            part.iter_mut().zip(z).for_each(|(x, z)| *x += WHITE_POWER.sqrt() * z);
        }
        let bins = BAND.count() as f64;
        let scale = (BAND_POWER / bins).sqrt();
        for k in BAND {
            let [a, b, ..] = rng.normals(stream, 2, index, k as u32);
            for (n, x) in wave.iter_mut().enumerate() {
                let (sin, cos) = (TAU * (k * n % LEN) as f64 / LEN as f64).sin_cos();
                *x += scale * (a * cos + b * sin);
            }
        }
        wave
    }

    /// The exact mean power of every frequency. In the band a cos + b sin with variances s² has |X|² of mean (n/2)² 2 s².
    pub fn power(&self, transform: &Transform) -> [f64; BINS] {
        let mut power = transform.power(&self.tone());
        for (k, p) in power.iter_mut().enumerate() {
            *p += noise_power(k);
        }
        power
    }
}

/// Exact variance of the spectrum at frequency `k`.
pub fn noise_power(k: usize) -> f64 {
    let n = LEN as f64;
    let band = if BAND.contains(&k) { 0.5 * n * n * BAND_POWER / BAND.count() as f64 } else { 0.0 };
    n * WHITE_POWER + band
}

/// The discrete Fourier transform of a wave, by its definition: 4224 products.
pub struct Transform {
    cos: Vec<f64>,
    sin: Vec<f64>,
}

impl Transform {
    pub fn new() -> Self {
        let phase = |i: usize| TAU * ((i / LEN) * (i % LEN) % LEN) as f64 / LEN as f64;
        Self {
            cos: (0..BINS * LEN).map(|i| phase(i).cos()).collect(),
            sin: (0..BINS * LEN).map(|i| phase(i).sin()).collect(),
        }
    }

    /// Real and imaginary part at every frequency.
    pub fn spectrum(&self, wave: &[f64; LEN]) -> [(f64, f64); BINS] {
        let along = |rows: &[f64], k: usize| rows[k * LEN..][..LEN].iter().zip(wave).map(|(r, x)| r * x).sum::<f64>();
        std::array::from_fn(|k| (along(&self.cos, k), -along(&self.sin, k)))
    }

    pub fn power(&self, wave: &[f64; LEN]) -> [f64; BINS] {
        self.spectrum(wave).map(|(re, im)| re * re + im * im)
    }
}

/// Mean power and variance of several waves' spectra, frequency by frequency.
#[derive(Clone)]
pub struct Spectra {
    count: f64,
    sum: [(f64, f64); BINS],
    power: [f64; BINS],
}

impl Default for Spectra {
    fn default() -> Self {
        Self { count: 0.0, sum: [(0.0, 0.0); BINS], power: [0.0; BINS] }
    }
}

impl Spectra {
    pub fn add(&mut self, transform: &Transform, wave: &[f64; LEN]) {
        self.count += 1.0;
        for (k, (re, im)) in transform.spectrum(wave).into_iter().enumerate() {
            self.sum[k].0 += re;
            self.sum[k].1 += im;
            self.power[k] += re * re + im * im;
        }
    }

    pub fn power(&self) -> [f64; BINS] {
        self.power.map(|p| p / self.count)
    }

    /// Sum over the frequencies of the variance about the mean of these waves, without bias.
    pub fn spread(&self) -> f64 {
        let about = |k: usize| self.power[k] - (self.sum[k].0.powi(2) + self.sum[k].1.powi(2)) / self.count;
        (0..BINS).map(about).sum::<f64>() / (self.count - 1.0)
    }
}

/// Mean square difference of two spectra in decibels squared.
pub fn log_distance_squared(a: &[f64; BINS], b: &[f64; BINS]) -> f64 {
    let of = |(a, b): (&f64, &f64)| (10.0 * (a.max(1e-12) / b.max(1e-12)).log10()).powi(2);
    a.iter().zip(b).map(of).sum::<f64>() / BINS as f64
}
