//! Steps with noise for Fourier coefficients.
//!
//! noise() is white in space and time, read in the sense of Itô: on a grid its value in a cell is a normal number over
//! √(cell · dt). Draws come from a counter, so a run is the same for every order of evaluation.

use eddy_numerics::{
    Complex,
    rng::{Philox, Stream},
};

use super::{Counts, March, Stop, Walk};
use crate::{
    discrete::Discrete,
    evaluate::Scalar,
    spectral::{Blocks, Spectral},
};

/// How the linear part is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linear {
    /// Explicitly: the method of Euler and Maruyama.
    Explicit,
    /// By its exponential, with the exact variance of each mode where the noise is additive and the linear part diagonal
    /// (an Ornstein-Uhlenbeck process): Jentzen & Kloeden (2009), Proc. R. Soc. A 465, 649, eq. 2.7.
    Exponential,
}

/// Strong order 1 for additive noise, 1/2 for multiplicative noise; weak order 1.
pub struct SpectralMaruyama<R: Scalar> {
    linear: Linear,
    dt: f64,
    seed: Philox,
    walk: Walk,
    draw: u32,
    tables: Option<(f64, Blocks<R>, Blocks<R>, Option<Vec<R>>)>,
    slope: Vec<Complex<R>>,
    next: Vec<Complex<R>>,
    kick: Vec<Complex<R>>,
    accepted: u64,
}

impl<R: Scalar> SpectralMaruyama<R> {
    pub fn new(linear: Linear, dt: f64, seed: u32, size: usize) -> Self {
        let zero = vec![Complex::default(); size];
        Self {
            linear,
            dt,
            seed: Philox::new(seed),
            walk: Walk::default(),
            draw: 0,
            tables: None,
            slope: zero.clone(),
            next: zero,
            kick: Vec::new(),
            accepted: 0,
        }
    }

    fn prepare(&mut self, spectral: &Spectral<R>, h: f64) {
        if self.tables.as_ref().is_some_and(|(length, ..)| *length == h) {
            return;
        }
        let symbol = &spectral.symbol;
        let full = symbol.blocks(|l| l.scaled(h).phi()[0].clone());
        let weight = symbol.blocks(|l| l.scaled(h).phi()[1].scaled(h));
        // Standard deviation of ∫ exp((h - s) λ) dW over √h, exactly.
        let spread = symbol.is_diagonal().then(|| {
            symbol
                .diagonal()
                .iter()
                .map(|lambda| {
                    let z = 2.0 * lambda.re * h;
                    R::of(if z.abs() < 1e-8 { 1.0 + 0.5 * z } else { z.exp_m1() / z }.sqrt())
                })
                .collect()
        });
        self.tables = Some((h, full, weight, spread));
    }
}

/// Normal numbers at points, scaled to white noise integrated over a step.
pub fn draw_noise<R: Scalar>(seed: &Philox, draw: u32, channel: u16, points: usize, scale: f64) -> Vec<R> {
    let mut out = Vec::with_capacity(points + 3);
    for chunk in 0..points.div_ceil(4) {
        let normals = seed.normals(Stream::Path, draw, u32::from(channel), chunk as u32);
        out.extend(normals.map(|x| R::of(x * scale)));
    }
    out.truncate(points);
    out
}

impl<R: Scalar> March<R> for SpectralMaruyama<R> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        let Discrete::Spectral(spectral) = system else {
            return Err(Stop::Failed("this method needs the Fourier discretization".into()));
        };
        let (h, is_last) = self.walk.next(t, t_end, self.dt);
        let u: &mut [Complex<R>] = bytemuck::cast_slice_mut(y);
        let n = spectral.modes.len();
        self.prepare(spectral, h);
        let Some((_, full, weight, spread)) = &self.tables else { return Err(Stop::StepTooSmall) };
        let amplitudes = spectral.noise_amplitudes(t, u);
        match self.linear {
            Linear::Explicit => {
                spectral.rates(t, u, &mut self.slope);
                self.next.copy_from_slice(u);
                let h = R::of(h);
                self.next.iter_mut().zip(&self.slope).for_each(|(u, f)| *u += *f * h);
            }
            Linear::Exponential => {
                spectral.nonlinear(t, u, &mut self.slope);
                self.next.fill(Complex::default());
                full.add_product(u, &mut self.next);
                weight.add_product(&self.slope, &mut self.next);
            }
        }
        let scale = (h / spectral.fine.cell()).sqrt();
        let points = spectral.fine.points();
        self.kick.resize(n, Complex::default());
        let terms = spectral.noise_terms.clone();
        for (term, (re, im)) in terms.iter().zip(&amplitudes) {
            let noise: Vec<R> = draw_noise(&self.seed, self.draw, term.channel, points, scale);
            let times = |amplitude: &[R]| -> Vec<R> { amplitude.iter().zip(&noise).map(|(a, x)| *a * *x).collect() };
            spectral.coefficients(&times(re), &times(im), term.orders, &mut self.kick);
            let place = term.position * n..(term.position + 1) * n;
            match (self.linear, spread) {
                (Linear::Exponential, Some(spread)) if !term.is_multiplicative => {
                    for ((u, kick), s) in self.next[place.clone()].iter_mut().zip(&self.kick).zip(&spread[place]) {
                        *u += *kick * *s;
                    }
                }
                (Linear::Exponential, _) => {
                    let mut whole = vec![Complex::default(); self.next.len()];
                    whole[place].copy_from_slice(&self.kick);
                    full.add_product(&whole, &mut self.next);
                }
                _ => self.next[place].iter_mut().zip(&self.kick).for_each(|(u, kick)| *u += *kick),
            }
        }
        u.copy_from_slice(&self.next);
        self.draw = self.draw.wrapping_add(1);
        self.accepted += 1;
        Ok(if is_last { t_end } else { t + h })
    }

    fn reset(&mut self, _: &mut Discrete<R>) {
        self.tables = None;
        self.walk.reset();
    }

    fn counts(&self) -> Counts {
        Counts { accepted: self.accepted, rejected: 0, dt: self.walk.length }
    }
}
