//! Samplers by name: against numbers of an independent program, their orders, where they are exact, and what they refuse.

mod adams;

use std::sync::Arc;

use eddy_numerics::{
    diffusion::{
        Batch, Component, CondOt, Denoiser, Edm, Guidance, Mixture, MixtureModel, Node, Prediction, Sampler, Schedule,
        Spacing, Status, SubVp, Threshold, Thresholded, Ve, VpCosine, VpLinear, grid, log_likelihood,
        methods::{
            Bdia, Churn, LowerFinal, Quadrature, Variant,
            named::{Amount, DC_SOLVER, DPM_SOLVER_V3, MR_SAMPLER, Options, PFGM_PP, SAMPLERS, Times, USF, named},
        },
        shape_of, targets,
    },
    rng::{Philox, Stream},
};

/// Three components with full covariances: that of the reference program.
fn mixture() -> Mixture {
    let component = |weight, mean: [f64; 2], covariance: [f64; 4], class| Component {
        weight,
        mean: mean.to_vec(),
        shape: shape_of(&covariance, 2).unwrap(),
        class,
    };
    let components = vec![
        component(0.5, [-1.0, 0.3], [0.1, 0.03, 0.03, 0.2], 0),
        component(0.3, [1.0, 0.0], [0.15, -0.05, -0.05, 0.08], 1),
        component(0.2, [0.2, 1.4], [0.05, 0.0, 0.0, 0.05], 1),
    ];
    Mixture::new(2, components).unwrap()
}

/// A schedule with the span the reference used.
fn schedule(name: &str) -> (Arc<dyn Schedule>, f64, f64) {
    match name {
        "vp-linear" => (Arc::new(VpLinear::default()), 1.0, 1e-3),
        "vp-cosine" => (Arc::new(VpCosine::default()), 0.9946, 1e-3),
        "sub-vp" => (Arc::new(SubVp::default()), 1.0, 1e-3),
        "ve" => (Arc::new(Ve { sigma_min: 0.01, sigma_max: 50.0 }), 1.0, 1e-3),
        "edm" => (Arc::new(Edm), 80.0, 0.002),
        _ => (Arc::new(CondOt), 1.0, 1e-3),
    }
}

fn spacing(name: &str) -> Spacing {
    match name {
        "uniform-t" => Spacing::Uniform,
        "quadratic" => Spacing::Quadratic,
        "log-snr" => Spacing::LogSnr,
        _ => Spacing::Karras { rho: 7.0 },
    }
}

/// End state, evaluations, and status.
fn run(
    sampler: &str,
    schedule: &Arc<dyn Schedule>,
    times: &Times,
    options: &Options,
    model: &mut dyn Denoiser<f64>,
    x: &Batch<f64>,
) -> (Batch<f64>, u64, Status) {
    let setup = named(sampler).unwrap().setup(&**schedule, times, options).unwrap();
    let mut s = Sampler::new(schedule.clone(), setup.method, &setup.grid, x.clone(), Philox::new(3));
    let before = model.evaluations();
    let status = s.run(model);
    (s.x().clone(), model.evaluations() - before, status)
}

type Row = (&'static str, &'static str, &'static str, usize, &'static str, u64, [f64; 4]);

