//! Residuals: by hand where they are short, their slopes against central differences, an exact solution put in.

use eddy_expr::{
    BlockKernel, Column, Conditions, Expression, Field, Names, Options, Read, ResidualError, Residuals, Row, System,
    kernel::Part, program::UniformInput,
};

fn residuals(text: &str, dimension: u8, parameters: &[&str]) -> (System, Residuals) {
    let mut system = System::parse(text, &Options::new(dimension)).unwrap();
    let wanted: Vec<u16> = parameters.iter().map(|name| system.parameter(name).unwrap()).collect();
    let residuals = system.residuals(&wanted).unwrap();
    (system, residuals)
}

/// All outputs at one point.
fn at(residuals: &Residuals, reads: &[f64], point: [f64; 3], parameters: &[f64]) -> Vec<f64> {
    let mut block = BlockKernel::<f64>::new(residuals.program.clone());
    block.set_uniforms(|input| match input {
        UniformInput::Parameter(index) => parameters[usize::from(index)],
        _ => f64::NAN,
    });
    let columns: Vec<[f64; 1]> = reads.iter().map(|x| [*x]).collect();
    let fields: Vec<Field<'_, f64>> = columns.iter().map(|data| Field { data, start: 0 }).collect();
    let row = Row { fields: &fields, strides: [1, 0, 0], coordinates: point.map(Column::Constant) };
    let mut outputs = vec![[0.0]; residuals.program.outputs.len()];
    let mut slices: Vec<&mut [f64]> = outputs.iter_mut().map(|output| output.as_mut_slice()).collect();
    block.run(&row, &mut slices).unwrap();
    outputs.into_iter().map(|[x]| x).collect()
}

fn jet(orders: [u8; 3], time: u8) -> Read {
    Read::Jet { variable: 0, part: Part::Real, orders, time }
}

#[test]
fn burgers_by_hand() {
    let (system, r) = residuals("u_t = -u*dx(u) + nu*dxx(u); nu = 0.1", 1, &["nu"]);
    let value = |read: &Read| match read {
        Read::Time => 0.3,
        Read::Jet { orders: [0, ..], time: 0, .. } => 0.5,
        Read::Jet { orders: [1, ..], .. } => -2.0,
        Read::Jet { orders: [2, ..], .. } => 4.0,
        Read::Jet { .. } => 0.7,
    };
    let reads: Vec<f64> = r.reads.iter().map(value).collect();
    let out = at(&r, &reads, [0.1, 0.0, 0.0], &system.parameter_values());
    // 0.7 - 0.5·2 - 0.1·4
    assert!((out[0] + 0.7).abs() < 1e-15, "{}", out[0]);
    for ((_, read), slope) in r.slopes.iter().zip(&out[1..]) {
        let expected = match r.reads[*read] {
            Read::Jet { orders: [0, ..], time: 0, .. } => -2.0,
            Read::Jet { orders: [1, ..], .. } => 0.5,
            Read::Jet { orders: [2, ..], .. } => -0.1,
            _ => 1.0,
        };
        assert!((slope - expected).abs() < 1e-15, "{:?}: {slope}", r.reads[*read]);
    }
    assert_eq!((r.slopes.len(), r.parameter_slopes.as_slice()), (4, &[(0, 0)][..]));
    assert!((out.last().unwrap() + 4.0).abs() < 1e-15);
}

