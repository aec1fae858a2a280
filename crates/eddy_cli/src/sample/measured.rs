//! DPM-Solver-v3: the model is measured first, on particles of its own, and then sampled.

use eddy_experiments::{
    labs::sampler::{
        diffusion::{
            Batch, Denoiser, Status,
            model_statistics::{DpmSolverV3, StatisticsEstimator},
        },
        rng::{Philox, Stream},
    },
    spec::EddyError,
};

use super::{Trace, spec::Spec, unfit};

/// Measures and samples in f64, whatever the format of the output.
pub fn trace(
    trajectory: bool,
    spec: &Spec,
    start: &Batch<f64>,
    mut model: impl Denoiser<f64>,
) -> Result<Trace, EddyError> {
    let setup = spec.sampler.setup(&*spec.schedule, &spec.times, &spec.options).map_err(|e| unfit(spec, &e))?;
    let options = spec.options.statistics;
    let nodes = setup.grid;
    let (first, last) = (nodes[0], nodes[nodes.len() - 1]);
    // Another stream than that of the start: the particles that are sampled are not those that are measured.
    let sd = spec.schedule.prior_sd(first.t);
    let sample = Batch::normal(start.dim(), options.samples, sd, &Philox::new(spec.seed), Stream::Data, 0);
    let mut estimator = StatisticsEstimator::new(spec.schedule.clone(), (first.t, last.t), options.steps + 1, sample)
        .map_err(|e| unfit(spec, &e))?;
    let statistics = loop {
        if let Some(done) = estimator.step(&mut model) {
            break done;
        }
    };
    let measurement = model.evaluations();
    let mut solver =
        DpmSolverV3::new(statistics.into(), options.order, options.corrector, nodes.clone(), start.clone());
    if options.lower_final {
        solver = solver.with_lower_final();
    }
    let mut states = if trajectory { vec![start.to_points()] } else { Vec::new() };
    while solver.step(&mut model) {
        if trajectory {
            if let (Some(corrected), Some(state)) = (solver.before(), states.last_mut()) {
                *state = corrected.to_points();
            }
            states.push(solver.x().to_points());
        }
    }
    let mut times: Vec<f64> = nodes.iter().map(|n| n.t).collect();
    let (mut end, mut x) = (last, solver.x().clone());
    if spec.to_zero && end.sigma > 0.0 {
        let mut clean = x.clone();
        model.data(&x, &end, &mut clean);
        x = clean;
        end.t = 0.0;
        times.push(0.0);
        if trajectory {
            states.push(x.to_points());
        }
    }
    Ok(Trace {
        method: "DPM-Solver-v3",
        stochastic: false,
        steps: solver.steps_done(),
        evaluations: model.evaluations() - measurement,
        status: Status::Finished,
        non_finite: x.non_finite(),
        end: end.t,
        x0: x.to_points(),
        times,
        states,
        measurement: Some(measurement),
    })
}

#[cfg(test)]
mod tests {
    use eddy_experiments::labs::sampler::diffusion::MixtureModel;

    use super::*;

    /// Error (RMS) of the end points against the exact flow of one Gaussian, and the evaluations of run and measurement.
    fn error(sampler: &str) -> (f64, u64, u64) {
        let text = format!(
            "[target]\nkind = \"gaussian-mixture\"\nmeans = [[1.0, -0.5]]\nsds = [0.4]\n[schedule]\nkind = \"vp-linear\"\n\
             [sampler]\nname = \"dpm-solver-v3\"\ngrid = \"log-snr\"\n{sampler}\n[run]\nsamples = 200\n"
        );
        let spec = Spec::parse(&text).ok().unwrap();
        let start = super::super::start(&spec, std::path::Path::new("")).ok().unwrap();
        let run = trace(true, &spec, &start, MixtureModel::new(spec.mixture.clone())).ok().unwrap();
        assert_eq!((run.states.len(), run.times.len(), run.status), (run.steps + 1, run.steps + 1, Status::Finished));
        let (first, last) = (spec.schedule.node(1.0), spec.schedule.node(1e-3));
        let spread = |alpha: f64, sigma: f64| (0.16 * alpha * alpha + sigma * sigma).sqrt();
        let scale = spread(last.alpha, last.sigma) / spread(first.alpha, first.sigma);
        let mut sum = 0.0;
        for p in 0..200 {
            for (d, mean) in [1.0, -0.5].into_iter().enumerate() {
                let exact = last.alpha * mean + scale * (start.point(p)[d] - first.alpha * mean);
                sum += (run.x0[2 * p + d] - exact).powi(2);
            }
        }
        ((sum / 200.0).sqrt(), run.evaluations, run.measurement.unwrap_or(0))
    }

    #[test]
    fn measured_statistics_solve_one_gaussian() {
        let (off, evaluations, measurement) = error("evaluations = 3\nstatistics_samples = 64");
        // Six evaluations at each of 121 nodes: one, four for the Jacobian in two dimensions, one to go on.
        assert_eq!((evaluations, measurement), (3, 6 * 121 - 1));
        assert!(off < 0.03, "{off}");
        // Seen to fail: a table too coarse for them.
        let (coarse, ..) = error("evaluations = 3\nstatistics_samples = 64\nstatistics_steps = 8");
        assert!(coarse > 2.0 * off && coarse > 0.03, "{coarse} {off}");
    }
}
