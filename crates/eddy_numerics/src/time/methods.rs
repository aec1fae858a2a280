//! The methods in time by name: what the page explains and a problem file may ask for.

/// Kind of method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Runge-Kutta, explicit.
    Explicit,
    /// Linear part exactly, the rest by Runge-Kutta.
    Exponential,
    /// Linear part implicitly, the rest explicitly.
    ImplicitExplicit,
    /// Whole right side implicitly.
    Implicit,
    /// Linearly implicit with a Jacobian.
    Rosenbrock,
    /// Explicit with stages spent on stability.
    Stabilized,
    /// Parts solved one after the other.
    Splitting,
    /// Structure-preserving, for second order in time.
    Symplectic,
    /// With noise.
    Stochastic,
}

/// What there is to know about a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MethodInfo {
    /// Name on the command line and in problem files.
    pub name: &'static str,
    /// Name on the page.
    pub title: &'static str,
    /// Order of convergence in time; the strong order for methods with noise.
    pub order: f64,
    pub family: Family,
    /// Whether it estimates its own error; the other one-step methods are controlled by step doubling.
    pub is_adaptive: bool,
    /// When to take it.
    pub good_for: &'static str,
    /// When not to.
    pub breaks: &'static str,
    pub source: &'static str,
}

macro_rules! methods {
    ($($name:literal, $title:literal, $order:literal, $family:ident, $adaptive:literal, $good:literal, $breaks:literal, $source:literal;)*) => {
        &[$(MethodInfo {
            name: $name, title: $title, order: $order, family: Family::$family, is_adaptive: $adaptive,
            good_for: $good, breaks: $breaks, source: $source,
        }),*]
    };
}

/// All methods.
pub const METHODS: &[MethodInfo] = methods! {
    "euler", "Euler", 1.0, Explicit, false,
        "Reaction-diffusion patterns at the step of the published pictures.",
        "Waves grow at any step; diffusion needs dt < dx²/(2dD).",
        "Euler (1768)";
    "rk2", "Heun (Runge-Kutta 2)", 2.0, Explicit, false,
        "Mild problems at low accuracy.",
        "Pure waves grow slowly; diffusive limit as for Euler.",
        "Heun (1900)";
    "ssprk3", "Strong-stability-preserving Runge-Kutta 3", 3.0, Explicit, false,
        "Upwinded and limited schemes: keeps the bounds that Euler keeps.",
        "Stiff terms.",
        "Shu & Osher (1988), J. Comput. Phys. 77, 439";
    "rk4", "Runge-Kutta 4", 4.0, Explicit, false,
        "Waves and smooth problems at a fixed step.",
        "Stiff terms: diffusion needs dt < 2.785/λmax.",
        "Kutta (1901)";
    "dopri5", "Dormand-Prince 5(4)", 5.0, Explicit, true,
        "Smooth, not stiff, moderate tolerance: chooses its own step.",
        "Stiff terms make it slow, not wrong.",
        "Dormand & Prince (1980), J. Comput. Appl. Math. 6, 19";
    "dop853", "Dormand-Prince 8(5,3)", 8.0, Explicit, true,
        "Smooth problems at tight tolerances: orbits, chaos, dispersion.",
        "Rough right sides and stiff terms.",
        "Hairer, Nørsett & Wanner (1993), section II.5";
    "etdrk2", "Exponential Runge-Kutta 2", 2.0, Exponential, false,
        "Periodic problems with a stiff linear part, low accuracy.",
        "A stiff nonlinear part; needs a diagonal linear part.",
        "Cox & Matthews (2002), J. Comput. Phys. 176, 430";
    "etdrk4", "Exponential Runge-Kutta 4", 4.0, Exponential, false,
        "Periodic problems with a stiff linear part: exact for linear ones.",
        "A stiff nonlinear part lowers the order; needs a diagonal linear part.",
        "Kassam & Trefethen (2005), SIAM J. Sci. Comput. 26, 1214";
    "cnab2", "Crank-Nicolson, Adams-Bashforth 2", 2.0, ImplicitExplicit, false,
        "Flow with weak viscosity at a fixed step: one solve a step.",
        "Rough data ring: stiff modes are not damped.",
        "Ascher, Ruuth & Wetton (1995), SIAM J. Numer. Anal. 32, 797";
    "sbdf2", "Semi-implicit BDF 2", 2.0, ImplicitExplicit, false,
        "Stiff diffusion with a reaction: strong damping, one solve a step.",
        "Advection without diffusion is unstable.",
        "Ascher, Ruuth & Wetton (1995), SIAM J. Numer. Anal. 32, 797";
    "sbdf3", "Semi-implicit BDF 3", 3.0, ImplicitExplicit, false,
        "Diffusion with advection or reaction at a fixed step.",
        "Purely dispersive linear parts; changes of dt start it anew.",
        "Ascher, Ruuth & Wetton (1995), SIAM J. Numer. Anal. 32, 797";
    "sbdf4", "Semi-implicit BDF 4", 4.0, ImplicitExplicit, false,
        "As of order 3, smoother solutions at higher accuracy.",
        "Its explicit part needs about half the step of order 3.",
        "Ascher, Ruuth & Wetton (1995), SIAM J. Numer. Anal. 32, 797";
    "ark3", "Additive Runge-Kutta 3(2)", 3.0, ImplicitExplicit, true,
        "A stiff linear part and a nonlinear rest, any boundary: chooses its own step.",
        "A stiff nonlinear part; boundary data that change fast lower the order to 2.",
        "Kennedy & Carpenter (2003), Appl. Numer. Math. 44, 139";
    "ark4", "Additive Runge-Kutta 4(3)", 4.0, ImplicitExplicit, true,
        "As ark3 at tighter tolerances.",
        "A stiff nonlinear part; boundary data that change fast lower the order to 2.",
        "Kennedy & Carpenter (2003), Appl. Numer. Math. 44, 139";
    "crank-nicolson", "Crank-Nicolson", 2.0, Implicit, false,
        "Linear diffusion and the Schrödinger equation: conserves the norm.",
        "Rough data ring; a strong nonlinear part needs short steps to converge.",
        "Crank & Nicolson (1947)";
    "midpoint", "Implicit midpoint", 2.0, Implicit, false,
        "Oscillations and waves over long times: keeps quadratic invariants, reversible.",
        "Stiff modes are not damped; a Newton iteration each step.",
        "Hairer, Lubich & Wanner (2006), section IV.2";
    "strang", "Strang splitting", 2.0, Splitting, false,
        "Two parts that are each solved exactly: nonlinear Schrödinger.",
        "Boundary data that the parts do not share lower the order.",
        "Strang (1968), SIAM J. Numer. Anal. 5, 506";
    "verlet", "Störmer-Verlet", 2.0, Symplectic, false,
        "Waves of second order in time without damping: no drift of the energy.",
        "Forces that depend on the velocity; ω dt must stay below 2.",
        "Hairer, Lubich & Wanner (2003), Acta Numerica 12, 399";
    "leapfrog", "Leapfrog", 2.0, Symplectic, false,
        "As Störmer-Verlet, of which it is the two-step form: the same positions.",
        "Forces that depend on the velocity; ω dt must stay below 2.",
        "Hairer, Lubich & Wanner (2003), Acta Numerica 12, 399";
    "rodas", "Rosenbrock RODAS5P", 5.0, Rosenbrock, true,
        "Stiff reactions, nonlinear diffusion, systems without space: chooses its own step.",
        "Large systems in two or three dimensions: a Jacobian each step.",
        "Steinebach (2023), BIT Numer. Math. 63, 27";
    "rkc", "Runge-Kutta-Chebyshev 2", 2.0, Stabilized, true,
        "Nonlinear diffusion without solves: s stages reach s² as far as one.",
        "Waves and advection; very stiff reactions need too many stages.",
        "Sommeijer, Shampine & Verwer (1998), J. Comput. Appl. Math. 88, 315";
    "euler-maruyama", "Euler-Maruyama", 0.5, Stochastic, false,
        "Noise of any kind; strong order 1 where the noise is additive.",
        "Strong order 1/2 under multiplicative noise; diffusive limit as for Euler.",
        "Maruyama (1955)";
    "milstein", "Milstein", 1.0, Stochastic, false,
        "Multiplicative noise of each field by itself.",
        "Noise amplitudes that depend on other fields: order 1/2.",
        "Kloeden & Platen (1992), section 10.3";
};

