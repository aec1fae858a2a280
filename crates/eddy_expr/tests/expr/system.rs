//! Systems: what they hold, how they split, what is wrong with them.

use eddy_expr::{
    Code, Equation, Options, Role, System,
    ir::{Id, Leaf, Node},
    system::MAX_FIELDS,
};

fn parse(text: &str, dimension: u8) -> System {
    System::parse(text, &Options::new(dimension)).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"))
}

const GRAY_SCOTT: &str = "u_t = Du*lap(u) - u*v^2 + F*(1 - u)
v_t = Dv*lap(v) + u*v^2 - (F + k)*v
Du = 0.16; Dv = 0.08; F = 0.037 in [0, 0.1]; k = 0.06 in [0, 0.1]";

#[test]
fn gray_scott_is_read_and_split() {
    let mut system = parse(GRAY_SCOTT, 2);
    assert_eq!(system.variables.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["u", "v"]);
    assert_eq!(
        system.parameters.iter().map(|p| (p.name.as_str(), p.value)).collect::<Vec<_>>(),
        [("Du", 0.16), ("Dv", 0.08), ("F", 0.037), ("k", 0.06)]
    );
    assert_eq!(system.parameters[2].range, Some((0.0, 0.1)));
    let split = system.split(0).expect("stepped").expect("splits");
    assert_eq!(split.degree, Some(3));
    assert_eq!(
        split.linear.iter().map(|term| (term.variable, term.orders)).collect::<Vec<_>>(),
        [(0, [0, 0, 0]), (0, [0, 2, 0]), (0, [2, 0, 0])]
    );
    assert!(split.fluxes.is_empty() && split.noise.is_empty());
    let parameters = system.parameter_values();
    let symbol = system.linear_symbol(&parameters).expect("splits");
    let matrix = symbol.at([3.0, 4.0, 0.0]);
    assert!((matrix[0].0 - (-0.16 * 25.0 - 0.037)).abs() < 1e-14 && matrix[0].1 == 0.0, "{matrix:?}");
    assert!((matrix[3].0 - (-0.08 * 25.0 - 0.097)).abs() < 1e-14);
    assert!(symbol.is_diagonal());
    assert_eq!(symbol.highest_order(), 2);
}

#[test]
fn parameters_have_units() {
    let text = "u_t = D*lap(u) - r*u + q\nD = 0.1 in [0, 1] \"m^2/s\"; r = 2 \" 1/s \"\nq = 1 # \"no unit\"";
    let system = parse(text, 1);
    let units: Vec<_> = system.parameters.iter().map(|p| (p.name.as_str(), p.unit.as_str())).collect();
    assert_eq!(units, [("D", "m^2/s"), ("r", "1/s"), ("q", "")]);
    assert_eq!(system.parameters[0].range, Some((0.0, 1.0)));
}

/// Symbol of a single field in one dimension at k = 2.
fn symbol_at_two(text: &str) -> (f64, f64) {
    let mut system = parse(text, 1);
    let parameters = system.parameter_values();
    system.linear_symbol(&parameters).expect("splits").at([2.0, 0.0, 0.0])[0]
}

