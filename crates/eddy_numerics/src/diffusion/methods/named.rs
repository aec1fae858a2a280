//! Samplers by name, with the number of evaluations turned into a grid by the conventions of their authors' code.

use super::{
    Adams, Bdia, Churn, Ddim, Deis, DpmMultistep, DpmSingle, EdmStochastic, EulerMaruyama, FPndm, Fon, Ghvb, HeavyBall,
    Method, Nesterov, Plms, PredictorCorrector, RungeKutta, SPndm, StepControl, StochasticAdams, Tableau, UniPc,
    Variable,
};
use crate::diffusion::{DiffusionError, Node, Prediction, Schedule, Spacing, grid};

pub use super::options::{CompensationOptions, Options, SearchOptions, StatisticsOptions};

/// How many evaluations or steps a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Evaluations(usize),
    Steps(usize),
}

/// Where the steps end.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    Spaced {
        spacing: Spacing,
        start: f64,
        end: f64,
        amount: Amount,
    },
    /// As given, from noise to data.
    Given(Vec<f64>),
}

/// A method with its grid.
pub struct Setup {
    pub method: Box<dyn Method>,
    pub grid: Vec<Node>,
    /// Evaluations a method with step control may use.
    pub limit: Option<u64>,
}

/// A sampler that can be asked for by name.
pub struct Named {
    pub name: &'static str,
    pub about: &'static str,
    /// Options it reads, as they are called in a file.
    pub options: &'static [&'static str],
    kind: Kind,
}

/// How an entry makes its method and grid.
enum Kind {
    /// The method does not depend on the grid.
    Plain(fn(&Options) -> Box<dyn Method>),
    /// Single steps of DPM-Solver: order and value.
    Single(u32, Prediction),
    /// Karras et al.'s sampler: the last level is followed by 0. Heun or Euler, and how much noise is added by default.
    Edm(Tableau, Churn),
    /// As `Plain`, and the last step always ends at σ = 0.
    Levels(fn(&Options) -> Box<dyn Method>),
    /// It has a loop of its own; this makes its grid.
    Own,
}

const DPM: &[&str] = &["solver_type", "lower_order_final", "lower_order_below"];
const DPM3: &[&str] = &["solver_type", "lower_order_final", "lower_order_below", "second_difference", "start"];
const SINGLE: &[&str] = &["solver_type", "inner"];
const CHURN: &[&str] = &["S_churn", "S_min", "S_max", "S_noise"];
const NO_CHURN: Churn = Churn { amount: 0.0, low: 0.0, high: f64::INFINITY, noise: 1.0 };

macro_rules! plain {
    ($name:literal, $about:literal, $options:expr, $make:expr) => {
        Named { name: $name, about: $about, options: $options, kind: Kind::Plain($make) }
    };
}

fn single(order: u32, value: Prediction, o: &Options) -> Box<dyn Method> {
    let mut m = DpmSingle::fixed(0, order, value, Spacing::LogSnr);
    m.taylor = o.taylor;
    Box::new(m)
}

fn runge_kutta(tableau: Tableau, variable: Variable) -> Box<dyn Method> {
    Box::new(RungeKutta::new(tableau, variable).with_euler_to_zero())
}

fn multistep(order: u32, value: Prediction, o: &Options) -> Box<dyn Method> {
    let mut m = DpmMultistep::new(order, value);
    (m.taylor, m.polynomial, m.single_start) = (o.taylor, o.polynomial, o.single_start);
    m.lower_final = o.lower_final.unwrap_or(m.lower_final);
    Box::new(m)
}

fn stochastic(order: u32, value: Prediction, o: &Options) -> Box<dyn Method> {
    let mut m = DpmMultistep::stochastic(order, value);
    m.lower_final = o.lower_final.unwrap_or(m.lower_final);
    Box::new(m)
}

fn unipc(order: u32, o: &Options) -> Box<dyn Method> {
    let mut m = UniPc::new(order, o.variant, o.value);
    m.lower_final = o.lower_final.unwrap_or(m.lower_final);
    Box::new(m)
}

