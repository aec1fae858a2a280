//! Every preset is readable, begins to run, and meets its exact solution where it has one.

use std::time::{Duration, Instant};

use eddy_solve::{Outcome, Problem, Simulation, Statement, presets::VIEWS, presets::presets};

/// The kinds of problems that the library must hold, each with keys that serve it.
const KINDS: &[(&str, &[&str])] = &[
    ("heat", &["heat", "heat-plate"]),
    ("inhomogeneous heat", &["heat-inhomogeneous"]),
    ("directed advection", &["advection"]),
    ("rotational advection", &["advection-rotational"]),
    ("wave", &["wave", "wave-drop"]),
    ("damped wave", &["wave-damped"]),
    ("plate", &["plate"]),
    ("beam", &["beam"]),
    ("Schrödinger, free", &["schroedinger-free"]),
    ("Schrödinger, well", &["schroedinger-well", "schroedinger-harmonic"]),
    ("Schrödinger, tunnelling", &["schroedinger-tunnelling"]),
    ("Fisher-KPP", &["fisher-kpp", "fisher-invasion"]),
    ("bistable", &["bistable", "bistable-islands"]),
    (
        "Gray-Scott",
        &["gray-scott-mitosis", "gray-scott-maze", "gray-scott-coral", "gray-scott-chaos", "gray-scott-holes"],
    ),
    ("Schnakenberg", &["schnakenberg"]),
    ("Gierer-Meinhardt", &["gierer-meinhardt"]),
    ("Brusselator", &["brusselator", "brusselator-clock"]),
    ("FitzHugh-Nagumo, two species", &["fitzhugh-nagumo", "fitzhugh-nagumo-patterns"]),
    ("FitzHugh-Nagumo, three species", &["fitzhugh-nagumo-three"]),
    ("Keller-Segel", &["keller-segel"]),
    ("cyclic competition", &["cyclic-competition"]),
    ("Klausmeier", &["klausmeier"]),
    ("cross-diffusion", &["schnakenberg-cross-diffusion"]),
    ("lambda-omega", &["lambda-omega"]),
    ("Swift-Hohenberg", &["swift-hohenberg", "swift-hohenberg-hexagons"]),
    ("Cahn-Hilliard", &["cahn-hilliard"]),
    ("Cahn-Hilliard, non-reciprocal", &["cahn-hilliard-non-reciprocal"]),
    ("Allen-Cahn", &["allen-cahn", "allen-cahn-space"]),
    ("complex Ginzburg-Landau", &["ginzburg-landau", "ginzburg-landau-wave"]),
    ("coupled Ginzburg-Landau", &["ginzburg-landau-coupled"]),
    ("nonlinear Schrödinger", &["nls-soliton", "nls-breather"]),
    ("Korteweg-de Vries", &["kdv", "kdv-collision"]),
    ("Zakharov-Kuznetsov", &["zakharov-kuznetsov"]),
    ("viscous Burgers", &["burgers", "burgers-steepening"]),
    ("Kuramoto-Sivashinsky in 1-D", &["kuramoto-sivashinsky"]),
    ("Kuramoto-Sivashinsky in 2-D", &["kuramoto-sivashinsky-2d"]),
    ("Perona-Malik", &["perona-malik"]),
    ("Lorenz", &["lorenz"]),
    ("Duffing", &["duffing"]),
    ("Van der Pol", &["van-der-pol"]),
    ("stochastic Gray-Scott", &["gray-scott-stochastic"]),
    ("stochastic FitzHugh-Nagumo", &["fitzhugh-nagumo-stochastic"]),
    ("Kardar-Parisi-Zhang", &["kpz"]),
    ("sine-Gordon", &["sine-gordon", "sine-gordon-collision"]),
    ("Klein-Gordon", &["klein-gordon"]),
    ("vorticity, decaying", &["vorticity-decaying", "taylor-green"]),
    ("vorticity, Kolmogorov", &["vorticity-kolmogorov"]),
    ("barotropic vorticity on a beta-plane", &["beta-plane", "rossby-wave"]),
    ("Boussinesq", &["boussinesq"]),
    ("linear shallow water", &["shallow-water", "shallow-water-wave"]),
    ("Vlasov-Poisson", &["vlasov-poisson", "vlasov-landau"]),
    ("Maxwell", &["maxwell", "maxwell-cavity"]),
    ("Black-Scholes", &["black-scholes"]),
    ("Poisson", &["poisson", "poisson-charges"]),
];

