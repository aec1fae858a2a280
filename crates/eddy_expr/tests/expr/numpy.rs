//! The NumPy script, run by Python where it has NumPy, against closed forms. Skipped aloud where there is none.
//! `EDDY_PYTHON` names the interpreter; `python3` otherwise.

use std::process::Command;

use eddy_expr::{Options, System, lower::numpy::NumpyOptions};

fn python() -> Option<String> {
    let name = std::env::var("EDDY_PYTHON").unwrap_or_else(|_| "python3".into());
    let works = Command::new(&name).args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED: `{name}` has no NumPy, the scripts are not run");
    }
    works.then_some(name)
}

/// Runs the script with `probe` appended and gives the number printed last.
fn run(python: &str, text: &str, options: &NumpyOptions, probe: &str) -> f64 {
    let dimension = options.axes.len() as u8;
    let mut system =
        System::parse(text, &Options::new(dimension)).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    let script = system.numpy(options).unwrap_or_else(|error| panic!("{text}: {error}"));
    let output =
        Command::new(python).args(["-c", &format!("{script}\nprint(float({probe}))\n")]).output().expect("python runs");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.lines().last().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{printed}"))
}

#[test]
fn scripts_reach_closed_forms() {
    let Some(python) = python() else { return };
    let tau = std::f64::consts::TAU;
    let options =
        |initial: &[(&str, &str)], axes: Vec<(f64, f64, usize)>, time_step: f64, end_time: f64| NumpyOptions {
            axes,
            initial: initial.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect(),
            time_step,
            end_time,
            seed: 1,
        };
    // Heat, case 1 of the validation list: 0.4065697.
    let heat = options(&[("u", "sin(3*x)")], vec![(0.0, tau, 64)], 1e-2, 1.0);
    let found =
        run(&python, "u_t = D*lap(u); D = 0.1", &heat, "np.max(np.abs(state[0] - np.exp(-0.9) * np.sin(3 * x)))");
    assert!(found < 1e-9, "{found:e}");
    // Taylor-Green through an elliptic line: the vorticity decays at 2 ν.
    let flow = options(&[("w", "2*sin(x)*sin(y)")], vec![(0.0, tau, 16), (0.0, tau, 16)], 0.05, 1.0);
    let text = "w_t = -dy(psi)*dx(w) + dx(psi)*dy(w) + nu*lap(w); lap(psi) = -w; nu = 0.1";
    let found = run(&python, text, &flow, "np.max(np.abs(state[0] - 2 * np.exp(-0.2) * np.sin(x) * np.sin(y)))");
    assert!(found < 1e-8, "{found:e}");
    // A plane wave of the nonlinear Schrödinger equation: a exp(i (k x - (k²/2 - a²) t)).
    let wave = options(&[("psi", "0.5*exp(2*i*x)")], vec![(0.0, tau, 32)], 1e-3, 1.0);
    let text = "psi_t = i/2*lap(psi) + i*abs(psi)^2*psi";
    let found = run(&python, text, &wave, "np.max(np.abs(state[0] - 0.5 * np.exp(1j * (2 * x - 1.75))))");
    assert!(found < 1e-8, "{found:e}");
    // Second order, an algebraic field, an integral, a condition, names that Python reserves.
    let drum = options(&[("u", "cos(x)")], vec![(0.0, tau, 16)], 1e-2, 1.0);
    let text = "u_tt = lambda*s + 0*integral(u^2) + if(x < 0, 1, 0); s = u_xx; lambda = 4";
    let found = run(&python, text, &drum, "np.max(np.abs(state[0] - np.cos(2) * np.cos(x)))");
    assert!(found < 1e-7, "{found:e}");
    // Two elliptic lines, the one that reads the other first: u_xx = -u, so q = u/4.
    let two = options(&[("u", "cos(x)")], vec![(0.0, tau, 16)], 1e-2, 1.0);
    let text = "u_t = -q; q_xx - q = p; p_xx - p = u";
    let found = run(&python, text, &two, "np.max(np.abs(state[0] - np.exp(-0.25) * np.cos(x)))");
    assert!(found < 1e-9, "{found:e}");
    // Ordinary differential equations.
    let found =
        run(&python, "a_t = b; b_t = -a", &options(&[("a", "1")], vec![], 1e-2, 1.0), "abs(state[0][0] - np.cos(1))");
    assert!(found < 1e-9, "{found:e}");
    // The planted fault: another diffusivity does not reach the closed form.
    let found =
        run(&python, "u_t = D*lap(u); D = 0.11", &heat, "np.max(np.abs(state[0] - np.exp(-0.9) * np.sin(3 * x)))");
    assert!(found > 1e-3);
}

#[test]
fn what_the_script_cannot_do_is_said() {
    let mut system = System::parse("u_t = p; div((2 + sin(x))*grad(p)) = u", &Options::new(1)).expect("valid");
    let options = NumpyOptions { axes: vec![(0.0, 1.0, 8)], time_step: 0.1, end_time: 1.0, ..NumpyOptions::default() };
    assert!(system.numpy(&options).expect_err("variable coefficients").to_string().contains("constant coefficients"));
    assert!(system.numpy(&NumpyOptions::default()).is_err());
    let mut system = System::parse("u_t = p; p_xx - p = q + u; q_xx - q = 2*p", &Options::new(1)).expect("valid");
    let message = system.numpy(&options).expect_err("they need each other").to_string();
    assert!(message.contains("one after the other") && message.contains("'p'"), "{message}");
}
