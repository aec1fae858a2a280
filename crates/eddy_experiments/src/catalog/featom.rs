//@ feature: sampler
//! An electron at a nucleus sees two scales: within $1/Z$ of a bohr the potential dives, yet the atom is many bohr
//! wide. A mesh whose elements grow by a constant factor serves both, and polynomials of high degree on it need few
//! unknowns.
//!
//! $$\int_0^R \tfrac12 P'v' + \Big(-\frac Zr + \frac{l(l+1)}{2r^2}\Big)Pv\,dr = E\int_0^R Pv\,dr, \qquad P = r\,R_{nl}(r),
//! \qquad E_n = -\frac{Z^2}{2n^2}$$
//!
//! Elements: $p+1$ Gauss-Lobatto nodes each, so all matrices are bands of width $p$. Integrals are sums over Gauss
//! points: these never fall on $r = 0$, where $1/r$ and $1/r^2$ have no value. Energies are fenced in by counting
//! negative pivots and refined by Rayleigh quotients.
//!
//! Convergence shows all ways to spend unknowns: a higher degree on the same elements, more elements of one degree
//! (errors fall as $h^{2p}$), linear elements, and second-order differences on the same kind of mesh and on a uniform
//! one. The last is the usual straw man: its spacing is twice the radius of the first orbital, and what it says depends
//! on the box. In one just large enough, some ten times $n^2/Z$, it misses by 2 Ha instead of 1800. On the growing mesh
//! differences are a fair rival with error $h^2$; what they lack is the order.
//!
//! What breaks: a mesh ratio of 1 (no element near the nucleus), and already one of $10^5$ costs two digits here; a box
//! too small for the states asked for, so its radius counts in $n^2/Z$ of the highest; rounding, which stops all
//! methods near $10^{-13}Z^2$ and is why this runs in f64 only.
//!
//! Whole atoms: all electrons in the field of their own density, by exchange and correlation of the uniform gas (Vosko,
//! Wilk, Nusair). The repulsion comes from $-W'' = \rho/r$ on the same elements; the potential is mixed by Anderson's
//! method until it is its own to 1e-8 Ha, and total energies stand beside the published ones. Shells are filled by
//! Madelung's rule and spheres, up to krypton. The paper also solves Dirac's equation in squared form; that is not
//! here.

use eddy_numerics::fem1d::{Elements, State, difference_pencil, exponential_mesh, lowest_states};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Marker, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::atoms::{
        SYMBOLS,
        ion::Ion,
        run::{Discretisation, FieldRun},
    },
    ready,
};

choice! { pub enum System {
    /// one electron, known exactly
    Ion = "ion",
    /// neutral atom, local density functional
    Atom = "atom",
} }

params! { pub struct Params {
    /// Electrons.
    system: System = System::Ion => choice().group("atom"),
    /// Nucleus. Its charge: 1 hydrogen, 2 helium, 10 neon, 18 argon, 26 iron, 36 krypton, 79 gold, 92 uranium. Whole
    /// atoms end at krypton.
    charge: u32 = 92 => steps(1, 92).symbol("Z").group("atom"),
    /// Angular momentum. 0 for s, 1 for p, 2 for d, 3 for f.
    momentum: u32 = 0 => steps(0, 3).symbol("l").group("atom").only_when("system", &["ion"]),
    /// States, the lowest ones.
    states: u32 = 3 => steps(1, 8).group("atom").only_when("system", &["ion"]),
    /// Degree.
    degree: u32 = 16 => steps(1, 24).symbol("p").group("elements"),
    /// Elements.
    elements: u32 = 8 => steps(2, 32).symbol("N").group("elements"),
    /// Mesh ratio. The last element's length over the first one's.
    ratio: f64 = 2.4e4 => log(1.0, 1e7).symbol("a").group("elements"),
    /// Radius of the box, in units of the highest state's size n²/Z.
    reach: f64 = 500.0 => log(1.0, 1000.0).symbol("RZ/n^2").group("elements")
        .only_when("system", &["ion"]),
    /// Radius of the box, in bohr.
    radius: f64 = 40.0 => log(5.0, 200.0).symbol("R").group("elements").only_when("system", &["atom"]),
    /// Degree of the elements that are refined.
    refined: u32 = 3 => steps(1, 6).group("comparison").only_when("system", &["ion"]),
    /// Points of the uniform grid.
    points: u32 = 2000 => steps(100, 5000).by(100.0).group("comparison").only_when("system", &["ion"]),
} }