fn deis(mut method: Deis, o: &Options) -> Box<dyn Method> {
    method.quadrature = o.quadrature;
    Box::new(method)
}

const DATA: Prediction = Prediction::Data;
const NOISE: Prediction = Prediction::Epsilon;
const UNIPC: &[&str] = &["variant", "prediction", "lower_order_final"];
const DEIS: &[&str] = &["quadrature"];

/// Its statistics belong to a model and a dimension, so that it is not one table of coefficients as the others.
pub const DPM_SOLVER_V3: &str = "dpm-solver-v3";
/// It needs the field of its own kernel ([`poisson_flow`](crate::diffusion::poisson_flow)).
pub const PFGM_PP: &str = "pfgm-pp";
/// Its last state may be corrected in a step of no length.
const SA_SOLVER: &str = "sa-solver";
/// Its ratios are fitted to a model before it samples ([`compensation`](crate::diffusion::compensation)).
pub const DC_SOLVER: &str = "dc-solver";
/// Its schedule is searched for a model ([`searched`](crate::diffusion::searched)).
pub const USF: &str = "usf";
/// It runs on a process that reverts to a mean ([`mean_reverting`](crate::diffusion::mean_reverting)).
pub const MR_SAMPLER: &str = "mr-sampler";

/// Every sampler, in the order in which they are listed.
pub static SAMPLERS: &[Named] = &[
    plain!("ddpm", "ancestral sampling (Ho et al. 2020)", &[], |_| Box::new(Ddim { eta: 1.0 })),
    plain!("ddim", "DDIM (Song, Meng, Ermon 2021)", &["eta"], |o| Box::new(Ddim { eta: o.eta })),
    plain!("euler", "Euler on the flow in t", &[], |_| runge_kutta(Tableau::EULER, Variable::Time)),
    plain!("heun", "Heun on the flow in t (Karras et al. 2022 on the edm schedule)", &[], |_| {
        runge_kutta(Tableau::HEUN, Variable::Time)
    }),
    plain!("midpoint", "explicit midpoint on the flow in t", &[], |_| runge_kutta(Tableau::MIDPOINT, Variable::Time)),
    plain!("rk4", "Runge-Kutta 4 on the flow in t", &[], |_| runge_kutta(Tableau::RK4, Variable::Time)),
    plain!("dopri5", "adaptive Dormand-Prince 5(4) on the flow in t", &["tolerance", "atol", "rtol"], |o| {
        let control = Some(StepControl { absolute: o.absolute, relative: o.relative });
        Box::new(RungeKutta { control, ..RungeKutta::adaptive(o.relative) })
    }),
    Named {
        name: "edm-heun",
        about: "Heun in σ/α with a last Euler step to σ = 0 (Karras et al. 2022, algorithm 1)",
        options: CHURN,
        kind: Kind::Edm(Tableau::HEUN, NO_CHURN),
    },
    Named {
        name: "edm-euler",
        about: "Euler in σ/α with a last step to σ = 0 (Karras et al. 2022)",
        options: CHURN,
        kind: Kind::Edm(Tableau::EULER, NO_CHURN),
    },
    Named {
        name: "edm-stochastic",
        about: "edm-heun with noise added before each step (Karras et al. 2022, algorithm 2; table 5 for ImageNet)",
        options: CHURN,
        kind: Kind::Edm(Tableau::HEUN, Churn::IMAGENET),
    },
    Named {
        name: PFGM_PP,
        about: "PFGM++: edm-heun on the Poisson flow with D more dimensions (Xu et al. 2023)",
        options: &["D"],
        kind: Kind::Edm(Tableau::HEUN, NO_CHURN),
    },
    plain!("euler-maruyama", "Euler-Maruyama on the reverse SDE", &[], |_| Box::new(EulerMaruyama)),
    plain!("predictor-corrector", "reverse diffusion and Langevin (Song et al. 2021)", &["snr"], |o| {
        Box::new(PredictorCorrector { snr: o.snr })
    }),
    plain!("pndm", "F-PNDM: four evaluations in each of the first three steps (Liu et al. 2022)", &[], |_| {
        Box::new(FPndm)
    }),
    plain!("s-pndm", "S-PNDM (Liu et al. 2022)", &[], |_| Box::new(SPndm)),
    plain!("fon", "classical linear multistep on the flow in t (Liu et al. 2022)", &[], |_| Box::new(Fon)),
    plain!("plms", "PLMS with an improved Euler start (latent diffusion, diffusers)", &[], |_| Box::new(Plms)),
    plain!("ipndm", "PLMS started by lower orders (Zhang & Chen 2023)", &[], |_| Box::new(Adams::new(4))),
    Named {
        name: "dpm-solver-1",
        about: "DPM-Solver-1, which is DDIM (Lu et al. 2022)",
        options: &[],
        kind: Kind::Single(1, NOISE),
    },
    Named {
        name: "dpm-solver-2",
        about: "DPM-Solver-2, single steps (Lu et al. 2022)",
        options: SINGLE,
        kind: Kind::Single(2, NOISE),
    },
    Named {
        name: "dpm-solver-3",
        about: "DPM-Solver-3, single steps, the last of lower order so that all evaluations are used (“fast”)",
        options: SINGLE,
        kind: Kind::Single(3, NOISE),
    },
    plain!("dpm-solver-2m", "DPM-Solver-2, multistep", DPM, |o| multistep(2, NOISE, o)),
    plain!("dpm-solver-3m", "DPM-Solver-3, multistep", DPM3, |o| multistep(3, NOISE, o)),
    Named {
        name: "dpm-solver-pp-2s",
        about: "DPM-Solver++(2S), single steps on x₀",
        options: SINGLE,
        kind: Kind::Single(2, DATA),
    },
    Named {
        name: "dpm-solver-pp-3s",
        about: "DPM-Solver++(3S), single steps on x₀",
        options: SINGLE,
        kind: Kind::Single(3, DATA),
    },
    plain!("dpm-solver-pp-1", "DPM-Solver++ of order 1", &[], |o| multistep(1, DATA, o)),
    plain!("dpm-solver-pp-2m", "DPM-Solver++(2M), multistep on x₀", DPM, |o| multistep(2, DATA, o)),
    plain!("dpm-solver-pp-3m", "DPM-Solver++(3M), multistep on x₀", DPM3, |o| multistep(3, DATA, o)),
    plain!("dpm-solver-pp-sde-2m", "SDE-DPM-Solver++(2M)", &["lower_order_final"], |o| stochastic(2, DATA, o)),
    plain!("dpm-solver-sde-2m", "SDE-DPM-Solver of order 2, multistep", &["lower_order_final"], |o| {
        stochastic(2, NOISE, o)
    }),
    Named {
        name: DPM_SOLVER_V3,
        about: "DPM-Solver-v3 with statistics measured on the model (Zheng et al. 2023)",
        options: &[
            "order",
            "corrector_order",
            "lower_order_final",
            "statistics_steps",
            "statistics_samples",
            "integrals",
            "p_pseudo",
            "c_pseudo",
            "l",
            "s",
            "b",
        ],
        kind: Kind::Own,
    },
    plain!(
        "sa-solver",
        "SA-Solver: stochastic Adams (Xue et al. 2023)",
        &[
            "tau",
            "tau_start",
            "tau_end",
            "predictor_order",
            "corrector_order",
            "prediction",
            "few_steps",
            "skip_final_step",
            "lower_order_final",
        ],
        |o| Box::new(StochasticAdams { value: o.value, ..o.stochastic_adams }.cleaned())
    ),
    plain!("unipc-1", "UniPC of order 1 (Zhao et al. 2023)", UNIPC, |o| unipc(1, o)),
    plain!("unipc-2", "UniPC of order 2 (Zhao et al. 2023)", UNIPC, |o| unipc(2, o)),
    plain!("unipc-3", "UniPC of order 3 (Zhao et al. 2023)", UNIPC, |o| unipc(3, o)),
    plain!("deis-tab0", "DEIS of order 0 (Zhang & Chen 2023)", DEIS, |o| deis(Deis::new(0), o)),
    plain!("deis-tab1", "DEIS with polynomials in t, order 1", DEIS, |o| deis(Deis::new(1), o)),
    plain!("deis-tab2", "DEIS with polynomials in t, order 2", DEIS, |o| deis(Deis::new(2), o)),
    plain!("deis-tab3", "DEIS with polynomials in t, order 3", DEIS, |o| deis(Deis::new(3), o)),
    plain!("rho-ab1", "DEIS with polynomials in ρ = σ/α, order 1", DEIS, |o| deis(Deis::rho(1), o)),
    plain!("rho-ab2", "DEIS with polynomials in ρ, order 2", DEIS, |o| deis(Deis::rho(2), o)),
    plain!("rho-ab3", "DEIS with polynomials in ρ, order 3", DEIS, |o| deis(Deis::rho(3), o)),
    plain!("rho-heun", "Heun in ρ (DEIS rho-RK 2)", &[], |_| runge_kutta(Tableau::HEUN, Variable::Rho)),
    plain!("rho-midpoint", "explicit midpoint in ρ", &[], |_| runge_kutta(Tableau::MIDPOINT, Variable::Rho)),
    plain!("rho-kutta", "Kutta's method of order 3 in ρ (DEIS rho-RK)", &[], |_| {
        runge_kutta(Tableau::KUTTA3, Variable::Rho)
    }),
    plain!("rho-rk4", "Runge-Kutta 4 in ρ", &[], |_| runge_kutta(Tableau::RK4, Variable::Rho)),
    plain!("rho-heun3", "Heun's method of order 3 in ρ (DEIS rho-RK)", &[], |_| {
        runge_kutta(Tableau::HEUN3, Variable::Rho)
    }),
    plain!("rho-ralston3", "Ralston's method of order 3 in ρ (DEIS rho-RK)", &[], |_| {
        runge_kutta(Tableau::RALSTON3, Variable::Rho)
    }),
    plain!("rho-ssprk3", "strong-stability-preserving Runge-Kutta 3 in ρ (DEIS rho-RK)", &[], |_| {
        runge_kutta(Tableau::SSPRK3, Variable::Rho)
    }),
    Named {
        name: "lms",
        about: "linear multistep in σ/α with a last step to σ = 0 (k-diffusion, diffusers)",
        options: &["order"],
        kind: Kind::Levels(|o| Box::new(Deis::rho(o.multistep_order.saturating_sub(1) as u32))),
    },
    Named {
        name: "dpm2",
        about: "DPM-Solver-2 in ln(σ/α) with a last Euler step to σ = 0 (k-diffusion, diffusers: KDPM2)",
        options: &[],
        kind: Kind::Levels(|o| single(2, NOISE, o)),
    },
    plain!("ghvb", "generalized heavy ball of order r (Wizadwongsa et al. 2024)", &["order"], |o| {
        Box::new(Ghvb::new(o.momentum_order))
    }),
    plain!("plms-hb", "PLMS with the heavy ball (Wizadwongsa et al. 2024)", &["damping"], |o| {
        Box::new(HeavyBall::new(4, o.damping))
    }),
    plain!("plms-nt", "PLMS with Nesterov's momentum (Wizadwongsa et al. 2024)", &["damping"], |o| {
        Box::new(Nesterov::new(4, o.damping))
    }),
    plain!("bdia", "BDIA-DDIM, exactly invertible (Zhang, Lewis, Kleijn 2024)", &["gamma"], |o| {
        Box::new(Bdia::new(o.gamma))
    }),
    plain!(
        "rf-solver",
        "RF-Solver: second-order Taylor by a half step, the midpoint method (Wang et al. 2025)",
        &[],
        |_| { runge_kutta(Tableau::MIDPOINT, Variable::Time) }
    ),
    Named {
        name: DC_SOLVER,
        about: "UniPC with compensated values, one ratio per step fitted on this model (Zhao et al. 2024)",
        options: &["order", "variant", "prediction", "lower_order_final", "parabola", "ratios", "fit_samples"],
        kind: Kind::Own,
    },
    Named {
        name: USF,
        about: "times, orders and values of the steps searched on this model (Liu et al. 2024)",
        options: &["search", "search_trials", "search_population", "search_samples"],
        kind: Kind::Own,
    },
    Named {
        name: MR_SAMPLER,
        about: "MRS on the schedule mean-reverting (Li et al. 2025)",
        options: &["solver", "order", "prediction"],
        kind: Kind::Own,
    },
];