/// Schedule, sampler, grid, evaluations allowed, options, evaluations used, end points of two particles. The numbers
/// come from a NumPy program written from the papers' formulas with the step indices of the authors' code: DPM-Solver
/// and ++ (LuChengTHU/dpm-solver), UniPC (wl-zhao/UniPC), DEIS (qsh-zh/deis, sums of 10,000 points), PNDM
/// (luping-liu/PNDM), EDM (NVlabs/edm), BDIA (equation 18 of the paper).
#[rustfmt::skip]
const REFERENCE: &[Row] = &[
    ("vp-linear", "ddim", "log-snr", 9, "", 9, [0.323234754872, 0.003972546000, -0.885855464999, 0.640280021986]),
    ("vp-linear", "dpm-solver-2", "log-snr", 9, "", 9, [0.627920371267, -0.227904181266, -1.196734942356, 0.777241324347]),
    ("vp-linear", "dpm-solver-pp-2s", "log-snr", 9, "", 9, [0.414169132947, -0.034573716951, -0.942053768276, 0.650656929368]),
    ("vp-linear", "dpm-solver-2m", "log-snr", 9, "", 9, [0.497012997439, -0.075283288169, -1.000386063765, 0.662778076223]),
    ("vp-linear", "dpm-solver-pp-2m", "log-snr", 9, "", 9, [0.567760595184, -0.112447059529, -1.068153175218, 0.675918499618]),
    ("vp-linear", "unipc-2", "log-snr", 9, "", 9, [0.758926425307, -0.193602890624, -1.175327333945, 0.688617636035]),
    ("vp-linear", "unipc-2", "log-snr", 9, "bh2 noise", 9, [0.627817981441, -0.136453223608, -1.048404264120, 0.669536854246]),
    ("vp-linear", "dpm-solver-3", "log-snr", 9, "", 9, [1.083991656859, -0.297638298545, -1.454167521204, 0.669467901183]),
    ("vp-linear", "dpm-solver-pp-3s", "log-snr", 9, "", 9, [0.414650578984, -0.023796015581, -0.954299135884, 0.633169809482]),
    ("vp-linear", "dpm-solver-3m", "log-snr", 9, "", 9, [0.540816343337, -0.084677777884, -1.010294543765, 0.662966625437]),
    ("vp-linear", "dpm-solver-pp-3m", "log-snr", 9, "", 9, [0.743989442804, -0.156589322398, -1.122595343195, 0.673078410724]),
    ("vp-linear", "unipc-3", "log-snr", 9, "", 9, [0.767101497920, -0.160130995322, -1.095439583834, 0.667881262740]),
    ("vp-linear", "unipc-3", "log-snr", 9, "bh2 noise", 9, [0.613339372169, -0.125164599814, -1.030267624304, 0.665114212036]),
    ("vp-linear", "dpm-solver-3", "log-snr", 9, "taylor", 9, [0.700244864133, -0.147675241136, -1.188229907100, 0.648884789371]),
    ("vp-linear", "dpm-solver-pp-2m", "log-snr", 9, "taylor", 9, [0.623715277053, -0.140142179333, -1.111707504916, 0.683764390715]),
    ("vp-linear", "deis-tab3", "log-snr", 9, "", 9, [0.528252393911, -0.081755576579, -1.016172416390, 0.650038558214]),
    ("vp-linear", "rho-ab2", "log-snr", 9, "", 9, [0.402652677255, -0.033265320275, -0.940404062315, 0.651681545226]),
    ("vp-linear", "plms", "log-snr", 9, "", 9, [0.647506492374, -0.137619465179, -1.057891827825, 0.660915115021]),
    ("vp-linear", "ipndm", "log-snr", 9, "", 9, [0.605697851528, -0.125535773274, -1.041032366871, 0.668523978936]),
    ("vp-linear", "bdia", "log-snr", 9, "gamma", 9, [0.595610886374, -0.085260790686, -0.985639072567, 0.673109982000]),
    ("vp-linear", "rho-kutta", "log-snr", 9, "", 9, [1.217622901785, -0.360802187249, -1.424109939801, 0.769937767553]),
    ("vp-linear", "heun", "log-snr", 9, "", 8, [0.579097335714, -0.095622924555, -0.971452012437, 0.688535081088]),
    ("vp-linear", "ddim", "uniform-t", 10, "", 10, [0.478227819096, 0.007486270405, -0.944942392279, 0.598439986793]),
    ("vp-linear", "dpm-solver-2", "uniform-t", 10, "", 10, [1.984894453435, -0.333923507387, -1.499597414966, 0.735046948391]),
    ("vp-linear", "dpm-solver-pp-2s", "uniform-t", 10, "", 10, [1.045490587863, -0.114688249339, -1.159312000645, 0.633820369306]),
    ("vp-linear", "dpm-solver-2m", "uniform-t", 10, "", 10, [1.266482704611, -0.139395419588, -1.165679766807, 0.631002177821]),
    ("vp-linear", "dpm-solver-pp-2m", "uniform-t", 10, "", 10, [1.438846926043, -0.222692048486, -1.322828429182, 0.629511934896]),
    ("vp-linear", "unipc-2", "uniform-t", 10, "", 10, [0.679772599651, -0.050424713003, -1.025564898761, 0.586018324355]),
    ("vp-linear", "unipc-2", "uniform-t", 10, "bh2 noise", 10, [0.715621762321, -0.037976570447, -0.991314270118, 0.595694146958]),
    ("vp-linear", "dpm-solver-3", "uniform-t", 10, "", 10, [0.694938671146, -0.047046850986, -1.012501286203, 0.571587630040]),
    ("vp-linear", "dpm-solver-pp-3s", "uniform-t", 10, "", 10, [0.634595053299, -0.037909508087, -1.011627135144, 0.592113340429]),
    ("vp-linear", "dpm-solver-3m", "uniform-t", 10, "", 10, [1.203755305823, -0.087146700637, -1.036383985838, 0.645441558457]),
    ("vp-linear", "dpm-solver-pp-3m", "uniform-t", 10, "", 10, [2.605040371302, -0.076443359201, -0.748420913626, 0.682698609149]),
    ("vp-linear", "unipc-3", "uniform-t", 10, "", 10, [0.684799815923, -0.051607453561, -1.026431904707, 0.585226823971]),
    ("vp-linear", "unipc-3", "uniform-t", 10, "bh2 noise", 10, [0.711032050500, -0.036928127655, -0.989729251220, 0.596131785842]),
    ("vp-linear", "dpm-solver-3", "uniform-t", 10, "taylor", 10, [0.676226502337, -0.041968505270, -1.007740585235, 0.575095241976]),
    ("vp-linear", "dpm-solver-pp-2m", "uniform-t", 10, "taylor", 10, [1.883591566925, -0.331908553616, -1.499935224127, 0.646113832610]),
    ("vp-linear", "deis-tab3", "uniform-t", 10, "", 10, [0.918049872177, -0.067914146393, -1.025521590654, 0.620228962471]),
    ("vp-linear", "rho-ab2", "uniform-t", 10, "", 10, [0.772858479072, -0.047952024550, -1.026437427650, 0.605510574023]),
    ("vp-linear", "plms", "uniform-t", 10, "", 10, [0.974589011298, -0.071136534236, -1.051827443983, 0.593957746105]),
    ("vp-linear", "ipndm", "uniform-t", 10, "", 10, [0.919843037132, -0.070785229183, -1.027504235788, 0.620165366234]),
    ("vp-linear", "bdia", "uniform-t", 10, "gamma", 10, [0.742226839707, -0.041191975217, -1.013404559408, 0.605639463639]),
    ("vp-linear", "rho-kutta", "uniform-t", 10, "", 9, [0.415260463834, -0.231009130614, -1.095860062333, 0.710534911355]),
    ("vp-linear", "heun", "uniform-t", 10, "", 10, [0.375340095428, -0.228973915052, -0.998398109714, 0.713541280170]),
    ("vp-linear", "pndm", "quadratic", 15, "", 15, [0.688300390876, -0.191386290831, -1.075179014806, 0.669514673120]),
    ("edm", "edm-heun", "karras", 19, "", 19, [0.729617157555, -0.239340873088, -1.166324105447, 0.689505494743]),
    ("edm", "unipc-3", "karras", 10, "", 10, [1.223806332748, -0.246244543267, -1.214960178059, 0.660216530335]),
    ("flow", "euler", "uniform-t", 12, "", 12, [0.529245888347, -0.054862256195, -0.972148227261, 0.637616635345]),
    ("flow", "heun", "uniform-t", 12, "", 12, [0.592933870516, -0.126017267577, -1.024633355466, 0.663780426222]),
    ("flow", "midpoint", "uniform-t", 12, "", 12, [0.613400426470, -0.118149271592, -1.023015650879, 0.660014563582]),
    ("flow", "rk4", "uniform-t", 12, "", 12, [0.609633937951, -0.109790779429, -1.014926180890, 0.662748045414]),
    ("vp-cosine", "dpm-solver-pp-3m", "uniform-t", 12, "", 12, [-0.693492584261, -0.062044173617, -0.812778952886, 0.779115774719]),
    ("sub-vp", "dpm-solver-pp-2m", "log-snr", 10, "", 10, [0.492164400306, -0.142521634601, -1.130521510516, 0.682743033552]),
    ("ve", "dpm-solver-2", "log-snr", 10, "", 10, [0.621609966070, -0.252199552471, -1.237761470645, 0.702096688800]),
];