#[test]
fn symbols_of_textbook_equations() {
    for (text, re, im) in [
        ("u_t = -u*u_x - u_xxx", 0.0, 8.0),
        ("u_t = -u*dx(u) - u_xx - u_xxxx", 4.0 - 16.0, 0.0),
        ("u_t = -c*u_x; c = 3", 0.0, -6.0),
        ("u_t = i*lap(u) + i*abs(u)^2*u", 0.0, -4.0),
        ("i*u_t = -lap(u) - abs(u)^2*u", 0.0, -4.0),
        ("i*u_t + lap(u) + abs(u)^2*u = 0", 0.0, -4.0),
        ("u_t + u*u_x + u_xxx = 0", 0.0, 8.0),
        ("c*dt(u)/2 - u = u_xx - u^3; c = 4", 0.5 * (1.0 - 4.0), 0.0),
        ("-u_t = u_xxxx - u*u_x + u_xx", 4.0 - 16.0, 0.0),
        ("u_xx - u_t = 0", -4.0, 0.0),
        ("u_t = -k1*gamma*u_xx; k1 = 2; gamma = -3", -24.0, 0.0),
        ("u_t = r*u - (1 + lap)^2*u; r = 1; lap = 0", 0.0, 0.0),
        ("u_t = r*u - u - 2*lap(u) - bilap(u) + u^2 - u^3; r = 0.2", 0.2 - 1.0 + 8.0 - 16.0, 0.0),
        ("u_t = div(D*grad(u)); D = 0.5", -2.0, 0.0),
        ("u_t = (1 + 2*i)*lap(u) + u - (1 + i)*abs(u)^2*u", 1.0 - 4.0, -8.0),
        ("u_t = dx(u + D*dx(u)) ; D = 0.5", -2.0, 2.0),
        ("u_t = lap(u)/4 - u/(2*a); a = 2", -1.25, 0.0),
    ] {
        if text.contains("lap = 0") {
            // A parameter may not take the name of an operator.
            assert!(System::parse(text, &Options::new(1)).is_err());
            continue;
        }
        let (found_re, found_im) = symbol_at_two(text);
        assert!((found_re - re).abs() < 1e-13 && (found_im - im).abs() < 1e-13, "{text}: {found_re} + {found_im}i");
    }
}

#[test]
fn degrees_and_fluxes() {
    for (text, degree, fluxes) in [
        ("u_t = lap(u)", Some(0), 0),
        ("u_t = lap(u) + 1", Some(0), 0),
        ("u_t = -u*u_x", Some(2), 0),
        ("u_t = -dx(u^2/2) + u_xx", Some(2), 1),
        ("u_t = lap(u^3 - u - lap(u))", Some(3), 1),
        ("u_t = u*(1 - u)*(u - a); a = 0.3", Some(3), 0),
        ("u_t = sin(u)", None, 0),
        ("u_t = u/(1 + u)", None, 0),
        ("u_t = x*u + sin(x)*u_xx", Some(1), 0),
        ("u_t = i*abs(u)^2*u", Some(3), 0),
        ("u_t = i*u*conj(u)*u", Some(3), 0),
        ("u_t = div((1 + u^2)*grad(u))", Some(3), 1),
        ("u_t = integral(u)*u", Some(1), 0),
    ] {
        let mut system = parse(text, 1);
        let split = system.split(0).expect("stepped").expect("splits");
        assert_eq!((split.degree, split.fluxes.len()), (degree, fluxes), "{text}: {split:?}");
    }
    // Cahn-Hilliard: the linear part under the flux is taken out, the cubic stays under it.
    let (re, _) = symbol_at_two("u_t = lap(u^3 - u - g*lap(u)); g = 0.1");
    assert!((re - (4.0 - 0.1 * 16.0)).abs() < 1e-13, "{re}");
}

