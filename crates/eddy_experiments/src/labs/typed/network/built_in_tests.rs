use super::{
    tests::{HEAT, check_rows, objective, training},
    *,
};
use crate::{
    Budget, Run,
    labs::pinn::{Descent, DescentRun, Fall, Gradient, Method, check_objective},
};
use eddy_nets::Rule;

fn built(text: &str) -> TypedNetwork {
    objective(text, Training { builds_sides: true, ..training() }).unwrap_or_else(|e| panic!("{e:?}\n{text}"))
}

/// Values of the candidate, with its derivatives along x to order 1, at points [point][input].
fn at(one: &TypedNetwork, parameters: &[f64], points: &[f64]) -> [Vec<f64>; 2] {
    let inputs = one.candidate.inputs;
    let mut slope = vec![0; inputs];
    slope[0] = 1;
    let known = Derivatives::new(inputs, &[&slope]).unwrap();
    let mut engine = GraphEngine::<f64>::new(&one.candidate.graph, &known).unwrap();
    let components = [vec![0; inputs], slope].map(|orders| known.component(&orders).unwrap());
    let mut found = [0u8, 1].map(|order| one.candidate.base(0, [order, 0, 0], 0, points));
    engine.evaluate(parameters, points, |tile| {
        for (found, component) in found.iter_mut().zip(components) {
            let there = &mut found[tile.start..][..tile.len];
            there.iter_mut().zip(tile.jet(0, component)).for_each(|(f, j)| *f += j);
        }
    });
    found
}

const WALLED: &str = "equations = \"u_t = 0.1*lap(u)\"\ninitial.u = \"sin(x)\"\nboundary.u = \"dirichlet: 0\"\n\
                      [domain]\nx = { max = \"pi\", points = 32 }\n[time]\nend = 1\n";

#[test]
fn conditions_that_are_built_in_hold_whatever_the_network_says() {
    let value = |text: &str, points: &[f64], expected: &[f64], slopes: Option<&[f64]>| {
        let one = built(text);
        let mut parameters: Vec<f64> = one.graph().start(9).unwrap();
        parameters.iter_mut().for_each(|p| *p = 3.0 * *p + 0.2);
        let [values, along] = at(&one, &parameters, points);
        for (found, expected) in values.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{values:?} {expected:?}\n{text}");
        }
        for (found, expected) in along.iter().zip(slopes.unwrap_or_default()) {
            assert!((found - expected).abs() < 1e-11, "{along:?} {expected:?}\n{text}");
        }
        assert!(one.sides.is_none(), "nothing is left to be learnt of the sides");
        // Between them it says something.
        let middle: Vec<f64> = (0..points.len()).map(|i| if i == 0 { 0.37 } else { points[i] }).collect();
        let [inside, _] = at(&one, &parameters, &middle[..one.candidate.inputs]);
        assert!((inside[0] - expected[0]).abs() > 1e-3, "{inside:?}");
    };
    let pi = std::f64::consts::PI;
    value(WALLED, &[0.0, 0.3, pi, 0.9], &[0.0, 0.0], None);
    // Different values of a steady problem: a line between them. Clamped ends: the slopes too.
    let steady = |boundary: &str, equation: &str| {
        format!("equations = \"{equation}\"\n{boundary}\n[domain]\nx = {{ max = 2, points = 32 }}\n")
    };
    let ends = "boundary.u.x_min = \"dirichlet: 1\"\nboundary.u.x_max = \"dirichlet: -2\"";
    value(&steady(ends, "dxx(u) = -sin(x)"), &[0.0, 2.0], &[1.0, -2.0], None);
    let clamped = "boundary.u = \"dirichlet: 3; neumann: 0\"";
    value(&steady(clamped, "dxx(dxx(u)) = x"), &[0.0, 2.0], &[3.0, 3.0], Some(&[0.0, 0.0]));
    // In a square.
    let square = "equations = \"lap(u) = -1\"\nboundary.u = \"dirichlet: 0.5\"\n\
                  [domain]\nx = { max = 1, points = 12 }\ny = { min = -1, max = 1, points = 12 }\n";
    value(square, &[0.0, 0.4, 1.0, 0.1, 0.3, -1.0, 0.8, 1.0], &[0.5; 4], None);
}

