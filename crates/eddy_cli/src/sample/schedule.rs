//! The table [schedule] of the file.

use std::sync::Arc;

use eddy_experiments::{
    labs::sampler::diffusion::{
        Betas, CondOt, Edm, Schedule, SubVp, Ve, VpCosine, VpDiscrete, VpLinear, mean_reverting::MeanReverting,
    },
    spec::EddyError,
};

use super::toml_reader::Section;

const SCHEDULES: [&str; 8] = ["vp-linear", "vp-cosine", "ve", "edm", "sub-vp", "flow", "vp-discrete", "mean-reverting"];

/// A schedule and the times between which sampling runs.
pub struct Plan {
    pub name: &'static str,
    pub schedule: Arc<dyn Schedule>,
    pub start: f64,
    pub end: f64,
    /// What the process reverts to, if not 0.
    pub mean: Option<Vec<f64>>,
    /// The process that does so.
    pub reverting: Option<MeanReverting>,
}

/// Reads it for a target of `dim` dimensions.
pub fn schedule(s: &Section, dim: usize) -> Result<Plan, EddyError> {
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
    let mut process = None;
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
        "vp-discrete" => {
            let discrete = discrete(s)?;
            let (end, start) = discrete.default_span();
            (Arc::new(discrete), end, start)
        }
        "mean-reverting" => {
            let last = s.positive("alpha_end")?.unwrap_or(0.005);
            if last > 0.9 {
                return Err(s.refused("alpha_end", format!("this must lie between 0 and 0.9, not {last}")));
            }
            let reverting = MeanReverting::new(last, s.positive("sigma_max")?.unwrap_or(1.0));
            process = Some(reverting);
            let (end, start) = reverting.default_span();
            (Arc::new(reverting), end, start)
        }
        _ => (Arc::new(CondOt), 1e-3, 1.0),
    };
    let mean = if name == "mean-reverting" { s.numbers("mean")? } else { None };
    if let Some(mean) = mean.as_ref().filter(|m| m.len() != dim) {
        return Err(s.refused("mean", format!("this must have {dim} numbers, as the target has, not {}", mean.len())));
    }
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
            "there is no noise left at this time (σ = 0), so ln(α/σ) and the score have no value; end a little later, e.g. 1e-3; append_zero adds a last step to σ = 0",
        ));
    }
    Ok(Plan { name, schedule, start, end, mean, reverting: process })
}

/// The schedule of a model trained at discrete times.
fn discrete(s: &Section) -> Result<VpDiscrete, EddyError> {
    let needs = "each must lie between 0 and 1";
    if let Some(betas) = s.numbers("betas")? {
        return VpDiscrete::from_betas(&betas).ok_or_else(|| s.refused("betas", needs));
    }
    if let Some(values) = s.numbers("alphas_cumprod")? {
        let refused = || s.refused("alphas_cumprod", format!("{needs} and be below the one before"));
        return VpDiscrete::from_alphas_cumprod(&values).ok_or_else(refused);
    }
    let kinds = ["linear", "scaled-linear", "cosine"];
    let kind = match s.choice_or("beta_schedule", &kinds, &[("squaredcos-cap-v2", "cosine")])? {
        "linear" => Betas::Linear,
        "scaled-linear" => Betas::ScaledLinear,
        _ => Betas::Cosine,
    };
    let steps = s.whole("train_steps", 2, 100_000)?.unwrap_or(1000) as usize;
    let (mut first, mut last) = (1e-4, 0.02);
    if kind != Betas::Cosine {
        for (key, value) in [("beta_start", &mut first), ("beta_end", &mut last)] {
            *value = s.positive(key)?.unwrap_or(*value);
            if *value >= 1.0 {
                return Err(s.refused(key, format!("this must lie between 0 and 1, not {value}")));
            }
        }
    }
    VpDiscrete::new(kind, first, last, steps).ok_or_else(|| s.refused("beta_schedule", needs))
}
