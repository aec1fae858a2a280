//! Directions scattered about a mean, in three dimensions or in thirty thousand, follow the density
//! $\propto e^{\kappa\,\mu\cdot x}$ of von Mises and Fisher. To find $\kappa$ one needs Bessel functions $I_v(x)$ whose values
//! no number format holds: at $v = 10^4$ they leave f64 on both sides. Their logarithms are small.
//!
//! $$\ln I_v(x) = r - v\,\mathrm{arsinh}\tfrac vx - \tfrac12\ln 2\pi r + \ln\sum_k \frac{u_k(v/r)}{v^k}, \qquad
//! r = \sqrt{v^2+x^2}$$
//!
//! for orders from 12 on; Hankel's series in $1/x$ for large arguments; else the power series, summed outward from its largest
//! term. $K_v$ is alike, with an integral instead of the series. Each branch adds logarithms or numbers near one, so nothing
//! overflows.
//!
//! The map compares three ways with a reference in double-double arithmetic, at orders 1 to 10⁴ and arguments 0.01 to 10⁴: the
//! logarithm of the value, the logarithm of $e^{-x}I_v(x)$ plus $x$, and the logarithm itself. Yellow cells have no finite answer. Then
//! 2000 directions are drawn at each dimension, and $\kappa$ is found from the length $\bar R$ of their mean by Newton's method on
//! $A_d(\kappa) = I_{d/2}/I_{d/2-1} = \bar R$. Only that length is sampled, exactly in distribution, whatever the dimension.
//!
//! Where $I_v(x) = 1$ the logarithm is zero, and a relative error means nothing: errors are measured against the larger of one
//! and the logarithm. Try: $K$; fewer samples, or a small $\kappa/d$, where the noise of the mean is longer than the mean.

use eddy_numerics::special::log_bessel::{
    BesselBranch, bessel_branch, bessel_i, bessel_i_scaled, bessel_k, bessel_k_scaled, log_bessel_i, log_bessel_k,
    reference_log_i, reference_log_k,
};
use eddy_numerics::special::von_mises_fisher::{fit_kappa, mean_length, sample_resultant};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};
use web_time::Instant;

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Function {
    /// I, of the first kind
    I = "i",
    /// K, of the second kind
    K = "k",
} }

choice! { pub enum Method {
    /// in logarithms
    Log = "log",
    /// logarithm of the value
    Naive = "naive",
    /// logarithm of the scaled value
    Scaled = "scaled",
} }

params! { pub struct Params {
    /// Function.
    function: Function = Function::I => choice().group("map"),
    /// Method.
    method: Method = Method::Log => choice().group("map"),
    /// Cells of the map along each axis.
    cells: u32 = 60 => steps(10, 120).group("map"),
    /// Concentration over dimension.
    concentration: f64 = 1.0 => log(0.005, 20.0).symbol("\\kappa/d").group("directions"),
    /// Samples of directions.
    samples: u32 = 2000 => steps(50, 20000).by(50.0).symbol("n").group("directions"),
    /// Seed.
    seed: u32 = 1 => seed().group("directions"),
} }

pub struct LogBessel;

/// Dimensions of the spheres; the last three are those of the paper's image features.
const DIMENSIONS: [u32; 8] = [3, 10, 32, 128, 512, 2048, 8192, 32_768];
const ORDERS: (f64, f64) = (1.0, 1e4);
const ARGUMENTS: (f64, f64) = (1e-2, 1e4);
/// Where an error of no digits at all is drawn, and a failure.
const FAILED: f32 = 1.0;

impl Params {
    fn function(&self) -> fn(f64, f64) -> f64 {
        match (self.function, self.method) {
            (Function::I, Method::Log) => log_bessel_i,
            (Function::I, Method::Naive) => |v, x| bessel_i(v, x).ln(),
            (Function::I, Method::Scaled) => |v, x| bessel_i_scaled(v, x).ln() + x,
            (Function::K, Method::Log) => log_bessel_k,
            (Function::K, Method::Naive) => |v, x| bessel_k(v, x).ln(),
            (Function::K, Method::Scaled) => |v, x| bessel_k_scaled(v, x).ln() - x,
        }
    }

