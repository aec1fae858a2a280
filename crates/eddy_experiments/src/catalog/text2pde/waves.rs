//! Blocks of frames of u_t + c (1 + γu) u_x = ν u_xx, exact by Cole and Hopf, and what is measured of such a block.

use std::f64::consts::TAU;

use eddy_numerics::{
    Complex,
    rng::{Philox, Stream},
    space::fft::RealFft,
};

/// Places of the period and frames of the unit of time.
pub const PLACES: usize = 32;
pub const FRAMES: usize = 32;
pub const BLOCK: usize = PLACES * FRAMES;
const INTERVAL: f64 = 1.0 / (FRAMES - 1) as f64;
/// γ: what is higher is faster.
pub const STEEPENING: f64 = 0.5;
/// Width of a pulse, least distance of two, and heights. A valley is then below half of a peak.
const WIDTH: f64 = 0.075;
const APART: f64 = 0.28;
const HEIGHTS: (f64, f64) = (0.75, 1.0);
/// |c| and ν by the value of their attribute, and what parts the two.
const SPEEDS: [(f64, f64); 2] = [(0.26, 0.34), (0.08, 0.14)];
const DIFFUSIVITIES: [(f64, f64); 2] = [(0.008, 0.012), (0.002, 0.003)];
const FAST: f64 = 0.2;
const STRONG: f64 = 0.005;
/// Points on which the transform of Cole and Hopf is resolved to 1e-6.
const FINE: usize = 128;

/// Number of pulses less one; left or right; fast or slow; strong or weak diffusion: each the number of its value.
pub type Attributes = [usize; 4];
pub const VALUES: Attributes = [3, 2, 2, 2];

pub fn all_attributes() -> impl Iterator<Item = Attributes> + Clone {
    (0..24).map(|k| [k / 8, k / 4 % 2, k / 2 % 2, k % 2])
}

/// What decides a run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Place and height of each pulse.
    pub pulses: Vec<(f64, f64)>,
    /// c.
    pub speed: f64,
    /// ν.
    pub diffusivity: f64,
}

impl Setup {
    /// Draw number `index` among those with these attributes.
    pub fn draw([number, direction, speed, diffusion]: Attributes, rng: &Philox, stream: Stream, index: u32) -> Self {
        let between = |ends: (f64, f64), share: f64| ends.0 + (ends.1 - ends.0) * share;
        let [first, a, b, own] = rng.uniforms(stream, 0, index, 0);
        let [c, nu, ..] = rng.uniforms(stream, 0, index, 1);
        let heights = rng.uniforms(stream, 0, index, 2);
        // The distance that is free is cut at random.
        let cuts = if number == 2 { [0.0, a.min(b), a.max(b)] } else { [0.0, a, own] };
        let free = 1.0 - (number + 1) as f64 * APART;
        let place = |k: usize| (first + k as f64 * APART + free * cuts[k]).fract();
        let sign = if direction == 0 { -1.0 } else { 1.0 };
        Self {
            pulses: (0..=number).map(|k| (place(k), between(HEIGHTS, heights[k]))).collect(),
            speed: sign * between(SPEEDS[speed], c),
            diffusivity: between(DIFFUSIVITIES[diffusion], nu),
        }
    }

    /// u at time 0.
    pub fn start(&self, x: f64) -> f64 {
        let shape = |d: f64| (((TAU * d).cos() - 1.0) / (TAU * WIDTH).powi(2)).exp();
        self.pulses.iter().map(|(place, height)| height * shape(x - place)).sum()
    }
}

/// Exact frames.
pub struct Solver {
    fft: RealFft<f64>,
    line: Vec<f64>,
    slope: Vec<f64>,
    hats: [Vec<Complex<f64>>; 3],
}

impl Solver {
    pub fn new() -> Self {
        let (fft, line) = (RealFft::new(FINE), vec![0.0; FINE]);
        let hat = vec![Complex::default(); fft.modes()];
        Self { fft, slope: line.clone(), line, hats: [hat.clone(), hat.clone(), hat] }
    }

