/// Past the time of its shock the inviscid equation rings on any grid; the run ends, and what it gives is told to be worthless.
#[test]
fn integrals_between_walls_are_as_accurate_as_the_differences() {
    let error = |space: &str| {
        common::error(&mut run(&format!(
            r#"
equations = "u_t = u_xx - u + integral(u) - (exp(1) - 1)*exp(t) + u_x"
[domain]
x = {{ max = 1, points = 33 }}
[boundary]
u = {{ x_min = "dirichlet: exp(t)", x_max = "neumann: exp(1 + t)" }}
[initial]
u = "exp(x)"
[time]
end = 0.5
save_every = 0.5
[method]
space = "{space}"
[exact]
u = "exp(x + t)"
"#
        )))
    };
    let errors = ["fd2", "fd4", "fd6"].map(error);
    assert!(errors[0] > 3e-5 && errors[1] < 2e-6 && errors[2] < 2e-8, "{errors:?}");
}

#[test]
fn a_free_level_spreads_what_is_left_over() {
    let pure = r#"
equations = "lap(p) = 4*exp(x + y)*0 + 2*exp(x + y)"
[domain]
x = { max = 1, points = 25 }
y = { max = 1, points = 21 }
[boundary]
p = { x_min = "neumann: -exp(y)", x_max = "neumann: exp(1 + y)", y_min = "neumann: -exp(x)", y_max = "neumann: exp(x + 1)" }
[exact]
p = "exp(x + y) - (exp(1) - 1)^2"
"#;
    let mut simulation = run(pure);
    assert!(simulation.warnings.is_empty(), "{:?}", simulation.warnings);
    let error = common::error(&mut simulation);
    assert!(error < 2e-6, "{error:e}");

    // Δp = 1 without slopes has no solution: what can be met is met, evenly, and said.
    let mut simulation = run(r#"
equations = "lap(p) = 1 + cos(pi*x)"
[domain]
x = { max = 1, points = 41 }
y = { max = 1, points = 21 }
[boundary]
p = "neumann: 0"
[exact]
p = "-cos(pi*x)/pi^2"
"#);
    assert!(simulation.warnings.iter().any(|text| text.contains("balance") && text.contains("1.0000e0")));
    let error = common::error(&mut simulation);
    assert!(error < 1e-6, "{error:e}");

    let mut simulation = run(r#"
equations = "lap(p) = 1 + cos(x)"
[domain]
x = { max = "2*pi", points = 32 }
[exact]
p = "-cos(x)"
"#);
    assert!(simulation.warnings.iter().any(|text| text.contains("mean")), "{:?}", simulation.warnings);
    assert!(common::error(&mut simulation) < 1e-12);
    let simulation = run("equations = \"lap(p) = cos(x)\"\n[domain]\nx = { max = \"2*pi\", points = 32 }\n");
    assert!(simulation.warnings.is_empty(), "{:?}", simulation.warnings);
}

