//! Samplers that are fitted to, or searched on, the model before they run, and the one on a process of its own. All in
//! f64, whatever the format of the output.

use eddy_experiments::{
    labs::sampler::{
        diffusion::{
            Batch, Denoiser, Method, Node, Prediction, Sampler, Status,
            compensation::{Compensated, RatioFit, exact_states},
            mean_reverting::MeanRevertingSampler,
            methods::{LowerFinal, RungeKutta, Tableau, UniPc, Variable, named::Setup},
            metrics::{paired_distances, rms},
            searched::{Evolution, Free, Genome, GenomeRun},
        },
        rng::{Philox, Stream},
    },
    spec::EddyError,
};
use serde_json::json;

use super::{Trace, setup, spec::Spec, toml_reader::refused};

/// Steps of Runge-Kutta 4 in σ/α between two nodes, for the exact flow.
const PER_STEP: usize = 24;

/// The nodes with `PER_STEP` − 1 more between any two, even in λ.
fn refined(spec: &Spec, nodes: &[Node]) -> Result<Vec<Node>, EddyError> {
    if nodes.iter().any(|n| !n.lambda.is_finite()) {
        let what = format!("{} needs signal and noise at every time", spec.sampler.name);
        return Err(refused("sampler.name", what));
    }
    let mut out = vec![nodes[0]];
    for w in nodes.windows(2) {
        let part = |i: usize| w[0].lambda + (w[1].lambda - w[0].lambda) * i as f64 / PER_STEP as f64;
        out.extend((1..PER_STEP).map(|i| spec.schedule.node_of_lambda(part(i))));
        out.push(w[1]);
    }
    Ok(out)
}

/// A run of the exact flow of `len` points that are not those sampled.
fn exact(spec: &Spec, nodes: &[Node], dim: usize, len: usize) -> Result<Sampler<f64>, EddyError> {
    let sd = spec.schedule.prior_sd(nodes[0].t);
    let x = Batch::normal(dim, len, sd, &Philox::new(spec.seed), Stream::Data, 0);
    let method = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
    Ok(Sampler::new(spec.schedule.clone(), method, &refined(spec, nodes)?, x, Philox::new(0)))
}

/// DC-Solver: the ratios are those of the file, or fitted first.
pub fn compensated(
    trajectory: bool,
    spec: &Spec,
    start: &Batch<f64>,
    model: &mut dyn Denoiser<f64>,
) -> Result<Trace, EddyError> {
    let Setup { grid, .. } = setup(spec)?;
    let steps = grid.len() - 1;
    let options = spec.options.compensation;
    let mut host = UniPc::new(options.order, spec.options.variant, spec.options.value);
    host.lower_final = spec.options.lower_final.unwrap_or(LowerFinal::Always);
    let before = model.evaluations();
    let ratios = match &spec.own.ratios {
        Some(given) if given.len() == steps => given.clone(),
        Some(given) => {
            let what = format!("there are {} for {steps} steps; give one for each", given.len());
            return Err(refused("sampler.ratios", what));
        }
        None => {
            let mut flow = exact(spec, &grid, start.dim(), options.samples)?;
            let truth = exact_states(&mut flow, steps, PER_STEP, model);
            let mut fit = RatioFit::new(host, options.abscissa, spec.schedule.clone(), grid.clone(), truth);
            while !fit.is_done() {
                fit.step(model);
            }
            fit.ratios().to_vec()
        }
    };
    let fitted = model.evaluations() - before;
    let method = Compensated::new(host, options.abscissa, ratios.clone());
    if !method.reaches(&*spec.schedule, &grid[0], &grid[steps]) {
        return Err(refused("sampler.name", "dc-solver needs signal and noise at every time"));
    }
    let mut run = super::trace(trajectory, spec, start, Setup { method: Box::new(method), grid, limit: None }, model)?;
    run.evaluations -= fitted;
    run.measurement = Some(fitted);
    run.found = Some(json!({ "ratios": ratios }));
    Ok(run)
}