/// The sampler called `name`.
pub fn named(name: &str) -> Option<&'static Named> {
    SAMPLERS.iter().find(|s| s.name == name)
}

/// The nodes of times given one by one.
fn given(schedule: &dyn Schedule, times: &[f64]) -> Result<Vec<Node>, DiffusionError> {
    let falls = times.windows(2).all(|w| w[1] < w[0]) && times.iter().all(|t| t.is_finite());
    let nodes: Vec<Node> = times.iter().map(|t| schedule.node(*t)).collect();
    let levels = nodes.iter().all(|n| n.alpha >= 0.0 && n.sigma >= 0.0 && !n.lambda.is_nan());
    match (times.first(), times.last()) {
        (Some(start), Some(end)) if times.len() < 2 || !falls || !levels => {
            Err(DiffusionError::Span { start: *start, end: *end })
        }
        (None, _) => Err(DiffusionError::NoSteps),
        _ => Ok(nodes),
    }
}

/// The grid, also from α = 0 or to σ = 0 where it is even in t: λ has no value there.
fn spaced(
    schedule: &dyn Schedule,
    spacing: Spacing,
    start: f64,
    end: f64,
    n: usize,
) -> Result<Vec<Node>, DiffusionError> {
    let inside = |t: f64| schedule.lambda(t).is_finite();
    let power = match spacing {
        Spacing::Uniform => 1,
        Spacing::Quadratic => 2,
        _ => 0,
    };
    if power == 0 || (inside(start) && inside(end)) || n == 0 || !(start > end && end >= 0.0) {
        return grid(schedule, spacing, start, end, n);
    }
    let root = |t: f64| if power == 1 { t } else { t.sqrt() };
    let (a, b) = (root(start), root(end));
    let at = |i: usize| match i {
        0 => start,
        i if i == n => end,
        i => (a + (b - a) * i as f64 / n as f64).powi(power),
    };
    given(schedule, &(0..=n).map(at).collect::<Vec<_>>())
}

