//! A self-consistent field as a run: iterations first, then the same atom with elements of other degrees.

use eddy_numerics::fem1d::{Elements, exponential_mesh};
use eddy_spec::{Marker, Metric, Outcome, Role, Series, ViewData};

use super::{SYMBOLS, field::Atom};
use crate::{Budget, LocalFuture, Precision, Progress, Record, Run, ready};

/// Mesh and elements of an atom.
#[derive(Clone, Copy, Debug)]
pub struct Discretisation {
    pub degree: usize,
    pub elements: usize,
    pub ratio: f64,
    /// Of the box, in bohr.
    pub radius: f64,
}

impl Discretisation {
    fn atom(self, charge: u32) -> Atom {
        Atom::new(charge, Elements::new(exponential_mesh(self.elements, self.ratio, self.radius), self.degree))
    }
}

/// A field is found when its potential is its own to this, in hartree.
const FOUND: f64 = 1e-8;
const MOST: u64 = 200;
/// Degrees of the comparison; errors are against the last.
const DEGREES: [usize; 9] = [2, 3, 4, 6, 8, 10, 12, 16, 24];

/// Total energies of the local density approximation with the correlation of Vosko, Wilk and Nusair, in hartree, as published
/// by NIST (Kotochigova, Levine, Shirley, Stiles, Clark 1997, Phys. Rev. A 55, 191).
const PUBLISHED: [(u32, f64); 3] = [(2, -2.834_836), (10, -128.233_481), (18, -525.946_195)];

/// See the module.
pub struct FieldRun {
    charge: u32,
    discretisation: Discretisation,
    atom: Atom,
    iterations: u64,
    found: bool,
    /// The atom of the comparison, and how many degrees are done.
    other: Option<(Atom, u64)>,
    /// Unknowns and total energy by degree.
    totals: Vec<(f64, f64)>,
    steps: u64,
    outcome: Outcome,
    metrics: &'static [Metric],
    record: Record,
    /// Energies of the iteration before.
    before: Vec<f64>,
}

impl FieldRun {
    /// Records the metrics `total`, `total_error` and `residual` of `metrics`.
    pub fn new(charge: u32, discretisation: Discretisation, metrics: &'static [Metric]) -> Self {
        let mut run = Self {
            atom: discretisation.atom(charge),
            charge,
            discretisation,
            iterations: 0,
            found: false,
            other: None,
            totals: Vec::new(),
            steps: 0,
            outcome: Outcome::Running,
            record: Record::of(metrics),
            metrics,
            before: Vec::new(),
        };
        // The stage shows the orbitals of the first potential.
        run.iterate();
        run
    }

    fn stop(&mut self, cause: &str) {
        self.outcome = Outcome::Diverged {
            step: self.steps,
            cause: cause.to_owned(),
            advice: "Take more elements, a higher degree or a mesh that is finer at the nucleus.".to_owned(),
            repair: None,
        };
    }

    fn iterate(&mut self) {
        self.before = self.atom.orbitals.iter().map(|o| o.energy).collect();
        self.iterations += 1;
        if !self.atom.step() || !self.atom.energies.total.is_finite() {
            return self.stop("A shell has no bound state on this mesh.");
        }
        self.found = self.atom.residual < FOUND;
        if !self.found && self.iterations >= MOST {
            self.stop("The field does not settle.");
        }
        let total = self.atom.energies.total;
        let published = PUBLISHED.iter().find(|p| p.0 == self.charge);
        let row: Vec<f64> = self
            .metrics
            .iter()
            .map(|m| match m.key {
                "total" => total,
                "total_error" => published.map_or(f64::NAN, |p| (total - p.1).abs().max(1e-12)),
                "residual" => self.atom.residual.max(1e-16),
                _ => f64::NAN,
            })
            .collect();
        self.record.push(self.iterations as f64, &row);
    }

    /// One iteration of the comparison.
    fn compare(&mut self) {
        let Some(degree) = DEGREES.get(self.totals.len()) else { return };
        let fresh = || (Discretisation { degree: *degree, ..self.discretisation }.atom(self.charge), 0);
        let (mut atom, count) = self.other.take().unwrap_or_else(fresh);
        // On a few poor elements a field may not settle; then there is no total.
        let fine = atom.step() && count < MOST;
        if fine && atom.residual >= FOUND {
            self.other = Some((atom, count + 1));
        } else {
            let total = if fine { atom.energies.total } else { f64::NAN };
            self.totals.push((atom.elements.unknowns() as f64, total));
        }
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.found {
            self.compare()
        } else {
            self.iterate()
        }
        if self.totals.len() == DEGREES.len() {
            self.outcome = Outcome::Finished;
        }
    }