/// A method by its name; upper case and the underscore for the hyphen are forgiven.
pub fn method(name: &str) -> Option<&'static MethodInfo> {
    let plain = name.trim().to_ascii_lowercase().replace('_', "-");
    METHODS.iter().find(|m| m.name == plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::imex::{ARK_TABLEAUX, MULTISTEP_SCHEMES};
    use crate::time::rosenbrock::RODAS5P;
    use crate::time::runge_kutta::TABLEAUX;

    #[test]
    fn names_are_unique_and_found() {
        let wanted = "euler rk2 ssprk3 rk4 dopri5 dop853 etdrk2 etdrk4 cnab2 sbdf2 sbdf3 sbdf4 ark3 ark4 crank-nicolson \
                      midpoint strang verlet leapfrog rodas rkc euler-maruyama milstein";
        let listed: Vec<&str> = METHODS.iter().map(|m| m.name).collect();
        assert_eq!(listed, wanted.split_whitespace().collect::<Vec<_>>());
        assert_eq!(method(" Euler_Maruyama").map(|m| m.order), Some(0.5));
        assert_eq!(method("rk5"), None);
    }

    #[test]
    fn orders_agree_with_the_coefficients() {
        let coefficients = TABLEAUX
            .iter()
            .map(|t| (t.name, t.order, t.error_order > 0))
            .chain(ARK_TABLEAUX.iter().map(|t| (t.name, t.order, !t.embedded.is_empty())))
            .chain(MULTISTEP_SCHEMES.iter().map(|s| (s.name, s.order, false)))
            .chain([(RODAS5P.name, RODAS5P.order, true)]);
        let mut seen = 0;
        for (name, order, is_adaptive) in coefficients {
            if let Some(m) = method(name) {
                assert_eq!((m.order, m.is_adaptive), (f64::from(order), is_adaptive), "{name}");
                seen += 1;
            }
        }
        assert_eq!(seen, 6 + 2 + 4 + 1);
    }
}
