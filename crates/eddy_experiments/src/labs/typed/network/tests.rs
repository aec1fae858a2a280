use super::*;
use crate::labs::pinn::{Descent, DescentRun, Gradient, Method, check_objective};
use crate::{Budget, Run};
use eddy_solve::Problem;
use eddy_spec::Outcome;

pub(super) fn training() -> Training {
    Training {
        architecture: Architecture { kind: Kind::Plain, width: 12, layers: 2, harmonics: 2 },
        points: 64,
        side_points: 8,
        side_weight: 3.0,
        integral_weight: 7.0,
        builds_sides: false,
        joint_weight: 2.0,
        curriculum: Vec::new(),
        curriculum_steps: 0,
        hold: 0,
        balance: Balance::Fixed,
        causality: 0.0,
        windows: 1,
        is_resampled: false,
        is_adaptive: false,
        is_single: false,
        seed: 3,
        sought: Vec::new(),
        data: Data { points: 40, noise: 0.01, weight: 10.0, fall: (1.0, 1) },
        measured: Vec::new(),
        knows_start: true,
        shown: String::new(),
        shown_layer: 0,
    }
}

pub(super) fn objective(text: &str, training: Training) -> Result<TypedNetwork, EddyError> {
    TypedNetwork::new(Statement::new(Problem::parse(text).unwrap()).unwrap(), None, training)
}

pub(super) const HEAT: &str = "equations = \"u_t = D*lap(u); D = 0.1\"\ninitial.u = \"sin(x)\"\n\
                    [domain]\nx = { max = \"2*pi\", points = 32 }\n[time]\nend = 1\n";

#[test]
fn gradients_equal_central_differences() {
    let texts = [
        HEAT.to_owned(),
        // Sides of three kinds, second order in time, a moving condition.
        "equations = \"u_tt = 0.5*dxx(u) - u_t + x*sin(t)\"\ninitial.u = \"x^2\"\ninitial.u_t = \"cos(x)\"\n\
         boundary.u.x_min = \"dirichlet: sin(t)\"\nboundary.u.x_max = \"robin: 2*u + u_n = 1\"\n\
         [domain]\nx = { min = -1, max = 1, points = 24 }\n[time]\nend = 0.5\n"
            .to_owned(),
        // A complex field; an elliptic line; no space at all; a steady problem on walls.
        "equations = \"i*psi_t = -dxx(psi) + abs(psi)^2*psi\"\ninitial.psi = \"exp(i*x)\"\n\
         [domain]\nx = { max = \"2*pi\", points = 16 }\n[time]\nend = 0.2\n"
            .to_owned(),
        "equations = \"\"\"\nw_t = -dy(psi)*dx(w) + dx(psi)*dy(w) + 0.1*lap(w)\nlap(psi) = -w\n\"\"\"\n\
         initial.w = \"cos(x) + cos(2*y)\"\n\
         [domain]\nx = { max = \"2*pi\", points = 12 }\ny = { max = \"2*pi\", points = 12 }\n[time]\nend = 0.2\n"
            .to_owned(),
        "equations = \"x_t = y; y_t = -x - 0.1*y\"\ninitial.x = 1\n[time]\nend = 2\n".to_owned(),
        "equations = \"lap(u) - u = x*y\"\nboundary.u = \"dirichlet: x - y\"\n\
         [domain]\nx = { max = 1, points = 12 }\ny = { max = 1, points = 12 }\n"
            .to_owned(),
    ];
    let check = |mut one: TypedNetwork| {
        check_objective(&mut one, 5);
        check_rows(&mut one, 5);
    };
    for text in texts {
        check(objective(&text, training()).unwrap_or_else(|e| panic!("{e:?}\n{text}")));
    }
    let sought = vec![("D".to_owned(), 0.4)];
    check(objective(HEAT, Training { sought: sought.clone(), ..training() }).unwrap());
    // The start is to be found too.
    check(objective(HEAT, Training { sought, knows_start: false, ..training() }).unwrap());
    let sought = vec![("D".to_owned(), 0.4), ("c".to_owned(), 1.0)];
    check(patchy(Training { sought, ..training() }).unwrap());
    // Causal weights are constants to both.
    check_rows(&mut objective(HEAT, Training { causality: 20.0, ..training() }).unwrap(), 5);
}