    fn orbitals(&self) -> ViewData {
        // The outermost shells of free atoms reach some five bohr.
        let end = self.discretisation.radius.min(6.0);
        let xs: Vec<f64> = (0..=300).map(|i| end * (f64::from(i) / 300.0).powi(2)).collect();
        let mut top: f64 = 1e-9;
        let mut series = Vec::new();
        for (i, (shell, state)) in self.atom.shells.iter().zip(&self.atom.orbitals).enumerate() {
            let ys: Vec<f64> = xs.iter().map(|r| self.atom.elements.value(&state.vector, *r)).collect();
            top = ys.iter().fold(top, |m, p| m.max(p.abs()));
            let role = [Role::Result, Role::Second, Role::Third][i % 3];
            let name = format!("{} of {}", shell.name(), SYMBOLS[self.charge.clamp(1, 92) as usize - 1]);
            series.push(Series::line(name, role, xs.clone(), ys));
        }
        let ends: Vec<f64> = self.atom.elements.mesh().iter().copied().filter(|r| *r <= end).collect();
        let dots = Series::dotted("ends of the elements", Role::Reference, ends.clone(), vec![0.0; ends.len()]);
        series.push(Series { marker: Marker::Dots, ..dots });
        ViewData::Lines { series, x: (0.0, end), y: (-1.1 * top, 1.1 * top) }
    }

    /// One dot per shell over its principal quantum number.
    fn by_shell(&self, name: &str, values: impl Iterator<Item = f64>) -> ViewData {
        let shells = self.atom.shells.iter().zip(values);
        let (xs, ys): (Vec<f64>, Vec<f64>) = shells.map(|(s, y)| (f64::from(s.n), y)).unzip();
        let (low, high) = ys.iter().fold((1.0f64, 1e-1f64), |(l, h), y| (l.min(*y), h.max(*y)));
        let end = xs.iter().fold(1.0, |m: f64, x| m.max(*x));
        let dots = Series { marker: Marker::Dots, ..Series::dotted(name, Role::Result, xs, ys) };
        ViewData::Lines { series: vec![dots], x: (0.5, end + 0.5), y: (0.5 * low, 2.0 * high) }
    }

    fn convergence(&self) -> ViewData {
        let best = self.totals.get(DEGREES.len() - 1).map_or(self.atom.energies.total, |t| t.1);
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for (unknowns, total) in &self.totals {
            let error = (total - best).abs();
            if error.is_finite() && error > 0.0 {
                xs.push(*unknowns);
                ys.push(error.max(1e-14));
            }
        }
        let (low, high) = ys.iter().fold((1e-8f64, 1.0f64), |(l, h), y| (l.min(*y), h.max(*y)));
        let end = xs.iter().fold(100.0, |m: f64, x| m.max(*x));
        let series = vec![Series::dotted("total energy, higher degree", Role::Result, xs, ys)];
        ViewData::Lines { series, x: (1.0, 1.2 * end), y: (0.5 * low, 2.0 * high) }
    }
}

impl Run for FieldRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), crate::spec::EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            self.step();
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let done = if self.found { 0.3 + 0.7 * self.totals.len() as f64 / DEGREES.len() as f64 } else { 0.1 };
        Progress {
            steps: self.steps,
            position: self.iterations as f64,
            fraction: if self.outcome.is_running() { done } else { 1.0 },
            work: self.steps as f64 * self.atom.elements.unknowns() as f64,
            work_unit: "unknowns",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, crate::spec::EddyError>> {
        let energies = || self.atom.orbitals.iter().map(|o| o.energy);
        let data = match key {
            "orbitals" => self.orbitals(),
            "levels" => self.by_shell("−energy of each shell", energies().map(|e| (-e).max(1e-6))),
            "states" => {
                let before = self.before.iter().copied().chain(std::iter::repeat(0.0));
                self.by_shell(
                    "change in the last iteration",
                    energies().zip(before).map(|(a, b)| (a - b).abs().max(1e-16)),
                )
            }
            "convergence" => self.convergence(),
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }
}