#[test]
fn split_parts_add_up_to_the_whole() {
    // linear + derivatives of fluxes + rest, expanded, equals the right-hand side at arbitrary values of the leaves.
    for text in [
        GRAY_SCOTT,
        "u_t = lap(u^3 - u - lap(u)) + F*(1 - u)*(2 - v); v_t = -u*v_x + 3*v - sin(u + v) + dx(u*v); F = 0.3",
        "u_t = -(u - 0.3*v)*(u + v) + (x*u + 1)*v_xx; v_t = u/3 - v*2/7",
    ] {
        let mut system = parse(text, 2);
        for variable in 0..2 {
            let rate = system.rate(variable).expect("stepped");
            let split = system.split(variable).expect("stepped").expect("splits");
            let mut terms = Vec::new();
            for term in &split.linear {
                let leaf = system.graph.variable(term.variable);
                let derivative = system.graph.derivative(term.orders, leaf);
                terms.push(system.graph.mul(term.coefficient, derivative));
            }
            for flux in &split.fluxes {
                terms.push(system.graph.derivative(flux.orders, flux.value));
            }
            terms.extend(split.rest);
            let missing = split.rest.unwrap_or(terms[0]);
            let sum = system.graph.sum(terms);
            let expanded = system.graph.expand_derivatives(&[rate, sum]).expect("small");
            let parameters = system.parameter_values();
            for seed in 0..5 {
                let (whole, parts) =
                    (value(&system, expanded[0], &parameters, seed), value(&system, expanded[1], &parameters, seed));
                assert!((whole - parts).abs() < 1e-11 * whole.abs().max(1.0), "{text}: {whole} against {parts}");
                // The planted fault: without one term the sum must differ.
                let short = system.graph.sub(expanded[1], missing);
                assert!((whole - value(&system, short, &parameters, seed)).abs() > 1e-9);
            }
        }
    }
}

/// A real node's value, with fields and their derivatives as unrelated pseudo-random numbers.
fn value(system: &System, root: Id, parameters: &[f64], seed: u64) -> f64 {
    let mut values: Vec<f64> = Vec::new();
    let random = |key: u64| {
        let mut state = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.wrapping_mul(0xD134_2543_DE82_EF95);
        state ^= state >> 29;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state ^= state >> 32;
        (state % 10_000) as f64 / 5_000.0 - 1.0
    };
    for (id, node) in system.graph.nodes() {
        let at = |id: Id| values[id.index()];
        let value = match node {
            Node::Real(bits) => f64::from_bits(bits),
            Node::Leaf(Leaf::Parameter(index)) => parameters[usize::from(index)],
            Node::Leaf(_) => random(id.index() as u64),
            Node::Derivative(orders, inner) => {
                random(u64::from(orders[0]) * 7 + u64::from(orders[1]) * 131 + inner.index() as u64 * 1009)
            }
            Node::Unary(op, a) => op.eval(at(a)),
            Node::Binary(op, a, b) => op.eval(at(a), at(b)),
            Node::Select(c, a, b) => {
                if at(c) != 0.0 {
                    at(a)
                } else {
                    at(b)
                }
            }
            Node::Imaginary | Node::Upwind(..) => f64::NAN,
        };
        values.push(value);
    }
    values[root.index()]
}

#[test]
fn all_kinds_of_lines() {
    let system = parse(
        "# two-dimensional turbulence with a tracer
w_t = -u*dx(w) - v*dy(w) + nu*lap(w)
lap(psi) = -w
u = dy(psi); v = -dx(psi)
c_tt = lap(c) - g*c_t + kick(c, 2)
kick(s, a) = a*s*(1 - s)
nu = 1e-3 in [0, 1]
g = 0.1 // damping",
        2,
    );
    let roles: Vec<(&str, Role)> = system.variables.iter().map(|v| (v.name.as_str(), v.role)).collect();
    assert_eq!(
        roles,
        [
            ("w", Role::FirstOrder),
            ("c", Role::SecondOrder { velocity: 3 }),
            ("psi", Role::Elliptic),
            ("c_t", Role::Velocity { of: 1 }),
            ("u", Role::Algebraic),
            ("v", Role::Algebraic),
        ]
    );
    assert_eq!(system.stepped().collect::<Vec<_>>(), [0, 1, 3]);
    assert!(matches!(system.equations[3], Equation::Elliptic { variable: 2, .. }));
    assert_eq!(system.latex()[1], r"\nabla^{2} \psi = -w");
    assert_eq!(
        system.latex()[0],
        r"\frac{\partial w}{\partial t} = -u \, \partial_{x} w - v \, \partial_{y} w + \nu \, \nabla^{2} w"
    );
}