/// USF: the schedule is that of the file, or searched first.
pub fn searched(
    trajectory: bool,
    spec: &Spec,
    start: &Batch<f64>,
    model: &mut dyn Denoiser<f64>,
) -> Result<Trace, EddyError> {
    let Setup { grid, .. } = setup(spec)?;
    let span = (grid[0].t, grid[grid.len() - 1].t);
    let schedule = &*spec.schedule;
    let before = model.evaluations();
    let genome = match &spec.own.genome {
        Some(genome) => genome.clone(),
        None => {
            let options = spec.options.search;
            let steps = grid.len() - 1;
            let even = Genome::uniform(steps, 1, Prediction::Data, true).nodes(schedule, span);
            let mut flow = exact(spec, &even, start.dim(), options.samples)?;
            let x = flow.x().clone();
            flow.run(model);
            let known = [2, 1].map(|order| Genome::uniform(steps, order, Prediction::Data, true)).to_vec();
            let free = Free { times: options.times, orders: options.orders, values: options.values };
            let mut search = Evolution::new(known, options.population, free, spec.seed);
            for trial in 0..options.trials {
                search.step(trial as f64 / options.trials as f64, |genome| {
                    let mut run = GenomeRun::new(genome.clone(), schedule, span, x.clone());
                    while run.step(model) {}
                    rms(&paired_distances(run.x(), flow.x()))
                });
            }
            search.best().map_or_else(|| even_genome(steps), |(_, genome)| genome.clone())
        }
    };
    let searched = model.evaluations() - before;
    let nodes = genome.nodes(schedule, span);
    if nodes.iter().any(|n| !n.lambda.is_finite()) {
        return Err(refused("sampler.name", "usf needs signal and noise at every time"));
    }
    let mut run = GenomeRun::new(genome.clone(), schedule, span, start.clone());
    let mut states = vec![start.to_points()];
    while run.step(model) {
        states.push(run.x().to_points());
    }
    let name = |value| if value == Prediction::Data { "data" } else { "noise" };
    let found = json!({
        "times": nodes.iter().map(|n| n.t).collect::<Vec<_>>(),
        "orders": genome.0.iter().map(|g| g.order).collect::<Vec<_>>(),
        "values": genome.0.iter().map(|g| name(g.value)).collect::<Vec<_>>(),
    });
    let evaluations = model.evaluations() - before - searched;
    let mut out = finished("USF", evaluations, &nodes, states, trajectory, run.x());
    (out.measurement, out.found) = (Some(searched), Some(found));
    clean(spec, &nodes, model, &mut out, trajectory);
    Ok(out)
}

fn even_genome(steps: usize) -> Genome {
    Genome::uniform(steps, 2, Prediction::Data, true)
}

/// MR-Sampler. The points are about the mean of the process, which is then 0.
pub fn mean_reverting(trajectory: bool, spec: &Spec, start: &Batch<f64>) -> Result<Trace, EddyError> {
    let Setup { grid, .. } = setup(spec)?;
    let Some((process, method)) = spec.own.mean_reverting else {
        return Err(refused("schedule.kind", "mr-sampler needs the schedule mean-reverting"));
    };
    let zero = vec![0.0; start.dim()];
    let mut run = MeanRevertingSampler::new(
        process,
        spec.mixture.clone(),
        &zero,
        method,
        grid.clone(),
        start.clone(),
        Philox::new(spec.seed),
    )
    .map_err(|e| refused("sampler.name", e))?
    .with_lower_order();
    let mut states = vec![start.to_points()];
    while run.step() {
        states.push(run.x().to_points());
    }
    let mut out = finished("MR-Sampler", run.evaluations(), &grid, states, trajectory, run.x());
    out.stochastic = method.is_stochastic();
    clean(spec, &grid, &mut *super::model(spec)?, &mut out, trajectory);
    Ok(out)
}

fn finished(
    method: &'static str,
    evaluations: u64,
    nodes: &[Node],
    states: Vec<Vec<f64>>,
    trajectory: bool,
    x: &Batch<f64>,
) -> Trace {
    Trace {
        method,
        stochastic: false,
        steps: nodes.len() - 1,
        evaluations,
        status: Status::Finished,
        non_finite: x.non_finite(),
        end: nodes[nodes.len() - 1].t,
        x0: x.to_points(),
        times: nodes.iter().map(|n| n.t).collect(),
        states: if trajectory { states } else { Vec::new() },
        measurement: None,
        found: None,
        arrays: Vec::new(),
    }
}

