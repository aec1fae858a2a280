//! Steady problems: eigenvalues and conditions on integrals, references against closed forms, and networks that find both.

use std::f64::consts::PI;

use super::{
    tests::{check_rows, training},
    *,
};
use crate::labs::{
    pinn::{Descent, DescentRun, Method, check_objective},
    typed::Texts,
};
use crate::{Budget, Run};

fn texts(equations: &str, x: &str, boundary: &str, integrals: &str, sought: &str) -> Texts {
    Texts {
        equations: equations.into(),
        x: x.into(),
        boundary: boundary.into(),
        integrals: integrals.into(),
        sought: sought.into(),
        is_nonlinear: true,
        ..Texts::default()
    }
}

fn preset(key: &str) -> Texts {
    Texts { preset: key.into(), is_nonlinear: true, ..Texts::default() }.filled().unwrap()
}

fn network(texts: &Texts, training: Training) -> Result<TypedNetwork, EddyError> {
    let (filled, statement) = texts.statement(false)?;
    let conditioned = filled.conditioned(false)?;
    TypedNetwork::new(statement, conditioned, Training { sought: guesses(&filled.sought)?, ..training })
}

/// The first coefficient that was to be found, as the reference has it.
fn eigenvalue(one: &TypedNetwork) -> f64 {
    one.statement.parameters[one.sought[0].parameter]
}

#[test]
fn eigenvalues_are_those_nearest_to_the_guess() {
    // The harmonic well has 1, 3, 5, …
    for (guess, exact) in [("E = 1.3", 1.0), ("E = 0.7", 1.0), ("E = 3.8", 3.0), ("E = 5.4", 5.0)] {
        let well = Texts { sought: guess.into(), x: "-8 .. 8, 128".into(), ..preset("harmonic-well") };
        let one = network(&well, training()).unwrap();
        assert!((eigenvalue(&one) - exact).abs() < 1e-9, "{guess}: {:e}", eigenvalue(&one) - exact);
        assert!(one.reference.error.unwrap() < 1e-6, "{:?}", one.reference.error);
        assert!(one.data.points.is_empty(), "nothing is measured of an eigenproblem");
        if exact == 1.0 {
            let state = |x: f64| PI.powf(-0.25) * (-0.5 * x * x).exp();
            let sign = one.reference.values[0][64].signum();
            for (x, v) in one.reference.points.iter().zip(&one.reference.values[0]) {
                assert!((sign * v - state(*x)).abs() < 1e-9, "{x}");
            }
        }
    }
    // A beam clamped at both ends: cos k cosh k = 1, k = 4.730040744862704 (Rao 2011, table 8.4).
    let one = network(&preset("beam-modes"), training()).unwrap();
    let exact = (4.730_040_744_862_704_f64 / 5.0).powi(4);
    assert!((eigenvalue(&one) / exact - 1.0).abs() < 1e-7, "{} {exact}", eigenvalue(&one));
    // Two fields that are coupled: k = n² ∓ 1; a box in space: 3; a state whose number is known.
    let pair = texts(
        "-dxx(u) = k*u - v; -dxx(v) = k*v - u; k = 1",
        "0 .. pi, 64",
        "u = dirichlet: 0\nv = dirichlet: 0",
        "integral(u^2 + v^2) = 1",
        "k = 2.3",
    );
    assert!((eigenvalue(&network(&pair, training()).unwrap()) - 2.0).abs() < 1e-9);
    let mut cube = texts("-lap(u) = k*u; k = 1", "0 .. pi, 12", "u = dirichlet: 0", "integral(u^2) = 1", "k = 3.3");
    (cube.y, cube.z) = (cube.x.clone(), cube.x.clone());
    let one = network(&cube, training()).unwrap();
    assert!((eigenvalue(&one) - 3.0).abs() < 1e-4, "{:e}", eigenvalue(&one) - 3.0);
    let known = texts("-dxx(u) = k*u; k = 4", "0 .. pi, 64", "u = dirichlet: 0", "integral(u^2) = 1", "");
    let one = network(&known, training()).unwrap();
    let peak = one.reference.values[0].iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    assert!((peak - (2.0 / PI).sqrt()).abs() < 1e-3, "{peak}");
    // Around a ring sines and cosines have the same: whatever the network takes of them is compared with.
    let ring = texts("-dxx(u) = k*u; k = 1", "0 .. 2*pi, 32", "", "integral(u^2) = 1", "k = 3.7");
    let one = network(&ring, training()).unwrap();
    assert!((eigenvalue(&one) - 4.0).abs() < 1e-10 && one.space.len() == 2, "{}", one.space.len());
    let shifted = one.reference.points.iter().map(|x| 3.0 * (2.0 * x + 0.4).sin()).collect();
    let near = collocation::nearest(&one.space, &[shifted], &one.reference.values);
    for (x, v) in one.reference.points.iter().zip(&near[0]) {
        assert!((v - (2.0 * x + 0.4).sin() / PI.sqrt()).abs() < 1e-9);
    }
}