    /// u at all places, frame after frame. With w = cγu and its mean m, w − m = −2ν φ_x/φ in the frame that moves with
    /// c + m, where φ obeys the heat equation: every Fourier coefficient of φ decays by itself.
    pub fn block(&mut self, setup: &Setup) -> Vec<f64> {
        let (scale, nu) = (setup.speed * STEEPENING, setup.diffusivity);
        let [hat, moved, slopes] = &mut self.hats;
        self.line.iter_mut().enumerate().for_each(|(j, u)| *u = setup.start(j as f64 / FINE as f64));
        self.fft.forward(&self.line, hat);
        let mean = hat[0].re / FINE as f64;
        hat[0] = Complex::default();
        for (k, hat) in hat.iter_mut().enumerate().skip(1) {
            // ∫ w dx.
            *hat *= Complex::new(0.0, -scale / (TAU * k as f64));
        }
        self.fft.inverse(hat, &mut self.line);
        self.line.iter_mut().for_each(|w| *w = (-*w / (2.0 * nu)).exp());
        self.fft.forward(&self.line, hat);
        let mut block = Vec::with_capacity(BLOCK);
        for frame in 0..FRAMES {
            let t = frame as f64 * INTERVAL;
            let way = (setup.speed + scale * mean) * t;
            // The Nyquist mode, which has no slope, stays 0.
            for k in 0..FINE / 2 {
                let wave = TAU * k as f64;
                let (sin, cos) = (wave * way).sin_cos();
                moved[k] = hat[k] * Complex::new(cos, -sin) * (-nu * wave * wave * t).exp();
                slopes[k] = moved[k] * Complex::new(0.0, wave);
            }
            self.fft.inverse(moved, &mut self.line);
            self.fft.inverse(slopes, &mut self.slope);
            let at = |j: usize| mean - 2.0 * nu / scale * self.slope[j] / self.line[j];
            block.extend((0..PLACES).map(|j| at(j * FINE / PLACES)));
        }
        block
    }
}

/// What a block of frames is like, whoever made it.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Pulses of the first frame: how often it rises through half of its maximum.
    pub pulses: usize,
    /// c and ν with which the equation fits the frames best.
    pub speed: f64,
    pub diffusivity: f64,
}

impl Look {
    /// Least squares of u_t + c (1 + γu) u_x = ν u_xx over all places, halfway between each two frames, with differences of
    /// fourth order along x.
    pub fn of(block: &[f64]) -> Self {
        // Normal equations of the rate by (−(1 + γu) u_x, u_xx).
        let (mut aa, mut ab, mut bb, mut ar, mut br) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for pair in block.windows(2 * PLACES).step_by(PLACES) {
            let (now, next) = pair.split_at(PLACES);
            for j in 0..PLACES {
                let middle = |by: usize| 0.5 * (now[(j + by) % PLACES] + next[(j + by) % PLACES]);
                let [left2, left, u, right, right2] = [PLACES - 2, PLACES - 1, 0, 1, 2].map(middle);
                let slope = (8.0 * (right - left) - (right2 - left2)) * PLACES as f64 / 12.0;
                let a = -(1.0 + STEEPENING * u) * slope;
                let b = (16.0 * (right + left) - (right2 + left2) - 30.0 * u) * (PLACES * PLACES) as f64 / 12.0;
                let rate = (next[j] - now[j]) / INTERVAL;
                (aa, ab, bb) = (aa + a * a, ab + a * b, bb + b * b);
                (ar, br) = (ar + a * rate, br + b * rate);
            }
        }
        let determinant = aa * bb - ab * ab;
        let first = &block[..PLACES];
        let level = 0.5 * first.iter().fold(0.0, |top: f64, u| top.max(*u));
        let rises = |j: &usize| first[*j] < level && first[(j + 1) % PLACES] >= level;
        Self {
            pulses: (0..PLACES).filter(rises).count(),
            speed: (ar * bb - br * ab) / determinant,
            diffusivity: (br * aa - ar * ab) / determinant,
        }
    }

    /// As attributes; none that exists where a number is not finite.
    pub fn attributes(&self) -> Attributes {
        if !self.speed.is_finite() || !self.diffusivity.is_finite() {
            return [usize::MAX; 4];
        }
        let is_slow = self.speed.abs() <= FAST;
        let is_weak = self.diffusivity <= STRONG;
        [self.pulses.wrapping_sub(1), (self.speed > 0.0).into(), is_slow.into(), is_weak.into()]
    }
}
