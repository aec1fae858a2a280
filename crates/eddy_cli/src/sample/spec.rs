//! The file of `eddy sample`: target, schedule, sampler, run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eddy_experiments::labs::sampler::diffusion::{
    Component, CondOt, Edm, Guidance, Mixture, Prediction, Schedule, Shape, Spacing, SubVp, Threshold, Ve, VpCosine,
    VpLinear,
    methods::{
        LowerFinal, Quadrature, Variant,
        named::{Amount, DPM_SOLVER_V3, Named, Options, PFGM_PP, SAMPLERS, Times, named},
    },
    shape_of, targets,
};
use eddy_experiments::spec::EddyError;
use toml::{Table, Value};

use super::toml_reader::{Section, refused};

/// A file that was read and makes sense.
pub struct Spec {
    pub mixture: Mixture,
    pub schedule_name: &'static str,
    pub schedule: Arc<dyn Schedule>,
    pub sampler: &'static Named,
    pub options: Options,
    pub times: Times,
    pub to_zero: bool,
    pub guidance: Option<Guidance>,
    pub threshold: Option<Threshold>,
    pub samples: Option<usize>,
    pub seed: u32,
    pub noise: Option<PathBuf>,
    pub double: bool,
}

const KINDS: [&str; 8] = [
    "gaussian-mixture",
    "eight-gaussians",
    "two-moons",
    "checkerboard",
    "spiral",
    "swiss-roll",
    "pinwheel",
    "three-gaussians",
];
const SCHEDULES: [&str; 6] = ["vp-linear", "vp-cosine", "ve", "edm", "sub-vp", "flow"];
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
        let plan = schedule(&needed("schedule")?)?;
        let sampler_section = needed("sampler")?;
        let guidance = root.table("guidance")?.map(|s| guidance(&s, &mixture)).transpose()?;
        let threshold = root.table("thresholding")?.map(|s| threshold(&s)).transpose()?;
        let run = root.table("run")?;
        root.finish()?;
        let (sampler, options, times, to_zero) = sampler(&sampler_section, &plan)?;
        if sampler.name == PFGM_PP && (guidance.is_some() || threshold.is_some()) {
            let table = if guidance.is_some() { "guidance" } else { "thresholding" };
            return Err(refused(table, "pfgm-pp takes neither guidance nor thresholding"));
        }
        let mut spec = Self {
            mixture,
            schedule_name: plan.name,
            schedule: plan.schedule,
            sampler,
            options,
            times,
            to_zero,
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

    /// Where the noise lies: beside the file that names it, or else as written.
    pub fn noise_path(&self, file: &Path) -> Option<PathBuf> {
        let noise = self.noise.as_ref()?;
        let beside = file.parent().map(|p| p.join(noise));
        beside.filter(|p| p.exists()).or_else(|| Some(noise.clone()))
    }
}

fn target(s: &Section) -> Result<Mixture, EddyError> {
    let kind = s.choice("kind", &KINDS)?;
    let mixture = if kind == "gaussian-mixture" {
        gaussian_mixture(s)?
    } else {
        let sd = s.positive("sd")?;
        let radius = if kind == "eight-gaussians" { s.positive("radius")? } else { None };
        match kind {
            "eight-gaussians" => targets::ring(8, radius.unwrap_or(2.0), sd.unwrap_or(0.2)),
            "two-moons" => targets::two_moons(sd.unwrap_or(0.1)),
            "checkerboard" => targets::checkerboard(sd.unwrap_or(0.1)),
            "spiral" => targets::spiral(sd.unwrap_or(0.05)),
            "swiss-roll" => targets::swiss_roll(sd.unwrap_or(0.05)),
            "pinwheel" => targets::pinwheel(sd.unwrap_or(0.1)),
            _ if sd.is_some() => return Err(s.refused("sd", "three-gaussians has widths of its own")),
            _ => targets::three(),
        }
    };
    s.finish()?;
    Ok(mixture)
}

/// The most dimensions of a mixture: beyond them the exact score of full covariances is too slow to be of use.
const MAX_DIMENSIONS: usize = 64;