#[test]
fn a_square_drum_has_two_states_of_the_same_tone() {
    let one = network(&Texts { sought: "lambda = 45".into(), ..preset("drum") }, training()).unwrap();
    assert!((eigenvalue(&one) / (5.0 * PI * PI) - 1.0).abs() < 1e-8, "{}", eigenvalue(&one));
    assert_eq!(one.space.len(), 2);
    let one = network(&preset("drum"), training()).unwrap();
    assert!((eigenvalue(&one) / (2.0 * PI * PI) - 1.0).abs() < 1e-9 && one.space.len() == 1);
}

#[test]
fn steady_equations_that_are_not_linear_have_references() {
    // Bratu: u = 2 ln(cosh(θ/4)/cosh((x - 1/2)θ/2)) with θ = √(2k) cosh(θ/4), the lower branch.
    let one = network(&preset("bratu"), training()).unwrap();
    let mut theta = 2.0_f64;
    (0..200).for_each(|_| theta = 2.0 * (0.25 * theta).cosh());
    for (x, v) in one.reference.points.iter().zip(&one.reference.values[0]) {
        let exact = 2.0 * ((0.25 * theta).cosh() / (0.5 * (x - 0.5) * theta).cosh()).ln();
        assert!((v - exact).abs() < 1e-9, "{x} {v} {exact}");
    }
    // The condensate: ∫ψ² = 1, and the virial theorem 2∫ψ'² - 2∫x²ψ² + (g/2)∫ψ⁴ = 0 on the grid of the reference.
    let one = network(&preset("condensate"), training()).unwrap();
    let (xs, psi) = (&one.reference.points, &one.reference.values[0]);
    let h = xs[1] - xs[0];
    let sum = |f: &dyn Fn(usize) -> f64| h * (1..xs.len() - 1).map(f).sum::<f64>();
    let kinetic = h * (1..xs.len()).map(|i| ((psi[i] - psi[i - 1]) / h).powi(2)).sum::<f64>();
    let potential = sum(&|i| (xs[i] * psi[i]).powi(2));
    let fourth = sum(&|i| psi[i].powi(4));
    assert!((sum(&|i| psi[i] * psi[i]) - 1.0).abs() < 1e-6);
    assert!((2.0 * kinetic - 2.0 * potential + 2.5 * fourth).abs() < 1e-2, "{kinetic} {potential} {fourth}");
    let mu = kinetic + potential + 5.0 * fourth;
    assert!((eigenvalue(&one) - mu).abs() < 1e-2 && mu > 2.0, "{} {mu}", eigenvalue(&one));
    // A wall between two phases, which Newton's method does not find from zero: tanh(x/√2).
    let ends = "u.x_min = dirichlet: -tanh(sqrt(8))\nu.x_max = dirichlet: tanh(sqrt(8))";
    let wall = texts("lap(u) = u^3 - u", "-4 .. 4, 96", ends, "", "");
    let one = network(&wall, training()).unwrap();
    for (x, v) in one.reference.points.iter().zip(&one.reference.values[0]) {
        assert!((v - (x / 2f64.sqrt()).tanh()).abs() < 1e-6, "{x} {v}");
    }
    // On a square, where corners are only fulfilled in the mean.
    let mut square = texts("-lap(u) = 2*exp(u)", "0 .. 1, 24", "u = dirichlet: 0", "", "");
    square.y = square.x.clone();
    assert!(network(&square, training()).unwrap().reference.error.unwrap() < 1e-3);
    // In a closed box the mean says which of all solutions it is.
    let one = network(&preset("closed-box"), training()).unwrap();
    for (x, v) in one.reference.points.iter().zip(&one.reference.values[0]) {
        assert!((v - 0.5 + (PI * x).cos()).abs() < 1e-9, "{x}");
    }
}

