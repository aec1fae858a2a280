//! Window after window in time: each begins where the network of the one before ended (Krishnapriyan et al. 2021, section 4.2;
//! Wang, Sankaran, Perdikaris 2022, section 4).

use std::{f64::consts::TAU, ops::Range};

use eddy_numerics::{Complex, space::fft::RealFft};
use eddy_solve::{Statement, grid::Axis};
use eddy_spec::EddyError;

use super::{TypedNetwork, candidate::Candidate, reference::Reference};

/// Places at which the end of a window is read: what a network has learnt has far fewer waves.
const PLACES: usize = 512;
/// Amplitudes below this, relative to the largest, are rounding, which derivatives would raise.
const ROUNDING: f64 = 1e-13;

/// A field over a periodic axis, or a number, by which a window begins.
#[derive(Clone, Debug)]
pub struct Start {
    origin: f64,
    /// Radians per unit of length.
    wave: f64,
    /// Of waves 0, 1, …: u = Re Σ c_k e^{ik·wave·(x − origin)}.
    coefficients: Vec<Complex<f64>>,
}

impl Start {
    /// From values at equal distances along `axis`, the last one not repeated; a single value without an axis.
    pub fn new(axis: Option<&Axis>, values: &[f64]) -> Self {
        let n = values.len();
        let Some(axis) = axis else {
            let coefficients = values.iter().take(1).map(|v| Complex::new(*v, 0.0)).collect();
            return Self { origin: 0.0, wave: 0.0, coefficients };
        };
        let mut fft = RealFft::new(n);
        let mut coefficients = vec![Complex::new(0.0, 0.0); fft.modes()];
        fft.forward(values, &mut coefficients);
        for (k, c) in coefficients.iter_mut().enumerate() {
            // Both waves ±k, but for the mean; the wave of the grid itself has no side.
            let both = if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
            *c *= both / n as f64;
        }
        let largest = coefficients.iter().fold(0.0, |m: f64, c| m.max(c.norm()));
        let last = coefficients.iter().rposition(|c| c.norm() > ROUNDING * largest).unwrap_or(0);
        coefficients.truncate(last + 1);
        Self { origin: axis.min, wave: TAU / axis.length(), coefficients }
    }

    /// The derivative of an order at places.
    pub fn derivative(&self, order: u8, places: impl Iterator<Item = f64>) -> Vec<f64> {
        let scaled: Vec<Complex<f64>> = (0_u32..)
            .zip(&self.coefficients)
            .map(|(k, c)| c * Complex::new(0.0, f64::from(k) * self.wave).powu(u32::from(order)))
            .collect();
        let at = |x: f64| {
            let turn = Complex::cis(self.wave * (x - self.origin));
            // Horner's rule: as many products as waves, no sine for each.
            scaled.iter().rev().fold(Complex::new(0.0, 0.0), |sum, c| sum * turn + c).re
        };
        places.map(at).collect()
    }
}

/// Which window is trained.
pub(super) struct March {
    pub windows: usize,
    done: usize,
    /// Of a window, and the strictness that it begins with.
    length: f64,
    causality: f64,
    /// Rows of the reference in the window, and their points with times counted from its start.
    pub rows: Range<usize>,
    pub probes: Vec<f64>,
    /// By output: what is added to the network's there.
    pub bases: Vec<Vec<f64>>,
}

impl March {
    /// Shortens `statement` to the first of `windows`.
    pub fn new(statement: &mut Statement, windows: usize, causality: f64) -> Self {
        let windows = windows.max(1);
        let length = (statement.end - statement.start) / windows as f64;
        statement.end = statement.start + length;
        Self { windows, done: 0, length, causality, rows: 0..0, probes: Vec::new(), bases: Vec::new() }
    }

    /// Whether this problem can be marched through.
    pub fn check(
        &self,
        statement: &Statement,
        candidate: &Candidate,
        reference: &Reference,
        seeks: bool,
    ) -> Result<(), EddyError> {
        let axes = &statement.grid.axes;
        let why = if self.windows == 1 {
            return Ok(());
        } else if !candidate.has_time {
            "there is no time in these equations"
        } else if axes.len() > 1 || axes.iter().any(|axis| !axis.is_periodic) {
            "the end of a window is carried on by waves, which needs one periodic axis, or none"
        } else if candidate.outputs.iter().any(|output| output.order > 1) {
            "only equations of first order in time are carried on"
        } else if seeks {
            "coefficients are found from the whole time at once"
        } else if self.windows >= reference.times.len() {
            "the reference has fewer moments than there are windows"
        } else {
            return Ok(());
        };
        Err(EddyError::start(format!("This takes one window: {why}.")).at("windows"))
    }