pub struct Featom;

const fn error(key: &'static str, symbol: &'static str, doc: &'static str) -> Metric {
    Metric::new(key, Axis::log("largest error of the energies", symbol).unit("Ha"), Better::Lower, doc)
}
const fn order(key: &'static str, symbol: &'static str, doc: &'static str) -> Metric {
    Metric::new(key, Axis::linear("observed order", symbol), Better::Higher, doc)
}

impl Experiment for Featom {
    type Params = Params;
    const TITLE: &'static str = "Atoms by high-order elements";
    const SUMMARY: &'static str = "127 numbers give uranium's orbitals to a billionth of a hartree.";
    const LAB: Lab = Lab::Eigen;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 147,
        key: "certik2024featom",
        authors: "Čertík, Ondřej; Pask, John E.; Fernando, Isuru; Goswami, Rohit; Sukumar, N.; Collins, Lee A.; \
                  Manzini, Gianmarco; Vackář, Jiří",
        title: "High-order finite element method for atomic structure calculations",
        venue: "Computer Physics Communications",
        year: 2024,
        url: "https://doi.org/10.1016/j.cpc.2023.109051",
    }];
    const AXIS: Axis = Axis::linear("eigenproblems or iterations", "k");
    const METRICS: &'static [Metric] = &[
        error("error", "\\max|E-E_n|", "Of the elements chosen, over the states, against -Z²/2n²."),
        error("linear_error", "\\max|E-E_n|", "Of linear elements with as many unknowns on a mesh of the same ratio."),
        error("exponential_error", "\\max|E-E_n|", "Of differences with as many points on a mesh of the same ratio."),
        error("uniform_error", "\\max|E-E_n|", "Of differences on the uniform grid."),
        order("order", "q", "Of the refined elements, from the last two meshes above rounding; 2p in theory."),
        order("linear_order", "q", "Of linear elements, from the last two meshes; 2 in theory."),
        Metric::new(
            "total",
            Axis::linear("total energy", "E").unit("Ha"),
            Better::Neither,
            "Of the whole atom; not defined for one electron.",
        ),
        error("total_error", "|E-E_{pub}|", "Of the total energy, against the published one of He, Ne and Ar."),
        Metric::new(
            "residual",
            Axis::log("residual of the potential", "\\int\\rho|V_{out}-V_{in}|").unit("Ha"),
            Better::Lower,
            "How far the whole atom's potential is from the one of its own orbitals.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines(
            "orbitals",
            "orbitals",
            Axis::linear("radius", "r").unit("bohr"),
            Axis::linear("radial function", "P_{nl}").unit("bohr^-1/2"),
        ),
        ViewSpec::curves(
            "convergence",
            "error against unknowns",
            Axis::log("unknowns", "n"),
            Axis::log("largest error of the energies", "\\max|E-E_n|").unit("Ha"),
        ),
        ViewSpec::curves(
            "states",
            "error of each state",
            Axis::linear("principal quantum number", "n"),
            Axis::log("error of the energy", "|E-E_n|").unit("Ha"),
        ),
        ViewSpec::curves(
            "levels",
            "energies",
            Axis::linear("principal quantum number", "n"),
            Axis::log("minus the energy", "-E").unit("Ha"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "equal elements", change: "ratio=1" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "For one electron at Z = 92, 8 elements of degree 16 (127 unknowns, each element 4.2 times as long as \
                   the last, in a box of 49 bohr) give 1s to 3s within 1e-8 Ha; 127 unknowns of linear elements or of \
                   differences on the same kind of mesh miss by more than 0.01 Ha, 2000 uniform points by more than 100 \
                   Ha; refined elements of degree 3 converge with order 6. The same elements give the total energies of \
                   helium, neon and argon as published, to 1e-6 Ha.",
        arms: &[
            Arm { name: "uranium", setting: "charge=92" },
            Arm { name: "helium", setting: "system=atom&charge=2" },
            Arm { name: "neon", setting: "system=atom&charge=10" },
            Arm { name: "argon", setting: "system=atom&charge=18" },
        ],
        seeds: &[1],
        tests: &[
            Test {
                label: "largest error, 8 elements of degree 16",
                measure: |m| m.max("uranium", "error"),
                bound: Bound::AtMost(1e-8),
                unit: "Ha",
            },
            Test {
                label: "linear elements, 127 unknowns",
                measure: |m| m.min("uranium", "linear_error"),
                bound: Bound::AtLeast(0.01),
                unit: "Ha",
            },
            Test {
                label: "differences on the growing mesh, 127 points",
                measure: |m| m.min("uranium", "exponential_error"),
                bound: Bound::AtLeast(0.01),
                unit: "Ha",
            },
            Test {
                label: "differences on 2000 uniform points",
                measure: |m| m.min("uranium", "uniform_error"),
                bound: Bound::AtLeast(100.0),
                unit: "Ha",
            },
            Test {
                label: "order of cubic elements, at least",
                measure: |m| m.min("uranium", "order"),
                bound: Bound::AtLeast(5.5),
                unit: "",
            },
            Test {
                label: "order of cubic elements, at most",
                measure: |m| m.max("uranium", "order"),
                bound: Bound::AtMost(6.5),
                unit: "",
            },
            Test {
                label: "largest error of He, Ne and Ar",
                measure: |m| {
                    let errors = ["helium", "neon", "argon"].map(|arm| m.max(arm, "total_error"));
                    // f64::max would drop a NaN.
                    errors.iter().fold(0.0, |a, e| if *e > a || e.is_nan() { *e } else { a })
                },
                bound: Bound::AtMost(1e-6),
                unit: "Ha",
            },
        ],
        counter: Counter {
            why: "Elements of equal length: the first one alone holds all three orbitals.",
            arms: &["uranium"],
            change: "ratio=1",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        // In f64 always: f32 ends at 1e-4 Ha here.
        if p.system == System::Ion {
            return Ok(Box::new(IonRun::new(p)));
        }
        if p.charge > 36 {
            return Err(
                EddyError::start("Whole atoms end at krypton here: set the nucleus to 36 or less.").at("charge")
            );
        }
        let (degree, elements) = (p.degree as usize, p.elements as usize);
        let discretisation = Discretisation { degree, elements, ratio: p.ratio, radius: p.radius };
        Ok(Box::new(FieldRun::new(p.charge, discretisation, Self::METRICS)))
    }
}

/// How an eigenproblem is discretised.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// As the controls say.
    Chosen,
    /// The chosen elements with another degree.
    Degree,
    /// More elements of one degree.
    Refined,
    Linear,
    Exponential,
    Uniform,
}

