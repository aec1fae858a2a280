//! The options of a sampler in the table [sampler].

use eddy_experiments::{
    labs::sampler::diffusion::{
        Prediction,
        compensation::Abscissa,
        methods::{
            LowerFinal, Quadrature, Variant,
            named::{DC_SOLVER, DPM_SOLVER_V3, MR_SAMPLER, Named, Options},
        },
    },
    spec::EddyError,
};

use super::toml_reader::Section;

/// The options that `sampler` reads.
pub fn options(s: &Section, sampler: &Named) -> Result<Options, EddyError> {
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
            "order" if sampler.name == "lms" => {
                o.multistep_order = s.whole("order", 1, 4)?.map_or(o.multistep_order, |n| n as usize);
            }
            "order" if sampler.name == DC_SOLVER => {
                o.compensation.order = s.whole("order", 2, 3)?.map_or(o.compensation.order, |n| n as u32);
            }
            "order" if sampler.name == MR_SAMPLER => {}
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
            "lower_order_below" => {
                if let Some(n) = s.whole("lower_order_below", 0, 1_000_000)? {
                    o.lower_final = o.lower_final.or(Some(LowerFinal::Below(n as usize)));
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
            "integrals" => o.statistics.trapezoid = s.choice("integrals", &["exact", "trapezoid"])? == "trapezoid",
            "p_pseudo" => o.statistics.pseudo.0 = s.boolean("p_pseudo")?.unwrap_or(false),
            "c_pseudo" => o.statistics.pseudo.1 = s.boolean("c_pseudo")?.unwrap_or(false),
            "inner" => o.inner_even = s.choice("inner", &["grid", "log-snr"])? == "log-snr",
            "parabola" => {
                let time = s.choice("parabola", &["time", "log-snr"])? == "time";
                o.compensation.abscissa = if time { Abscissa::Time } else { Abscissa::Lambda };
            }
            "fit_samples" => {
                let samples = s.whole("fit_samples", 2, 10_000)?;
                o.compensation.samples = samples.map_or(o.compensation.samples, |n| n as usize);
            }
            "search" => search(s, &mut o)?,
            "search_trials" => {
                o.search.trials = s.whole("search_trials", 4, 100_000)?.map_or(o.search.trials, |n| n as usize);
            }
            "search_population" => {
                let size = s.whole("search_population", 4, 10_000)?;
                o.search.population = size.map_or(o.search.population, |n| n as usize);
            }
            "search_samples" => {
                o.search.samples = s.whole("search_samples", 2, 10_000)?.map_or(o.search.samples, |n| n as usize);
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

/// Which components of a schedule are searched.
fn search(s: &Section, o: &mut Options) -> Result<(), EddyError> {
    let Some(list) = s.list("search")? else { return Ok(()) };
    (o.search.times, o.search.orders, o.search.values) = (false, false, false);
    for (k, name) in list.iter().enumerate() {
        match name.as_str() {
            Some("times") => o.search.times = true,
            Some("orders") => o.search.orders = true,
            Some("values") => o.search.values = true,
            _ => return Err(s.refused(&format!("search[{k}]"), "choose \"times\", \"orders\" and \"values\"")),
        }
    }
    Ok(())
}