#[test]
fn complex_fields_are_found() {
    let system = parse("u_t = v; v_t = i*lap(v); w = u + 1; r = abs(v)", 1);
    let complex: Vec<bool> = system.variables.iter().map(|v| v.is_complex).collect();
    assert_eq!(complex, [true, true, true, false]);
    assert!(!parse("u_t = re(i*u)", 1).variables[0].is_complex);
    let options = Options { complex_fields: vec!["u".into()], ..Options::new(1) };
    assert!(System::parse("u_t = lap(u)", &options).expect("valid").variables[0].is_complex);
}

#[test]
fn dimensions_are_inferred() {
    for (text, dimension) in [
        ("a_t = s*(b - a); b_t = a*(r - c) - b; c_t = a*b - q*c; s = 10; r = 28; q = 8/3", 0),
        ("x_t = s*(y - x); y_t = x*(r - z) - y; z_t = x*y - b*z; s = 10; r = 28; b = 8/3", 0),
        ("u_t = lap(u)", 1),
        ("u_t = lap(u) + u_y", 2),
        ("u_t = dzz(u)", 3),
        ("u_t = y*u", 2),
    ] {
        assert_eq!(System::parse(text, &Options::default()).expect(text).dimension, dimension, "{text}");
    }
}

#[test]
fn noise_is_taken_out() {
    let mut system = parse("u_t = lap(u) + s*noise() + u*noise(); s = 0.1", 1);
    assert_eq!(system.noise_channels, 2);
    let split = system.split(0).expect("stepped").expect("splits");
    assert_eq!(
        split.noise.iter().map(|term| (term.channel, term.is_multiplicative)).collect::<Vec<_>>(),
        [(0, false), (1, true)]
    );
    assert!(split.rest.is_none());
    let mut system = parse("u_t = lap(u) + dx(noise())", 1);
    assert_eq!(system.split(0).expect("stepped").expect("splits").noise[0].orders, [1, 0, 0]);
    let mut system = parse("u_t = sin(noise())", 1);
    assert_eq!(system.split(0).expect("stepped").expect_err("not a factor").code, Code::System);
}

#[test]
fn a_name_that_is_read_is_no_rate() {
    assert!(System::parse("a_ttt = 2*k; k = 3; u_t = -a_ttt*u", &Options::new(0)).is_ok());
}

