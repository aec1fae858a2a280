//! How a steady problem is solved on a grid: Newton's method, and inverse iteration for the states of eigenproblems.

use std::time::Duration;

use eddy_nets::uniform;
use eddy_numerics::least_squares::Qr;
use web_time::Instant;

use super::{Grid, System};
/// What counts as an equation that does not hold, relative to its terms: few points alone leave a hundredth.
const CONTRADICTION: f64 = 5e-2;
/// A state is settled where the next step is shorter than this, relative to it: rounding of fourth derivatives leaves less.
const SETTLED: f64 = 1e-3;
/// Longest time for a solution.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most states of one eigenvalue.
const STATES: usize = 10;
/// Steps of inverse iteration with one shift, and most shifts.
const ITERATIONS: usize = 40;
const SHIFTS: usize = 5;
/// Most steps of Newton's method, and of that for a state that grows, whose guess is near.
const STEPS: usize = 60;
const GROWING: usize = 12;
/// Eigenvalues nearer than this, relative, are one.
const SAME: f64 = 1e-4;

fn square(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

fn length(v: &[f64]) -> f64 {
    square(v).sqrt()
}

impl Grid<'_> {
    /// Newton's method: of eigenproblems from a state near the guess, of others from zero, then from the smoothest fields that
    /// the conditions at the sides allow. Why what it comes to is no solution, where it is none.
    pub(super) fn solve(&self, is_eigen: bool) -> Result<Vec<f64>, String> {
        if is_eigen {
            return self.eigenstate();
        }
        self.solve_from(self.zero(None)).or_else(|why| match self.smoothest() {
            Some(y) => self.solve_from(y),
            None => Err(why),
        })
    }

    /// The state with the eigenvalue nearest to the guess where the equations are linear. Else what the nearest one becomes as it
    /// grows, or where the equations leave least at the guess, whichever is nearer to it.
    fn eigenstate(&self) -> Result<Vec<f64>, String> {
        let first = self.zero(None);
        let off = |y: &[f64]| y[self.fields()..].iter().zip(&first[self.fields()..]).map(|(a, b)| (a - b).abs()).sum();
        let grown = self.grown(&off);
        if let Some((y, true)) = grown {
            return Ok(y);
        }
        let grown = grown.map(|(y, _)| y);
        let mut y = first.clone();
        if let Some((state, _)) = self.states(&first[self.fields()..], 1).first() {
            y[..self.fields()].copy_from_slice(state);
        }
        self.scale(&mut y);
        match (self.solve_from(y), grown) {
            (Ok(own), Some(other)) if off(&other) < off(&own) => Ok(other),
            (Err(_), Some(other)) => Ok(other),
            (own, _) => own,
        }
    }

    /// What linear states near the guess become as they grow: the first that comes no farther from it on the way, which is what was
    /// meant and is marked, or else the nearest of some.
    fn grown(&self, off: &dyn Fn(&[f64]) -> f64) -> Option<(Vec<f64>, bool)> {
        let [(_, _, guess)] = self.problem.numbers[..] else { return None };
        let nearest = self.nearest_eigenvalue(guess)?;
        if self.is_linear(&nearest) {
            return self.solve_from(nearest).ok().map(|y| (y, true));
        }
        let gap = off(&nearest).max(1e-3 * guess.abs());
        let mut tried: Vec<f64> = Vec::new();
        let mut best: Option<Vec<f64>> = None;
        let begun = Instant::now();
        // Eigenvalues on either side, farther and farther away.
        for shift in [0.0, -2.0, 2.0, -4.0, 4.0, -8.0, 8.0, -16.0, 16.0] {
            if begun.elapsed() > PATIENCE / 4 {
                break;
            }
            let start = if shift == 0.0 { Some(nearest.clone()) } else { self.nearest_eigenvalue(guess + shift * gap) };
            let Some(start) = start else { continue };
            let number = start[self.fields()];
            if tried.iter().any(|other| (other - number).abs() < SAME * number.abs().max(gap)) {
                continue;
            }
            tried.push(number);
            let from = off(&start);
            let Some(y) = self.continued(start) else { continue };
            if off(&y) <= from {
                return Some((y, true));
            }
            if best.as_ref().is_none_or(|other| off(&y) < off(other)) {
                best = Some(y);
            }
        }
        best.map(|y| (y, false))
    }

    /// Fields with the least second derivatives that fulfil the conditions at the sides.
    fn smoothest(&self) -> Option<Vec<f64>> {
        let mut y = self.zero(None);
        let numbers = y.split_off(self.fields());
        let mut system = System::new(self.fields());
        for axis in 0..self.axes.len() {
            let mut orders = [0; 3];
            orders[axis] = 2;
            let rows: Vec<Vec<f64>> = self.samples.iter().map(|sample| self.row(sample, orders)).collect();
            for first in (0..self.fields()).step_by(self.nodes) {
                for (entries, weight) in rows.iter().zip(&self.weights) {
                    let row = system.new_row(0.0);
                    let own = system.columns[first..].iter_mut().zip(entries);
                    own.for_each(|(column, e)| column[row] = weight.sqrt() * e);
                }
            }
        }
        let weight = system.row_size();
        self.at_sides(&mut system, &y, weight);
        // A hair of size, where the sides leave a field free.
        for first in 0..self.fields() {
            let row = system.new_row(0.0);
            system.columns[first][row] = 1e-6 * weight;
        }
        let right = system.right();
        y = Qr::new(system.columns)?.solve(right)?;
        y.extend(numbers);
        Some(y)
    }

    fn solve_from(&self, y: Vec<f64>) -> Result<Vec<f64>, String> {
        self.solve_within(y, STEPS)
    }

    fn solve_within(&self, y: Vec<f64>, steps: usize) -> Result<Vec<f64>, String> {
        let (y, mismatch, rest) = self.descend_within(y, steps);
        match mismatch {
            m if !m.is_finite() => Err("the equations have no value there".to_owned()),
            m if m > CONTRADICTION => Err(format!("no state fulfils all of them together (they are off by {m:.1e})")),
            _ if !(rest < SETTLED) => Err("Newton's method does not settle".to_owned()),
            _ => Ok(y),
        }
    }

    /// Where Newton's method comes to, what the equations leave there, and the length of the next step, relative.
    pub(super) fn descend(&self, y: Vec<f64>) -> (Vec<f64>, f64, f64) {
        self.descend_within(y, STEPS)
    }

    fn descend_within(&self, mut y: Vec<f64>, steps: usize) -> (Vec<f64>, f64, f64) {
        let begun = Instant::now();
        let mut system = self.system(&y, None);
        for _ in 0..steps {
            if begun.elapsed() > PATIENCE {
                break;
            }
            let Some(step) = self.newton(&mut y, &mut system) else { break };
            if step < 1e-11 * length(&y) {
                break;
            }
        }
        let rest = self.step(&system, 1e-10).map_or(f64::NAN, |step| length(&step));
        let share = if rest == 0.0 { 0.0 } else { rest / length(&y) };
        (y, system.mismatch, share)
    }

    /// Goes on to a state whose squares are fewer, and returns how far; `system` is that of the state.
    fn newton(&self, y: &mut Vec<f64>, system: &mut System) -> Option<f64> {
        let before = square(&system.rows);
        let reached = |step: &[f64], t: f64| -> Option<(Vec<f64>, System, f64)> {
            let next: Vec<f64> = y.iter().zip(step).map(|(y, s)| y + t * s).collect();
            let there = self.system(&next, Some(system.weight));
            (square(&there.rows) < before).then(|| (next, there, t * length(step)))
        };
        let whole = Qr::new(system.columns.clone()).and_then(|qr| qr.solve(system.right()));
        let shares = |step: Vec<f64>| [1.0, 0.5, 0.25, 0.1, 0.03].iter().find_map(|t| reached(&step, *t));
        // Where directions are free, as a phase is, or Newton's step misleads, shorter ones (Levenberg, Marquardt).
        let damped = || [1e-8, 1e-6, 1e-4, 1e-2, 0.1, 1.0].iter().find_map(|d| reached(&self.step(system, *d)?, 1.0));
        let (next, there, step) = whole.and_then(shares).or_else(damped)?;
        (*y, *system) = (next, there);
        Some(step)
    }

    /// Newton's step with each unknown damped by a share of its column.
    fn step(&self, system: &System, damping: f64) -> Option<Vec<f64>> {
        let unknowns = system.columns.len();
        let damped = system.columns.iter().enumerate().map(|(j, column)| {
            let mut all = column.clone();
            all.resize(column.len() + unknowns, 0.0);
            all[column.len() + j] = damping * length(column).max(1e-12);
            all
        });
        let mut right = system.right();
        right.resize(right.len() + unknowns, 0.0);
        Qr::new(damped.collect())?.solve(right)
    }

    /// Gives a state the amplitude that conditions on integrals ask for, about.
    fn scale(&self, y: &mut [f64]) {
        let fields = y[..self.fields()].to_vec();
        let parameters = self.parameters(y);
        let mut mismatch = |s: f64| {
            y.iter_mut().zip(&fields).for_each(|(y, v)| *y = s * v);
            let mut system = System::new(y.len());
            self.on_integrals(&mut system, y, &parameters, 1.0);
            square(&system.rows)
        };
        let tried = (-40..=40).flat_map(|k| [1.0, -1.0].map(|sign| sign * 10f64.powf(0.1 * f64::from(k))));
        let best = tried.min_by(|a, b| mismatch(*a).total_cmp(&mismatch(*b)));
        mismatch(best.unwrap_or(1.0));
    }

    /// The equations and the conditions at the sides, linearized at zero at given numbers, by column.
    fn at_zero(&self, numbers: &[f64], weight: Option<f64>) -> System {
        let mut system = self.system(&self.zero(Some(numbers)), weight);
        system.columns.truncate(self.fields());
        let kept = system.local;
        system.columns.iter_mut().for_each(|column| column.truncate(kept));
        system
    }

    /// A state of the linear equations M(λ)v = 0 with the eigenvalue nearest to a guess λ₀, and that eigenvalue: inverse iteration
    /// M(λ₀)w = −M′v, whose fixed directions have w = v/(λ − λ₀). Unlike the least singular vector of M(λ₀) it is a state where
    /// M is not normal too (Trefethen and Embree 2005, "Spectra and pseudospectra", section 28). Of equations
    /// that are not linear, as they are for small fields. None where the nearest are a complex pair.
    fn nearest_eigenvalue(&self, guess: f64) -> Option<Vec<f64>> {
        let mut number = guess;
        let mut v: Vec<f64> = (0..self.fields() as u64).map(|i| uniform(7, i) - 0.3).collect();
        // From where the iteration has come to it goes on faster.
        for _ in 0..SHIFTS {
            let here = self.at_zero(&[number], None);
            let by = 1e-4 * number.abs().max(1.0);
            let there = self.at_zero(&[number + by], Some(here.weight));
            let factors = Qr::new(here.columns.clone())?;
            let mut shift = 0.0;
            for _ in 0..ITERATIONS {
                let scale = 1.0 / length(&v);
                v.iter_mut().for_each(|v| *v *= scale);
                let mut right = vec![0.0; here.local];
                for ((v, a), b) in v.iter().zip(&here.columns).zip(&there.columns) {
                    right.iter_mut().zip(a.iter().zip(b)).for_each(|(r, (a, b))| *r -= v * (b - a) / by);
                }
                let w = factors.solve(right)?;
                shift = v.iter().zip(&w).map(|(v, w)| v * w).sum::<f64>() / square(&w);
                if !shift.is_finite() {
                    return None;
                }
                let gap = v.iter().zip(&w).map(|(v, w)| (v - w * shift).powi(2)).sum::<f64>().sqrt();
                v = w;
                if gap < 1e-8 {
                    let mut y = v;
                    y.push(number);
                    self.scale(&mut y);
                    y[self.fields()] = number + shift;
                    return Some(y);
                }
            }
            number += shift;
        }
        None
    }

    /// The state that a small one, of the linear equations, becomes as it grows: R(s u)/s = 0 from s = 0 to 1, each from the one before.
    /// Conditions on integrals hold for u throughout.
    fn continued(&self, mut y: Vec<f64>) -> Option<Vec<f64>> {
        let begun = Instant::now();
        let mut grid = self.clone();
        let (mut s, mut by) = (0.0, 0.25);
        // The last step and its length: along it goes the guess.
        let mut along: Option<(Vec<f64>, f64)> = None;
        while s < 1.0 {
            if by < 1e-3 || begun.elapsed() > PATIENCE {
                return None;
            }
            grid.strength = f64::min(s + by, 1.0);
            let mut guess = y.clone();
            if let Some((step, length)) = &along {
                guess.iter_mut().zip(step).for_each(|(y, d)| *y += d * (grid.strength - s) / length);
            }
            match grid.solve_within(guess, GROWING) {
                Ok(there) => {
                    along = Some((there.iter().zip(&y).map(|(a, b)| a - b).collect(), grid.strength - s));
                    (y, s, by) = (there, grid.strength, 1.5 * by);
                }
                Err(_) => by *= 0.5,
            }
        }
        Some(y)
    }

    /// Whether the equations and the conditions at the sides are linear in the fields, as far as a state and zero tell.
    fn is_linear(&self, y: &[f64]) -> bool {
        let (here, there) = (self.system(y, Some(1.0)), self.at_zero(&y[self.fields()..], Some(1.0)));
        let kept = here.local;
        here.columns[..self.fields()].iter().zip(&there.columns).all(|(a, b)| {
            let size = a[..kept].iter().fold(1e-300_f64, |m, v| m.max(v.abs()));
            a[..kept].iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-9 * size)
        })
    }

    /// States that the equations nearly leave nothing of, at given numbers, and how much they leave: |Mv| for |v| = 1 in L², M
    /// the equations linearized at zero.
    fn states(&self, numbers: &[f64], most: usize) -> Vec<(Vec<f64>, f64)> {
        let system = self.at_zero(numbers, None);
        let kept = system.local;
        let Some(factors) = Qr::new(system.columns.clone()) else { return Vec::new() };
        let values = &self.matrices[&[0; 3]];
        let size = |v: &[f64]| -> f64 {
            let of = |field: &[f64]| -> f64 {
                let at = |row: &Vec<f64>| row.iter().zip(field).map(|(a, b)| a * b).sum::<f64>();
                values.iter().zip(&self.weights).map(|(row, w)| w * at(row).powi(2)).sum()
            };
            v.chunks(self.nodes).map(of).sum::<f64>().sqrt()
        };
        let mut found: Vec<(Vec<f64>, f64)> = Vec::new();
        for n in 0..most {
            let mut v: Vec<f64> = (0..self.fields() as u64).map(|i| uniform(7 + n as u64, i) - 0.3).collect();
            for _ in 0..100 {
                factors.solve_gram(&mut v);
                for (other, _) in &found {
                    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                    let share = product(&v, other) / product(other, other);
                    v.iter_mut().zip(other).for_each(|(v, o)| *v -= share * o);
                }
                let scale = 1.0 / size(&v);
                v.iter_mut().for_each(|v| *v *= scale);
            }
            if v.iter().any(|v| !v.is_finite()) {
                break;
            }
            let left = |row: usize| v.iter().zip(&system.columns).map(|(v, c)| v * c[row]).sum::<f64>();
            let rest = (0..kept).map(|row| left(row).powi(2)).sum::<f64>().sqrt();
            found.push((v, rest));
        }
        found
    }

    /// What solves an eigenproblem as well as `y` does: all states of its eigenvalue where it is linear, else `y` alone, which
    /// stands for its negative too.
    pub(super) fn space(&self, y: &[f64]) -> Vec<Vec<f64>> {
        let (fields, numbers) = y.split_at(self.fields());
        if fields.iter().all(|v| *v == 0.0) || !self.is_linear(y) {
            return vec![fields.to_vec()];
        }
        let kept = self.system(y, Some(1.0)).local;
        // A hair beside the eigenvalue the matrix can be factored.
        let beside: Vec<f64> = numbers.iter().map(|v| v + 1e-7 * v.abs().max(1e-3)).collect();
        let all = self.states(&beside, STATES);
        // What the number's own change by that share would leave.
        let moved = |v: &[f64]| -> f64 {
            let at: Vec<f64> = v.iter().chain(numbers).copied().collect();
            let system = self.system(&at, Some(1.0));
            let of = |(n, column): (usize, &Vec<f64>)| numbers[n].abs().max(1e-3) * length(&column[..kept]);
            system.columns[self.fields()..].iter().enumerate().map(of).fold(0.0, f64::max)
        };
        let is_same = |(v, rest): &(Vec<f64>, f64)| numbers.is_empty() || *rest < SAME * moved(v);
        let same: Vec<Vec<f64>> = all.into_iter().take_while(is_same).map(|(v, _)| v).collect();
        if same.is_empty() { vec![fields.to_vec()] } else { same }
    }
}
