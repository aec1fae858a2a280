//! What cannot be solved is refused before it runs, at its place, with what to do.

use eddy_solve::{Problem, Simulation, SolveError, Statement};

fn refusal(text: &str) -> SolveError {
    match Problem::parse(text).and_then(Statement::new) {
        Err(error) => error,
        Ok(statement) => match Simulation::<f64>::new(statement) {
            Err(error) => error,
            Ok(_) => panic!("this was accepted:\n{text}"),
        },
    }
}

const LINE: &str = "[domain]\nx = { max = 1, points = 32 }\n[time]\nend = 1\n";

#[test]
fn each_says_where_and_what() {
    let cases: &[(&str, String, &str, &[&str])] = &[
        ("backward heat", format!("equations = \"u_t = -lap(u)\"\n{LINE}"), "problem-text", &["Short waves grow"]),
        ("unknown name", format!("equations = \"u_t = D*lap(u)\"\n{LINE}"), "problem-text", &["'D'", "^"]),
        ("misspelt", format!("equations = \"u_t = kap*lap(u); kapa = 1\"\n{LINE}"), "problem-text", &["Did you mean 'kapa'"]),
        ("open bracket", format!("equations = \"u_t = lap(u\"\n{LINE}"), "problem-text", &["^"]),
        ("no such key", format!("equations = \"u_t = lap(u)\"\nfoo = 1\n{LINE}"), "problem-file", &["foo"]),
        ("max below min", "equations = \"u_t = lap(u)\"\n[domain]\nx = { min = 2, max = 1, points = 32 }\n[time]\nend = 1\n".into(), "problem-value", &["domain.x", "larger"]),
        ("too many points", "equations = \"u_t = lap(u)\"\n[domain]\nx = { max = 1, points = 100000 }\ny = { max = 1, points = 100000 }\n[time]\nend = 1\n".into(), "problem-too-large", &["4096"]),
        ("one side only", format!("equations = \"u_t = lap(u)\"\nboundary.u.x_min = \"dirichlet: 0\"\n{LINE}"), "problem-value", &["x_max"]),
        ("mixed fields", format!("equations = \"\"\"\nu_t = lap(u)\nv_t = lap(v)\n\"\"\"\nboundary.u = \"dirichlet: 0\"\n{LINE}"), "problem-value", &["boundary.v"]),
        ("nonlinear condition", format!("equations = \"u_t = lap(u)\"\nboundary.u = \"robin: u*u_n = 1\"\n{LINE}"), "problem-value", &["linear"]),
        ("no condition", format!("equations = \"u_t = lap(u)\"\nboundary.u = \"dirichlet 0\"\n{LINE}"), "problem-value", &["dirichlet: 0"]),
        ("axis that is not there", format!("equations = \"u_t = lap(u)\"\nboundary.u.y = \"dirichlet: 0\"\n{LINE}"), "problem-value", &["no y"]),
        ("initial value not finite", format!("equations = \"u_t = lap(u)\"\ninitial.u = \"1/x\"\n{LINE}"), "problem-value", &["initial.u", "[0.0]"]),
        ("rate not finite", format!("equations = \"u_t = lap(u)/t\"\n{LINE}"), "problem-ill-posed", &["rate of change of u", "t = 0"]),
        ("unknown field", format!("equations = \"u_t = lap(u)\"\ninitial.w = 1\n{LINE}"), "problem-value", &["no field `w`"]),
        ("unknown method", format!("equations = \"u_t = lap(u)\"\nmethod.time = \"rk5\"\n{LINE}"), "problem-value", &["rk5", "dop853"]),
        ("fourier with walls", format!("equations = \"u_t = lap(u)\"\nboundary.u = \"dirichlet: 0\"\nmethod.space = \"fourier\"\n{LINE}"), "problem-value", &["periodic"]),
        ("verlet for heat", format!("equations = \"u_t = lap(u)\"\nmethod.time = \"verlet\"\n{LINE}"), "problem-value", &["second order"]),
        ("negative step", format!("equations = \"u_t = lap(u)\"\n{LINE}dt = -1\n"), "problem-value", &["time.dt"]),
        ("end before start", "equations = \"u_t = u\"\n[time]\nstart = 2\nend = 1\n".into(), "problem-value", &["before the start"]),
        ("too few points", "equations = \"u_t = -dxxxx(u)\"\nboundary.u = \"clamped\"\n[domain]\nx = { max = 1, points = 5 }\n[time]\nend = 1\n".into(), "problem-value", &["points"]),
        ("no end", "equations = \"u_t = -u\"\n".into(), "problem-value", &["time.end", "end = 1.0"]),
        ("a number for a condition", format!("equations = \"u_t = lap(u)\"\nboundary.u = {{ x_min = 0, x_max = 1 }}\n{LINE}"), "problem-file", &["dirichlet: 1", "line 2"]),
        ("slope along an axis", format!("equations = \"u_t = lap(u)\"\nboundary.u = {{ x_min = \"dirichlet: 0\", x_max = \"robin: u + u_x = 1\" }}\n{LINE}"), "problem-value", &["boundary.u.x_max", "u_n"]),
        ("side without a field", format!("equations = \"u_t = lap(u)\"\nboundary.x_min = \"dirichlet: 0\"\n{LINE}"), "problem-value", &["u = { x_min"]),
        ("rate of a first-order field", format!("equations = \"u_t = lap(u)\"\ninitial.u_t = 1\n{LINE}"), "problem-value", &["initial.u_t", "u_tt"]),
        ("parameters in a ring", format!("equations = \"u_t = a*lap(u)\"\nparameters.a = \"2*b\"\nparameters.b = \"a\"\n{LINE}"), "problem-text", &["parameters.a", "'b'"]),
        ("bar left open", format!("equations = \"u_t = |u\"\n{LINE}"), "problem-text", &["'|' is never closed", "^"]),
        ("bar and bracket", format!("equations = \"u_t = (|u)\"\n{LINE}"), "problem-text", &["does not match the '|'"]),
        ("an elliptic line without a single solution", format!("equations = \"\"\"\nu_t = lap(u)\na*lap(p) = u\n\"\"\"\nparameters.a = 0\nboundary.u = \"dirichlet: 0\"\nboundary.p = \"dirichlet: 0\"\n{LINE}"), "problem-ill-posed", &["equation of p", "condition"]),
        ("elliptic lines that are not linear together", format!("equations = \"\"\"\nu_t = lap(u)\nlap(p) = p*q - u\nlap(q) = p\n\"\"\"\nboundary.all = \"dirichlet: 0\"\n{LINE}"), "problem-ill-posed", &["p and q", "not linear"]),
        ("elliptic lines that need each other around a ring", format!("equations = \"\"\"\nu_t = lap(u)\np_xx - p = sin(x)*q - u\nq_xx - q = p\n\"\"\"\n{LINE}"), "problem-value", &["equation of p", "fd4"]),
        ("an elliptic line that says nothing at a side", format!("equations = \"\"\"\nu_t = lap(u)\nx*p_xx + p_x = u\n\"\"\"\nboundary.u = \"dirichlet: 0\"\nboundary.p = {{ x_min = \"neumann: 0\", x_max = \"dirichlet: 0\" }}\n{LINE}"), "problem-ill-posed", &["equation of p", "x = 0"]),
        ("a coefficient that jumps under a derivative", format!("equations = \"\"\"\nu_t = lap(u)\ndx(k*p_x) = u\nk = if(x < 0.3, 1, 10)\n\"\"\"\nboundary.all = \"dirichlet: 0\"\n{LINE}"), "problem-value", &["equation of p", "x = 0.3"]),
        ("a complex condition of a real field", format!("equations = \"u_t = lap(u)\"\nboundary.u = \"dirichlet: exp(3*i)\"\n{LINE}"), "problem-value", &["u is real"]),
        ("an impedance", format!("equations = \"u_t = i*lap(u)\"\nboundary.u = \"robin: u_n - 3*i*u = 0\"\n{LINE}"), "problem-value", &["must be real"]),
        ("three without two", "equations = \"u_t = u\"\n[domain]\nz = { max = 1, points = 8 }\n[time]\nend = 1\n".into(), "problem-value", &["order x, y, z"]),
    ];
    for (name, text, code, parts) in cases {
        let error = refusal(text);
        let message = error.to_string();
        assert_eq!(error.code(), *code, "{name}: {message}");
        for part in *parts {
            assert!(message.contains(part), "{name}: `{part}` is not in: {message}");
        }
    }
}