impl Named {
    /// The method and its grid.
    pub fn setup(&self, schedule: &dyn Schedule, times: &Times, options: &Options) -> Result<Setup, DiffusionError> {
        let mut setup = match &self.kind {
            Kind::Plain(make) => plain(make(options), schedule, times, options.append_zero),
            Kind::Levels(make) => plain(make(options), schedule, times, true),
            Kind::Single(order, value) => single_steps((*order, *value), options, schedule, times),
            Kind::Edm(tableau, churn) => edm(*tableau, options.churn.unwrap_or(*churn), schedule, times),
            Kind::Own => plain(Box::new(Adams::new(1)), schedule, times, options.append_zero),
        }?;
        if let (Some(first), Some(last)) = (setup.grid.first(), setup.grid.last()) {
            if !setup.method.reaches(schedule, first, last) {
                return Err(DiffusionError::Ends { method: self.name, start: first.t, end: last.t });
            }
        }
        let steps = setup.grid.len().saturating_sub(1);
        let least = self.least_steps(options);
        if steps < least {
            let (given, needed) = (setup.method.cost(steps), setup.method.cost(least));
            return Err(DiffusionError::Evaluations { method: self.name, needed, given });
        }
        if self.name == SA_SOLVER && !options.stochastic_adams.skip_final {
            // Its last state is corrected in a step of no length.
            setup.grid.extend(setup.grid.last().copied());
        }
        Ok(setup)
    }