const KINDS: [(Kind, &str, Role); 5] = [
    (Kind::Degree, "higher degree, same elements", Role::Result),
    (Kind::Refined, "more elements", Role::Second),
    (Kind::Linear, "linear elements", Role::Third),
    (Kind::Exponential, "differences, growing mesh", Role::Third),
    (Kind::Uniform, "differences, uniform grid", Role::Third),
];

/// A way to spend unknowns, solved.
struct Solved {
    kind: Kind,
    unknowns: usize,
    /// |E - E_n| of each state.
    errors: Vec<f64>,
}

impl Solved {
    /// NaN if a state is missing.
    fn worst(&self) -> f64 {
        // f64::max would drop a NaN.
        self.errors.iter().fold(0.0, |m, e| if *e > m || e.is_nan() { *e } else { m })
    }
}

struct IonRun {
    params: Params,
    ion: Ion,
    /// Of the box, in bohr.
    radius: f64,
    /// (kind, degree, elements) of what is still to be solved, the next one last.
    jobs: Vec<(Kind, usize, usize)>,
    total: usize,
    solved: Vec<Solved>,
    /// Chosen elements and their states, of index 0, 1, …
    elements: Elements,
    orbitals: Vec<State>,
    record: Record,
}

/// Errors below this times Z² are rounding and tell no order.
const ROUNDING: f64 = 1e-12;