fn gaussian_mixture(s: &Section) -> Result<Mixture, EddyError> {
    let means =
        s.list("means")?.ok_or_else(|| s.refused("means", "a gaussian-mixture needs its means, one list each"))?;
    let mut components = Vec::new();
    let mut dim = 0;
    for (k, mean) in means.iter().enumerate() {
        let key = format!("means[{k}]");
        let mean = match mean {
            Value::Array(list) => s.numbers_of(&key, list)?,
            _ => return Err(s.refused(&key, "a mean is a list of numbers, one for each dimension")),
        };
        if k == 0 {
            dim = mean.len();
        }
        if mean.len() != dim || !(1..=MAX_DIMENSIONS).contains(&dim) {
            let what = format!(
                "a mean has between 1 and {MAX_DIMENSIONS} numbers and all means as many; this one has {} and the first {dim}",
                mean.len()
            );
            return Err(s.refused(&key, what));
        }
        components.push(Component { weight: 1.0, mean, shape: Shape::Isotropic { sd: 1.0 }, class: k as u32 });
    }
    let count = components.len();
    if count == 0 {
        return Err(s.refused("means", "there must be at least one component"));
    }
    let as_many = |key: &str, given: usize| {
        if given == count {
            return Ok(());
        }
        Err(s.refused(key, format!("there are {given} for {count} means; give one for each")))
    };
    if let Some(weights) = s.numbers("weights")? {
        as_many("weights", weights.len())?;
        for (k, w) in weights.iter().enumerate() {
            if *w <= 0.0 {
                let what = format!("a weight must be above 0, not {w}; leave the component out instead");
                return Err(s.refused(&format!("weights[{k}]"), what));
            }
            components[k].weight = *w;
        }
    }
    if let Some(classes) = s.numbers("classes")? {
        as_many("classes", classes.len())?;
        for (k, class) in classes.iter().enumerate() {
            if *class < 0.0 || class.fract() != 0.0 || *class > 1e6 {
                return Err(s.refused(&format!("classes[{k}]"), "a class is a whole number from 0"));
            }
            components[k].class = *class as u32;
        }
    }
    let (covariances, sds) = (s.list("covariances")?, s.numbers("sds")?);
    match (covariances, sds) {
        (Some(_), Some(_)) => return Err(s.refused("sds", "give covariances or sds, not both")),
        (None, None) => return Err(s.refused("covariances", "a gaussian-mixture needs covariances (or sds)")),
        (None, Some(sds)) => {
            as_many("sds", sds.len())?;
            for (k, sd) in sds.into_iter().enumerate() {
                if sd <= 0.0 {
                    return Err(s.refused(&format!("sds[{k}]"), format!("a width must be above 0, not {sd}")));
                }
                components[k].shape = Shape::Isotropic { sd };
            }
        }
        (Some(list), None) => {
            as_many("covariances", list.len())?;
            for (k, value) in list.iter().enumerate() {
                let key = format!("covariances[{k}]");
                components[k].shape = covariance(s, &key, value, dim)?;
            }
        }
    }
    Mixture::new(dim, components).map_err(|e| s.refused("means", e))
}

/// A covariance as a matrix, or as one variance for all dimensions.
fn covariance(s: &Section, key: &str, value: &Value, dim: usize) -> Result<Shape, EddyError> {
    let mut matrix = Vec::new();
    match value {
        Value::Array(rows) => {
            if rows.len() != dim {
                return Err(s.refused(
                    key,
                    format!("this must have {dim} rows, as the means have numbers, not {}", rows.len()),
                ));
            }
            for (i, row) in rows.iter().enumerate() {
                let Value::Array(row) = row else {
                    return Err(s.refused(key, "a covariance is a list of rows: [[…], […]]"));
                };
                if row.len() != dim {
                    return Err(s.refused(
                        &format!("{key}[{i}]"),
                        format!("this row must have {dim} numbers, not {}", row.len()),
                    ));
                }
                matrix.extend(s.numbers_of(&format!("{key}[{i}]"), row)?);
            }
        }
        other => {
            let variance = s.numbers_of(key, std::slice::from_ref(other))?[0];
            matrix = (0..dim * dim).map(|k| if k / dim == k % dim { variance } else { 0.0 }).collect();
        }
    }
    shape_of(&matrix, dim).map_err(|e| s.refused(key, e))
}

/// A schedule and the times between which sampling runs.
struct Plan {
    name: &'static str,
    schedule: Arc<dyn Schedule>,
    start: f64,
    end: f64,
}

