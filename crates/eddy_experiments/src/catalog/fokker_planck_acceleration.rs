//! Turbulence kicks charged particles about in momentum: some gain, some lose, and on average they gain. They also radiate
//! and leave. What spectrum remains?
//!
//! $$0 = \frac{d}{dp}\Big[D\,N' - \frac{2D}{p}N + b(p)\,N\Big] - \frac{N}{\tau(p)} + Q, \qquad D = D_0\,p^q$$
//!
//! with $N(p)$ particles per momentum, losses $b = b_2p^2 + b_1p + b_0$ (radiation, expansion, ionization), an escape time
//! $\tau$ and an injection at $p = 1$. For $q = 2$ and without losses the answer is a power law,
//! $N \propto p^s$ with $s(s - 1) = 2 + 1/(D_0\tau)$, and that law is what one often fits.
//!
//! With losses there is a momentum $p_{eq}$ where gains and losses cancel, $2D/p = b$. Particles from both sides are driven
//! to it. If they stay long enough they pile up there, and no power law describes the spectrum. If they leave soon there is no
//! bump, and one power law, well chosen, is nowhere off by a factor of two.
//!
//! The curve is one tridiagonal system on cells of equal width in $\ln p$, with the fluxes of Chang and Cooper; the paper
//! writes the same solution as a Green's function. The dots are twenty thousand particles that walk at random,
//! $d\ln p = \big[(q+1)D/p^2 - b/p\big]dt + \sqrt{2D}/p\;dW$, and know nothing of the cells.
//!
//! Try: a short stay ($D_0\tau = 1$); an upper end below $p_{eq}$, where particles gather only because nothing passes the end;
//! centred differences with 60 cells, which give negative particles; the map, which shows where the spectrum rises (red) and
//! falls (blue) for every length of stay.

use std::any::Any;

use eddy_numerics::{
    least_squares::line_slope,
    systems::stochastic_acceleration::{
        Accelerator, MomentumFlux, MomentumGrid, ParticleEnsemble, ROUNDS, steady_spectrum,
    },
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Marker, Metric, Outcome, Role,
    Series, Test, ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Flux {
    /// Chang-Cooper
    ChangCooper = "chang-cooper",
    /// centred differences
    Centred = "centred",
} }

params! { pub struct Params {
    /// Length of stay. Escape time at the injected momentum, in units of the acceleration time 1/D₀.
    stay: f64 = 100.0 => log(0.05, 1e5).symbol("D_0\\tau").group("plasma").live(),
    /// Turbulence. Exponent of D: 2 for hard scatterers, 5/3 Kolmogorov, 1 Bohm.
    index: f64 = 2.0 => range(1.0, 2.0).symbol("q").group("plasma").live(),
    /// Escape. Exponent of τ(p).
    escape: f64 = 0.0 => range(-2.0, 2.0).symbol("h").group("plasma").live(),
    /// Radiation. Losses proportional to p².
    radiation: f64 = 0.01 => log(1e-8, 1.0).symbol("b_2").group("losses").live(),
    /// Expansion. Losses proportional to p.
    expansion: f64 = 0.0 => range(0.0, 3.0).symbol("b_1").group("losses").live(),
    /// Ionization. Losses that do not depend on p.
    ionization: f64 = 0.0 => range(0.0, 3.0).symbol("b_0").group("losses").live(),
    /// Width of the injection. Standard deviation of ln p.
    width: f64 = 0.0 => range(0.0, 1.0).symbol("\\sigma").group("range").live(),
    /// Lower end. Nothing passes it.
    bottom: f64 = 0.01 => log(1e-4, 0.5).symbol("p_{min}").group("range").live(),
    /// Upper end. Nothing passes it.
    top: f64 = 1e5 => log(30.0, 1e8).symbol("p_{max}").group("range").live(),
    /// Cells.
    cells: u32 = 400 => steps(20, 2000).symbol("N").group("method"),
    /// Flux between cells.
    flux: Flux = Flux::ChangCooper => choice().group("method").live(),
    /// Particles. 0: none.
    particles: u32 = 20_000 => steps(0, 100_000).by(1000.0).group("method"),
    /// Seed of the particles.
    seed: u32 = 1 => seed().group("method"),
} }

pub struct FokkerPlanckAcceleration;

/// Bins of the particles' histogram have about this many cells of 400.
const BINS: usize = 60;
/// A bin is compared with the spectrum if a particle was seen there this often.
const SEEN: f64 = 2000.0;
/// Decades of N below the top that are drawn.
const DECADES: f64 = 12.0;