#[test]
fn gradients_equal_central_differences() {
    let check = |texts: &Texts, training: Training| {
        let mut one = network(texts, training.clone()).unwrap();
        check_objective(&mut one, 5);
        check_rows(&mut network(texts, training).unwrap(), 5);
    };
    for key in ["harmonic-well", "condensate", "closed-box"] {
        check(&preset(key), training());
    }
    // Conditions that change in time, of two fields, with means; and one that holds a number that is looked for.
    let moving = Texts {
        initial: "u = cos(x)\nv = 1".into(),
        end: "0.5".into(),
        ..texts(
            "u_t = D*lap(u) - v; v_t = u; D = 0.3",
            "0 .. 2*pi, 24",
            "",
            "mean(u*v)^2 = 1 + t; D*integral(dx(u)^2) = exp(-t)",
            "D = 0.5",
        )
    };
    check(&moving, training());
}

/// Found by someone who tried: each was wrong, or a panic, once.
#[test]
fn unusual_problems_have_their_references() {
    let steady = |equations: &str, x: &str, sides: &str, integrals: &str, sought: &str| {
        network(&texts(equations, x, sides, integrals, sought), training())
    };
    let well = |equations: &str, sought: &str| {
        steady(equations, "0 .. pi, 64", "u = dirichlet: 0", "integral(u^2) = 1", sought)
    };
    // Not self-adjoint: n² + c²/4, the nearest one from guesses halfway to the next.
    for (c, guess, expected) in [(2, 2.02, 2.0), (2, 3.4, 2.0), (3, 1.0, 3.25), (3, 5.0, 6.25), (6, 12.0, 13.0)] {
        let one = well(&format!("-dxx(u) + {c}*dx(u) = k*u; k = 1"), &format!("k = {guess}")).unwrap();
        assert!((eigenvalue(&one) - expected).abs() < 1e-6, "{c} {guess}: {}", eigenvalue(&one));
    }
    // An attracting condensate is a soliton: of -psi''/2 - g psi^3 = mu psi, mass 1, mu = -g²/8 (Zakharov and Shabat 1972).
    let attracting = |trap: &str, guess: &str| {
        let text = format!("-dxx(u)/2 + {trap}*x^2/2*u - 4*u^3 = mu*u; mu = 1");
        steady(&text, "-6 .. 6, 64", "u = dirichlet: 0", "integral(u^2) = 1", guess)
    };
    for guess in ["mu = -1.5", "mu = -3"] {
        let found = eigenvalue(&attracting("1e-3", guess).unwrap());
        assert!((found + 2.0).abs() < 1e-3, "{guess}: {found}");
    }
    // A repelling one in the trap, whose ground state is broad, against another path.
    let repelling = |guess: &str| {
        let text = "-dxx(u)/2 + x^2/2*u + 5*u^3 = mu*u; mu = 1";
        eigenvalue(&steady(text, "-6 .. 6, 64", "u = dirichlet: 0", "integral(u^2) = 1", guess).unwrap())
    };
    let expected = relaxed(5.0);
    for guess in ["mu = 2", "mu = 1.6"] {
        let found = repelling(guess);
        // The grid's error is h²/12 times derivatives of order one.
        assert!((found - expected).abs() < 1e-4, "{guess}: {found} {expected}");
    }
    // A constant state, and a guess far between two eigenvalues.
    let flat = steady("dxx(u) = 0", "0 .. pi, 64", "u = neumann: 0", "mean(u) = 0.5", "").unwrap();
    assert!(flat.reference.values[0].iter().all(|v| (v - 0.5).abs() < 1e-6));
    let far = eigenvalue(&well("-dxx(u) = k*u; k = 1", "k = 12.4").unwrap());
    assert!((far - 9.0).abs() < 1e-6 || (far - 16.0).abs() < 1e-6, "{far}");
    // A cantilever: cos k cosh k = -1, k = 1.8751040687 (Rao 2011, table 8.4).
    let cantilever = "u.x_min = dirichlet: 0; neumann: 0\nu.x_max = u_nn = 0; u_nnn = 0";
    let one = steady("dxxxx(u) = b*u; b = 1", "0 .. 1, 64", cantilever, "integral(u^2) = 1", "b = 12").unwrap();
    assert!((eigenvalue(&one) / 1.875_104_068_7_f64.powi(4) - 1.0).abs() < 1e-6, "{}", eigenvalue(&one));
    // Units of a millionth: the same states are the same.
    let tiny = well("-1e-6*dxx(u) = 1e-6*k*u; k = 1", "k = 1.2").unwrap();
    assert_eq!(tiny.space.len(), 1);
    // A condition that reads the number, while it is held.
    let energy = Training { hold: 5, ..training() };
    let reading = texts("-dxx(u) = k*u; k = 1", "0 .. pi, 64", "u = dirichlet: 0", "integral(u^2) = k", "k = 1.2");
    let descent = Descent { method: Method::GaussNewton, steps: 8, seed: 1, record_every: 1 };
    let mut run = DescentRun::new(network(&reading, energy).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(8))).unwrap();
    assert!(run.record().latest("loss").is_finite());
    // A number found from an integral alone.
    let data = Data { points: 0, ..training().data };
    let source = texts("dxx(u) = -f; f = 1", "0 .. 1, 64", "u = dirichlet: 0", "integral(u) = 2 # remark", "f = 0.5");
    assert!((eigenvalue(&network(&source, Training { data, ..training() }).unwrap()) - 24.0).abs() < 1e-6);
    // What has no value, no state but zero, or an eigenvalue at a side, is refused.
    let key = |one: Result<TypedNetwork, EddyError>| one.err().and_then(|e| e.key).unwrap_or_default();
    assert_eq!(key(steady("dxx(u) = sin(u)/u", "0 .. 1, 64", "u = dirichlet: 0", "", "")), "equations");
    assert_eq!(
        key(steady("-dxx(u) = k*u; k = 1", "0 .. 3, 64", "u = dirichlet: 0", "integral(u^2) = 0", "k = 1.2")),
        "integrals"
    );
    let side = "u.x_min = dirichlet: 0\nu.x_max = robin: u_n = -k*u";
    assert_eq!(key(steady("-dxx(u) = k*u; k = 1", "0 .. 1, 64", side, "integral(u^2) = 1", "k = 2")), "sought");
    assert_eq!(key(steady("-dxx(u) = 0", "0 .. 1, 64", "u = dirichlet: 0", "integral(u^2) =", "")), "integrals");
}