#[test]
fn slopes_are_those_of_the_residuals() {
    for (text, dimension, parameters) in [
        ("u_t = lap(u) + a*u^2*v - sin(x*t); v_t = b*lap(v) - a*u^2*v; a = 0.7; b = 0.3", 2, &["a", "b"][..]),
        ("u_tt = c^2*dxx(u) - u_t + exp(-u^2); c = 1.3", 1, &["c"][..]),
        ("i*psi_t = -lap(psi)/2 + k*abs(psi)^2*psi; k = 0.4", 1, &["k"][..]),
        ("w_t = -dy(psi)*dx(w) + dx(psi)*dy(w) + nu*lap(w); lap(psi) = -w; nu = 0.2", 2, &["nu"][..]),
        ("u_t = dx((1 + x^2 + u^2)*dx(u)) + upwind(q, u); q = 0.4", 1, &["q"][..]),
        ("u_t = -u*dx(u) - dxxx(u) - d*dxxxx(u); d = 0.1", 1, &["d"][..]),
        ("x_t = s*(y - x); y_t = x*(r - z) - y; z_t = x*y - 8*z/3; s = 10; r = 28", 0, &["r", "s"][..]),
    ] {
        let (system, r) = residuals(text, dimension, parameters);
        let count = r.fields.len();
        let mut reads: Vec<f64> = (0..r.reads.len()).map(|k| 0.3 + (1.7 * k as f64).sin()).collect();
        let mut values = system.parameter_values();
        let point = [0.4, -0.7, 0.0];
        let out = at(&r, &reads, point, &values);
        let h = 1e-5;
        for ((residual, read), slope) in r.slopes.iter().zip(&out[count..]) {
            let x = reads[*read];
            let mut shifted = |x: f64| {
                reads[*read] = x;
                at(&r, &reads, point, &values)[*residual]
            };
            let difference = (shifted(x + h) - shifted(x - h)) / (2.0 * h);
            reads[*read] = x;
            assert!((difference - slope).abs() < 1e-7 * (1.0 + slope.abs()), "{text}: {difference} {slope}");
        }
        for ((residual, position), slope) in r.parameter_slopes.iter().zip(&out[count + r.slopes.len()..]) {
            let index = usize::from(system.parameter(parameters[*position]).unwrap());
            let p = values[index];
            let mut shifted = |p: f64| {
                values[index] = p;
                at(&r, &reads, point, &values)[*residual]
            };
            let difference = (shifted(p + h) - shifted(p - h)) / (2.0 * h);
            values[index] = p;
            assert!((difference - slope).abs() < 1e-7 * (1.0 + slope.abs()), "{text}: {difference} {slope}");
        }
        // Every read that is not listed does nothing.
        for read in (0..r.reads.len()).filter(|read| !r.slopes.iter().any(|(_, other)| other == read)) {
            if r.reads[read] != Read::Time {
                let x = reads[read];
                reads[read] = x + 0.5;
                assert_eq!(at(&r, &reads, point, &values)[..count], out[..count], "{text}");
                reads[read] = x;
            }
        }
    }
}

#[test]
fn an_exact_solution_leaves_nothing() {
    // e^{-k² t} sin kx of the heat equation with D = 1; with D = 1.1 it leaves something.
    let (k, t, x) = (3.0f64, 0.2f64, 0.4f64);
    let decay = (-k * k * t).exp();
    for (d, is_solution) in [(1.0, true), (1.1, false)] {
        let (_, r) = residuals("u_t = D*lap(u); D = 1", 1, &[]);
        let value = |read: &Read| match *read {
            read if read == jet([2, 0, 0], 0) => -k * k * decay * (k * x).sin(),
            read if read == jet([0, 0, 0], 1) => -k * k * decay * (k * x).sin(),
            _ => 0.0,
        };
        let reads: Vec<f64> = r.reads.iter().map(value).collect();
        assert_eq!(at(&r, &reads, [x, 0.0, 0.0], &[d])[0].abs() < 1e-14, is_solution);
    }
}

#[test]
fn what_has_no_residual_is_refused() {
    let refusal = |text: &str| System::parse(text, &Options::new(1)).unwrap().residuals(&[]).unwrap_err();
    assert_eq!(refusal("u_t = lap(u) - integral(u)"), ResidualError::Integral);
    assert_eq!(refusal("u_t = lap(u) + noise()"), ResidualError::Noise);
}

#[test]
fn expressions_have_derivatives() {
    let names = Names::new(2).with_parameters(["k"]);
    let f = Expression::parse("sin(k*x)*exp(-y^2)", &names).unwrap();
    let (x, y, k) = (0.3f64, 0.6f64, 2.0f64);
    let g = f.derivative([2, 1, 0]).unwrap();
    let expected = -k * k * (k * x).sin() * -2.0 * y * (-y * y).exp();
    assert!((g.eval([x, y, 0.0], 0.0, &[k]).0 - expected).abs() < 1e-14);
    let random = Expression::parse("rand*x", &names.clone().with_fields(["rand"])).unwrap();
    assert!(random.derivative([1, 0, 0]).is_none());
}