    /// From the start of the run to that of the window.
    pub fn offset(&self) -> f64 {
        self.done as f64 * self.length
    }
    /// First and last time of the whole run.
    pub fn span(&self, statement: &Statement) -> (f64, f64) {
        (statement.start, statement.start + self.windows as f64 * self.length)
    }

    /// Finds the rows of the window and what is known there.
    pub fn look(&mut self, statement: &Statement, candidate: &Candidate, reference: &Reference) {
        let (from, slack) = (statement.start + self.offset(), 1e-9 * self.length);
        // The first moment of a window is the last of the one before.
        let is_after = |t: f64| self.done == 0 || t > from + slack;
        let own = |t: f64| is_after(t) && t <= from + self.length + slack;
        let first = reference.times.iter().position(|t| own(*t)).unwrap_or(0);
        let last = if self.windows == 1 {
            reference.times.len()
        } else {
            reference.times.iter().rposition(|t| own(*t)).map_or(first, |k| k + 1)
        };
        self.rows = first..last;
        let each = candidate.inputs * reference.per_time();
        self.probes = reference.points[self.rows.start * each..self.rows.end * each].to_vec();
        if candidate.has_time {
            let offset = self.offset();
            self.probes.iter_mut().skip(candidate.inputs - 1).step_by(candidate.inputs).for_each(|t| *t -= offset);
        }
        self.bases = (0..candidate.outputs.len()).map(|o| candidate.base(o, [0; 3], 0, &self.probes)).collect();
    }
}

impl TypedNetwork {
    /// Goes on to the next window, which begins with what `parameters` say of the end of this one.
    pub(super) fn march_on(&mut self, parameters: &[f64]) {
        let axis = self.statement.grid.axes.first().copied();
        let end = self.statement.end;
        let points: Vec<f64> = match axis {
            None => vec![end],
            Some(axis) => {
                (0..PLACES).flat_map(|i| [axis.min + axis.length() * i as f64 / PLACES as f64, end]).collect()
            }
        };
        let outputs = self.candidate.outputs.len();
        let mut ends: Vec<Vec<f64>> = (0..outputs).map(|o| self.candidate.base(o, [0; 3], 0, &points)).collect();
        self.values.evaluate(parameters, &points, |tile| {
            for (o, values) in ends.iter_mut().enumerate() {
                values[tile.start..][..tile.len].iter_mut().zip(tile.jet(o, 0)).for_each(|(v, j)| *v += j);
            }
        });
        for (output, values) in ends.iter().enumerate() {
            self.candidate.begin(output, Start::new(axis.as_ref(), values));
        }
        self.march.done += 1;
        self.training.causality = self.march.causality;
        self.march.look(&self.statement, &self.candidate, &self.reference);
        // Points of the window before know nothing of this one.
        self.points.clear();
        self.draw_all(self.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_of_a_start_are_those_of_the_field() {
        let axis = Axis { min: -1.0, max: 3.0, ..axis() };
        let k = TAU / 4.0;
        let field = |x: f64| 0.3 + (k * x).sin() + 0.2 * (5.0 * k * x).cos();
        let fourth = |x: f64| k.powi(4) * (k * x).sin() + 0.2 * (5.0 * k).powi(4) * (5.0 * k * x).cos();
        let values: Vec<f64> = (0..64).map(|i| field(-1.0 + 4.0 * f64::from(i) / 64.0)).collect();
        let start = Start::new(Some(&axis), &values);
        let places = [-0.7, 0.123, 2.9];
        for (order, exact) in [(0, &field as &dyn Fn(f64) -> f64), (4, &fourth)] {
            for (x, found) in places.iter().zip(start.derivative(order, places.into_iter())) {
                assert!((found - exact(*x)).abs() < 1e-8 * (1.0 + exact(*x).abs()), "{order} {x} {found}");
            }
        }
        // Seen to fail: another order.
        assert!((start.derivative(3, std::iter::once(0.123))[0] - fourth(0.123)).abs() > 1.0);
        // Without space a number.
        assert_eq!(Start::new(None, &[2.5]).derivative(0, [0.0, 7.0].into_iter()), [2.5, 2.5]);
    }

    fn axis() -> Axis {
        let text = "equations = \"u_t = dxx(u)\"\n[domain]\nx = { max = 1, points = 8 }\n[time]\nend = 1\n";
        Statement::new(eddy_solve::Problem::parse(text).unwrap()).unwrap().grid.axes[0].clone()
    }
}