#[test]
fn a_singularity_is_a_result() {
    let statement =
        Statement::new(Problem::parse("equations = \"u_t = u^2\"\n[initial]\nu = 1\n[time]\nend = 2\n").unwrap())
            .unwrap();
    let mut s = Simulation::<f64>::new(statement).unwrap();
    assert!(!s.advance(2.0, || true));
    let eddy_solve::Outcome::Diverged { time, cause, advice } = &s.outcome else { panic!("{:?}", s.outcome) };
    // u = 1 / (1 - t).
    assert!((time - 1.0).abs() < 1e-6 && !cause.is_empty() && !advice.is_empty());
    assert!(s.values()[0].re[0].is_finite());
}

#[test]
fn a_stabilized_step_far_too_long_stops_with_its_cause() {
    let text = "equations = \"u_t = 1e300*u + lap(u)\"\ninitial.u = \"sin(2*pi*x)\"\n[domain]\nx = { max = 1, points = 32 }\n\
                [time]\nend = 1\ndt = 0.1\n[method]\nspace = \"fd4\"\ntime = \"rkc\"\n";
    let mut s = Simulation::<f64>::new(Statement::new(Problem::parse(text).unwrap()).unwrap()).unwrap();
    assert!(!s.advance(1.0, || true));
    let eddy_solve::Outcome::Diverged { cause, advice, .. } = &s.outcome else { panic!("{:?}", s.outcome) };
    assert!(cause.contains("stages") && !advice.is_empty(), "{cause} {advice}");
    assert!(s.values()[0].re.iter().all(|v| v.is_finite()));
}