/// The loss taken residual by residual is the loss, and so is its gradient; and with a residual's weight that is off.
pub(super) fn check_rows(one: &mut TypedNetwork, seed: u64) {
    let parameters: Vec<f64> = one.graph().start(seed).unwrap();
    one.draw(0);
    let mut gradient = vec![0.0; parameters.len()];
    let loss = one.gradient(&parameters, &mut gradient);
    let mut equations = NormalEquations::new(parameters.len());
    one.linearize(&parameters, &mut equations);
    assert!((equations.loss - loss).abs() < 1e-12 * loss, "{} {loss}", equations.loss);
    assert!((one.loss_there(&parameters) - loss).abs() < 1e-12 * loss);
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let gap = |equations: &NormalEquations| {
        let pairs = gradient.iter().zip(&equations.gradient);
        pairs.fold(0.0, |m: f64, (g, half)| m.max((g - 2.0 * half).abs())) / scale
    };
    assert!(gap(&equations) < 1e-12, "{:e}", gap(&equations));
    one.scales[0] *= 1.0 + 1e-6;
    one.linearize(&parameters, &mut equations);
    assert!(gap(&equations) > 1e-8, "a fault is seen");
}

#[test]
fn weights_follow_gradients_and_kernels() {
    let walled = HEAT.replace("[domain]", "boundary.u = \"dirichlet: 0\"\n[domain]");
    let with = |side_weight, balance| objective(&walled, Training { side_weight, balance, ..training() }).unwrap();
    let parameters: Vec<f64> = with(0.0, Balance::Fixed).graph().start(5).unwrap();
    // Gradient, and trace of JᵀJ, of the residual alone and of both terms at weight 1.
    let [(residual, trace), (both, sum)] = [0.0, 1.0].map(|weight| {
        let mut one = with(weight, Balance::Fixed);
        one.draw(0);
        let mut gradient = vec![0.0; parameters.len()];
        one.gradient(&parameters, &mut gradient);
        let mut equations = NormalEquations::new(parameters.len());
        one.linearize(&parameters, &mut equations);
        (gradient, equations.gram.iter().step_by(parameters.len() + 1).sum::<f64>())
    });
    let norms = distance(&residual, None) / distance(&both, Some(&residual));
    for (balance, asked) in [(Balance::Norms, norms), (Balance::Kernel, trace / (sum - trace))] {
        let mut one = with(3.0, balance);
        one.draw(0);
        one.step = 99;
        one.gradient(&parameters, &mut vec![0.0; parameters.len()]);
        let expected = 0.9 * 3.0 + 0.1 * asked;
        assert!((one.side_weight - expected).abs() < 1e-9 * expected, "{balance:?}: {} {expected}", one.side_weight);
        assert!((expected - 3.0).abs() > 1e-3, "it moves");
        // Not between two looks, and not while the loss must stay one function.
        one.gradient(&parameters, &mut vec![0.0; parameters.len()]);
        (one.step, one.is_fixed) = (199, true);
        one.gradient(&parameters, &mut vec![0.0; parameters.len()]);
        assert!((one.side_weight - expected).abs() < 1e-9 * expected);
    }
}

#[test]
fn a_weight_that_is_far_too_small_is_mended() {
    // Without its sides the solution is known up to a straight line.
    let steady = "equations = \"dxx(u) = -4*sin(2*x)\"\nboundary.u = \"dirichlet: 1\"\n[domain]\nx = { max = \"pi\", points = 64 }\n";
    let error = |balance| {
        let training = Training { side_weight: 1e-4, balance, is_resampled: true, ..training() };
        let descent = Descent { method: Method::adam(5e-3), steps: 1500, seed: 1, record_every: 100 };
        let mut run = DescentRun::new(objective(steady, training).unwrap(), descent).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        run.record().latest("error")
    };
    let [fixed, norms, kernel] = [Balance::Fixed, Balance::Norms, Balance::Kernel].map(error);
    assert!(norms < 0.5 * fixed && kernel < 0.5 * fixed, "{fixed} {norms} {kernel}");
}