fn schedule(s: &Section) -> Result<Plan, EddyError> {
    if !s.has("kind") {
        return Err(s.refused("kind", format!("choose one of {}", SCHEDULES.join(", "))));
    }
    let name = s.choice("kind", &SCHEDULES)?;
    let vp = || -> Result<VpLinear, EddyError> {
        let default = VpLinear::default();
        let beta_min = s.positive("beta_min")?.unwrap_or(default.beta_min);
        let beta_max = s.positive("beta_max")?.unwrap_or(default.beta_max);
        if beta_max < beta_min {
            return Err(s.refused("beta_max", format!("this must not lie below beta_min = {beta_min}")));
        }
        Ok(VpLinear { beta_min, beta_max })
    };
    let sigmas = |min: f64, max: f64| -> Result<(f64, f64), EddyError> {
        let min = s.positive("sigma_min")?.unwrap_or(min);
        let max = s.positive("sigma_max")?.unwrap_or(max);
        if max <= min {
            return Err(s.refused("sigma_max", format!("this must lie above sigma_min = {min}")));
        }
        Ok((min, max))
    };
    let (schedule, end, start): (Arc<dyn Schedule>, f64, f64) = match name {
        "vp-linear" => (Arc::new(vp()?), 1e-3, 1.0),
        "sub-vp" => (Arc::new(SubVp(vp()?)), 1e-3, 1.0),
        "vp-cosine" => {
            let shift = s.positive("s")?.unwrap_or(VpCosine::default().s);
            let cosine = VpCosine { s: shift };
            (Arc::new(cosine), 1e-3, cosine.default_span().1)
        }
        "ve" => {
            let (sigma_min, sigma_max) = sigmas(0.01, 50.0)?;
            (Arc::new(Ve { sigma_min, sigma_max }), 0.0, 1.0)
        }
        "edm" => {
            let (sigma_min, sigma_max) = sigmas(0.002, 80.0)?;
            (Arc::new(Edm), sigma_min, sigma_max)
        }
        _ => (Arc::new(CondOt), 1e-3, 1.0),
    };
    let end = s.number("t_end")?.unwrap_or(end);
    let start = s.number("t_start")?.unwrap_or(start);
    s.finish()?;
    if end < 0.0 {
        return Err(s.refused("t_end", format!("time runs from 0; {end} lies before it")));
    }
    let top = if name == "edm" { f64::MAX } else { 1.0 };
    if start > top {
        return Err(s.refused("t_start", format!("the times of {name} end at 1; {start} lies beyond")));
    }
    if start <= end {
        return Err(
            s.refused("t_end", format!("sampling runs from t_start = {start} down to t_end; {end} is not below it"))
        );
    }
    let (alpha, sigma) = (schedule.alpha(start), schedule.sigma(end));
    if !(alpha > 0.0 || name == "flow") {
        return Err(
            s.refused("t_start", "there is no signal left at this time (α = 0); start a little earlier, e.g. 0.9946")
        );
    }
    if !(sigma > 0.0 || name == "flow") {
        return Err(s.refused(
            "t_end",
            "there is no noise left at this time (σ = 0), so ln(α/σ) and the score have no value; end a little later, e.g. 1e-3",
        ));
    }
    Ok(Plan { name, schedule, start, end })
}