impl IonRun {
    fn new(p: &Params) -> Self {
        let (degree, count) = (p.degree as usize, p.elements as usize);
        let ion = Ion { charge: f64::from(p.charge), momentum: p.momentum };
        let radius = p.reach * ion.principal(p.states as usize - 1).powi(2) / ion.charge;
        let same = degree * count;
        let mut jobs = vec![
            (Kind::Chosen, degree, count),
            (Kind::Linear, 1, same),
            (Kind::Exponential, 1, same),
            (Kind::Uniform, 1, p.points as usize + 1),
        ];
        jobs.extend((1..=24).filter(|d| *d <= 12 || d % 2 == 0).map(|d| (Kind::Degree, d, count)));
        let powers = || (2..=10).map(|k| 1usize << k);
        jobs.extend(
            powers().filter(|n| n * p.refined as usize <= 1024).map(|n| (Kind::Refined, p.refined as usize, n)),
        );
        for kind in [Kind::Linear, Kind::Exponential, Kind::Uniform] {
            jobs.extend(powers().filter(|n| *n >= 16).map(|n| (kind, 1, n)));
        }
        jobs.reverse();
        let mesh = exponential_mesh(count, p.ratio, radius);
        let mut run = Self {
            ion,
            radius,
            total: jobs.len(),
            jobs,
            solved: Vec::new(),
            elements: Elements::new(mesh, degree),
            orbitals: Vec::new(),
            record: Record::of(Featom::METRICS),
            params: p.clone(),
        };
        // The stage shows orbitals before the first comparison.
        run.solve_next();
        run
    }

    fn solve_next(&mut self) {
        let Some((kind, degree, count)) = self.jobs.pop() else { return };
        let (p, ion) = (&self.params, self.ion);
        let states = p.states as usize;
        // Below -Z²/2 there is nothing.
        let low = -0.51 * ion.charge * ion.charge;
        let ratio = if kind == Kind::Uniform { 1.0 } else { p.ratio };
        let mesh = exponential_mesh(count, ratio, self.radius);
        let (unknowns, found) = match kind {
            Kind::Exponential | Kind::Uniform => {
                let (a, b) = difference_pencil(&mesh, |r| ion.potential(r));
                (a.size(), lowest_states(&a, &b, states, low))
            }
            _ => {
                let elements = Elements::new(mesh, degree);
                let points = elements.quadrature();
                let v: Vec<f64> = points.iter().map(|(r, _)| ion.potential(*r)).collect();
                let (a, b) = (elements.matrix(0.5, &v), elements.matrix(0.0, &vec![1.0; points.len()]));
                (a.size(), lowest_states(&a, &b, states, low))
            }
        };
        let of = |i: usize| found.get(i).map_or(f64::NAN, |s| (s.energy - ion.energy(i)).abs());
        let errors = (0..states).map(of).collect();
        self.solved.push(Solved { kind, unknowns, errors });
        if kind == Kind::Chosen {
            self.orbitals = found;
        }
        self.write_record();
    }

    /// The first one solved of a kind is that of the comparison at equal unknowns.
    fn first(&self, kind: Kind) -> Option<&Solved> {
        self.solved.iter().find(|s| s.kind == kind)
    }

