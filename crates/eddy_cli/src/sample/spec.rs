//! The file of `eddy sample`: target, schedule, sampler, run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eddy_experiments::labs::sampler::diffusion::{
    Component, DiffusionError, Guidance, Mixture, Prediction, Schedule, Spacing, Threshold,
    mean_reverting::{Held, MeanReverting, MrMethod},
    methods::named::{
        Amount, DC_SOLVER, DPM_SOLVER_V3, MR_SAMPLER, Named, Options, PFGM_PP, SAMPLERS, Times, USF, named,
    },
    searched::{Gene, Genome},
};
use eddy_experiments::spec::EddyError;
use toml::Table;

use super::{
    options::options,
    schedule::{Plan, schedule},
    target::target,
    toml_reader::{Section, plain, refused},
};

/// A file that was read and makes sense.
pub struct Spec {
    pub mixture: Mixture,
    pub schedule_name: &'static str,
    pub schedule: Arc<dyn Schedule>,
    pub sampler: &'static Named,
    pub options: Options,
    pub times: Times,
    pub to_zero: bool,
    pub own: Own,
    /// What the process reverts to; the mixture is the one about it.
    pub mean: Option<Vec<f64>>,
    pub guidance: Option<Guidance>,
    pub threshold: Option<Threshold>,
    pub samples: Option<usize>,
    pub seed: u32,
    pub noise: Option<PathBuf>,
    pub double: bool,
}

/// What the samplers with a loop of their own are told besides their options.
#[derive(Default)]
pub struct Own {
    /// DC-Solver: given instead of fitted.
    pub ratios: Option<Vec<f64>>,
    /// USF: given instead of searched.
    pub genome: Option<Genome>,
    /// DPM-Solver-v3: files of l, s and b, instead of a measurement.
    pub statistics: Option<[PathBuf; 3]>,
    pub mean_reverting: Option<(MeanReverting, MrMethod)>,
}

const GRIDS: [&str; 4] = ["uniform-t", "quadratic", "log-snr", "karras"];

impl Spec {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, EddyError> {
        let table: Table =
            text.parse().map_err(|e: toml::de::Error| EddyError::new("spec", e.to_string().trim().to_string()))?;
        let root = Section::new("", &table);
        let needed = |name: &'static str| {
            root.table(name)?.ok_or_else(|| refused(name, format!("the file needs a table [{name}] (docs/sample.md)")))
        };
        let mixture = target(&needed("target")?)?;
        let plan = schedule(&needed("schedule")?, mixture.dim())?;
        let sampler_section = needed("sampler")?;
        let guidance = root.table("guidance")?.map(|s| guidance(&s, &mixture)).transpose()?;
        let threshold = root.table("thresholding")?.map(|s| threshold(&s)).transpose()?;
        let run = root.table("run")?;
        root.finish()?;
        let Chosen { sampler, options, times, to_zero, own } = sampler(&sampler_section, &plan)?;
        if [PFGM_PP, MR_SAMPLER].contains(&sampler.name) && (guidance.is_some() || threshold.is_some()) {
            let table = if guidance.is_some() { "guidance" } else { "thresholding" };
            return Err(refused(table, format!("{} takes neither guidance nor thresholding", sampler.name)));
        }
        let mixture = match &plan.mean {
            Some(mean) => about(&mixture, mean).map_err(|e| refused("schedule.mean", e))?,
            None => mixture,
        };
        if threshold.is_some() && plan.mean.is_some() {
            return Err(refused("thresholding", "this cannot be used with schedule.mean"));
        }
        let mut spec = Self {
            mixture,
            schedule_name: plan.name,
            schedule: plan.schedule,
            sampler,
            options,
            times,
            to_zero,
            own,
            mean: plan.mean,
            guidance,
            threshold,
            samples: None,
            seed: 0,
            noise: None,
            double: true,
        };
        if let Some(run) = run {
            spec.samples = run.whole("samples", 1, 100_000_000)?.map(|n| n as usize);
            spec.seed = run.whole("seed", 0, i64::from(u32::MAX))?.unwrap_or(0) as u32;
            spec.noise = run.text("noise")?.map(PathBuf::from);
            spec.double = run.choice("precision", &["f64", "f32"])? == "f64";
            run.finish()?;
        }
        Ok(spec)
    }

    /// Names of other files become those beside `file`, where there are such.
    pub fn beside(&mut self, file: &Path) {
        let named = self.noise.iter_mut().chain(self.own.statistics.iter_mut().flatten());
        for name in named {
            if let Some(beside) = file.parent().map(|p| p.join(&*name)).filter(|p| p.exists()) {
                *name = beside;
            }
        }
    }
}