/// What the solver finds of a wave that falls off, against its closed form: the error it states is at least its own, and not far
/// off.
#[test]
fn references_in_time_state_their_error() {
    let own = |text: &str, decay: f64| {
        let one = objective(text, training()).unwrap();
        let points = one.reference.points.chunks_exact(2);
        let (mut gap, mut size) = (0.0_f64, 0.0_f64);
        for (point, value) in points.zip(&one.reference.values[0]) {
            let exact = (-decay * point[1]).exp() * point[0].sin();
            gap += (value - exact) * (value - exact);
            size += exact * exact;
        }
        ((gap / size).sqrt(), one.reference.error.unwrap())
    };
    let (error, stated) = own(HEAT, 0.1);
    assert!(error <= stated && stated < 1e-4, "{error:e} {stated:e}");
    // Differences of second order between walls: four times as far on half of the points.
    let differences =
        WALLED.replace("points = 32", "points = 65").replace("[time]", "[method]\nspace = \"fd2\"\n[time]");
    let (error, stated) = own(&differences, 0.1);
    assert!(error > 1e-6 && (3.0..8.0).contains(&(stated / error)), "{error:e} {stated:e}");
}

#[test]
fn what_cannot_be_built_in_stays_a_term_of_the_loss() {
    let left = |text: &str| built(text).sides.map_or(0, |sides| sides.held().len());
    // A moving value, initial values that do not have it, a slope alone, a value that differs along a side.
    assert_eq!(left(&WALLED.replace("dirichlet: 0", "dirichlet: sin(t)")), 2);
    assert_eq!(left(&WALLED.replace("\"sin(x)\"", "\"cos(x)\"")), 2);
    assert_eq!(left(&WALLED.replace("dirichlet: 0", "neumann: 0")), 2);
    assert_eq!(left(WALLED), 0);
    // One that moves in a later window only; initial values that vanish at evenly spaced places of a side.
    let windows = Training { windows: 4, builds_sides: true, ..training() };
    let later = objective(&WALLED.replace("dirichlet: 0", "dirichlet: max(t - 0.5, 0)"), windows).unwrap();
    assert_eq!(later.sides.map_or(0, |sides| sides.held().len()), 2);
    let ripple = "equations = \"u_t = lap(u)\"\ninitial.u = \"sin(10*pi*y)\"\nboundary.u.x_min = \"dirichlet: 0\"\n\
                  boundary.u.x_max = \"dirichlet: 0\"\n[domain]\nx = { max = 1, points = 24 }\n\
                  y = { max = 1, points = 24 }\n[time]\nend = 0.01\n";
    assert_eq!(left(ripple), 2);
    // One side of each kind, and a clamped end between others whose line is not level.
    let mixed = "boundary.u.x_min = \"dirichlet: 0\"\nboundary.u.x_max = \"robin: u + u_n = 1\"";
    assert_eq!(left(&WALLED.replace("boundary.u = \"dirichlet: 0\"", mixed)), 1);
    let beam = "equations = \"dxx(dxx(u)) = 1\"\nboundary.u.x_min = \"dirichlet: 0; neumann: 0\"\n\
                boundary.u.x_max = \"dirichlet: 1; 2: 0\"\n[domain]\nx = { max = 1, points = 32 }\n";
    let beam = beam.replace("2: 0", "robin: u_nn = 0");
    assert_eq!(left(&beam), 2, "the slope at the low end, the moment at the high one");
    let plane = "equations = \"lap(u) = 0\"\nboundary.u.x_min = \"dirichlet: 0\"\nboundary.u.x_max = \"dirichlet: 1\"\n\
                 boundary.u.y_min = \"dirichlet: x\"\nboundary.u.y_max = \"dirichlet: 0\"\n\
                 [domain]\nx = { max = 1, points = 12 }\ny = { max = 1, points = 12 }\n";
    assert_eq!(left(plane), 2);
}