/// Trained by Gauss-Newton.
fn trained(texts: &Texts, training: Training, steps: u64) -> (f64, f64, f64) {
    let training = Training { points: 256, is_resampled: true, hold: steps / 10, ..training };
    let descent = Descent { method: Method::GaussNewton, steps, seed: 1, record_every: 10 };
    let mut run = DescentRun::new(network(texts, training).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    let record = run.record();
    (record.latest("error"), record.latest("coefficient"), record.latest("integrals"))
}

#[test]
fn a_network_finds_a_bound_state_and_its_energy() {
    let (error, energy, norm) = trained(&preset("harmonic-well"), training(), 100);
    assert!(error < 1e-2 && energy < 1e-2 && norm < 1e-6, "{error:e} {energy:e} {norm:e}");
    // From a guess that is nearer to another one, another state: the reference is that one too.
    let (error, energy, _) = trained(&Texts { sought: "E = 3.5".into(), ..preset("harmonic-well") }, training(), 150);
    assert!(error < 3e-2 && energy < 1e-2, "{error:e} {energy:e}");
    // Without weight on the norm it may be anything.
    let free = Training { integral_weight: 1e-12, ..training() };
    let (error, ..) = trained(&preset("harmonic-well"), free, 100);
    assert!(error > 0.3, "{error:e}");
}

#[test]
fn a_condition_says_which_solution_it_is() {
    let (error, _, mean) = trained(&preset("closed-box"), training(), 60);
    assert!(error < 1e-3 && mean < 1e-8, "{error:e} {mean:e}");
    let (error, ..) = trained(&preset("closed-box"), Training { integral_weight: 0.0, ..training() }, 60);
    assert!(error > 1e-2, "any constant without it: {error:e}");
}

#[test]
fn a_coefficient_is_found_from_a_condition_alone() {
    // The content falls as exp(-s t), the only thing that is told.
    let decay = Texts {
        initial: "u = 1 + cos(x)".into(),
        end: "1".into(),
        ..texts("u_t = 0.1*lap(u) - s*u; s = 0.7", "0 .. 2*pi, 32", "", "mean(u) = exp(-0.7*t)", "s = 0.2")
    };
    let data = Data { points: 0, ..training().data };
    let (error, coefficient, _) = trained(&decay, Training { data, ..training() }, 60);
    assert!(error < 1e-3 && coefficient < 1e-3, "{error:e} {coefficient:e}");
    let untold = Texts { integrals: String::new(), ..decay };
    let refused = network(&untold, Training { data, ..training() }).err().unwrap();
    assert_eq!(refused.key.as_deref(), Some("measured"));
}

#[test]
fn what_cannot_be_fulfilled_is_told_where_it_stands() {
    let refused = |texts: &Texts| network(texts, training()).err().unwrap();
    // Sources in a closed box, and around a ring.
    for boundary in ["u = neumann: 0", ""] {
        let error = refused(&texts("dxx(u) = 1", "0 .. 1, 32", boundary, "", ""));
        assert!(error.key.as_deref() == Some("boundary") && error.message.contains("No solution"), "{error}");
    }
    assert!(network(&texts("dxx(u) = cos(2*pi*x)", "0 .. 1, 32", "", "", ""), training()).is_ok());
    // Too few and too many conditions; places without a value.
    let error = refused(&texts("dxxxx(u) = 1", "0 .. 1, 32", "u = dirichlet: 0", "", ""));
    assert!(error.key.as_deref() == Some("boundary") && error.message.contains("take 4 conditions"), "{error}");
    let error = refused(&texts("dxx(u) = sqrt(x)", "-1 .. 1, 32", "u = dirichlet: 0", "", ""));
    assert!(error.key.as_deref() == Some("equations") && error.message.contains("x = -0.9"), "{error}");
    // Without a condition nothing keeps it from zero.
    let error = refused(&Texts {
        integrals: String::new(),
        equations: "-dxx(psi) = E*psi; E = 1".into(),
        ..preset("harmonic-well")
    });
    assert!(error.key.as_deref() == Some("integrals") && error.message.contains("Zero solves"), "{error}");
    // A straight line between two zeros has no content.
    let wrong = texts("dxx(u) = 0", "0 .. 1, 32", "u = dirichlet: 0", "integral(u) = 1", "");
    let error = refused(&wrong);
    assert!(error.key.as_deref() == Some("integrals") && error.message.contains("no state"), "{error}");
    // No solution beyond k = 3.51.
    let error = refused(&Texts { parameters: "k = 5".into(), ..preset("bratu") });
    assert_eq!(error.key.as_deref(), Some("equations"), "{error}");
    let error = refused(&texts("dxx(u) = -1", "0 .. 1, 32", "u = dirichlet: 0", "integral(u) = u", ""));
    assert!(error.key.as_deref() == Some("integrals") && error.message.contains("place to place"), "{error}");
    let timeless = Texts { end: "1".into(), ..texts("x_t = -x", "", "", "integral(x) = 1", "") };
    assert_eq!(refused(&timeless).key.as_deref(), Some("integrals"));
    // The solvers take linear lines beside a time.
    let mixed = Texts {
        initial: "w = cos(x)".into(),
        end: "1".into(),
        ..texts("w_t = lap(w) - p; lap(p) = p^3 - w", "0 .. 6, 32", "", "", "")
    };
    assert_eq!(refused(&mixed).key.as_deref(), Some("equations"));
}

#[test]
fn the_script_has_the_numbers_and_the_conditions() {
    let adam = Descent { method: Method::adam(3e-3), steps: 700, seed: 4, record_every: 20 };
    let well = network(&preset("harmonic-well"), training()).unwrap().script(&adam).unwrap().unwrap();
    for part in [
        "SOUGHT = {\"E\": 1.3}",
        "weights = weights[:-1]",
        "gauss(low[0], high[0], 96)",
        "integral(lambda x: ",
        "scalars.{i}",
        "integral_weight = 7.0",
    ] {
        assert!(well.contains(part), "{part}\n{well}");
    }
    let boxed = network(&preset("closed-box"), training()).unwrap().script(&adam).unwrap().unwrap();
    assert!(boxed.contains("mean(lambda x: ") && !boxed.contains("SOUGHT"), "{boxed}");
}

#[test]
fn trainings_that_come_to_nothing_say_why_and_what_helps() {
    // A root of what is positive for the solver, and not for a network that has learnt nothing.
    let root = Texts {
        initial: "u = 0.05".into(),
        end: "0.3".into(),
        ..texts("u_t = -sqrt(u) + 0.01*lap(u)", "0 .. 2*pi, 32", "", "", "")
    };
    let descent = Descent { method: Method::GaussNewton, steps: 5, seed: 1, record_every: 1 };
    let mut run = DescentRun::new(network(&root, training()).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(5))).unwrap();
    let eddy_spec::Outcome::Diverged { cause, repair, .. } = run.outcome() else { panic!("{:?}", run.outcome()) };
    assert!(cause.contains("x = ") && cause.contains("u = -") && repair.is_none(), "{cause}");
    // A learning rate that explodes: the last good weights are there, and a lower rate is offered.
    let descent = Descent { method: Method::adam(1e200), steps: 50, seed: 1, record_every: 1 };
    let mut run = DescentRun::new(network(&preset("closed-box"), training()).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(50))).unwrap();
    let eddy_spec::Outcome::Diverged { repair, .. } = run.outcome() else { panic!("{:?}", run.outcome()) };
    assert_eq!(repair, Some(("rate".to_owned(), "1e199".to_owned())));
    let finite = |tensor: &crate::weights::Tensor| match &tensor.values {
        crate::weights::Numbers::F64(values) => values.iter().all(|v| v.is_finite()),
        crate::weights::Numbers::F32(_) => false,
    };
    assert!(!run.weights().is_empty() && run.weights().iter().all(finite));
}