#[test]
fn errors_of_systems_point_and_help() {
    for (text, dimension, code, piece, hint) in [
        ("u_t = Du*lap(u)\nDv = 0.1", 2, Code::UnknownName, "Du", "'Dv'"),
        ("u_t = lpa(u)", 2, Code::UnknownName, "lpa", "'lap'"),
        ("u_t = u_yy", 1, Code::Dimension, "u_yy", "axis"),
        ("u_t = grad(u)", 2, Code::Type, "grad(u)", "dot("),
        ("u_t = div(u)", 2, Code::Dimension, "u", "div(v)"),
        ("u_t = lap(u); u_t = 0*u", 2, Code::Definition, "u_t", "one equation"),
        ("u_t = lap(u); D = 1; D = 2", 2, Code::Definition, "D", "Remove one"),
        ("u_t = D*lap(u); D = 2 in [0, 1]", 2, Code::Value, "2", "range"),
        ("u_t = lap(u) \"m\"", 2, Code::System, "\"m\"", "Remove"),
        ("u_t = g*lap(u); g = x^2 \"m\"", 2, Code::System, "\"m\"", "number"),
        ("u_t = D*lap(u); D = 2 \"m", 2, Code::Syntax, "\"", "behind a parameter"),
        ("u_t = D*lap(u); D = 2 \"\"", 2, Code::Syntax, "\"\"", "short"),
        ("u_t = D*lap(u); D = 2 \"m\" in [0, 3]", 2, Code::Syntax, "in", "A range follows"),
        ("u_t = D*lap(u); D = 1/0", 2, Code::Value, "0", "something else"),
        ("lap(p)*p = -1", 2, Code::System, "lap(p)*p", "settle"),
        ("lap(p) = q; u_t = lap(u)", 2, Code::UnknownName, "q", "line of its own"),
        ("lap(p + q) = 1", 2, Code::System, "q", "all but one"),
        ("u_t = lap(u); lap(u) = 1", 2, Code::System, "lap(u)", "no other line"),
        ("u_t = f(u); f(s) = f(s)*2", 1, Code::Definition, "f(s)", "itself"),
        ("u_t = w; w = w + u", 1, Code::Definition, "w", "w_t ="),
        ("x_t = 1", 1, Code::Definition, "x_t", "another name"),
        ("u_t = u_t + 1", 1, Code::System, "u_t", "second order"),
        ("u_t = f(u, u); f(s) = s", 1, Code::Arity, "f(u, u)", "f(s)"),
        ("lap(u)", 1, Code::System, "lap(u)", "u_t ="),
        ("D = 1", 1, Code::System, "D = 1", "u_t = lap(u)"),
        ("u_x = cos(x)", 1, Code::System, "u_x = cos(x)", "write dx(u) ="),
        ("u''' = -u", 0, Code::System, "u'''", "w_t ="),
        ("v_t = u; u_ttt = -u", 0, Code::System, "u_ttt", "u_t = v"),
        ("u''' + u = 0", 0, Code::System, "u'''", "w_t ="),
        ("u_t = min(i*u, 1)", 1, Code::Type, "i*u", "re("),
        ("u_t = (u = 1)", 1, Code::Syntax, "=", "=="),
        ("u_t = lap(u) in [0, 1]", 1, Code::System, "0", "Remove"),
        ("u_t = dxxxxxxxx(dx(u))", 1, Code::TooLarge, "dxxxxxxxx(dx(u))", "algebraic"),
    ] {
        let errors = System::parse(text, &Options::new(dimension)).expect_err(text);
        let found = errors.iter().any(|error| {
            let place: String = text.chars().skip(error.span.start).take(error.span.end - error.span.start).collect();
            error.code == code && place == piece && error.hint.contains(hint)
        });
        assert!(found, "{text}\n{errors:#?}");
        assert!(errors.iter().all(|error| !error.hint.is_empty() && !error.message.is_empty()));
    }
    let many: String = (0..=MAX_FIELDS).map(|n| format!("q{n}_t = 0*q{n}\n")).collect();
    assert_eq!(System::parse(&many, &Options::new(1)).expect_err("nine")[0].code, Code::TooLarge);
}

#[test]
fn a_bad_line_leaves_the_others_checked() {
    let errors =
        System::parse("u_t = lap(u +\nv_t = lap(v) + 1 +* 2\nw_t = sni(w)", &Options::new(1)).expect_err("three slips");
    assert!(!errors.is_empty());
    let errors = System::parse("u_t = 1 +* 2\nw_t = sin(1, 2)", &Options::new(1)).expect_err("two slips");
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), [Code::Syntax, Code::Arity], "{errors:#?}");
}

#[test]
fn lines_continue_at_operators_and_in_brackets() {
    for text in ["u_t = lap(u)\n  + u", "u_t = lap(u) +\n u", "u_t = (lap(u)\n + u)", "u_t = max(u,\n\n 1) # note\n"] {
        assert_eq!(parse(text, 1).equations.len(), 1, "{text}");
    }
}

#[test]
fn given_values_replace_those_of_the_text() {
    let options = Options { parameters: vec![("D".into(), 2.0), ("q".into(), 3.0)], ..Options::new(1) };
    let system = System::parse("u_t = D*lap(u) + q; D = 1", &options).expect("valid");
    assert_eq!(system.parameter_values(), [2.0, 3.0]);
}

