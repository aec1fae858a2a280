//! Problems that networks are given, and how long the solver's presets last for them.

use crate::labs::typed::Texts;

/// The end that a network is given, where it is not the solver's: errors of an instant grow with the time that hangs on it, and
/// ahead of Fisher's front, say, e-fold in each unit of it. With these ends each preset is learnt to 2 % or better within half
/// a minute (measured: docs/performance.md, "Gauss-Newton for networks").
pub fn network_end(preset: &str) -> Option<&'static str> {
    Some(match preset {
        "burgers-steepening" => "1.5",
        "heat" => "2",
        "bistable" => "10",
        "fisher-kpp" => "4",
        "wave-damped" => "3",
        "klein-gordon" | "kdv" => "0.5",
        "beam" => "0.9",
        "nls-soliton" | "van-der-pol" => "2",
        "schroedinger-harmonic" => "1",
        "oscillator" => "4",
        _ => return None,
    })
}

/// Problems without a time that networks are given and the solvers do not take.
pub fn network_preset(preset: &str) -> Option<Texts> {
    let one = |equations: &str, x: &str, boundary: &str, integrals: &str, sought: &str| Texts {
        equations: equations.into(),
        x: x.into(),
        boundary: boundary.into(),
        integrals: integrals.into(),
        sought: sought.into(),
        end: "0".into(),
        ..Texts::default()
    };
    Some(match preset {
        "harmonic-well" => one(
            "-dxx(psi) + V*psi = E*psi\nV = x^2\nE = 1",
            "-5 .. 5, 128",
            "psi = dirichlet: 0",
            "integral(psi^2) = 1",
            "E = 1.3",
        ),
        "condensate" => one(
            "-dxx(psi) + x^2*psi + g*psi^3 = mu*psi\ng = 5\nmu = 2",
            "-5 .. 5, 128",
            "psi = dirichlet: 0",
            "integral(psi^2) = 1",
            "mu = 1.9",
        ),
        "drum" => Texts {
            y: "0 .. 1, 48".into(),
            ..one(
                "-lap(u) = lambda*u\nlambda = 20",
                "0 .. 1, 48",
                "u = dirichlet: 0",
                "integral(u^2) = 1",
                "lambda = 24",
            )
        },
        "beam-modes" => one(
            "dxxxx(w) = beta*w\nbeta = 1",
            "0 .. 5, 128",
            "w = dirichlet: 0; neumann: 0",
            "integral(w^2) = 1",
            "beta = 0.6",
        ),
        "closed-box" => one("dxx(u) = k^2*cos(k*x)\nk = pi", "0 .. 2, 96", "u = neumann: 0", "mean(u) = 0.5", ""),
        "bratu" => one("dxx(u) + k*exp(u) = 0\nk = 2", "0 .. 1, 96", "u = dirichlet: 0", "", ""),
        _ => return None,
    })
}