#[test]
fn gradients_and_scripts_know_what_is_built_in() {
    let clamped = "equations = \"u_tt = -0.01*dxx(dxx(u))\"\ninitial.u = \"(x*(1-x))^2\"\n\
                   boundary.u = \"dirichlet: 0; neumann: 0\"\n[domain]\nx = { max = 1, points = 32 }\n[time]\nend = 0.3\n";
    let steady = "equations = \"dxx(u) = -sin(x)\"\nboundary.u.x_min = \"dirichlet: 1\"\nboundary.u.x_max = \"dirichlet: -2\"\n\
                  [domain]\nx = { max = 2, points = 32 }\n";
    for text in [WALLED, clamped, steady] {
        check_objective(&mut built(text), 5);
        check_rows(&mut built(text), 5);
    }
    let adam = Descent { method: Method::adam(3e-3), steps: 700, seed: 4, record_every: 20 };
    let script = |text: &str| built(text).script(&adam).unwrap().unwrap();
    let walled = script(WALLED);
    let part = "(t - start) / length * 4.0 * (x - 0.0) / 3.141592653589793 * (3.141592653589793 - x) / 3.141592653589793 * network(";
    assert!(walled.contains(part) && !walled.contains("SIDES"), "{walled}");
    let part = "(1.0 + -1.5 * x + 4.0 * (x - 0.0) / 2.0 * (2.0 - x) / 2.0 * network(weights, x)[0])";
    assert!(script(steady).contains(part), "{}", script(steady));
    assert!(script(clamped).contains("16.0 * ((x - 0.0) / 1.0) ** 2 * ((1.0 - x) / 1.0) ** 2 * network("));
    // And with them a training comes to the same end without a weight.
    let newton = Descent { method: Method::GaussNewton, steps: 30, seed: 1, record_every: 30 };
    let mut run = DescentRun::new(built(WALLED), newton).unwrap();
    pollster::block_on(run.advance(Budget::steps(30))).unwrap();
    assert!(run.record().latest("error") < 1e-4 && run.record().latest("sides").is_nan());
}

#[test]
fn a_curriculum_goes_from_its_beginning_to_the_equations() {
    let curriculum = vec![("D".to_owned(), 0.001)];
    let moving =
        |steps| Training { curriculum: curriculum.clone(), curriculum_steps: steps, is_resampled: true, ..training() };
    let mut one = objective(HEAT, moving(10)).unwrap();
    let parameters: Vec<f64> = one.graph().start(5).unwrap();
    let mut gradient = vec![0.0; parameters.len()];
    let mut seen = Vec::new();
    for step in 0..15 {
        one.draw(step);
        seen.push(one.coefficients(&parameters)[0]);
        assert_eq!(one.is_moving(), step < 10);
        one.gradient(&parameters, &mut gradient);
    }
    // Half way in the logarithm.
    assert!((seen[0] - 0.001).abs() < 1e-15 && (seen[5] - 0.01).abs() < 1e-12, "{seen:?}");
    assert!(seen[10..].iter().all(|d| *d == 0.1), "{seen:?}");
    // In each window from its beginning; not where the loss must be one function.
    one.next_window(&parameters);
    one.draw(15);
    assert_eq!(one.coefficients(&parameters)[0], 0.001);
    one.fix();
    one.draw(16);
    assert_eq!(one.coefficients(&parameters)[0], 0.1);
    let key = |name: &str, sought: &[(String, f64)]| {
        let curriculum = vec![(name.to_owned(), 1.0)];
        objective(HEAT, Training { curriculum, sought: sought.to_vec(), ..training() }).err().and_then(|e| e.key)
    };
    assert_eq!(key("E", &[]).as_deref(), Some("curriculum"));
    assert_eq!(key("D", &[("D".to_owned(), 0.3)]).as_deref(), Some("curriculum"));
    let adam = Descent { method: Method::adam(3e-3), steps: 700, seed: 4, record_every: 20 };
    let script = objective(HEAT, moving(350)).unwrap().script(&adam).unwrap().unwrap();
    for part in ["    D = 0.1 * (0.001 / 0.1) ** (1 - done)\n", "residuals(weights, done, *p)", "min(1.0, step / 350)"]
    {
        assert!(script.contains(part), "{part}\n{script}");
    }
    // A run comes to its end on the equations themselves.
    let newton = Descent { method: Method::GaussNewton, steps: 40, seed: 1, record_every: 40 };
    let mut run = DescentRun::new(objective(HEAT, moving(20)).unwrap(), newton).unwrap();
    pollster::block_on(run.advance(Budget::steps(40))).unwrap();
    assert!(run.record().latest("error") < 1e-4, "{:e}", run.record().latest("error"));
}