    /// What is drawn as a curve: without the comparison's own solve, which has its number of unknowns from elsewhere.
    fn sweep(&self, kind: Kind) -> Vec<(f64, f64)> {
        let own = usize::from(!matches!(kind, Kind::Degree | Kind::Refined));
        let of_kind = self.solved.iter().filter(|s| s.kind == kind).skip(own);
        of_kind.map(|s| (s.unknowns as f64, s.worst())).filter(|(_, e)| e.is_finite()).collect()
    }

    fn observed_order(&self, kind: Kind) -> f64 {
        let floor = ROUNDING * self.ion.charge * self.ion.charge;
        let above: Vec<(f64, f64)> = self.sweep(kind).into_iter().filter(|(_, e)| *e > floor).collect();
        match above.as_slice() {
            [.., a, b] => (a.1 / b.1).ln() / ((b.0 + 1.0) / (a.0 + 1.0)).ln(),
            _ => f64::NAN,
        }
    }

    fn write_record(&mut self) {
        // A logarithm has no place for zero.
        let worst = |kind| self.first(kind).map_or(f64::NAN, |s| s.worst().max(1e-16));
        let orders = [Kind::Refined, Kind::Linear].map(|k| self.observed_order(k));
        let row = [
            worst(Kind::Chosen),
            worst(Kind::Linear),
            worst(Kind::Exponential),
            worst(Kind::Uniform),
            orders[0],
            orders[1],
            f64::NAN,
            f64::NAN,
            f64::NAN,
        ];
        self.record.push(self.solved.len() as f64, &row);
    }

    /// How far the orbitals are drawn.
    fn extent(&self) -> f64 {
        let n = self.ion.principal(self.params.states as usize - 1);
        ((2.2 * n * n + 4.0 * n) / self.ion.charge).min(self.radius)
    }

    fn name(&self, index: usize) -> String {
        let letter = ["s", "p", "d", "f"][self.params.momentum.min(3) as usize];
        format!("{}{letter} of {}", self.ion.principal(index), SYMBOLS[self.params.charge.clamp(1, 92) as usize - 1])
    }