#[test]
fn the_library_is_complete() {
    let keys: Vec<&str> = presets().iter().map(|preset| preset.key).collect();
    let missing: Vec<_> = KINDS
        .iter()
        .flat_map(|(kind, wanted)| wanted.iter().map(move |key| (kind, key)))
        .filter(|(_, key)| !keys.contains(*key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn about<'a>(problem: &'a Problem, key: &str, name: &str) -> &'a str {
    let about = problem.about.as_ref().unwrap_or_else(|| panic!("{key} has no [about]"));
    about.get(name).and_then(|value| value.as_str()).unwrap_or_else(|| panic!("{key}: about.{name} is no text"))
}

#[test]
fn each_says_what_it_is() {
    for preset in presets() {
        let problem = Problem::parse(preset.text).unwrap_or_else(|e| panic!("{}: {e}", preset.key));
        for name in ["title", "group", "summary", "look_for", "question"] {
            assert!(about(&problem, preset.key, name).len() > 3, "{}: about.{name}", preset.key);
        }
        assert!(about(&problem, preset.key, "question").contains('?'), "{}", preset.key);
        assert!(VIEWS.contains(&about(&problem, preset.key, "view")), "{}", preset.key);
        assert!(["viridis", "cividis", "diverging", "cyclic"].contains(&about(&problem, preset.key, "colors")));
        let tolerance = problem.about.as_ref().and_then(|about| about.get("tolerance"));
        assert_eq!(tolerance.is_some(), !problem.exact.is_empty(), "{}: about.tolerance goes with [exact]", preset.key);
        let field = about(&problem, preset.key, "field").to_string();
        let statement = Statement::new(problem).unwrap_or_else(|e| panic!("{}: {e}", preset.key));
        assert!(statement.system.variable(&field).is_some(), "{}: no field {field}", preset.key);
        assert!(statement.warnings.is_empty(), "{}: {:?}", preset.key, statement.warnings);
        // Something to see at once on the weakest machine: at most 128² points.
        assert!(statement.grid.points() <= 128 * 128, "{}", preset.key);
    }
}

#[test]
fn each_begins_to_run() {
    let mut failures = String::new();
    for preset in presets() {
        let statement =
            Statement::new(Problem::parse(preset.text).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", preset.key));
        let end = statement.end;
        let mut simulation = Simulation::<f64>::new(statement).unwrap_or_else(|e| panic!("{}: {e}", preset.key));
        let begun = Instant::now();
        simulation.advance(end, || begun.elapsed() < Duration::from_millis(300));
        let is_finite = simulation.values().iter().all(|value| value.re.iter().chain(&value.im).all(|x| x.is_finite()));
        let moves = simulation.time > simulation.statement.start;
        if simulation.outcome != Outcome::Running || !is_finite || !moves {
            failures.push_str(&format!("{}: {:?} at t = {}\n", preset.key, simulation.outcome, simulation.time));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn exact_solutions_are_met() {
    let mut cases = Vec::new();
    for preset in presets() {
        let problem = Problem::parse(preset.text).unwrap();
        if problem.exact.is_empty() {
            continue;
        }
        let tolerance =
            problem.about.as_ref().and_then(|about| about.get("tolerance")).and_then(|value| value.as_float());
        cases.push((preset.key, tolerance.unwrap_or_else(|| panic!("{}: about.tolerance", preset.key)), preset.text));
    }
    assert!(cases.len() > 20, "only {} presets have an exact solution", cases.len());
    crate::common::check(&cases);
}

/// The comparison is able to fail: a rate that is wrong by 1 % is far outside the tolerance.
#[test]
fn a_wrong_solution_is_noticed() {
    let text = eddy_solve::presets::preset("heat").unwrap().text.replace("exp(-D*t)", "exp(-1.01*D*t)");
    let found = crate::common::error(&mut crate::common::run(&text));
    assert!(found > 1e-3, "{found:e}");
}

/// Coefficients û(-k) and û(k) drift apart by rounding; where the linear part grows, the difference would reach 1e12
/// before t = 70.
#[test]
fn real_fields_stay_real() {
    let mut simulation = crate::common::run(
        r#"
equations = "u_t = lap(u) + u - u^3"
[domain]
x = { max = 20, points = 16 }
y = { max = 20, points = 16 }
[initial]
u = "0.2*(rand - 0.5)"
[time]
end = 120
tolerance = 1e-5
"#,
    );
    let largest = simulation.values()[0].re.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    assert!((0.9..1.1).contains(&largest), "{largest}");
}