/// Every rule and schedule trains; the script names what it can.
#[test]
fn trainings_by_the_gradient_alone_differ_and_learn() {
    let gradient = |rule, fall| Gradient { rule, rate: 1e-2, fall, warm_up: 10 };
    let run = |by: Gradient| {
        let descent = Descent { method: Method::FirstOrder(by), steps: 300, seed: 1, record_every: 300 };
        let mut run = DescentRun::new(objective(HEAT, training()).unwrap(), descent).unwrap();
        pollster::block_on(run.advance(Budget::steps(300))).unwrap();
        (run.record().latest("loss"), objective(HEAT, training()).unwrap().script(&descent).unwrap().unwrap())
    };
    let mut losses = Vec::new();
    for (rule, fall, part) in [
        (Rule::Adam, Fall::Cosine, "optax.cosine_decay_schedule(0.01, steps, 0.01)"),
        (Rule::AdamW { decay: 0.02 }, Fall::Constant, "adam = optax.adamw(rate, weight_decay=0.02)"),
        (Rule::Muon, Fall::Exponential, "adam = by_layer(muon(rate), range(1, len(layers) - 1), rate)"),
        (Rule::Soap, Fall::Exponential, "adam = by_layer(soap(rate), range(len(layers)), rate)"),
    ] {
        let (loss, script) = run(gradient(rule, fall));
        assert!(loss < 3e-3, "{rule:?}: {loss:e}");
        assert!(script.contains(part) && script.contains("np.minimum(1, (step + 1) / 10)"), "{script}");
        assert!(!losses.contains(&loss), "{rule:?}");
        losses.push(loss);
    }
}

/// Networks on parts of the domain: the conditions between them are learnt, and what is learnt with them is the solution; without
/// them each goes its own way.
#[test]
fn domains_are_joined_by_conditions() {
    let architecture = Architecture { kind: Kind::Domains { count: 3 }, ..training().architecture };
    let of = |text: &str, joint_weight| {
        let points = 256;
        objective(text, Training { architecture, joint_weight, points, builds_sides: true, ..training() }).unwrap()
    };
    // Value and slope at two joints between walls, at three on a ring; of an oscillator in time.
    let oscillator = "equations = \"x_t = y; y_t = -x - 0.1*y\"\ninitial.x = 1\n[time]\nend = 2\n";
    let counts = |text: &str| {
        let one = of(text, 10.0);
        let joints = one.joints.as_ref().unwrap();
        (joints.places().len(), joints.continued().map(|(output, order, _)| (output, order)).collect::<Vec<_>>())
    };
    assert_eq!(counts(WALLED), (2, vec![(0, 0), (0, 1)]));
    assert_eq!(counts(HEAT), (3, vec![(0, 0), (0, 1)]));
    assert_eq!(counts(oscillator), (2, vec![(0, 0), (1, 0)]));
    for text in [WALLED, HEAT, oscillator] {
        check_objective(&mut of(text, 10.0), 5);
        check_rows(&mut of(text, 10.0), 5);
    }
    // Alone each part is known up to a straight line.
    let steady =
        "equations = \"dxx(u) = -sin(x)\"\nboundary.u = \"dirichlet: 0\"\n[domain]\nx = { max = 2, points = 32 }\n";
    let newton = Descent { method: Method::GaussNewton, steps: 40, seed: 1, record_every: 40 };
    let trained = |weight| {
        let mut run = DescentRun::new(of(steady, weight), newton).unwrap();
        pollster::block_on(run.advance(Budget::steps(40))).unwrap();
        (run.record().latest("error"), run.record().latest("joints"))
    };
    let (joined, apart) = (trained(10.0), trained(1e-14));
    assert!(joined.0 < 1e-3 && joined.1 < 1e-6, "{joined:?}");
    assert!(apart.0 > 10.0 * joined.0 && apart.1 > 1e-4, "{apart:?}");
}