/// Replaces the last state by its x₀ where the file says so.
fn clean(spec: &Spec, nodes: &[Node], model: &mut dyn Denoiser<f64>, run: &mut Trace, trajectory: bool) {
    let last = nodes[nodes.len() - 1];
    if !spec.to_zero || last.sigma == 0.0 {
        return;
    }
    let x = Batch::from_points(spec.mixture.dim(), &run.x0);
    let mut out = x.clone();
    model.data(&x, &last, &mut out);
    run.evaluations += 1;
    (run.x0, run.end, run.non_finite) = (out.to_points(), 0.0, out.non_finite());
    run.times.push(0.0);
    if trajectory {
        run.states.push(run.x0.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{execute, start};
    use super::*;

    const RING: &str = "[target]\nkind = \"eight-gaussians\"\nsd = 0.15\n";

    fn run(schedule: &str, sampler: &str) -> Trace {
        let text = format!("{RING}[schedule]\n{schedule}\n[sampler]\n{sampler}\n[run]\nsamples = 60\nseed = 4\n");
        let spec = Spec::parse(&text).unwrap_or_else(|e| panic!("{sampler}: {}", e.message));
        execute::<f64>(true, &spec, &start(&spec).ok().unwrap()).unwrap_or_else(|e| panic!("{sampler}: {}", e.message))
    }
    fn apart(a: &Trace, b: &Trace) -> f64 {
        let square: f64 = a.x0.iter().zip(&b.x0).map(|(a, b)| (a - b).powi(2)).sum();
        (square / 60.0).sqrt()
    }

    const VP: &str = "kind = \"vp-linear\"";

    #[test]
    fn compensation_by_given_and_by_fitted_ratios() {
        let best = run(VP, "name = \"rho-rk4\"\nsteps = 150\ngrid = \"log-snr\"");
        let unipc = run(VP, "name = \"unipc-3\"\nevaluations = 6\ngrid = \"log-snr\"");
        let sampler = "name = \"dc-solver\"\nevaluations = 6\ngrid = \"log-snr\"\n";
        let ones = run(VP, &format!("{sampler}ratios = [1, 1, 1, 1, 1, 1]"));
        assert!(apart(&ones, &unipc) < 1e-12 && ones.evaluations == 6 && ones.measurement == Some(0));
        let fitted = run(VP, &format!("{sampler}parabola = \"log-snr\""));
        assert_eq!((fitted.evaluations, fitted.states.len()), (6, 7));
        assert!(fitted.measurement.unwrap() > 1000);
        let (a, b) = (apart(&fitted, &best), apart(&unipc, &best));
        assert!(a < 0.9 * b, "{a} {b}");
        let seven = format!("{RING}[schedule]\n{VP}\n[sampler]\n{sampler}ratios = [1, 1, 1]\n");
        let spec = Spec::parse(&seven).ok().unwrap();
        let refused = execute::<f64>(false, &spec, &start(&spec).ok().unwrap()).err().unwrap();
        assert!(refused.message.starts_with("sampler.ratios:"), "{}", refused.message);
    }

    #[test]
    fn schedules_searched_and_given() {
        let best = run(VP, "name = \"rho-rk4\"\nsteps = 150\ngrid = \"log-snr\"");
        let search = "name = \"usf\"\nevaluations = 5\nsearch_trials = 150\nsearch_samples = 32";
        let found = run(VP, search);
        let even =
            run(VP, "name = \"dpm-solver-pp-2m\"\nsolver_type = \"taylor\"\nevaluations = 5\ngrid = \"log-snr\"");
        let (a, b) = (apart(&found, &best), apart(&even, &best));
        assert!(a < 0.9 * b && found.evaluations == 5 && found.measurement.unwrap() > 700, "{a} {b}");
        // What it found, given in a file, is the same run.
        let schedule = found.found.clone().unwrap();
        let again = run(
            VP,
            &format!(
                "name = \"usf\"\ntimes = {}\norders = {}\nvalues = {}",
                schedule["times"], schedule["orders"], schedule["values"]
            ),
        );
        assert!(apart(&found, &again) < 1e-9 && again.measurement == Some(0));
        // And even steps of order 2 are the multistep solver.
        let times: Vec<f64> = even.times.clone();
        let given = run(VP, &format!("name = \"usf\"\ntimes = {times:?}\norders = [1, 2, 2, 2, 1]"));
        assert!(apart(&given, &even) < 1e-9, "{}", apart(&given, &even));
    }

    #[test]
    fn mean_reverting_about_its_mean() {
        let schedule = "kind = \"mean-reverting\"\nmean = [0.4, -0.2]\nsigma_max = 0.7";
        let ddim = run(schedule, "name = \"ddim\"\nevaluations = 12\ngrid = \"log-snr\"");
        let first = run(schedule, "name = \"mr-sampler\"\norder = 1\nevaluations = 12\ngrid = \"log-snr\"");
        let second = run(schedule, "name = \"mr-sampler\"\nevaluations = 12\ngrid = \"log-snr\"");
        assert!(apart(&ddim, &first) < 1e-9 && apart(&ddim, &second) > 1e-3);
        assert_eq!((second.evaluations, second.states.len(), second.stochastic), (12, 13, false));
        // Without its mean the process ends elsewhere.
        let other =
            run("kind = \"mean-reverting\"\nsigma_max = 0.7", "name = \"ddim\"\nevaluations = 12\ngrid = \"log-snr\"");
        assert!(apart(&ddim, &other) > 1e-2);
        for solver in ["sde", "posterior", "euler-sde"] {
            let run = run(schedule, &format!("name = \"mr-sampler\"\nsolver = \"{solver}\"\nevaluations = 40"));
            assert!(run.stochastic && run.non_finite == 0);
        }
    }
}