#[test]
fn growth_rates_are_those_of_dispersion_relations() {
    let growth = |text: &str, k: f64| {
        let mut system = parse(text, 1);
        let parameters = system.parameter_values();
        let symbol = system.linear_symbol(&parameters).expect("splits");
        let mut modes = system.modes(&symbol, [k, 0.0, 0.0]).expect("solvable");
        modes.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
        modes
    };
    // Kuramoto-Sivashinsky: fastest at 1/√2, rate 1/4 (validation case 13).
    assert!((growth("u_t = -u*u_x - u_xx - u_xxxx", 0.5f64.sqrt())[0].0 - 0.25).abs() < 1e-12);
    // Cahn-Hilliard: σ = k² - ε² k⁴, 100 at 14.1421 for ε = 0.05 (case 11).
    assert!((growth("u_t = lap(u^3 - u - e2*lap(u)); e2 = 0.0025", 200f64.sqrt())[0].0 - 100.0).abs() < 1e-9);
    // Waves: ±i c k.
    let modes = growth("u_tt = 4*lap(u)", 3.0);
    assert!(
        (modes[0].1.abs() - 6.0).abs() < 1e-9 && (modes[1].1.abs() - 6.0).abs() < 1e-9 && modes[0].0.abs() < 1e-9,
        "{modes:?}"
    );
    // Jeans instability: self-gravity through an elliptic field, σ² = G - c² k².
    let modes = growth("n_tt = c2*lap(n) + lap(phi)*0 - div(grad(phi)) + 2*G*n; lap(phi) = G*n; c2 = 1; G = 10", 2.0);
    assert!((modes[0].0 - 6f64.sqrt()).abs() < 1e-9, "{modes:?}");
}

#[test]
fn ill_posed_systems_are_told_apart() {
    for (text, dimension, ill) in [
        ("u_t = -lap(u)", 2, true),
        ("u_t = lap(u)", 2, false),
        ("u_t = -u_xx - u_xxxx", 1, false),
        ("u_t = bilap(u)", 1, true),
        ("u_tt = lap(u)", 2, false),
        ("u_tt = -lap(u)", 2, true),
        ("u_t = -u_xxx", 1, false),
        ("u_t = i*lap(u)", 2, false),
        ("u_t = 5*u", 1, false),
        ("u_t = lap(u) + 4*lap(v); v_t = 4*lap(u) + lap(v)", 2, true),
        ("u_t = v_x; v_t = u_x", 1, false),
        ("u_t = v_x; v_t = -u_x", 1, true),
        ("u_t = u_xx - u_yy", 2, true),
        ("w_t = lap(w) - dx(psi); lap(psi) = -w", 2, false),
        // The first line has no constant coefficient; the others alone are nilpotent.
        ("e_t = (k_x - h_y)/(2 + cos(x)); h_t = -e_y; k_t = e_x", 2, false),
    ] {
        let mut system = parse(text, dimension);
        let parameters = system.parameter_values();
        assert_eq!(system.ill_posed(&parameters).is_some(), ill, "{text}");
    }
}

#[test]
fn lines_are_solved_for_the_highest_rate_on_their_left() {
    let system = parse("2*u_tt + 3*u_t + y1 = 4*u_xx\ny1 = u^3", 1);
    let spelt_out = parse("u_tt = (4*u_xx - 3*u_t - y1)/2\ny1 = u^3", 1);
    let orders = |system: &System| system.variables.iter().map(|v| (v.name.clone(), v.role)).collect::<Vec<_>>();
    assert_eq!(orders(&system), orders(&spelt_out));
    for (text, message) in [
        ("exp(u_t) = u", "does not stand as a factor"),
        ("1/u_t = u", "does not stand as a factor"),
        ("u_t^2 = u", "does not stand as a factor"),
        ("u_t + v_t = u; v_t = u", "of 'u' and of 'v'"),
        ("u_t + 2*u_t = u", "more than once"),
        ("k1_t = k1(u)", "is a function of the language"),
    ] {
        let errors = System::parse(text, &Options::new(1)).expect_err(text);
        assert!(errors.iter().any(|error| error.message.contains(message)), "{text}: {errors:?}");
    }
}