type Chosen = (&'static Named, Options, Times, bool);

fn sampler(s: &Section, plan: &Plan) -> Result<Chosen, EddyError> {
    let name = s.text("name")?.ok_or_else(|| s.refused("name", "name a sampler; `eddy sample --list` shows them"))?;
    let mut sampler = named(name).ok_or_else(|| {
        let near: Vec<&str> =
            SAMPLERS.iter().map(|n| n.name).filter(|n| n.contains(name) || name.contains(*n)).collect();
        let hint = if near.is_empty() { String::new() } else { format!("; near it are {}", near.join(", ")) };
        s.refused("name", format!("there is no sampler `{name}`{hint}; `eddy sample --list` shows all"))
    })?;
    let evaluations = s.whole("evaluations", 1, 10_000_000)?.map(|n| n as usize);
    let steps = s.whole("steps", 1, 10_000_000)?.map(|n| n as usize);
    let grid = s.choice("grid", &GRIDS)?;
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
    let options = options(s, sampler)?;
    s.finish()?;
    if let Some(times) = times {
        if s.has("grid") {
            return Err(s.refused("grid", "give times or a grid, not both"));
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
        return Ok((sampler, options, Times::Given(times), to_zero));
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
    Ok((sampler, options, Times::Spaced { spacing, start: plan.start, end: plan.end, amount }, to_zero))
}

fn options(s: &Section, sampler: &Named) -> Result<Options, EddyError> {
    let mut o = Options::default();
    for option in sampler.options {
        match *option {
            "eta" => {
                o.eta = s.number("eta")?.unwrap_or(o.eta);
                if !(0.0..=1.0).contains(&o.eta) {
                    return Err(s.refused("eta", format!("this must lie between 0 and 1, not {}", o.eta)));
                }
            }
            "tolerance" => {
                if let Some(v) = s.positive("tolerance")? {
                    (o.absolute, o.relative) = (v, v);
                }
            }
            "atol" => o.absolute = s.positive("atol")?.unwrap_or(o.absolute),
            "rtol" => o.relative = s.positive("rtol")?.unwrap_or(o.relative),
            "snr" => o.snr = s.positive("snr")?.unwrap_or(o.snr),
            "damping" => o.damping = s.positive("damping")?.unwrap_or(o.damping),
            "order" if sampler.name == DPM_SOLVER_V3 => {
                o.statistics.order = s.whole("order", 1, 3)?.map_or(o.statistics.order, |n| n as usize);
            }
            "order" => o.momentum_order = s.positive("order")?.unwrap_or(o.momentum_order),
            "gamma" => {
                o.gamma = s.number("gamma")?.unwrap_or(o.gamma);
                if !(0.0..=1.0).contains(&o.gamma) {
                    return Err(s.refused("gamma", format!("this must lie between 0 and 1, not {}", o.gamma)));
                }
            }
            "variant" => {
                o.variant = if s.choice("variant", &["bh1", "bh2"])? == "bh1" { Variant::Bh1 } else { Variant::Bh2 };
            }
            "prediction" => {
                let data = s.choice("prediction", &["data", "noise"])? == "data";
                o.value = if data { Prediction::Data } else { Prediction::Epsilon };
            }
            "solver_type" => o.taylor = s.choice("solver_type", &["dpmsolver", "taylor"])? == "taylor",
            "lower_order_final" => {
                // The authors' DPM-Solver lowers the order below 10 steps only, UniPC always: `true` is each one's own.
                if s.boolean("lower_order_final")? == Some(false) {
                    o.lower_final = Some(LowerFinal::Never);
                    (o.stochastic_adams.lower_final, o.statistics.lower_final) = (false, false);
                }
            }
            "second_difference" => {
                o.polynomial = s.choice("second_difference", &["authors", "polynomial"])? == "polynomial";
            }
            "start" => o.single_start = s.choice("start", &["lower", "single"])? == "single",
            "S_churn" | "S_min" | "S_max" | "S_noise" => churn(s, option, sampler, &mut o)?,
            "D" => {
                o.extra_dimensions = s.positive("D")?.unwrap_or(o.extra_dimensions);
                if o.extra_dimensions < 1.0 {
                    return Err(
                        s.refused("D", format!("there is at least one more dimension, not {}", o.extra_dimensions))
                    );
                }
            }
            "tau" | "tau_start" | "tau_end" => {
                let v = s.number(option)?;
                if let Some(v) = v.filter(|v| *v < 0.0) {
                    return Err(s.refused(option, format!("this must not be below 0, as {v} is")));
                }
                let a = &mut o.stochastic_adams;
                match *option {
                    "tau" => a.tau = v.unwrap_or(a.tau),
                    "tau_start" => a.active.1 = v.unwrap_or(a.active.1),
                    _ => a.active.0 = v.unwrap_or(a.active.0),
                }
            }
            "predictor_order" => {
                let a = &mut o.stochastic_adams;
                a.predictor = s.whole("predictor_order", 1, 4)?.map_or(a.predictor, |n| n as usize);
            }
            "few_steps" => o.stochastic_adams.few_steps = s.boolean("few_steps")?.unwrap_or(true),
            "skip_final_step" => o.stochastic_adams.skip_final = s.boolean("skip_final_step")?.unwrap_or(true),
            "corrector_order" => {
                let given = s.whole("corrector_order", 0, 4)?.map(|n| n as usize);
                o.stochastic_adams.corrector = given.unwrap_or(o.stochastic_adams.corrector);
                o.statistics.corrector = given.unwrap_or(o.statistics.corrector);
            }
            "statistics_steps" => {
                let steps = s.whole("statistics_steps", 2, 10_000)?;
                o.statistics.steps = steps.map_or(o.statistics.steps, |n| n as usize);
            }
            "statistics_samples" => {
                let samples = s.whole("statistics_samples", 2, 1_000_000)?;
                o.statistics.samples = samples.map_or(o.statistics.samples, |n| n as usize);
            }
            "quadrature" => {
                let riemann = s.choice("quadrature", &["riemann", "exact"])? == "riemann";
                o.quadrature = if riemann { Quadrature::Riemann } else { Quadrature::Exact };
            }
            _ => {}
        }
    }
    Ok(o)
}

/// One of the four numbers of Karras et al., also as they are written without capitals.
fn churn(s: &Section, option: &str, sampler: &Named, o: &mut Options) -> Result<(), EddyError> {
    let small = option.to_lowercase();
    let key = if s.has(option) { option } else { &small };
    let Some(value) = s.unbounded(key)? else { return Ok(()) };
    if value < 0.0 {
        return Err(s.refused(key, format!("this must not be below 0, as {value} is")));
    }
    let churn = o.churn.get_or_insert(sampler.churn());
    match option {
        "S_churn" => churn.amount = value,
        "S_min" => churn.low = value,
        "S_max" => churn.high = value,
        _ => churn.noise = value,
    }
    Ok(())
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