/// Eigenvalues of a thousand and of a thousandth are found as those near one are: k = (π/L)².
#[test]
fn boxes_of_any_length_train_alike() {
    let newton = Descent { method: Method::GaussNewton, steps: 60, seed: 1, record_every: 60 };
    let trained = |length: f64, is_scaled: bool| {
        let exact = (PI / length).powi(2);
        let guess = format!("k = {}", 0.9 * exact);
        let domain = format!("0 .. {length}, 48");
        let texts = texts("dxx(u) + k*u = 0; k = 1", &domain, "u = dirichlet: 0", "integral(u^2) = 1", &guess);
        let mut one = network(&texts, Training { points: 256, hold: 20, builds_sides: true, ..training() }).unwrap();
        assert!((eigenvalue(&one) / exact - 1.0).abs() < 1e-9);
        if !is_scaled {
            one.scales = vec![1.0];
        }
        let mut run = DescentRun::new(one, newton).unwrap();
        pollster::block_on(run.advance(Budget::steps(60))).unwrap();
        (run.record().latest("error"), run.record().latest("coefficient"))
    };
    for length in [100.0, 1.0, 0.1] {
        let (error, gap) = trained(length, true);
        assert!(error < 1e-3 && gap < 1e-3, "{length}: {error:e} {gap:e}");
    }
    // Seen to fail where terms are as large as they come.
    assert!(trained(100.0, false).0 > 0.1 && trained(0.1, false).0 > 0.1);
}