#[test]
fn end_points_of_the_reference_program() {
    for (name, sampler, spread, allowed, option, used, expected) in REFERENCE {
        let (schedule, start, end) = schedule(name);
        let mut options = Options::default();
        match *option {
            "taylor" => options.taylor = true,
            "bh2 noise" => (options.variant, options.value) = (Variant::Bh2, Prediction::Epsilon),
            "gamma" => options.gamma = 0.7,
            _ => {}
        }
        let times = Times::Spaced { spacing: spacing(spread), start, end, amount: Amount::Evaluations(*allowed) };
        let sd = schedule.prior_sd(start);
        let x = Batch::from_points(2, &[0.3, -1.1, -0.8, 0.6].map(|v| sd * v));
        let mut model = MixtureModel::new(mixture());
        let (x, evaluations, _) = run(sampler, &schedule, &times, &options, &mut model, &x);
        assert_eq!(evaluations, *used, "{name} {sampler} {spread}");
        for (got, want) in x.to_points().iter().zip(expected) {
            assert!((got - want).abs() < 1e-9, "{name} {sampler} {spread} {option}: {got} {want}");
        }
    }
    // Seen to fail: the same rows with one evaluation more, where that changes the grid.
    let (schedule, start, end) = schedule("vp-linear");
    let times = Times::Spaced { spacing: Spacing::LogSnr, start, end, amount: Amount::Evaluations(10) };
    let x = Batch::from_points(2, &[0.3, -1.1, -0.8, 0.6]);
    let (x, ..) = run("ddim", &schedule, &times, &Options::default(), &mut MixtureModel::new(mixture()), &x);
    assert!((x.to_points()[0] - REFERENCE[0].6[0]).abs() > 1e-3);
}