/// The mixture moved by −mean: about it the process is variance preserving.
fn about(mixture: &Mixture, mean: &[f64]) -> Result<Mixture, DiffusionError> {
    let moved = |c: &Component| Component { mean: c.mean.iter().zip(mean).map(|(a, b)| a - b).collect(), ..c.clone() };
    Mixture::new(mixture.dim(), mixture.components().iter().map(moved).collect())
}

struct Chosen {
    sampler: &'static Named,
    options: Options,
    times: Times,
    to_zero: bool,
    own: Own,
}

/// A name as it is listed: papers and other programs write `dpm_solver++_2m`.
fn listed(name: &str) -> String {
    plain(name).replace("++", "-pp").replace("--", "-")
}

fn sampler(s: &Section, plan: &Plan) -> Result<Chosen, EddyError> {
    let name = s.text("name")?.ok_or_else(|| s.refused("name", "name a sampler; `eddy sample --list` shows them"))?;
    let name = &*listed(name);
    let mut sampler = named(name).ok_or_else(|| {
        let near: Vec<&str> =
            SAMPLERS.iter().map(|n| n.name).filter(|n| n.contains(name) || name.contains(*n)).collect();
        let hint = if near.is_empty() { String::new() } else { format!("; near it are {}", near.join(", ")) };
        s.refused("name", format!("there is no sampler `{name}`{hint}; `eddy sample --list` shows all"))
    })?;
    let evaluations = s.whole("evaluations", 1, 10_000_000)?.map(|n| n as usize);
    let steps = s.whole("steps", 1, 10_000_000)?.map(|n| n as usize);
    let grid = s.choice_or(
        "grid",
        &GRIDS,
        &[
            ("uniform", "uniform-t"),
            ("time-uniform", "uniform-t"),
            ("time-quadratic", "quadratic"),
            ("logsnr", "log-snr"),
        ],
    )?;
    let rho = if grid == "karras" { s.positive("rho")?.unwrap_or(7.0) } else { 7.0 };
    let to_zero = s.boolean("denoise_to_zero")?.unwrap_or(false);
    let times = s.numbers("times")?;
    // Karras et al. end at σ = 0. An odd number of evaluations says so: every level twice but the last.
    let to_zero_level = match &times {
        Some(times) => times.last() == Some(&0.0),
        None => grid == "karras" && evaluations.is_some_and(|n| n % 2 == 1),
    };
    if name == "heun" && plan.name == "edm" && to_zero_level {
        sampler = named("edm-heun").unwrap_or(sampler);
    }
    if sampler.name == PFGM_PP && !["edm", "ve"].contains(&plan.name) {
        return Err(s.refused("name", "pfgm-pp needs a schedule that keeps the signal as it is: edm or ve"));
    }
    if sampler.name == MR_SAMPLER && plan.name != "mean-reverting" {
        return Err(s.refused("name", "mr-sampler needs the schedule mean-reverting"));
    }
    let mut options = options(s, sampler)?;
    options.append_zero = s.boolean("append_zero")?.unwrap_or(false);
    if options.append_zero && (plan.schedule.sigma(0.0) > 0.0 || plan.end == 0.0 || name == "dopri5") {
        let what = format!("{name} on {} cannot end at σ = 0 by one more step", plan.name);
        return Err(s.refused("append_zero", what));
    }
    let own = own(s, sampler, plan, times.as_deref())?;
    s.finish()?;
    if sampler.name == USF && times.is_none() && s.has("grid") && grid != "log-snr" {
        return Err(s.refused("grid", "usf has times of its own, which the search begins with log-snr"));
    }
    if let Some(times) = times {
        if let Some(other) = ["grid", "append_zero"].into_iter().find(|k| s.has(k)) {
            return Err(s.refused(other, format!("give times or {other}, not both")));
        }
        if let Some(n) = steps.filter(|n| n + 1 != times.len()) {
            return Err(s.refused("steps", format!("{} times make {} steps, not {n}", times.len(), times.len() - 1)));
        }
        if times.len() < 2 {
            return Err(s.refused("times", "at least two times are needed: the first with noise, the last without"));
        }
        if let Some(k) = times.windows(2).position(|w| w[1] >= w[0]) {
            return Err(s.refused(&format!("times[{}]", k + 1), "times run from noise to data and must fall"));
        }
        if times.iter().any(|t| *t < 0.0) || (plan.name != "edm" && times[0] > 1.0) {
            return Err(s.refused("times", format!("the times of {} lie between 0 and 1", plan.name)));
        }
        return Ok(Chosen { sampler, options, times: Times::Given(times), to_zero, own });
    }
    let adaptive = name == "dopri5";
    let amount = match (evaluations, steps) {
        (Some(_), Some(_)) => return Err(s.refused("steps", "give evaluations or steps, not both")),
        (Some(n), None) => Amount::Evaluations(n),
        (None, Some(n)) => Amount::Steps(n),
        (None, None) if adaptive => Amount::Steps(1),
        (None, None) => return Err(s.refused("evaluations", "say how many evaluations the sampler may use")),
    };
    let spacing = match grid {
        "uniform-t" => Spacing::Uniform,
        "quadratic" => Spacing::Quadratic,
        "log-snr" => Spacing::LogSnr,
        _ => Spacing::Karras { rho },
    };
    let times = Times::Spaced { spacing, start: plan.start, end: plan.end, amount };
    Ok(Chosen { sampler, options, times, to_zero, own })
}