    fn orbitals_view(&self) -> ViewData {
        let end = self.extent();
        // More points near the nucleus.
        let xs: Vec<f64> = (0..=300).map(|i| end * (f64::from(i) / 300.0).powi(2)).collect();
        let mut series = Vec::new();
        let mut top: f64 = 1e-14;
        for (i, state) in self.orbitals.iter().enumerate() {
            let exact: Vec<f64> = xs.iter().map(|r| self.ion.orbital(i, *r)).collect();
            let mut own: Vec<f64> = xs.iter().map(|r| self.elements.value(&state.vector, *r)).collect();
            // A state and its negative are the same.
            if own.iter().zip(&exact).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
                own.iter_mut().for_each(|p| *p = -*p);
            }
            top = exact.iter().chain(&own).fold(top, |m, p| m.max(p.abs()));
            series.push(Series::line(format!("{}, exact", self.name(i)), Role::Reference, xs.clone(), exact));
            let role = [Role::Result, Role::Second, Role::Third][i % 3];
            series.push(Series::line(self.name(i), role, xs.clone(), own));
        }
        let ends: Vec<f64> = self.elements.mesh().iter().copied().filter(|r| *r <= end).collect();
        let dots = Series::dotted("ends of the elements", Role::Reference, ends.clone(), vec![0.0; ends.len()]);
        series.push(Series { marker: Marker::Dots, ..dots });
        ViewData::Lines { series, x: (0.0, end), y: (-1.1 * top, 1.1 * top) }
    }

    fn levels_view(&self) -> ViewData {
        let ns = |count: usize| (0..count).map(|i| self.ion.principal(i)).collect::<Vec<_>>();
        let exact: Vec<f64> = (0..self.params.states as usize).map(|i| -self.ion.energy(i)).collect();
        // A logarithm has no place for states that the box lifts above zero.
        let own: Vec<f64> = self.orbitals.iter().map(|s| (-s.energy).max(1e-6)).collect();
        let (low, high) = exact.iter().chain(&own).fold((1.0f64, 1.0f64), |(l, h), e| (l.min(*e), h.max(*e)));
        let (first, last) = (self.ion.principal(0), self.ion.principal(exact.len() - 1));
        let dots = Series { marker: Marker::Dots, ..Series::dotted("elements", Role::Result, ns(own.len()), own) };
        let series = vec![Series::line("Z²/2n²", Role::Reference, ns(exact.len()), exact), dots];
        ViewData::Lines { series, x: (first - 0.5, last + 0.5), y: (0.5 * low, 2.0 * high) }
    }

    fn convergence(&self) -> ViewData {
        let mut series = Vec::new();
        let (mut bottom, mut top, mut end): (f64, f64, f64) = (1e-2, 1.0, 100.0);
        let mut mark = |points: Vec<(f64, f64)>, name: &str, role| {
            let (xs, ys): (Vec<f64>, Vec<f64>) = points.into_iter().map(|(n, e)| (n, e.max(1e-16))).unzip();
            end = xs.iter().fold(end, |m, x| m.max(*x));
            top = ys.iter().fold(top, |m, y| m.max(*y));
            bottom = ys.iter().fold(bottom, |m, y| m.min(*y));
            series.push(Series::dotted(name, role, xs, ys));
        };
        for (kind, name, role) in KINDS {
            mark(self.sweep(kind), name, role);
        }
        let chosen = self.first(Kind::Chosen).map(|s| (s.unknowns as f64, s.worst()));
        mark(chosen.into_iter().filter(|c| c.1.is_finite()).collect(), "chosen", Role::Result);
        ViewData::Lines { series, x: (1.0, 1.2 * end), y: (0.5 * bottom, 2.0 * top) }
    }

    fn states_view(&self) -> ViewData {
        let mut series = Vec::new();
        let (mut bottom, mut top): (f64, f64) = (1e-2, 1.0);
        let names = [
            (Kind::Chosen, "chosen", Role::Result),
            (Kind::Linear, "linear elements, same unknowns", Role::Second),
            (Kind::Exponential, "differences, growing mesh, same unknowns", Role::Third),
            (Kind::Uniform, "differences, uniform grid", Role::Third),
        ];
        let ns: Vec<f64> = (0..self.params.states as usize).map(|i| self.ion.principal(i)).collect();
        for (kind, name, role) in names {
            let Some(solved) = self.first(kind) else { continue };
            let (xs, ys): (Vec<f64>, Vec<f64>) =
                ns.iter().zip(&solved.errors).filter(|(_, e)| e.is_finite()).map(|(n, e)| (*n, e.max(1e-16))).unzip();
            top = ys.iter().fold(top, |m, y| m.max(*y));
            bottom = ys.iter().fold(bottom, |m, y| m.min(*y));
            series.push(Series::dotted(name, role, xs, ys));
        }
        ViewData::Lines { series, x: (ns[0] - 0.5, ns[ns.len() - 1] + 0.5), y: (0.5 * bottom, 2.0 * top) }
    }
}

impl Run for IonRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.jobs.is_empty() {
            self.solve_next();
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        if self.jobs.is_empty() { Outcome::Finished } else { Outcome::Running }
    }

    fn progress(&self) -> Progress {
        // One is solved before the first step.
        let steps = self.solved.len().saturating_sub(1);
        Progress {
            steps: steps as u64,
            position: self.solved.len() as f64,
            fraction: self.solved.len() as f64 / self.total as f64,
            work: self.solved.iter().map(|s| s.unknowns as f64).sum(),
            work_unit: "unknowns",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let data = match key {
            "orbitals" => self.orbitals_view(),
            "levels" => self.levels_view(),
            "convergence" => self.convergence(),
            "states" => self.states_view(),
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }
}

#[cfg(test)]
#[path = "featom/tests.rs"]
mod tests;