    /// The noise it adds by default.
    pub fn churn(&self) -> Churn {
        if let Kind::Edm(_, churn) = self.kind { churn } else { NO_CHURN }
    }

    /// The fewest steps a multistep method is allowed: as many as its order, as in the authors' code.
    fn least_steps(&self, options: &Options) -> usize {
        match self.name {
            SA_SOLVER => options.stochastic_adams.cleaned().least_steps(),
            DPM_SOLVER_V3 => options.statistics.order.clamp(1, 3),
            DC_SOLVER => options.compensation.order as usize,
            "dpm-solver-2m" | "dpm-solver-pp-2m" | "unipc-2" => 2,
            "dpm-solver-3m" | "dpm-solver-pp-3m" | "unipc-3" => 3,
            _ => 1,
        }
    }
}

fn plain(
    method: Box<dyn Method>,
    schedule: &dyn Schedule,
    times: &Times,
    to_zero: bool,
) -> Result<Setup, DiffusionError> {
    let (grid, limit) = match times {
        Times::Given(times) => (given(schedule, times)?, None),
        Times::Spaced { spacing, start, end, amount } => {
            let adaptive = method.step_control().is_some();
            let to_zero = to_zero && !adaptive;
            let (steps, limit) = match (amount, adaptive) {
                (Amount::Evaluations(n), true) => (1, Some(*n as u64)),
                (Amount::Steps(_), true) => (1, None),
                (Amount::Evaluations(n), false) if to_zero => (steps_to_zero(&*method, *n)?, None),
                (Amount::Evaluations(n), false) => (method.steps_for(*n)?, None),
                (Amount::Steps(n), false) => (*n, None),
            };
            if to_zero {
                if steps < 2 {
                    let (needed, given) = (method.cost_to_zero(2), method.cost_to_zero(steps));
                    return Err(DiffusionError::Evaluations { method: method.name(), needed, given });
                }
                let mut nodes = spaced(schedule, *spacing, *start, *end, steps - 1)?;
                nodes.push(Node::clean());
                (nodes, limit)
            } else {
                (spaced(schedule, *spacing, *start, *end, steps)?, limit)
            }
        }
    };
    Ok(Setup { method, grid, limit })
}