/// Series do not follow a wall; a steep one they do.
#[test]
fn walls_of_a_potential_are_told() {
    let well = |wall: &str| {
        let equations = format!("-dxx(psi) + V*psi = E*psi\nV = {wall}\nE = 1");
        let one = texts(&equations, "-4 .. 4, 128", "psi = dirichlet: 0", "integral(psi^2) = 1", "E = 1.1");
        network(&one, training())
    };
    let error = well("if(abs(x) < 1, 0, 5)").err().unwrap();
    assert_eq!(error.key.as_deref(), Some("equations"));
    assert!(error.message.contains("jump at x = ") && error.message.contains("1/(1 + exp("), "{error}");
    // What the message offers, on both sides: √E tan √E = √(5 − E) between walls at 1 gives E = 1.1475, and walls that are as wide as this a little else.
    let found = eigenvalue(&well("5 - 5/(1 + exp(-(x + 1)/0.08)) + 5/(1 + exp(-(x - 1)/0.08))").unwrap());
    assert!((found - 1.1475).abs() < 0.06, "{found}");
}

/// What a condition on an integral asks for may be large or small, and so may what a nonlinear problem settles at.
#[test]
fn norms_do_not_matter() {
    let newton = Descent { method: Method::GaussNewton, steps: 60, seed: 1, record_every: 60 };
    let run = |one: TypedNetwork| {
        let mut run = DescentRun::new(one, newton).unwrap();
        pollster::block_on(run.advance(Budget::steps(60))).unwrap();
        (run.record().latest("error"), run.record().latest("coefficient"))
    };
    let training = || Training { points: 256, hold: 20, builds_sides: true, ..training() };
    let well = |norm: &str| {
        let condition = format!("integral(psi^2) = {norm}");
        let equations = "-dxx(psi) + x^2*psi = E*psi; E = 1";
        network(&texts(equations, "-5 .. 5, 96", "psi = dirichlet: 0", &condition, "E = 1.3"), training()).unwrap()
    };
    for norm in ["1e6", "1", "1e-6"] {
        let (error, gap) = run(well(norm));
        assert!(error < 2e-3 && gap < 1e-3, "{norm}: {error:e} {gap:e}");
    }
    let mut plain = well("1e6");
    plain.scales[0] *= 1e3;
    assert!(run(plain).0 > 0.01, "seen to fail where residuals keep their size");
    // An integral that vanishes for every even field says nothing of how large they are; a field beside one with a mean keeps its size.
    let (space, amplitude) = ("-5 .. 5, 96", |one: &TypedNetwork, o: usize| one.candidate.outputs[o].size.amplitude);
    let third =
        texts("-dxx(psi) + x^2*psi = E*psi; E = 3", space, "psi = dirichlet: 0", "integral(psi*x) = 0.01", "E = 2.8");
    assert_eq!(amplitude(&network(&third, training()).unwrap(), 0), 1.0);
    let mean = |mean: &str| {
        let equations = "dxx(u) = k^2*cos(k*x); k = pi; dxx(v) - v = -1";
        let sides = "u = neumann: 0\nv = dirichlet: 0";
        network(&texts(equations, "0 .. 2, 96", sides, &format!("mean(u) = {mean}"), ""), training()).unwrap()
    };
    let far = mean("1e4");
    assert_eq!((amplitude(&far, 0), amplitude(&far, 1)), (1e4, 1.0));
    // Zero as what an integral is to be says no size, but the field does.
    let closed = |a: &str| {
        let start = Texts {
            initial: format!("u = {a}*sin(x)"),
            end: "1".into(),
            ..texts("u_t = 0.1*dxx(u)", "0 .. 2*pi, 32", "", "integral(u) = 0", "")
        };
        network(&start, training()).unwrap().integrals.unwrap().scales()[0]
    };
    assert_eq!((closed("1"), closed("1e4")), (1.0, 1e-4));
    // u'' = u²/A between sides at A: A times the same curve.
    let bent = |size: &str| {
        let (equations, boundary) = (format!("dxx(u) = u^2/A; A = {size}"), format!("u = dirichlet: {size}"));
        network(&texts(&equations, "0 .. 2, 48", &boundary, "", ""), Training { builds_sides: false, ..training() })
            .unwrap()
    };
    let [one, large] = ["1", "1e4"].map(bent);
    for (a, b) in one.reference.values[0].iter().zip(&large.reference.values[0]) {
        assert!((1e4 * a - b).abs() < 1e-5 * b.abs(), "{a} {b}");
    }
    let (unit, error) = (run(one).0, run(large).0);
    assert!(unit < 1e-4 && error < 1e-4, "{unit:e} {error:e}");
}