impl Params {
    fn accelerator(&self) -> Accelerator {
        Accelerator {
            diffusion: 1.0,
            index: self.index,
            synchrotron: self.radiation,
            adiabatic: self.expansion,
            ionization: self.ionization,
            escape_time: self.stay,
            escape_index: self.escape,
        }
    }

    fn grid(&self) -> MomentumGrid {
        MomentumGrid::new(self.cells as usize, self.bottom, self.top)
    }

    fn flux(&self) -> MomentumFlux {
        match self.flux {
            Flux::ChangCooper => MomentumFlux::ChangCooper,
            Flux::Centred => MomentumFlux::Centred,
        }
    }
}

const PAPER: Citation = Citation {
    number: 128,
    key: "walter2024stochastic",
    authors: "Walter, D. and Eichmann, B.",
    title: "Stochastic acceleration in arbitrary astrophysical environments",
    venue: "arXiv preprint",
    year: 2024,
    url: "https://arxiv.org/abs/2411.14804",
};

impl Experiment for FokkerPlanckAcceleration {
    type Params = Params;
    const TITLE: &'static str = "Where cosmic rays pile up";
    const SUMMARY: &'static str =
        "Random kicks, losses and escape make a power law, or a bump where gains meet losses.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("age of the particles", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "slope_error",
            Axis::log("error of the slope", "|\\hat s/s - 1|"),
            Better::Lower,
            "Slope fitted from p = 2 to √p_eq against the power law of q = 2 without losses.",
        ),
        Metric::new(
            "bump",
            Axis::linear("place of the bump", "p_{max}/p_{eq}"),
            Better::Neither,
            "Momentum of the highest local maximum of N above the injection, in units of p_eq; none if there is none.",
        ),
        Metric::new(
            "bumps",
            Axis::linear("local maxima", "n"),
            Better::Neither,
            "Local maxima of N above the injected momentum.",
        ),
        Metric::new(
            "law_miss",
            Axis::log("miss of the law without losses", "\\max N/N_s"),
            Better::Neither,
            "Largest factor over [1, 3 p_eq], in either direction, between N and the power law of slope s through its value at \
             the injection.",
        ),
        Metric::new(
            "best_law_miss",
            Axis::log("miss of the best power law", "\\max N/N_{fit}"),
            Better::Neither,
            "Largest factor between N and the power law that fits it best over [1, 3 p_eq], in either direction.",
        ),
        Metric::new(
            "slope",
            Axis::linear("slope", "\\hat s"),
            Better::Neither,
            "d ln N / d ln p, fitted from p = 2 to √p_eq.",
        ),
        Metric::new(
            "negative",
            Axis::linear("cells with a negative N", "n"),
            Better::Lower,
            "Cells where the scheme gives fewer than no particles.",
        ),
        Metric::new(
            "balance",
            Axis::log("escape against injection", "|1 - \\int N/\\tau|"),
            Better::Lower,
            "What leaves must be what is injected.",
        ),
        Metric::new(
            "particles",
            Axis::log("particles against cells", "|N_{walk}/N - 1|"),
            Better::Lower,
            "Median difference of the histogram of the walking particles from the spectrum, over the bins seen 2000 times.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("spectrum", "spectrum", Axis::log("momentum", "p"), Axis::log("particles per momentum", "N")),
        ViewSpec::field(
            "map",
            "slopes",
            Axis::linear("momentum", "\\log_{10} p"),
            Axis::linear("length of stay", "\\log_{10} D_0\\tau"),
            Axis::linear("slope", "d\\ln N/d\\ln p"),
            ColorMap::Diverging,
        ),
        ViewSpec::lines("rates", "rates", Axis::log("momentum", "p"), Axis::log("rate", "1/t")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "centred differences", change: "flux=centred" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "For q = 2 and losses that win from p_eq = 20,000 on, the slope above the injection is that of the power law \
                   within 2 % for stays from 0.2 to 1000, a bump lies within 5 % of p_eq for a stay of 100 and of 1000, there \
                   is none for a stay of 1 and of 0.2, and at a stay of 100 even the best single power law misses the spectrum \
                   up to 3 p_eq by more than three times.",
        arms: &[
            Arm { name: "short", setting: "stay=0.2&radiation=1e-4&top=1e7&particles=0" },
            Arm { name: "one", setting: "stay=1&radiation=1e-4&top=1e7&particles=0" },
            Arm { name: "long", setting: "stay=100&radiation=1e-4&top=1e7&particles=0" },
            Arm { name: "longer", setting: "stay=1000&radiation=1e-4&top=1e7&particles=0" },
        ],
        seeds: &[1],
        tests: &[
            Test {
                label: "error of the slope, any of the stays",
                measure: |m| {
                    let short = larger(m.max("short", "slope_error"), m.max("one", "slope_error"));
                    larger(short, larger(m.max("long", "slope_error"), m.max("longer", "slope_error")))
                },
                bound: Bound::AtMost(0.02),
                unit: "",
            },
            Test {
                label: "place of the bump, stay 100 and 1000",
                measure: |m| larger((m.max("long", "bump") - 1.0).abs(), (m.max("longer", "bump") - 1.0).abs()),
                bound: Bound::AtMost(0.05),
                unit: "of p_eq",
            },
            Test {
                label: "bumps, stay 0.2 and 1",
                measure: |m| larger(m.max("short", "bumps"), m.max("one", "bumps")),
                bound: Bound::AtMost(0.0),
                unit: "",
            },
            Test {
                label: "miss of the best power law, stay 100",
                measure: |m| m.min("long", "best_law_miss"),
                bound: Bound::AtLeast(3.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "In Kolmogorov turbulence fast particles gain more slowly than they escape: the spectrum bends everywhere.",
            arms: &[],
            change: "index=1.67",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        // In f64 always: spectra span more decades than f32 holds.
        Ok(Box::new(SpectrumRun::new(p)))
    }
}

/// The larger one; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// What one reads off a spectrum.
struct Features {
    slope: f64,
    /// Places of the local maxima above the injection, the highest first.
    bumps: Vec<f64>,
    law_miss: f64,
    best_law_miss: f64,
    negative: usize,
    escaped: f64,
}

impl Features {
    fn of(a: &Accelerator, grid: &MomentumGrid, n: &[f64]) -> Self {
        let x = |i: usize| grid.centre(i).ln();
        let end = a.balance();
        let inside = |from: f64, to: f64| -> Vec<(f64, f64)> {
            let chosen = |i: &usize| (from..=to).contains(&grid.centre(*i)) && n[*i] > 0.0;
            (0..grid.cells).filter(chosen).map(|i| (x(i), n[i].ln())).collect()
        };
        let window = inside(2.0, end.unwrap_or(grid.face(grid.cells)).sqrt());
        // Next to the injection the source itself is a maximum, as wide as its cells.
        let mut bumps: Vec<(f64, f64)> = (grid.injection + 3..grid.cells.saturating_sub(1))
            .filter(|&i| n[i - 1] > 0.0 && n[i] > n[i - 1] && n[i] > n[i + 1] && n[i + 1] > 0.0)
            .map(|i| {
                // The top of a parabola through three logarithms.
                let (l, m, r) = (n[i - 1].ln(), n[i].ln(), n[i + 1].ln());
                let shift = 0.5 * (l - r) / (l - 2.0 * m + r);
                (m, (x(i) + shift * grid.spacing).exp())
            })
            .collect();
        bumps.sort_by(|a, b| b.0.total_cmp(&a.0));
        let escaped =
            (0..grid.cells).map(|i| n[i] * grid.centre(i) * grid.spacing / a.escape_time_at(grid.centre(i))).sum();
        let range = end.map_or_else(Vec::new, |p| inside(1.0, 3.0 * p));
        let (law, start) = (a.slopes().0, n[grid.injection].ln());
        let from_law = |(x, y): &(f64, f64)| (y - start - law * x).abs();
        Self {
            slope: line_slope(&window),
            bumps: bumps.into_iter().map(|b| b.1).collect(),
            law_miss: range.iter().map(from_law).reduce(f64::max).map_or(f64::NAN, f64::exp),
            best_law_miss: best_line_miss(&range).exp(),
            negative: n.iter().filter(|v| **v < 0.0).count(),
            escaped,
        }
    }
}

/// Largest deviation of the points from the line for which it is smallest, by golden sections over the slope (the deviation
/// is convex in it); NaN for fewer than three points.
fn best_line_miss(points: &[(f64, f64)]) -> f64 {
    if points.len() < 3 {
        return f64::NAN;
    }
    let miss = |slope: f64| {
        let rest = points.iter().map(|(x, y)| y - slope * x);
        let (low, high) = rest.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), r| (l.min(r), h.max(r)));
        0.5 * (high - low)
    };
    let (mut a, mut b) = (-60.0, 60.0);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..60 {
        let (left, right) = (b - golden * (b - a), a + golden * (b - a));
        if miss(left) < miss(right) {
            b = right;
        } else {
            a = left;
        }
    }
    miss(0.5 * (a + b))
}

/// The spectrum is there at once; the particles walk.
struct SpectrumRun {
    params: Params,
    accelerator: Accelerator,
    grid: MomentumGrid,
    spectrum: Vec<f64>,
    ensemble: ParticleEnsemble,
    map: Option<ViewData>,
    steps: u64,
    work: f64,
    record: Record,
}

impl SpectrumRun {
    fn new(p: &Params) -> Self {
        let (accelerator, grid) = (p.accelerator(), p.grid());
        let per_bin = (grid.cells / BINS).max(1);
        let mut run = Self {
            spectrum: steady_spectrum(&accelerator, &grid, p.flux(), p.width),
            ensemble: ParticleEnsemble::new(accelerator, grid, per_bin, p.particles as usize, p.width, p.seed),
            params: p.clone(),
            accelerator,
            grid,
            map: None,
            steps: 0,
            work: 0.0,
            record: Record::of(FokkerPlanckAcceleration::METRICS),
        };
        run.write_record();
        run
    }

    fn write_record(&mut self) {
        let f = Features::of(&self.accelerator, &self.grid, &self.spectrum);
        let (slope, _) = self.accelerator.slopes();
        let balance = self.accelerator.balance();
        let bump = f.bumps.first().zip(balance).map_or(f64::NAN, |(p, eq)| p / eq);
        self.record.push(
            self.ensemble.age,
            &[
                (f.slope / slope - 1.0).abs(),
                bump,
                f.bumps.len() as f64,
                f.law_miss,
                f.best_law_miss,
                f.slope,
                f.negative as f64,
                (1.0 - f.escaped).abs(),
                self.particles_miss(),
            ],
        );
    }

    /// Median over the bins that were seen often enough.
    fn particles_miss(&self) -> f64 {
        let expected = self.ensemble.binned(&self.spectrum);
        let mut d: Vec<f64> = self
            .ensemble
            .histogram()
            .iter()
            .zip(&expected)
            .filter(|((_, _, seen), e)| *seen >= SEEN && **e > 0.0)
            .map(|((_, v, _), e)| (v / e - 1.0).abs())
            .collect();
        d.sort_by(f64::total_cmp);
        d.get(d.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Local slopes over ln p and the length of stay.
    fn map(&self) -> ViewData {
        const ROWS: usize = 96;
        const CELLS: usize = 240;
        let grid = MomentumGrid::new(CELLS, self.params.bottom, self.params.top);
        let (low, high) = (-1.0, 4.0);
        let mut data = Vec::with_capacity(ROWS * CELLS);
        for row in 0..ROWS {
            let stay = 10f64.powf(low + (high - low) * (row as f64 + 0.5) / ROWS as f64);
            let a = Accelerator { escape_time: stay, ..self.accelerator };
            let n = steady_spectrum(&a, &grid, MomentumFlux::ChangCooper, self.params.width);
            for i in 0..CELLS {
                let (l, r) = (i.saturating_sub(1), (i + 1).min(CELLS - 1));
                let slope = (n[r] / n[l]).ln() / (grid.spacing * (r - l) as f64);
                // Where nothing is left a spectrum falls without end.
                data.push(if slope.is_finite() { slope.clamp(-9.0, 9.0) as f32 } else { -9.0 });
            }
        }
        let decade = |p: f64| p.log10();
        ViewData::Field {
            nx: CELLS,
            ny: ROWS,
            data,
            x: (decade(grid.face(0)), decade(grid.face(CELLS))),
            y: (low, high),
            range: (-3.0, 3.0),
        }
    }

    fn spectrum_lines(&self) -> ViewData {
        let centres = self.grid.centres();
        let top = self.spectrum.iter().copied().fold(0.0, f64::max).max(1e-290);
        let floor = top * 10f64.powf(-DECADES);
        let least = self.spectrum.iter().copied().filter(|v| *v > floor).fold(top, f64::min);
        let y = (0.5 * least, 4.0 * top);
        // A gap where nothing is left, or less than nothing.
        let shown = |v: &f64| if *v > 1e-3 * floor { *v } else { f64::NAN };
        let ends = (self.grid.face(0), self.grid.face(self.grid.cells));
        let (slope, _) = self.accelerator.slopes();
        let at_injection = self.spectrum[self.grid.injection].max(floor);
        let law = |p: f64| at_injection * p.powf(slope);
        let mut series = vec![Series::line(
            "power law without losses",
            Role::Reference,
            vec![1.0, ends.1],
            vec![law(1.0), law(ends.1)],
        )];
        if let Some(p) = self.accelerator.balance().filter(|p| (ends.0..ends.1).contains(p)) {
            series.push(Series::line("gains meet losses", Role::Reference, vec![p, p], vec![y.0, y.1]));
        }
        let (mut ps, mut ns) = (Vec::new(), Vec::new());
        for (p, n, seen) in self.ensemble.histogram() {
            if seen >= 20.0 && n > y.0 {
                ps.push(p);
                ns.push(n);
            }
        }
        let mut dots = Series::line("particles", Role::Second, ps, ns);
        dots.marker = Marker::Dots;
        series.push(dots);
        series.push(Series::line("N", Role::Result, centres, self.spectrum.iter().map(shown).collect()));
        ViewData::Lines { series, x: ends, y }
    }

    fn rate_lines(&self) -> ViewData {
        let centres = self.grid.centres();
        let a = &self.accelerator;
        let curve = |rate: &dyn Fn(f64) -> f64| centres.iter().map(|p| rate(*p)).collect::<Vec<f64>>();
        let gain = curve(&|p| 2.0 * a.diffusion_at(p) / (p * p));
        let top = gain.iter().copied().fold(0.0, f64::max);
        let series = vec![
            Series::line("gain 2D/p²", Role::Result, centres.clone(), gain),
            Series::line("loss b/p", Role::Second, centres.clone(), curve(&|p| a.loss_at(p) / p)),
            Series::line("escape 1/τ", Role::Third, centres.clone(), curve(&|p| 1.0 / a.escape_time_at(p))),
        ];
        ViewData::Lines { series, x: (centres[0], centres[centres.len() - 1]), y: (1e-5, 1e3_f64.max(3.0 * top)) }
    }
}

impl Run for SpectrumRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.ensemble.is_done() {
            self.ensemble.advance();
            self.steps += 1;
            self.work += f64::from(self.params.particles);
            self.write_record();
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        if self.ensemble.is_done() { Outcome::Finished } else { Outcome::Running }
    }

    fn progress(&self) -> Progress {
        let is_done = self.ensemble.is_done();
        Progress {
            steps: self.steps,
            position: self.ensemble.age,
            fraction: if is_done { 1.0 } else { f64::from(self.ensemble.rounds()) / f64::from(ROUNDS) },
            work: self.work,
            work_unit: "particles",
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
            "spectrum" => self.spectrum_lines(),
            "map" => {
                if self.map.is_none() {
                    self.map = Some(self.map());
                }
                self.map.clone().unwrap_or(ViewData::Empty)
            }
            "rates" => self.rate_lines(),
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let p: &Params = crate::own(params)?;
        let (steps, work) = (self.steps, self.work);
        *self = Self { steps, work, ..Self::new(p) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_fitted_and_missed_as_they_should() {
        let line: Vec<(f64, f64)> = (0..20).map(|i| f64::from(i)).map(|x| (x, 3.0 - 1.7 * x)).collect();
        assert!((line_slope(&line) + 1.7).abs() < 1e-12);
        assert!(best_line_miss(&line) < 1e-9);
        // The best line for a roof of height 1 is flat and misses by one half.
        let roof: Vec<(f64, f64)> = (0..=20).map(|i| f64::from(i) - 10.0).map(|x| (x, 1.0 - 0.1 * x.abs())).collect();
        assert!((best_line_miss(&roof) - 0.5).abs() < 1e-9);
        assert!(line_slope(&line[..2]).is_nan() && best_line_miss(&line[..2]).is_nan());
    }

    #[test]
    fn features_of_a_known_spectrum() {
        // p_eq = 200 and a spectrum p^2 e^{-2p/p_eq}: its top is at p_eq, its slope 2 - p/100.
        let p = Params { particles: 0, ..Params::default() };
        let (a, grid) = (p.accelerator(), p.grid());
        let n: Vec<f64> = grid.centres().iter().map(|p| p * p * (-0.01 * p).exp()).collect();
        let f = Features::of(&a, &grid, &n);
        assert_eq!(f.bumps.len(), 1);
        assert!((f.bumps[0] / 200.0 - 1.0).abs() < 1e-3, "{:?}", f.bumps);
        assert!(f.slope < 2.0 && f.slope > 1.85, "{}", f.slope);
        assert_eq!(f.negative, 0);
        let wrong: Vec<f64> = n.iter().map(|v| -v).collect();
        // Far above p_eq nothing is left, of either sign.
        assert!(Features::of(&a, &grid, &wrong).negative > grid.cells / 2);
    }
}