/// What belongs to the samplers with a loop of their own.
fn own(s: &Section, sampler: &Named, plan: &Plan, times: Option<&[f64]>) -> Result<Own, EddyError> {
    let mut own = Own::default();
    match sampler.name {
        DC_SOLVER => own.ratios = s.numbers("ratios")?,
        DPM_SOLVER_V3 => {
            let paths = ["l", "s", "b"].map(|key| s.text(key));
            let [l, scaling, b] = paths;
            own.statistics = match (l?, scaling?, b?) {
                (Some(l), Some(scaling), Some(b)) => Some([l, scaling, b].map(PathBuf::from)),
                (None, None, None) => None,
                _ => return Err(s.refused("l", "give l, s and b, each an array [nodes, dimensions], or none")),
            };
            if !s.has("integrals") && (s.has("p_pseudo") || s.has("c_pseudo")) {
                return Err(s.refused("integrals", "p_pseudo and c_pseudo need integrals = \"trapezoid\""));
            }
        }
        USF => own.genome = genome(s, &*plan.schedule, times)?,
        MR_SAMPLER => {
            let solver = s.choice("solver", &["ode", "sde", "euler-ode", "euler-sde", "posterior"])?;
            let order = s.whole("order", 1, 2)?.unwrap_or(2) as u32;
            let data = s.choice("prediction", &["data", "noise"])? == "data";
            if !data && solver != "ode" {
                return Err(s.refused("prediction", format!("the solver {solver} works on data only")));
            }
            let method = match solver {
                "ode" => MrMethod::Ode { order, held: if data { Held::Data } else { Held::Noise } },
                "sde" => MrMethod::Sde { order },
                "euler-ode" => MrMethod::EulerOde,
                "euler-sde" => MrMethod::EulerSde,
                _ => MrMethod::Posterior,
            };
            own.mean_reverting = plan.reverting.map(|process| (process, method));
        }
        _ => {}
    }
    Ok(own)
}

/// A schedule of USF that the file gives: `times`, and for each step its order and its value.
fn genome(s: &Section, schedule: &dyn Schedule, times: Option<&[f64]>) -> Result<Option<Genome>, EddyError> {
    let (orders, values) = (s.list("orders")?, s.list("values")?);
    let Some(times) = times else {
        return match (orders, values) {
            (None, None) => Ok(None),
            _ => Err(s.refused("times", "a schedule that is given needs its times besides orders and values")),
        };
    };
    let mut genes = Vec::new();
    for (k, step) in times.windows(2).enumerate() {
        let order = match orders.map(|list| list.get(k).and_then(toml::Value::as_integer)) {
            None => 2,
            Some(Some(n)) if (1..=3).contains(&n) => n as usize,
            Some(_) => return Err(s.refused(&format!("orders[{k}]"), "give 1, 2 or 3 for every step")),
        };
        let value = match values.map(|list| list.get(k).and_then(toml::Value::as_str)) {
            None | Some(Some("data")) => Prediction::Data,
            Some(Some("noise")) => Prediction::Epsilon,
            Some(_) => return Err(s.refused(&format!("values[{k}]"), "give \"data\" or \"noise\" for every step")),
        };
        let length = schedule.lambda(step[1]) - schedule.lambda(step[0]);
        if !(length > 0.0 && length.is_finite()) {
            return Err(s.refused(&format!("times[{}]", k + 1), "usf needs signal and noise at every time"));
        }
        genes.push(Gene { length, order, value });
    }
    Ok(Some(Genome(genes)))
}