/// The chemical potential of -ψ''/2 + x²ψ/2 + gψ³ = μψ, ∫ψ² = 1, by steps in imaginary time on a grid.
fn relaxed(g: f64) -> f64 {
    let (n, length) = (240, 12.0);
    let h = length / n as f64;
    let mut psi: Vec<f64> = (0..=n).map(|i| (-0.5 * (i as f64 * h - 6.0).powi(2)).exp()).collect();
    let slope = |psi: &[f64], i: usize| {
        let x = i as f64 * h - 6.0;
        let second = (psi[i - 1] - 2.0 * psi[i] + psi[i + 1]) / (h * h);
        -0.5 * second + 0.5 * x * x * psi[i] + g * psi[i].powi(3)
    };
    for _ in 0..20_000 {
        let next: Vec<f64> =
            (0..=n).map(|i| if i == 0 || i == n { 0.0 } else { psi[i] - 0.4 * h * h * slope(&psi, i) }).collect();
        let size = (h * next.iter().map(|v| v * v).sum::<f64>()).sqrt();
        psi = next.iter().map(|v| v / size).collect();
    }
    h * (1..n).map(|i| psi[i] * slope(&psi, i)).sum::<f64>()
}

#[test]
fn what_points_do_not_see_is_told() {
    let heat = |initial: &str, boundary: &str| Texts {
        initial: initial.into(),
        end: "0.5".into(),
        ..texts("u_t = 0.2*dxx(u)", "0 .. 1, 32", boundary, "", "")
    };
    let refused = |texts: &Texts| network(texts, training()).err().expect("refused");
    let walls = "u = dirichlet: 0";
    for (initial, boundary, key, part) in [
        ("u = if(x < 0.3, 1, 0)", walls, "initial", "jump at x = 0.3"),
        ("u = min(x, 1 - x)", walls, "initial", "corner at x = 0.5"),
        ("u = x", "", "boundary", "periodic"),
    ] {
        let error = refused(&heat(initial, boundary));
        assert!(error.key.as_deref() == Some(key) && error.message.contains(part), "{initial}: {error}");
    }
    for (initial, boundary) in [
        ("u = 0.5*(1 - tanh((x - 0.3)/0.02))", "u = neumann: 0"),
        ("u = sqrt((x - 0.5)^2 + 0.0004)", "u = neumann: 0"),
        ("u = exp(-60*(x - 0.5)^2)", ""),
        ("u = max(x - 0.4, 0)^4", "u = neumann: 0"),
    ] {
        let found = network(&heat(initial, boundary), training());
        assert!(found.is_ok(), "{initial}: {:?}", found.err());
    }
    // A conductivity that jumps, along with one that is steep; and a corner, whose derivative is a number on both sides.
    let rod = |k: &str| texts(&format!("dx(k*dx(u)) = -1; k = {k}"), "0 .. 1, 65", walls, "", "");
    let error = refused(&rod("if(x < 0.5, 1, 10)"));
    assert!(error.key.as_deref() == Some("equations") && error.message.contains("jumps at x = 0.5"), "{error}");
    for k in ["1 + 4.5*(1 + tanh((x - 0.5)/0.05))", "1 + abs(x - 0.5)"] {
        let found = network(&rod(k), training());
        assert!(found.is_ok(), "{k}: {:?}", found.err());
    }
    // A resonance; beside it, and with a steep layer between two values, there is one solution.
    let error = refused(&texts("dxx(u) + pi^2*u = 1", "0 .. 1, 65", walls, "", ""));
    assert!(error.key.as_deref() == Some("equations") && error.message.contains("single solution"), "{error}");
    for equations in ["dxx(u) + 9*u = 1", "0.005*dxx(u) + dx(u) = 0"] {
        let boundary = "u.x_min = dirichlet: 0\nu.x_max = dirichlet: 1";
        let found = network(&texts(equations, "0 .. 1, 129", boundary, "", ""), training());
        assert!(found.is_ok(), "{equations}: {:?}", found.err());
    }
    let error = refused(&texts("dx(u) = u", "0 .. 2, 32", "u.x_min = dirichlet: 1\nu.x_max = dirichlet: 5", "", ""));
    assert!(error.key.as_deref() == Some("boundary") && error.message.contains("free"), "{error}");
    let error = refused(&Texts { end: "0".into(), ..heat("u = sin(pi*x)", walls) });
    assert_eq!((error.key.as_deref(), error.repair), (Some("end"), Some(("end".into(), "1".into()))));
}