    fn reference(&self) -> fn(f64, f64) -> f64 {
        if self.function == Function::I { reference_log_i } else { reference_log_k }
    }

    /// A_d by the same method, for the fit.
    fn mean_length(&self) -> fn(f64, f64) -> f64 {
        match self.method {
            Method::Log => mean_length,
            Method::Naive => |d, kappa| bessel_i(0.5 * d, kappa) / bessel_i(0.5 * d - 1.0, kappa),
            Method::Scaled => |d, kappa| bessel_i_scaled(0.5 * d, kappa) / bessel_i_scaled(0.5 * d - 1.0, kappa),
        }
    }
}

/// Point `i` of `n` from `range.0` to `range.1`, equally spaced in logarithms.
fn log_point(range: (f64, f64), i: usize, n: usize) -> f64 {
    range.0 * (range.1 / range.0).powf(i as f64 / (n - 1) as f64)
}

const PAPER: Citation = Citation {
    number: 32,
    key: "plesner2024logbessel",
    authors: "Plesner, A. and Sørensen, H. H. B. and Hauberg, S.",
    title: "Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs",
    venue: "Proceedings of the 38th ACM International Conference on Supercomputing",
    year: 2024,
    url: "https://arxiv.org/abs/2409.08729",
};

impl Experiment for LogBessel {
    type Params = Params;
    const TITLE: &'static str = "Bessel functions beyond all numbers";
    const SUMMARY: &'static str =
        "Half of the map is out of range for values; their logarithms hold everywhere, up to 32768 dimensions.";
    const LAB: Lab = Lab::Inverse;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("orders and dimensions done", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "failed",
            Axis::linear("cells without an answer", ""),
            Better::Lower,
            "Share of the cells so far whose result is infinite or no number.",
        ),
        Metric::new(
            "worst",
            Axis::log("largest error", "\\max|\\Delta|/\\max(1,|\\ln|)"),
            Better::Lower,
            "Largest error so far against the double-double reference, over the larger of one and the logarithm; of the cells \
             with an answer.",
        ),
        Metric::new(
            "median",
            Axis::log("median error", "\\Delta_{50}"),
            Better::Lower,
            "Median of the same errors; 1e-17 stands for none.",
        ),
        Metric::new(
            "kappa_error",
            Axis::log("error of the concentration", "|\\hat\\kappa/\\kappa - 1|"),
            Better::Lower,
            "Largest relative error of κ over the dimensions 2048, 8192 and 32768; none where a fit fails.",
        ),
        Metric::new(
            "fitted",
            Axis::linear("dimensions fitted", "n"),
            Better::Higher,
            "Dimensions, of eight, at which the fit ends with a number.",
        ),
        Metric::new(
            "nanoseconds",
            Axis::log("time of a call", "t").unit("ns"),
            Better::Lower,
            "Mean time of one call over the map so far.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "error",
            "error",
            Axis::linear("argument", "\\log_{10} x"),
            Axis::linear("order", "\\log_{10} v"),
            Axis::linear("error", "\\log_{10}\\Delta"),
            ColorMap::Viridis,
        ),
        ViewSpec::field(
            "value",
            "logarithm",
            Axis::linear("argument", "\\log_{10} x"),
            Axis::linear("order", "\\log_{10} v"),
            Axis::linear("logarithm, signed and compressed", "\\pm\\log_{10}(1+|\\ln|)"),
            ColorMap::Diverging,
        ),
        ViewSpec::field(
            "branch",
            "branches",
            Axis::linear("argument", "\\log_{10} x"),
            Axis::linear("order", "\\log_{10} v"),
            Axis::linear("branch", ""),
            ColorMap::Cividis,
        ),
        ViewSpec::curves(
            "kappa",
            "concentration found",
            Axis::log("dimension", "d"),
            Axis::linear("found / true", "\\hat\\kappa/\\kappa"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "logarithm of the value", change: "method=naive" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On 60 × 60 orders from 1 to 10⁴ and arguments from 0.01 to 10⁴ the logarithms of I and of K are finite \
                   everywhere with errors of at most 1e-12 max(1, |ln|), the logarithm of the value of I fails on at least a \
                   quarter of the cells, and κ is recovered within 2 % in 2048, 8192 and 32768 dimensions from 2000 samples.",
        arms: &[
            Arm { name: "log", setting: "method=log" },
            Arm { name: "log K", setting: "method=log&function=k" },
            Arm { name: "naive", setting: "method=naive" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "cells without an answer, in logarithms",
                measure: |m| m.max("log", "failed") + m.max("log K", "failed"),
                bound: Bound::AtMost(0.0),
                unit: "",
            },
            Test {
                label: "largest error of ln I",
                measure: |m| m.max("log", "worst"),
                bound: Bound::AtMost(1e-12),
                unit: "",
            },
            Test {
                label: "largest error of ln K",
                measure: |m| m.max("log K", "worst"),
                bound: Bound::AtMost(1e-12),
                unit: "",
            },
            Test {
                label: "cells without an answer, by the value",
                measure: |m| m.min("naive", "failed"),
                bound: Bound::AtLeast(0.25),
                unit: "",
            },
            Test {
                label: "error of κ",
                measure: |m| m.max("log", "kappa_error"),
                bound: Bound::AtMost(0.02),
                unit: "",
            },
        ],
        counter: Counter {
            why: "Dividing by e^x first saves the large arguments only: where the order is far above the argument the value \
                  still underflows.",
            arms: &["log"],
            change: "method=scaled",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        // In f64 always: the claim is about it.
        Ok(Box::new(MapRun::new(p)))
    }
}

/// First the map, one order at a time, then the fits, one dimension at a time.
struct MapRun {
    params: Params,
    cells: usize,
    values: Vec<f64>,
    /// Error of each cell so far; infinite where there is no answer.
    errors: Vec<f64>,
    /// Found over true κ of each dimension so far; NaN where the fit fails.
    found: Vec<f64>,
    seconds: f64,
    calls: u64,
    record: Record,
}

impl MapRun {
    fn new(p: &Params) -> Self {
        let mut run = Self {
            params: p.clone(),
            cells: p.cells as usize,
            values: Vec::new(),
            errors: Vec::new(),
            found: Vec::new(),
            seconds: 0.0,
            calls: 0,
            record: Record::of(LogBessel::METRICS),
        };
        run.write_record();
        run
    }

    fn rows_done(&self) -> usize {
        self.errors.len() / self.cells
    }

    fn steps(&self) -> usize {
        self.rows_done() + self.found.len()
    }

    fn is_done(&self) -> bool {
        self.found.len() == DIMENSIONS.len()
    }

    /// One order, all arguments.
    fn map_row(&mut self) {
        let (function, reference) = (self.params.function(), self.params.reference());
        let v = log_point(ORDERS, self.rows_done(), self.cells);
        let arguments: Vec<f64> = (0..self.cells).map(|i| log_point(ARGUMENTS, i, self.cells)).collect();
        let started = Instant::now();
        let results: Vec<f64> = arguments.iter().map(|x| function(v, *x)).collect();
        self.seconds += started.elapsed().as_secs_f64();
        self.calls += self.cells as u64;
        for (x, value) in arguments.iter().zip(results) {
            let exact = reference(v, *x);
            let error = (value - exact).abs() / exact.abs().max(1.0);
            self.errors.push(if value.is_finite() { error } else { f64::INFINITY });
            self.values.push(exact);
        }
    }

    fn fit_next(&mut self) {
        let d = DIMENSIONS[self.found.len()];
        let kappa = self.params.concentration * f64::from(d);
        let resultant = sample_resultant(d, kappa, self.params.samples, self.params.seed);
        let fit = fit_kappa(f64::from(d), resultant, self.params.mean_length());
        self.found.push(fit.map_or(f64::NAN, |f| f.kappa / kappa));
    }

    fn write_record(&mut self) {
        let mut row = [f64::NAN; 6];
        if !self.errors.is_empty() {
            let mut finite: Vec<f64> = self.errors.iter().copied().filter(|e| e.is_finite()).collect();
            finite.sort_by(f64::total_cmp);
            row[0] = 1.0 - finite.len() as f64 / self.errors.len() as f64;
            row[1] = finite.last().copied().unwrap_or(f64::NAN);
            row[2] = finite.get(finite.len() / 2).map_or(f64::NAN, |e| e.max(1e-17));
            row[5] = 1e9 * self.seconds / self.calls as f64;
        }
        if self.is_done() {
            let high = DIMENSIONS.iter().zip(&self.found).filter(|(d, _)| **d >= 2048);
            // f64::max would drop the NaN of a failed fit.
            row[3] = high.map(|(_, f)| (f - 1.0).abs()).fold(0.0, |a, e| if e > a || e.is_nan() { e } else { a });
            row[4] = self.found.iter().filter(|f| f.is_finite()).count() as f64;
        }
        self.record.push(self.steps() as f64, &row);
    }

    /// A field over the map; cells not done yet are zero of `empty`.
    fn field(&self, data: Vec<f32>, empty: f32, range: (f64, f64)) -> ViewData {
        let mut data = data;
        data.resize(self.cells * self.cells, empty);
        let axis = |r: (f64, f64)| (r.0.log10(), r.1.log10());
        ViewData::Field { nx: self.cells, ny: self.cells, data, x: axis(ARGUMENTS), y: axis(ORDERS), range }
    }

    fn kappa_curves(&self) -> ViewData {
        let xs: Vec<f64> = DIMENSIONS.iter().take(self.found.len()).map(|d| f64::from(*d)).collect();
        let ends = (f64::from(DIMENSIONS[0]), f64::from(DIMENSIONS[DIMENSIONS.len() - 1]));
        let one = Series::line("true", Role::Reference, vec![ends.0, ends.1], vec![1.0, 1.0]);
        let found = Series::dotted("found", Role::Result, xs, self.found.clone());
        let spread = self.found.iter().filter(|f| f.is_finite()).map(|f| (f - 1.0).abs()).fold(0.05, f64::max);
        ViewData::Lines { series: vec![one, found], x: ends, y: ((1.0 - 1.2 * spread).max(0.0), 1.0 + 1.2 * spread) }
    }
}

impl Run for MapRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.is_done() {
            if self.rows_done() < self.cells {
                self.map_row();
            } else {
                self.fit_next();
            }
            self.write_record();
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        if self.is_done() { Outcome::Finished } else { Outcome::Running }
    }

    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps() as u64,
            position: self.steps() as f64,
            fraction: self.steps() as f64 / (self.cells + DIMENSIONS.len()) as f64,
            work: self.calls as f64,
            work_unit: "evaluations",
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
            "error" => {
                let shown = |e: &f64| if e.is_finite() { e.max(1e-17).log10() as f32 } else { FAILED };
                self.field(self.errors.iter().map(shown).collect(), -17.0, (-17.0, FAILED.into()))
            }
            "value" => {
                let shown = |v: &f64| (v.abs().ln_1p() / std::f64::consts::LN_10).copysign(*v) as f32;
                self.field(self.values.iter().map(shown).collect(), 0.0, (-5.0, 5.0))
            }
            "branch" => {
                let cells = (0..self.cells).flat_map(|j| (0..self.cells).map(move |i| (i, j)));
                let data = cells.map(|(i, j)| {
                    let (v, x) = (log_point(ORDERS, j, self.cells), log_point(ARGUMENTS, i, self.cells));
                    match bessel_branch(v, x) {
                        BesselBranch::Small => 0.0,
                        BesselBranch::LargeArgument => 1.0,
                        BesselBranch::LargeOrder => 2.0,
                    }
                });
                self.field(data.collect(), 0.0, (0.0, 2.0))
            }
            "kappa" => self.kappa_curves(),
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }
}