/// The most steps, the last one to σ = 0, that `evaluations` evaluations pay for.
fn steps_to_zero(method: &dyn Method, evaluations: usize) -> Result<usize, DiffusionError> {
    let steps = (1..=evaluations).rev().find(|n| method.cost_to_zero(*n) <= evaluations);
    let needed = method.cost_to_zero(2);
    steps.ok_or(DiffusionError::Evaluations { method: method.name(), needed, given: evaluations })
}

/// Outer times as in the authors' code: even in λ over the steps; otherwise even over the evaluations, of which every
/// step skips as many as it uses.
fn single_steps(
    (order, value): (u32, Prediction),
    o: &Options,
    schedule: &dyn Schedule,
    times: &Times,
) -> Result<Setup, DiffusionError> {
    let inner = |spacing: Spacing| if o.inner_even { Spacing::LogSnr } else { spacing };
    let (mut method, grid) = match times {
        Times::Given(times) => {
            let steps = times.len().saturating_sub(1);
            (DpmSingle::fixed(steps, order, value, Spacing::LogSnr), given(schedule, times)?)
        }
        Times::Spaced { spacing, .. } if o.append_zero => {
            let mut method = DpmSingle::fixed(0, order, value, inner(*spacing));
            method.taylor = o.taylor;
            return plain(Box::new(method), schedule, times, true);
        }
        Times::Spaced { spacing, start, end, amount: Amount::Steps(n) } => {
            (DpmSingle::fixed(*n, order, value, inner(*spacing)), grid(schedule, *spacing, *start, *end, *n)?)
        }
        Times::Spaced { spacing, start, end, amount: Amount::Evaluations(n) } => {
            let method = DpmSingle::spending(*n, order, value, inner(*spacing));
            let nodes = if *spacing == Spacing::LogSnr {
                grid(schedule, *spacing, *start, *end, method.orders().len())?
            } else {
                let all = grid(schedule, *spacing, *start, *end, *n)?;
                let mut at = 0;
                let ends = method.orders().iter().map(|k| {
                    at += *k as usize;
                    all[at]
                });
                std::iter::once(all[0]).chain(ends).collect()
            };
            (method, nodes)
        }
    };
    method.taylor = o.taylor;
    Ok(Setup { method: Box::new(method), grid, limit: None })
}