/// The lines of `conditions` as definitions, and what becomes of them.
fn conditions(lines: &str, names: &[&str]) -> Result<(System, Conditions), ResidualError> {
    let text = format!("-dxx(u) + x^2*u = E*u; E = 1.5; {lines}");
    let fields = names.iter().map(|n| (*n).to_owned()).collect();
    let mut system = System::parse(&text, &Options { fields, ..Options::new(1) }).unwrap();
    let nodes: Vec<_> = names.iter().map(|n| system.take(system.variable(n).unwrap()).unwrap()).collect();
    let wanted = [system.parameter("E").unwrap()];
    let found = system.conditions(&nodes, &wanted)?;
    Ok((system, found))
}

#[test]
fn conditions_are_functions_of_integrals() {
    let lines = "c = integral(u^2) - 1; d = integral(dx(u)^2 + E*x*u)/integral(u^2) - E*mean(u)";
    let (system, found) = conditions(lines, &["c", "d"]).unwrap();
    assert_eq!((found.is_mean.as_slice(), found.integrands.fields.len()), (&[false, false, true][..], 3));
    // Integrands at u = 0.5, u' = -2, x = 0.3 with E = 1.5.
    let value = |read: &Read| match read {
        Read::Time => 0.0,
        Read::Jet { orders: [0, ..], .. } => 0.5,
        Read::Jet { .. } => -2.0,
    };
    let reads: Vec<f64> = found.integrands.reads.iter().map(value).collect();
    let out = at(&found.integrands, &reads, [0.3, 0.0, 0.0], &system.parameter_values());
    let mut integrands = out[..3].to_vec();
    integrands.sort_by(f64::total_cmp);
    let expected = [0.25, 0.5, 4.225];
    assert!(integrands.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{integrands:?}");
    assert_eq!(found.integrands.parameter_slopes.len(), 1);
    // Outside: with I = (∫u², ∫…, mean) by the size of their integrands, and slopes against differences.
    let outer = |integrals: [f64; 3], e: f64| -> Vec<f64> {
        let mut block = BlockKernel::<f64>::new(found.program.clone());
        block.set_uniforms(|input| match input {
            UniformInput::Integral(k) => integrals[usize::from(k)],
            UniformInput::Parameter(_) => e,
            _ => f64::NAN,
        });
        let row = Row { fields: &[], strides: [1, 0, 0], coordinates: [Column::Constant(0.0); 3] };
        let mut outputs = vec![[0.0]; found.program.outputs.len()];
        let mut slices: Vec<&mut [f64]> = outputs.iter_mut().map(|output| output.as_mut_slice()).collect();
        block.run(&row, &mut slices).unwrap();
        outputs.into_iter().map(|[x]| x).collect()
    };
    let integrals = [0, 1, 2].map(|k| out[k]);
    let base = outer(integrals, 1.5);
    assert!((base[0] + 0.75).abs() < 1e-14 && (base[1] - (4.225 / 0.25 - 1.5 * 0.5)).abs() < 1e-13, "{base:?}");
    for (n, (condition, k)) in found.integral_slopes.iter().enumerate() {
        let moved = |by: f64| {
            let mut all = integrals;
            all[*k] += by;
            outer(all, 1.5)[*condition]
        };
        let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        assert!((base[2 + n] - difference).abs() < 1e-6 * difference.abs(), "{n}: {} {difference}", base[2 + n]);
    }
    assert_eq!((found.integral_slopes.len(), found.parameter_slopes.as_slice()), (4, &[(1, 0)][..]));
    assert!((base[6] + 0.5).abs() < 1e-14);
}

#[test]
fn what_is_no_condition_is_refused() {
    for (lines, expected) in [
        ("c = integral(u^2) - u", ResidualError::Local(0)),
        ("c = integral(u^2) - x", ResidualError::Local(0)),
        ("c = E - 1", ResidualError::NoIntegral(0)),
        ("c = integral(u*mean(u)) - 1", ResidualError::Nested),
    ] {
        assert_eq!(conditions(lines, &["c"]).unwrap_err(), expected, "{lines}");
    }
    // Elliptic lines that are not linear, for those who ask for them.
    let text = "lap(u) = u^3 - x";
    assert!(System::parse(text, &Options::new(1)).is_err());
    assert!(System::parse(text, &Options { is_nonlinear: true, ..Options::new(1) }).is_ok());
}