#[test]
fn gauss_newton_converges_where_adam_has_hardly_begun() {
    let error = |method, steps| {
        let training = Training { points: 256, is_resampled: true, ..training() };
        let descent = Descent { method, steps, seed: 1, record_every: 10 };
        let mut run = DescentRun::new(objective(HEAT, training).unwrap(), descent).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        run.record().latest("error")
    };
    let (newton, adam) = (error(Method::GaussNewton, 40), error(Method::adam(5e-3), 40));
    assert!(newton < 1e-4 && adam > 100.0 * newton, "{newton:e} {adam:e}");
}

/// x, y, z and t.
#[test]
fn three_axes_and_time_are_learnt() {
    let text = "equations = \"u_t = D*lap(u); D = 0.2\"\ninitial.u = \"sin(x) + cos(y)*sin(z)\"\n\
                [domain]\nx = { max = \"2*pi\", points = 12 }\ny = { max = \"2*pi\", points = 12 }\n\
                z = { max = \"2*pi\", points = 12 }\n[time]\nend = 1\n";
    let training = Training { points: 512, is_resampled: true, ..training() };
    let mut one = objective(text, training.clone()).unwrap();
    check_objective(&mut one, 5);
    check_rows(&mut one, 5);
    let descent = Descent { method: Method::GaussNewton, steps: 20, seed: 1, record_every: 10 };
    let mut run = DescentRun::new(objective(text, training.clone()).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    let error = run.record().latest("error");
    assert!(error < 1e-2, "{error:e}");
    let refused = objective(text, Training { windows: 2, ..training }).err().unwrap();
    assert_eq!(refused.key.as_deref(), Some("windows"));
}

#[test]
fn initial_values_are_found_from_measurements() {
    let sought = vec![("D".to_owned(), 0.4)];
    let data = Data { points: 400, noise: 0.0, weight: 10.0, fall: (1.0, 1) };
    let training = Training { sought, data, knows_start: false, points: 256, is_resampled: true, ..training() };
    let descent = Descent { method: Method::GaussNewton, steps: 60, seed: 1, record_every: 10 };
    let mut run = DescentRun::new(objective(HEAT, training.clone()).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    let (error, coefficient) = (run.record().latest("error"), run.record().latest("coefficient"));
    assert!(error < 1e-3 && coefficient < 1e-3, "{error:e} {coefficient:e}");
    // Without measurements nothing says how it begins; and what is measured has a name.
    let blind = objective(HEAT, Training { sought: Vec::new(), ..training.clone() }).err().unwrap();
    assert_eq!(blind.key.as_deref(), Some("begins"));
    let other = objective(HEAT, Training { measured: vec!["w".to_owned()], ..training }).err().unwrap();
    assert!(other.key.as_deref() == Some("seen") && other.message.contains("there are: u"), "{other}");
}

#[test]
fn what_is_not_measured_is_found_too() {
    // Only the prey is counted.
    let text =
        "equations = \"a_t = a - k*a*b; b_t = k*a*b - b; k = 0.8\"\ninitial.a = 1.5\ninitial.b = 1\n[time]\nend = 3\n";
    let found = |measured: &[&str]| {
        let training = Training {
            sought: vec![("k".to_owned(), 0.5)],
            measured: measured.iter().map(|name| (*name).to_owned()).collect(),
            data: Data { points: 60, noise: 0.0, weight: 10.0, fall: (1.0, 1) },
            points: 128,
            is_resampled: true,
            ..training()
        };
        let descent = Descent { method: Method::GaussNewton, steps: 80, seed: 1, record_every: 10 };
        let one = objective(text, training).unwrap();
        let factors = one.data_factors();
        let mut run = DescentRun::new(one, descent).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        (factors, run.record().latest("coefficient"))
    };
    let (factors, gap) = found(&["a"]);
    assert!(factors[0] > 0.0 && factors[1] == 0.0 && gap < 1e-3, "{factors:?} {gap:e}");
    assert!(found(&[]).0.iter().all(|factor| *factor > 0.0));
}

/// Heat with a conductivity that varies, which is to be found.
fn patchy(training: Training) -> Result<TypedNetwork, EddyError> {
    let text = "equations = \"u_t = dx(D*dx(u)) - c*u\\nD = 0.1 + 0.05*sin(x)\\nc = 0.5\"\n\
                initial.u = \"2 + sin(x) + cos(x)\"\n\
                [domain]\nx = { max = \"2*pi\", points = 48 }\n[time]\nend = 2\n";
    let mut problem = Problem::parse(text).unwrap();
    problem.fields = training.sought.iter().map(|(name, _)| name.clone()).collect();
    TypedNetwork::new(Statement::new(problem).unwrap(), None, training)
}

#[test]
fn a_coefficient_that_varies_is_found() {
    let sought = vec![("D".to_owned(), 0.2)];
    let data = Data { points: 400, noise: 0.0, weight: 100.0, fall: (1.0, 1) };
    let one = patchy(Training { sought, data, points: 256, ..training() }).unwrap();
    let descent = Descent { method: Method::Lbfgs, steps: 500, seed: 1, record_every: 50 };
    let mut run = DescentRun::new(one, descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(500))).unwrap();
    // The first guess is wrong by 0.9, its mean by 1.
    let gap = run.record().latest("coefficient");
    assert!(gap < 0.05, "{gap}");
    let one = patchy(Training { sought: vec![("E".to_owned(), 0.2)], ..training() });
    let refused = one.err().unwrap();
    assert!(refused.message.contains("there are: c"), "{refused}");
    let number = objective(HEAT, Training { sought: vec![("D".to_owned(), 0.2)], ..training() }).unwrap();
    assert_eq!((number.free().count(), number.sought.len()), (0, 1));
}

/// Points that follow the residual lie where it is: of a front's, more than of uniform ones.
#[test]
fn points_follow_the_residual() {
    let front = "equations = \"u_t = 0.02*dxx(u)\"\ninitial.u = \"tanh(x/0.2)\"\nboundary.u = \"neumann: 0\"\n\
                 [domain]\nx = { min = -4, max = 4, points = 161 }\n[time]\nend = 1\n";
    let near = |is_adaptive| {
        let mut one =
            objective(front, Training { points: 512, is_resampled: true, is_adaptive, ..training() }).unwrap();
        let start: Vec<f64> = one.graph().start(5).unwrap();
        one.draw(0);
        one.measure(&start.iter().map(|_| 0.0).collect::<Vec<_>>());
        one.draw(50);
        assert_eq!(one.points(), 512);
        let points = one.points.chunks_exact(2);
        points.filter(|p| p[0].abs() < 0.5).count() as f64 / 512.0
    };
    // The zero network leaves the residual of the initial values, which is within half a unit of the front.
    let (uniform, adaptive) = (near(false), near(true));
    assert!(uniform < 0.2 && adaptive > 0.45, "{uniform} {adaptive}");
}

/// L-BFGS takes over where Adam ends, and gets further than either alone in as many steps.
#[test]
fn adam_hands_over_to_lbfgs() {
    let both = Method::ThenLbfgs { gradient: Gradient::adam(1e-2), first: 100 };
    let [alone, handed] = [Method::adam(1e-2), both].map(|method| {
        let training = Training { is_resampled: true, causality: 3.0, ..training() };
        trained(HEAT, training, method, 400).0
    });
    assert!(handed < 0.3 * alone, "{handed} {alone}");
}

/// What the last row of a training says.
fn trained(text: &str, training: Training, method: Method, steps: u64) -> (f64, f64) {
    let descent = Descent { method, steps, seed: 1, record_every: 50 };
    let mut run = DescentRun::new(objective(text, training).unwrap(), descent).unwrap();
    while run.outcome().is_running() {
        pollster::block_on(run.advance(Budget::steps(100))).unwrap();
    }
    assert_eq!(run.outcome(), Outcome::Finished);
    (run.record().latest("error"), run.record().latest("coefficient"))
}

#[test]
fn initial_values_and_periods_hold_without_training() {
    let mut one = objective(HEAT, training()).unwrap();
    let parameters: Vec<f64> = one.graph().start(9).unwrap();
    one.measure(&parameters);
    let columns = one.reference.per_time();
    for (own, theirs) in one.solution[0].iter().zip(&one.reference.values[0]).take(columns) {
        assert!((own - theirs).abs() < 1e-14);
    }
    // Later it is another function.
    let last = one.solution[0].len() - columns;
    assert!((one.solution[0][last] - one.reference.values[0][last]).abs() > 1e-3);
    let mut engine = GraphEngine::new(one.graph(), &Derivatives::all(2, 0).unwrap()).unwrap();
    let mut values: Vec<f64> = Vec::new();
    engine.evaluate(&parameters, &[0.3, 0.7, 0.3 + std::f64::consts::TAU, 0.7], |tile| values.extend(tile.jet(0, 0)));
    assert!((values[0] - values[1]).abs() < 1e-13, "{values:?}");
}

#[test]
fn networks_learn_what_is_typed() {
    // The solver's own error is below 1e-6 here: these are the network's.
    let (error, _) = trained(HEAT, training(), Method::Lbfgs, 150);
    assert!(error < 2e-3, "{error}");
    // A wrong sign of the reaction would be another solution altogether.
    let decay = "equations = \"u_t = -u\"\ninitial.u = 1\n[time]\nend = 2\n";
    let (error, _) = trained(decay, training(), Method::Lbfgs, 100);
    assert!(error < 1e-3, "{error}");
    let steady = "equations = \"dxx(u) = -sin(x)\"\nboundary.u = \"dirichlet: 0\"\n\
                  [domain]\nx = { max = \"pi\", points = 41 }\n";
    let (error, _) = trained(steady, training(), Method::Lbfgs, 150);
    assert!(error < 1e-2, "{error}");
}

#[test]
fn a_coefficient_is_found_from_noisy_values() {
    // ∂u/∂D = -t u is 0.35 on average, so 40 values of noise σ leave D = 0.1 uncertain by σ/(0.35·√40)/0.1 = 4.5 σ.
    for (noise, bound) in [(0.0, 2e-3), (2e-3, 0.03)] {
        let sought = vec![("D".to_owned(), 0.4)];
        let data = Data { noise, ..training().data };
        let (_, gap) = trained(HEAT, Training { sought, data, points: 128, ..training() }, Method::Lbfgs, 300);
        assert!(gap < bound, "{noise}: {gap}");
    }
}

#[test]
fn what_cannot_be_trained_is_refused_at_its_text() {
    let key = |text: &str, training: Training| objective(text, training).err().and_then(|e| e.key);
    let with = |equations: &str| HEAT.replace("u_t = D*lap(u); D = 0.1", equations);
    assert_eq!(key(&with("u_t = lap(u) + noise()"), training()).as_deref(), Some("equations"));
    assert_eq!(key(&with("u_t = lap(u) - mean(u)"), training()).as_deref(), Some("equations"));
    assert_eq!(key(&with("u_t = dxx(dxx(dxx(u)))"), training()).as_deref(), Some("equations"));
    assert_eq!(key(&HEAT.replace("sin(x)", "rand"), training()).as_deref(), Some("initial"));
    // Zero that stays zero; and what moves from there.
    let silent = HEAT.replace("initial.u = \"sin(x)\"\n", "");
    assert_eq!(key(&silent, training()).as_deref(), Some("initial"));
    assert_eq!(key(&silent.replace("D*lap(u)", "D*lap(u) + sin(x)"), training()), None);
    let sought = |name: &str| Training { sought: vec![(name.to_owned(), 1.0)], ..training() };
    assert_eq!(key(HEAT, sought("E")).as_deref(), Some("sought"));
    assert_eq!(key(&with("u_t = lap(u); D = 2"), sought("D")).as_deref(), Some("sought"));
    assert_eq!(
        guesses("D = 0.1; E = pi/2").unwrap(),
        [("D".to_owned(), 0.1), ("E".to_owned(), std::f64::consts::PI / 2.0)]
    );
    assert_eq!(guesses("D = x").err().and_then(|e| e.key).as_deref(), Some("sought"));
}

#[test]
fn the_script_says_what_is_trained() {
    let adam = Descent { method: Method::adam(3e-3), steps: 700, seed: 4, record_every: 20 };
    let script = |text: &str| objective(text, training()).unwrap().script(&adam).unwrap();
    let wave = script(
        "equations = \"u_tt = c^2*dxx(u) - u_t; c = 2\"\ninitial.u = \"x^2\"\ninitial.u_t = \"cos(x)\"\n\
         boundary.u.x_min = \"dirichlet: sin(t)\"\nboundary.u.x_max = \"robin: 2*u + u_n = 1\"\n\
         [domain]\nx = { min = -1, max = 1, points = 24 }\n[time]\nend = 0.5\n",
    )
    .unwrap();
    for part in [
        "c = 2.0",
        "(t - start) * (np.cos(x))",
        "length**2 * (d(u, 0, 2)(x, t) - ",
        "d(u, 2, 0)(x, t)",
        "d(u, 0, 1)(x, t)",
        "(0, 0, -1.0, (1.0, 0.0, 0.0, 0.0), lambda x, t: -(",
        "(0, 0, 1.0, (2.0, 1.0, 0.0, 0.0), lambda x, t: -(",
        "layers = [(2, 12), (12, 12), (12, 1)]",
        "steps = 700",
        "cosine_decay_schedule(0.003,",
    ] {
        assert!(wave.contains(part), "{part}\n{wave}");
    }
    assert!(!wave.contains("special"));
    // Periods by sines and cosines, and no conditions at sides.
    let heat = script(HEAT).unwrap();
    assert!(heat.contains("np.cos(1.0 * k * x)") && !heat.contains("SIDES"), "{heat}");
    // By each method, and nothing is left of what stands for a curriculum.
    for (method, part) in [
        (Method::GaussNewton, "def normal(flat, key):"),
        (Method::Lbfgs, "weights, state, value = polish(weights, state, key, chosen)"),
        (Method::ThenLbfgs { gradient: Gradient::adam(1e-3), first: 300 }, "if step == 300 or step % 100 == 0:"),
    ] {
        let written = objective(HEAT, training()).unwrap().script(&Descent { method, ..adam }).unwrap().unwrap();
        assert!(written.contains(part) && written.contains("steps = 700"), "{written}");
        assert!(!written.contains("@DONE") && !written.contains("@NOW") && !written.contains("FREE"), "{written}");
    }
    let sought = vec![("D".to_owned(), 0.4)];
    let found = objective(HEAT, Training { sought, ..training() }).unwrap().script(&adam).unwrap().unwrap();
    for part in [
        "SOUGHT = {\"D\": 0.4}",
        "D, = numbers(weights)",
        "def misses(weights, row)",
        "weights.append(np.array([1.0]))",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
    // Points that follow the residual, and weights as they have become.
    let walled = HEAT.replace("[domain]", "boundary.u = \"dirichlet: 0\"\n[domain]");
    let mut one = objective(&walled, Training { is_adaptive: true, balance: Balance::Norms, ..training() }).unwrap();
    one.side_weight = 4.5;
    let followed = one.script(&adam).unwrap().unwrap();
    for part in
        ["drawn = 4 * each", "picks = jax.vmap(pick)", "side_points, side_weight = 8, 4.5", "what they had come to"]
    {
        assert!(followed.contains(part), "{part}\n{followed}");
    }
    // A field by a network of its own, beside a number.
    let sought = vec![("D".to_owned(), 0.4), ("c".to_owned(), 1.0)];
    let sines = Architecture { kind: Kind::Sines { omega: 3.0 }, ..training().architecture };
    let patchy = |architecture| {
        patchy(Training { sought: sought.clone(), architecture, ..training() }).unwrap().script(&adam).unwrap()
    };
    let found = patchy(training().architecture).unwrap();
    for part in [
        "layers = [(5, 12), (12, 12), (12, 1), (4, 12), (12, 12), (12, 1)]",
        "    weights = weights[:3]",
        "def found(weights, x):\n    weights = weights[3:6]",
        "return 0.4 + found(weights, x)[0]",
        "SOUGHT = {\"c\": 1.0}",
        "weights.append(np.array([1.0]))",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
    assert!(patchy(sines).unwrap_err().message.contains("network of its own"));
    // Windows: each begins with the fields of the one before.
    let marched = objective(HEAT, Training { windows: 4, ..training() }).unwrap().script(&adam).unwrap().unwrap();
    for part in [
        "def fields(weights, window=None):",
        "t = t - window * length",
        "if window == 0 else before[0](x, at))",
        "steps = 175  # of each window",
        "        weights, state, value = train(",
        "for turn in range(4):",
        "        weights = descend(weights)\n        if len(done) + 1 < 4:",
    ] {
        assert!(marched.contains(part), "{part}\n{marched}");
    }
}

/// Each kind of network: gradient and rows against differences, what is drawn of its units, and its layers in the script.
#[test]
fn networks_of_every_kind_are_trained_drawn_and_scripted() {
    let adam = Descent { method: Method::adam(3e-3), steps: 700, seed: 4, record_every: 20 };
    let kinds = [
        (Kind::Residual, "layers = [(5, 12), (12, 12), (12, 1)]", "h = h + np.tanh(w @ h + b)"),
        (Kind::Modified, "layers = [(5, 12), (5, 12), (5, 12), (12, 12), (12, 1)]", "h = (1 - z) * u + z * v"),
        (Kind::Sines { omega: 2.0 }, "bounds[-1] /= max(omega, 1)", "h = np.sin(w @ h + b)"),
        (Kind::Waves { sigma: 1.5, seed: 3 }, "layers = [(12, 12), (12, 12), (12, 1)]", "h = waves @ h"),
        (
            Kind::Gaussians { width: 0.4 },
            "layers = [(1, 12), (1, 12), (1, 12), (1, 12), (1, 12), (12, 12),",
            "weights[5:-1]",
        ),
        (Kind::Domains { count: 3 }, "(5, 12), (12, 12), (36, 1)]", "jump(weights, place, point, field, order)"),
        (Kind::Parts { count: 3 }, "(5, 12), (12, 12), (36, 1)]", "around.append(window(k, x) * g)"),
    ];
    let of = |kind: Kind| {
        let architecture = Architecture { kind, ..training().architecture };
        objective(HEAT, Training { architecture, ..training() }).unwrap()
    };
    for (kind, layers, body) in kinds {
        check_objective(&mut of(kind), 5);
        check_rows(&mut of(kind), 5);
        let script = of(kind).script(&adam).unwrap().unwrap();
        assert!(script.contains(layers) && script.contains(body), "{kind:?}\n{script}");
        let mut run = DescentRun::new(of(kind), adam).unwrap();
        pollster::block_on(run.advance(Budget::steps(20))).unwrap();
        let drawn = pollster::block_on(run.view("neurons")).unwrap();
        let ViewData::Field { data, ny, .. } = &drawn else { panic!("{kind:?}: {drawn:?}") };
        let units = of(kind).training.architecture.units();
        assert!(*ny == units && data.iter().any(|v| v.abs() > 0.01), "{kind:?}");
        // Another layer is another picture; parts have the last one only.
        let mut first = of(kind);
        first.training.shown_layer = 1;
        let mut run_first = DescentRun::new(first, adam).unwrap();
        pollster::block_on(run_first.advance(Budget::steps(20))).unwrap();
        let other = pollster::block_on(run_first.view("neurons")).unwrap();
        assert_eq!(other == drawn, matches!(kind, Kind::Parts { .. } | Kind::Domains { .. }), "{kind:?}");
        let tensors = run.weights();
        let stated = script.split("layers = [").nth(1).unwrap().split(']').next().unwrap().matches('(').count();
        assert_eq!(2 * stated, tensors.len(), "{kind:?}: weights and biases of each layer");
    }
}

#[test]
fn a_network_sees_the_waves_that_the_initial_values_have() {
    let of = |initial: &str| {
        let architecture = Architecture { harmonics: 0, ..training().architecture };
        let text = HEAT.replace("sin(x)", initial);
        objective(&text, Training { architecture, ..training() }).unwrap().training.architecture.harmonics
    };
    assert_eq!(
        [of("sin(x)"), of("cos(8*x) + cos(9*x)"), of("1 + 0.01*cos(9*x)"), of("exp(-40*(x-3)^2)")],
        [3, 9, 3, 16]
    );
}

/// The weight of the measurements falls by the factor asked for, and stays there.
#[test]
fn measurements_count_less_as_the_training_goes_on() {
    let sought = vec![("D".to_owned(), 0.4)];
    let data = Data { fall: (100.0, 8), ..training().data };
    let of = |balance| Training { sought: sought.clone(), data, balance, is_resampled: true, ..training() };
    let mut falling = objective(HEAT, of(Balance::Fixed)).unwrap();
    let mut weight = |step: u64| {
        falling.draw(step);
        falling.data_factors()[0]
    };
    let (first, half, end, after) = (weight(0), weight(4), weight(8), weight(20));
    assert!((first / half - 10.0).abs() < 1e-9 && (first / end - 100.0).abs() < 1e-9 && end == after);
    let mut balanced = objective(HEAT, of(Balance::Norms)).unwrap();
    balanced.draw(8);
    assert_eq!(balanced.data_factors()[0], first, "that weight follows the training");
}

/// The tangent kernel is made of rows: each against central differences of the residual at its point, and one with a planted
/// fault.
#[test]
fn rows_of_the_tangent_kernel_equal_central_differences() {
    let text = "equations = \"u_t = D*lap(u) - u*dx(u); D = 0.1\"\ninitial.u = \"sin(x)\"\n\
                [domain]\nx = { max = \"2*pi\", points = 32 }\n[time]\nend = 1\n";
    let mut network = objective(text, Training { sought: vec![("D".to_owned(), 0.4)], ..training() }).unwrap();
    network.draw(3);
    let mut parameters: Vec<f64> = network.graph().start(5).unwrap();
    let mut scratch = vec![0.0; parameters.len()];
    let point = 17;
    // The squared residual is known of every point of a step; its root has the sign of a fixed side of zero nearby.
    let mut residual = |network: &mut TypedNetwork, parameters: &[f64]| {
        scratch.fill(0.0);
        network.inside(parameters, &mut scratch);
        network.squares[point].sqrt()
    };
    let row = network.residual_rows(&parameters, &[point]).remove(0);
    let size = row.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let h = 1e-6;
    let mut sign = 0.0;
    for i in (0..parameters.len()).step_by(7).chain([parameters.len() - 1]) {
        let kept = parameters[i];
        parameters[i] = kept + h;
        let above = residual(&mut network, &parameters);
        parameters[i] = kept - h;
        let below = residual(&mut network, &parameters);
        parameters[i] = kept;
        let slope = (above - below) / (2.0 * h);
        if sign == 0.0 && row[i].abs() > 0.1 * size {
            sign = (slope / row[i]).signum();
        }
        if sign != 0.0 {
            assert!((sign * slope - row[i]).abs() < 1e-6 * size, "{i}: {slope} {}", row[i]);
            assert!((sign * slope - row[i] - 0.01 * size).abs() > 1e-6 * size, "a fault is seen");
        }
    }
    assert!(sign != 0.0, "some slope was compared");
}