/// N levels from the first to the last time, then σ = 0: 2 N − 1 evaluations of Heun, N of Euler.
fn edm(tableau: Tableau, churn: Churn, schedule: &dyn Schedule, times: &Times) -> Result<Setup, DiffusionError> {
    let method: Box<dyn Method> = if churn.amount > 0.0 {
        Box::new(EdmStochastic { tableau, churn })
    } else {
        Box::new(RungeKutta::new(tableau, Variable::Rho).with_euler_to_zero())
    };
    let name = if tableau.order == 1 { "edm-euler" } else { "edm-heun" };
    let nodes = match times {
        Times::Given(times) => given(schedule, times)?,
        Times::Spaced { spacing, start, end, amount } => {
            let stages = tableau.order as usize;
            let levels = match amount {
                Amount::Steps(n) => *n,
                Amount::Evaluations(n) => (n + stages - 1) / stages,
            };
            if levels < 2 {
                let given = if let Amount::Evaluations(n) = amount { *n } else { levels };
                return Err(DiffusionError::Evaluations { method: name, needed: 2 * stages - (stages - 1), given });
            }
            let mut nodes = grid(schedule, *spacing, *start, *end, levels - 1)?;
            nodes.push(Node::clean());
            nodes
        }
    };
    Ok(Setup { method, grid: nodes, limit: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::VpLinear;

    #[test]
    fn names_are_distinct_and_every_sampler_can_be_set_up() {
        let schedule = VpLinear::default();
        for (i, s) in SAMPLERS.iter().enumerate() {
            assert!(SAMPLERS[..i].iter().all(|o| o.name != s.name), "{}", s.name);
            for spacing in [Spacing::Uniform, Spacing::Quadratic, Spacing::LogSnr, Spacing::Karras { rho: 7.0 }] {
                for n in [15, 20] {
                    let times = Times::Spaced { spacing, start: 1.0, end: 1e-3, amount: Amount::Evaluations(n) };
                    let setup = s.setup(&schedule, &times, &Options::default()).unwrap();
                    assert_eq!(setup.grid[0].t, 1.0, "{}", s.name);
                    if setup.method.step_control().is_none() && !matches!(s.kind, Kind::Edm(..) | Kind::Levels(_)) {
                        assert_eq!(setup.grid.last().unwrap().t, 1e-3, "{}", s.name);
                        assert!(setup.method.cost(setup.grid.len() - 1) <= n, "{}", s.name);
                    }
                }
            }
        }
    }

    #[test]
    fn single_steps_skip_their_evaluations() {
        let schedule = VpLinear::default();
        let of = |spacing| Times::Spaced { spacing, start: 1.0, end: 0.1, amount: Amount::Evaluations(9) };
        let s = named("dpm-solver-3").unwrap();
        let times = |spacing| -> Vec<f64> {
            let setup = s.setup(&schedule, &of(spacing), &Options::default()).unwrap();
            setup.grid.iter().map(|n| n.t).collect()
        };
        let expected = [1.0, 0.7, 0.4, 0.2, 0.1];
        assert!(times(Spacing::Uniform).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12));
        let even = grid(&schedule, Spacing::LogSnr, 1.0, 0.1, 4).unwrap();
        assert!(times(Spacing::LogSnr).iter().zip(&even).all(|(a, b)| (a - b.t).abs() < 1e-12));
    }
}