#[test]
fn observed_orders() {
    let schedule: Arc<dyn Schedule> = Arc::new(VpLinear::default());
    let (start, end) = (0.8, 0.1);
    let x = Batch::normal(2, 24, 1.0, &Philox::new(1), Stream::Prior, 0);
    let mut model = MixtureModel::new(mixture());
    let times = |amount| Times::Spaced { spacing: Spacing::LogSnr, start, end, amount };
    let fine = Options { absolute: 1e-12, relative: 1e-12, ..Options::default() };
    let (best, ..) = run("dopri5", &schedule, &times(Amount::Steps(1)), &fine, &mut model, &x);
    let kept = Options {
        lower_final: Some(LowerFinal::Never),
        quadrature: Quadrature::Exact,
        gamma: 1.0,
        ..Options::default()
    };
    let mut order = |sampler: &str, steps: usize| {
        let mut error = |n| {
            let (y, ..) = run(sampler, &schedule, &times(Amount::Steps(n)), &kept, &mut model, &x);
            y.data().iter().zip(best.data()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        (error(steps) / error(2 * steps)).log2()
    };
    // Methods that start with a step of order 1 have order 2 in the limit however high their weights reach, and the
    // corrector of UniPC-p adds one order.
    let table: [(&str, f64, usize); 27] = [
        ("ddim", 1.0, 40),
        ("euler", 1.0, 40),
        ("dpm-solver-pp-1", 1.0, 40),
        ("dpm-solver-1", 1.0, 40),
        ("heun", 2.0, 40),
        ("midpoint", 2.0, 80),
        ("rk4", 4.0, 40),
        ("rf-solver", 2.0, 80),
        ("rho-heun", 2.0, 40),
        ("rho-midpoint", 2.0, 40),
        ("rho-kutta", 3.0, 40),
        ("rho-rk4", 4.0, 40),
        ("dpm-solver-2", 2.0, 40),
        ("dpm-solver-3", 3.0, 40),
        ("dpm-solver-pp-2s", 2.0, 80),
        ("dpm-solver-pp-3s", 3.0, 80),
        ("dpm-solver-2m", 2.0, 80),
        ("dpm-solver-pp-2m", 2.0, 80),
        ("dpm-solver-pp-3m", 2.0, 160),
        ("unipc-1", 2.0, 80),
        ("unipc-2", 3.0, 80),
        ("unipc-3", 4.0, 80),
        ("deis-tab1", 2.0, 80),
        ("deis-tab2", 3.0, 80),
        ("rho-ab1", 2.0, 80),
        ("bdia", 2.0, 40),
        ("plms", 2.0, 160),
    ];
    for (sampler, expected, steps) in table {
        let got = order(sampler, steps);
        assert!((got - expected).abs() < 0.2, "{sampler}: {got}, expected {expected}");
    }
    // The measure sees a lowered last step: UniPC-3 as its authors run it falls to order 2.
    let lowered = Options { lower_final: Some(LowerFinal::Always), ..kept };
    let mut error = |n| {
        let (y, ..) = run("unipc-3", &schedule, &times(Amount::Steps(n)), &lowered, &mut model, &x);
        y.data().iter().zip(best.data()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    };
    assert!(((error(80) / error(160)).log2() - 2.0).abs() < 0.2);
}

#[test]
fn exponential_samplers_are_exact_for_one_point() {
    // For data at one point ε is constant along the flow, so whatever solves the linear part exactly has no error.
    let (schedule, start, end) = schedule("vp-linear");
    let mean = [0.7, -0.4];
    let target = targets::single(&mean, 1e-6);
    let x = Batch::normal(2, 8, 1.0, &Philox::new(2), Stream::Prior, 0);
    let (first, last) = (schedule.node(start), schedule.node(end));
    let exact =
        |p: usize, d: usize| last.alpha * mean[d] + last.sigma * (x.point(p)[d] - first.alpha * mean[d]) / first.sigma;
    let options = Options { quadrature: Quadrature::Exact, ..Options::default() };
    let in_time = ["euler", "heun", "midpoint", "rk4", "dopri5", "fon", "rf-solver"];
    let mut seen = 0;
    for s in SAMPLERS {
        for spread in ["uniform-t", "log-snr"] {
            let times = Times::Spaced { spacing: spacing(spread), start, end, amount: Amount::Evaluations(15) };
            let setup = s.setup(&*schedule, &times, &options).unwrap();
            // They end at σ = 0, or another loop runs them.
            let other_end = s.name.starts_with("edm") || ["lms", "dpm2", PFGM_PP].contains(&s.name);
            let other_loop = other_end || [DPM_SOLVER_V3, DC_SOLVER, USF, MR_SAMPLER].contains(&s.name);
            if setup.method.is_stochastic() || in_time.contains(&s.name) || other_loop {
                continue;
            }
            let mut model = MixtureModel::new(target.clone());
            let (y, ..) = run(s.name, &schedule, &times, &options, &mut model, &x);
            for p in 0..8 {
                for d in 0..2 {
                    let error = (y.point(p)[d] - exact(p, d)).abs();
                    // The width 10⁻⁶ changes ε by (10⁻⁶/σ)² ≈ 10⁻⁸ at the end.
                    assert!(error < 2e-8, "{} {spread}: {error}", s.name);
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 60, "{seen}");
    // Seen to fail: Euler in t pays for the linear part.
    let times = Times::Spaced { spacing: Spacing::Uniform, start, end, amount: Amount::Evaluations(15) };
    let (y, ..) = run("euler", &schedule, &times, &options, &mut MixtureModel::new(target), &x);
    assert!((y.point(0)[0] - exact(0, 0)).abs() > 1e-2);
}

#[test]
fn bdia_goes_back_to_its_noise() {
    let (schedule, start, end) = schedule("vp-linear");
    let nodes: Vec<Node> = grid(&*schedule, Spacing::Quadratic, start, end, 20).unwrap();
    let x = Batch::<f64>::normal(2, 50, 1.0, &Philox::new(4), Stream::Prior, 0);
    for gamma in [1.0, 0.9] {
        let method = Bdia::new(gamma);
        let mut model = MixtureModel::new(mixture());
        let mut s = Sampler::new(schedule.clone(), Box::new(method), &nodes, x.clone(), Philox::new(1));
        let mut before = x.clone();
        while s.steps_done() < 20 {
            before = s.x().clone();
            s.step(&mut model);
        }
        let back = method.invert(&nodes, &before, s.x(), &mut model).unwrap();
        let worst = back.data().iter().zip(x.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-8, "{gamma}: {worst}");
        // Seen to fail: with another γ it arrives elsewhere.
        let astray = Bdia::new(0.95 * gamma).invert(&nodes, &before, s.x(), &mut model).unwrap();
        let off = astray.data().iter().zip(x.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off > 1e-3, "{off}");
    }
    assert!(Bdia::new(0.0).invert(&nodes, &x, &x, &mut MixtureModel::new(mixture())).is_none());
}

#[test]
fn likelihood_by_the_flow() {
    let m = mixture();
    let points = m.sample(20, 1.0, 0.0, &Philox::new(9), Stream::Data).to_points();
    for name in ["vp-linear", "vp-cosine", "ve", "edm", "sub-vp"] {
        let (schedule, start, end) = schedule(name);
        let end = if name == "edm" { 0.02 } else { end };
        let got = log_likelihood(&m, &*schedule, &points, end, start, 1e-6).unwrap();
        for (x, log) in points.chunks(2).zip(&got.log_density) {
            let exact = m.log_density(x, schedule.alpha(end), schedule.sigma(end));
            assert!((log - exact).abs() < 1e-3, "{name}: {log} {exact}");
            // Another noise level is another density: the comparison sees 2 % of σ² at the start.
            let other = m.log_density(x, schedule.alpha(end), schedule.sigma(end) + 0.2);
            assert!((log - other).abs() > 1e-3, "{name}");
        }
    }
}

#[test]
fn stochastic_samplers_reach_the_law() {
    // One Gaussian: mean and variance at the end are known. 4000 points: standard errors 0.016 sd and 2.2 % of the variance.
    let (schedule, start, end) = schedule("vp-linear");
    let (mean, sd) = (0.6, 0.5);
    let x = Batch::normal(1, 4000, 1.0, &Philox::new(5), Stream::Prior, 0);
    for sampler in [
        "ddpm",
        "euler-maruyama",
        "dpm-solver-pp-sde-2m",
        "dpm-solver-sde-2m",
        "predictor-corrector",
        "sa-solver",
        "edm-stochastic",
    ] {
        // The exponential ones are made for even steps of λ.
        let exponential = sampler.starts_with("dpm") || sampler == "sa-solver" || sampler == "edm-stochastic";
        let (steps, spacing) = if exponential { (60, Spacing::LogSnr) } else { (400, Spacing::Uniform) };
        let times = Times::Spaced { spacing, start, end, amount: Amount::Steps(steps) };
        let mut model = MixtureModel::new(targets::single(&[mean], sd));
        let (y, ..) = run(sampler, &schedule, &times, &Options::default(), &mut model, &x);
        let average = y.data().iter().sum::<f64>() / 4000.0;
        let variance = y.data().iter().map(|v| (v - average).powi(2)).sum::<f64>() / 3999.0;
        assert!((average - mean).abs() < 0.04, "{sampler}: mean {average}");
        assert!((variance / (sd * sd) - 1.0).abs() < 0.12, "{sampler}: variance {variance}");
    }
}

#[test]
fn guidance_moves_to_its_class_and_thresholding_bounds_it() {
    let (schedule, start, end) = schedule("vp-linear");
    let times = Times::Spaced { spacing: Spacing::LogSnr, start, end, amount: Amount::Evaluations(30) };
    let x = Batch::normal(2, 300, 1.0, &Philox::new(6), Stream::Prior, 0);
    let guided = |scale| MixtureModel::new(mixture()).with_guidance(Guidance { class: 1, scale }).unwrap();
    let share = |y: &Batch<f64>| (0..300).filter(|p| y.point(*p)[0] > -0.4).count();
    let options = Options::default();
    let (plain, evaluations, _) = run("dpm-solver-pp-2m", &schedule, &times, &options, &mut guided(0.0), &x);
    let (y, ..) = run("dpm-solver-pp-2m", &schedule, &times, &options, &mut guided(1.0), &x);
    assert_eq!(evaluations, 30);
    assert!(share(&plain) < 200 && share(&y) > 295, "{} {}", share(&plain), share(&y));
    let (far, ..) = run("dpm-solver-pp-2m", &schedule, &times, &options, &mut guided(100.0), &x);
    let reach = |y: &Batch<f64>| y.data().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(reach(&far) > 3.0);
    let mut bounded = Thresholded { model: guided(100.0), threshold: Threshold::Static { max: 1.5 } };
    let (y, evaluations, _) = run("dpm-solver-pp-2m", &schedule, &times, &options, &mut bounded, &x);
    assert!(reach(&y) < 1.7 && evaluations == 30, "{}", reach(&y));
}

#[test]
fn flow_runs_from_pure_noise_to_data() {
    let schedule: Arc<dyn Schedule> = Arc::new(CondOt);
    let x = Batch::normal(2, 40, 1.0, &Philox::new(7), Stream::Prior, 0);
    let mut model = MixtureModel::new(mixture());
    let times: Vec<f64> = (0..=400).map(|i| 1.0 - f64::from(i) / 400.0).collect();
    let (y, ..) = run("rk4", &schedule, &Times::Given(times), &Options::default(), &mut model, &x);
    let half: Vec<f64> = (0..=200).map(|i| 1.0 - f64::from(i) / 200.0).collect();
    for sampler in ["heun", "midpoint", "rk4"] {
        let (z, _, status) = run(sampler, &schedule, &Times::Given(half.clone()), &Options::default(), &mut model, &x);
        let worst = z.data().iter().zip(y.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(status == Status::Finished && worst < 1e-2, "{sampler}: {worst}");
    }
    // Methods in λ say that they cannot.
    let refused = named("dpm-solver-2m").unwrap().setup(&*schedule, &Times::Given(half), &Options::default());
    assert!(refused.err().unwrap().to_string().contains("both signal and noise"));
}

#[test]
fn too_few_evaluations_and_impossible_times_are_explained() {
    let (schedule, start, end) = schedule("vp-linear");
    let said = |sampler: &str, times: &Times| {
        named(sampler).unwrap().setup(&*schedule, times, &Options::default()).err().unwrap().to_string()
    };
    let one = Times::Spaced { spacing: Spacing::LogSnr, start, end, amount: Amount::Evaluations(1) };
    for (sampler, needed) in
        [("heun", "2"), ("dpm-solver-pp-2m", "2"), ("unipc-3", "3"), ("edm-heun", "3"), ("pndm", "4")]
    {
        assert!(said(sampler, &one).contains(&format!("at least {needed} evaluations")), "{}", said(sampler, &one));
    }
    let rising = Times::Given(vec![0.1, 0.5]);
    assert!(said("ddim", &rising).contains("0.1 to 0.5"));
    let to_zero = Times::Spaced { spacing: Spacing::LogSnr, start, end: 0.0, amount: Amount::Evaluations(9) };
    assert!(!said("ddim", &to_zero).is_empty());
}

#[test]
fn order_three_of_the_multistep_solver() {
    // The authors' weight of the second difference caps the order at 2, with that of the polynomial it is 3. (The start of
    // order 1 would cap it too, but only far below the errors of these steps: x₀ hardly moves there.)
    let schedule: Arc<dyn Schedule> = Arc::new(VpLinear::default());
    let x = Batch::normal(2, 24, 1.0, &Philox::new(1), Stream::Prior, 0);
    let mut model = MixtureModel::new(mixture());
    let times = |amount| Times::Spaced { spacing: Spacing::LogSnr, start: 0.8, end: 0.1, amount };
    let fine = Options { absolute: 1e-12, relative: 1e-12, ..Options::default() };
    let (best, ..) = run("dopri5", &schedule, &times(Amount::Steps(1)), &fine, &mut model, &x);
    let mut order = |sampler: &str, polynomial: bool, single_start: bool, steps: usize| {
        let lower_final = Some(LowerFinal::Never);
        let options = Options { polynomial, single_start, lower_final, ..Options::default() };
        let mut error = |n| {
            let (y, ..) = run(sampler, &schedule, &times(Amount::Steps(n)), &options, &mut model, &x);
            y.data().iter().zip(best.data()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        (error(steps) / error(2 * steps)).log2()
    };
    for sampler in ["dpm-solver-pp-3m", "dpm-solver-3m"] {
        for single_start in [true, false] {
            let got = order(sampler, true, single_start, 160);
            assert!((got - 3.0).abs() < 0.2, "{sampler} {single_start}: {got}");
            // Seen to fail: half the weight is order 2.
            let half = order(sampler, false, single_start, 160);
            assert!((half - 2.0).abs() < 0.2, "{sampler} {single_start}: {half}");
        }
    }
}

#[test]
fn churn_is_algorithm_2() {
    // A second path: the algorithm step by step on σ with x₀, and the noise drawn by itself.
    let (schedule, start, end) = schedule("edm");
    let churn = Churn { amount: 40.0, low: 0.05, high: 50.0, noise: 1.003 };
    let options = Options { churn: Some(churn), ..Options::default() };
    let steps = 12;
    let times = Times::Spaced { spacing: spacing("karras"), start, end, amount: Amount::Steps(steps) };
    let start_x = Batch::normal(2, 40, 80.0, &Philox::new(1), Stream::Prior, 0);
    let mut model = MixtureModel::new(mixture());
    let (got, evaluations, _) = run("edm-heun", &schedule, &times, &options, &mut model, &start_x);
    assert_eq!(evaluations, 2 * steps as u64 - 1);
    let algorithm = |churn: Churn| {
        let nodes = grid(&*schedule, spacing("karras"), start, end, steps - 1).unwrap();
        let mut levels: Vec<f64> = nodes.iter().map(|n| n.sigma).collect();
        levels.push(0.0);
        let mut model = MixtureModel::new(mixture());
        let mut x = start_x.clone();
        let slope = |model: &mut MixtureModel<f64>, x: &Batch<f64>, sigma: f64| {
            let mut out = x.clone();
            model.data(x, &schedule.node(sigma), &mut out);
            out.combine(-1.0 / sigma, &[(1.0 / sigma, x)]);
            out
        };
        for i in 0..steps {
            let inside = churn.low <= levels[i] && levels[i] <= churn.high;
            let gamma = if inside { (churn.amount / steps as f64).min(2.0_f64.sqrt() - 1.0) } else { 0.0 };
            let hat = levels[i] * (1.0 + gamma);
            x.add_normal((hat * hat - levels[i].powi(2)).sqrt() * churn.noise, &Philox::new(3), Stream::Lift, i as u32);
            let d = slope(&mut model, &x, hat);
            let h = levels[i + 1] - hat;
            let mut next = x.clone();
            next.combine(1.0, &[(h, &d)]);
            if levels[i + 1] > 0.0 {
                let second = slope(&mut model, &next, levels[i + 1]);
                next = x.clone();
                next.combine(1.0, &[(0.5 * h, &d), (0.5 * h, &second)]);
            }
            x = next;
        }
        x
    };
    let off =
        |a: &Batch<f64>, b: &Batch<f64>| a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off(&got, &algorithm(churn)) < 1e-9, "{}", off(&got, &algorithm(churn)));
    // Seen to fail: other limits, or a little less noise.
    for other in [Churn { high: 1.0, ..churn }, Churn { noise: 1.0, ..churn }, Churn::default()] {
        assert!(off(&got, &algorithm(other)) > 1e-4, "{other:?}");
    }
    let plain = run("edm-heun", &schedule, &times, &Options::default(), &mut model, &start_x).0;
    assert!(off(&plain, &algorithm(Churn::default())) < 1e-9);
    // The named one has the paper's numbers.
    let named = run("edm-stochastic", &schedule, &times, &Options::default(), &mut model, &start_x).0;
    assert!(off(&named, &got) < 1e-12);
}

#[test]
fn poisson_flow_reaches_the_data() {
    use eddy_numerics::diffusion::poisson_flow::PoissonFlow;
    // One Gaussian: its mean, and its variance, which a start or a field of another D would miss.
    let (schedule, start, end) = schedule("edm");
    let target = targets::single(&[0.6, -0.2], 0.5);
    let times = Times::Spaced { spacing: spacing("karras"), start, end, amount: Amount::Steps(25) };
    let variance = |extra: f64, field: f64| {
        let x = PoissonFlow::prior(2, 1500, extra, start, &Philox::new(2));
        let mut flow = PoissonFlow::new(target.clone(), field).unwrap();
        let (y, evaluations, _) = run("pfgm-pp", &schedule, &times, &Options::default(), &mut flow, &x);
        assert_eq!(evaluations, 49);
        let square = |p: usize| (y.point(p)[0] - 0.6).powi(2) + (y.point(p)[1] + 0.2).powi(2);
        let mean = y.coordinate(0).iter().sum::<f64>() / 1500.0;
        (mean, (0..1500).map(square).sum::<f64>() / 3000.0)
    };
    for extra in [4.0, 64.0] {
        // Standard errors: 0.013 of the mean, 2.6 % of the variance.
        let (mean, v) = variance(extra, extra);
        assert!((mean - 0.6).abs() < 0.06 && (v / 0.25 - 1.0).abs() < 0.12, "{extra}: {mean} {v}");
    }
    let (_, v) = variance(4.0, 64.0);
    assert!((v / 0.25 - 1.0).abs() > 0.12, "{v}");
}