fn guidance(s: &Section, mixture: &Mixture) -> Result<Guidance, EddyError> {
    let class = s.whole("class", 0, 1_000_000)?.ok_or_else(|| s.refused("class", "name the class to guide toward"))?;
    let scale = s.number("scale")?.ok_or_else(|| s.refused("scale", "give the scale; 1 is the class alone"))?;
    s.finish()?;
    let class = class as u32;
    if mixture.of_class(class).is_none() {
        let mut known: Vec<u32> = mixture.components().iter().map(|c| c.class).collect();
        known.sort_unstable();
        known.dedup();
        let known: Vec<String> = known.iter().map(u32::to_string).collect();
        return Err(s.refused("class", format!("no component has class {class}; there are {}", known.join(", "))));
    }
    Ok(Guidance { class, scale })
}

fn threshold(s: &Section) -> Result<Threshold, EddyError> {
    let kind = s.choice("kind", &["dynamic", "static"])?;
    let max = s.positive("max")?.unwrap_or(1.0);
    let threshold = if kind == "static" {
        Threshold::Static { max }
    } else {
        let ratio = s.number("ratio")?.unwrap_or(0.995);
        if !(0.0..=1.0).contains(&ratio) {
            return Err(s.refused("ratio", format!("a quantile lies between 0 and 1, not {ratio}")));
        }
        Threshold::Dynamic { max, ratio }
    };
    s.finish()?;
    Ok(threshold)
}

#[cfg(test)]
mod tests {
    use eddy_experiments::labs::sampler::diffusion::methods::Churn;

    use super::*;

    const TARGET: &str = "[target]\nkind = \"gaussian-mixture\"\nweights = [0.5, 0.5]\nmeans = [[-1.0, 0.0], [1.0, 0.0]]\n\
                          covariances = [[[0.1, 0.0], [0.0, 0.1]], [[0.1, 0.02], [0.02, 0.1]]]\n";
    const REST: &str = "[schedule]\nkind = \"vp-linear\"\nt_end = 1e-3\n[sampler]\nname = \"dpm-solver-pp-2m\"\n\
                        evaluations = 10\ngrid = \"log-snr\"\n[run]\nsamples = 16\nseed = 7\nprecision = \"f32\"\n";

    #[test]
    fn a_whole_file() {
        let spec = Spec::parse(&format!("{TARGET}{REST}")).unwrap();
        assert_eq!((spec.mixture.dim(), spec.schedule_name, spec.sampler.name), (2, "vp-linear", "dpm-solver-pp-2m"));
        assert_eq!((spec.samples, spec.seed, spec.double, spec.noise), (Some(16), 7, false, None));
        let expected =
            Times::Spaced { spacing: Spacing::LogSnr, start: 1.0, end: 1e-3, amount: Amount::Evaluations(10) };
        assert_eq!(spec.times, expected);
    }

    #[test]
    fn errors_name_their_key() {
        // What is replaced by what, and the key that the message must begin with.
        for (from, to, key) in [
            ("weights = [0.5, 0.5]", "weights = [0.5, 0.0]", "target.weights[1]:"),
            ("weights = [0.5, 0.5]", "weights = [0.5, -1.0]", "target.weights[1]:"),
            ("weights = [0.5, 0.5]", "weights = [0.5]", "target.weights:"),
            ("weights = [0.5, 0.5]", "weihgts = [0.5, 0.5]", "target.weihgts:"),
            ("[1.0, 0.0]]\n", "[1.0]]\n", "target.means[1]:"),
            ("[0.02, 0.1]", "[0.03, 0.1]", "target.covariances[1]:"),
            ("[0.1, 0.02], [0.02, 0.1]", "[0.1, 0.2], [0.2, 0.1]", "target.covariances[1]:"),
            ("[0.02, 0.1]", "[0.02]", "target.covariances[1][1]:"),
            ("1e-3", "0.0", "schedule.t_end:"),
            ("1e-3", "2.0", "schedule.t_end:"),
            ("1e-3", "nan", "schedule.t_end:"),
            ("vp-linear", "vp-quartic", "schedule.kind:"),
            ("dpm-solver-pp-2m", "dpm-solver-pp", "sampler.name:"),
            ("evaluations = 10", "evaluations = 0", "sampler.evaluations:"),
            ("evaluations = 10", "evaluations = 10\nsteps = 3", "sampler.steps:"),
            ("evaluations = 10", "eta = 0.5\nevaluations = 10", "sampler.eta:"),
            ("evaluations = 10\ngrid = \"log-snr\"", "times = [0.5, 0.6]", "sampler.times[1]:"),
            ("samples = 16", "samples = 1.5", "run.samples:"),
            ("[run]", "[guidance]\nclass = 5\nscale = 2.0\n[run]", "guidance.class:"),
            ("[run]", "[rnu]", "rnu:"),
            ("name = \"dpm-solver-pp-2m\"", "name = \"pfgm-pp\"", "sampler.name:"),
            ("name = \"dpm-solver-pp-2m\"", "name = \"sa-solver\"\ntau = -1.0", "sampler.tau:"),
            ("name = \"dpm-solver-pp-2m\"", "name = \"sa-solver\"\npredictor_order = 5", "sampler.predictor_order:"),
            ("name = \"dpm-solver-pp-2m\"", "name = \"edm-heun\"\nS_churn = -1", "sampler.S_churn:"),
            ("name = \"dpm-solver-pp-2m\"", "name = \"heun\"\nS_churn = 10", "sampler.S_churn:"),
            ("name = \"dpm-solver-pp-2m\"", "name = \"dpm-solver-v3\"\norder = 4", "sampler.order:"),
            (
                "name = \"dpm-solver-pp-2m\"",
                "name = \"dpm-solver-v3\"\nstatistics_steps = 1",
                "sampler.statistics_steps:",
            ),
        ] {
            let text = format!("{TARGET}{REST}");
            assert!(text.contains(from), "{from}");
            let said = Spec::parse(&text.replace(from, to)).err().unwrap().message;
            assert!(said.starts_with(key), "{to}: {said}");
        }
    }

    fn with_sampler(schedule: &str, sampler: &str) -> Result<Spec, EddyError> {
        Spec::parse(&format!("{TARGET}[schedule]\nkind = \"{schedule}\"\n[sampler]\n{sampler}\n"))
    }

    #[test]
    fn noise_on_the_way() {
        let churn = |text: &str| with_sampler("edm", text).map(|s| (s.sampler.name, s.options.churn)).ok().unwrap();
        let (name, given) =
            churn("name = \"edm-heun\"\nsteps = 18\ngrid = \"karras\"\nS_churn = 30\ns_min = 0.01\nS_max = inf");
        let expected = Churn { amount: 30.0, low: 0.01, high: f64::INFINITY, noise: 1.0 };
        assert_eq!((name, given), ("edm-heun", Some(expected)));
        // The paper's numbers where the file gives none.
        let (_, given) = churn("name = \"edm-stochastic\"\nsteps = 18\ngrid = \"karras\"\nS_churn = 30");
        assert_eq!(given, Some(Churn { amount: 30.0, ..Churn::IMAGENET }));
        // Heun with an odd number of evaluations on these levels is the sampler of Karras et al.
        let heun = "name = \"heun\"\nevaluations = 35\ngrid = \"karras\"\nS_churn = 10";
        assert_eq!(churn(heun).0, "edm-heun");
        assert!(with_sampler("edm", &heun.replace("35", "36")).is_err());
    }

    #[test]
    fn options_of_the_stochastic_and_of_the_measured_samplers() {
        let text = "name = \"sa-solver\"\nevaluations = 9\ntau = 0.4\ntau_start = 0.8\ntau_end = 0.2\ncorrector_order = 2\n\
                    skip_final_step = false\nprediction = \"noise\"";
        let o = with_sampler("vp-linear", text).ok().unwrap().options;
        let a = o.stochastic_adams;
        assert_eq!((a.tau, a.active, a.predictor, a.corrector, a.skip_final), (0.4, (0.2, 0.8), 3, 2, false));
        assert_eq!(o.value, Prediction::Epsilon);
        let text = "name = \"dpm-solver-v3\"\nevaluations = 9\norder = 2\ncorrector_order = 0\nstatistics_samples = 64\n\
                    lower_order_final = false";
        let o = with_sampler("vp-linear", text).ok().unwrap().options.statistics;
        assert_eq!((o.order, o.corrector, o.lower_final, o.steps, o.samples), (2, 0, false, 120, 64));
        let o = with_sampler("edm", "name = \"pfgm-pp\"\nevaluations = 35\ngrid = \"karras\"\nD = 2048")
            .ok()
            .unwrap()
            .options;
        assert_eq!(o.extra_dimensions, 2048.0);
        let text =
            "name = \"dpm-solver-pp-3m\"\nevaluations = 9\nsecond_difference = \"polynomial\"\nstart = \"single\"";
        let o = with_sampler("vp-linear", text).ok().unwrap().options;
        assert!(o.polynomial && o.single_start);
    }
}
