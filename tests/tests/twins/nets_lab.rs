//! The PINN lab on both devices. The link below: `nets_gpu.rs`, which holds a GPU step against the CPU engine.

#[allow(dead_code, reason = "shared with the other twins")]
use eddy_experiments::{Budget, Context, Device, Precision, Session};

/// Metrics `residual` and `error` after `steps` steps.
fn train(link: &str, context: &Context, steps: u64) -> [f64; 2] {
    let (mut session, errors) = Session::open(link, context.clone()).unwrap_or_else(|e| panic!("{link}: {e}"));
    assert!(errors.is_empty(), "{errors:?}");
    while session.run().progress().steps < steps {
        let left = steps - session.run().progress().steps;
        pollster::block_on(session.advance(Budget::steps(left))).unwrap();
    }
    for view in session.entry.views {
        let data = pollster::block_on(session.run_mut().view(view.key)).unwrap();
        assert!(data.is_finite(), "{link}: {}", view.key);
    }
    ["residual", "error"].map(|key| session.run().record().latest(key))
}

#[test]
fn burgers_trains_alike_on_both_devices() {
    let Some(gpu) = crate::harness::gpu() else { return };
    let on_gpu = Context { device: Device::Gpu(gpu.clone()), ..Context::cpu() };
    let on_cpu = Context { precision: Precision::F32, ..Context::cpu() };
    // The first 64 steps take the same points on both.
    let link = "pinn-burgers?width=16&layers=2&times=8&steps=1000&viscosity=0.05";
    let faulty = link.replace("0.05", "0.06");
    let relative = |a: [f64; 2], b: [f64; 2]| (a[0] / b[0] - 1.0).abs().max((a[1] / b[1] - 1.0).abs());
    let (cpu, graphics) = (train(link, &on_cpu, 20), train(link, &on_gpu, 20));
    // Twenty steps of Adam in f32: rounding of 1e-6 in small gradients moves parameters by parts of the rate.
    assert!(relative(cpu, graphics) < 1e-4, "{cpu:?} {graphics:?}");
    let wrong = train(&faulty, &on_gpu, 20);
    assert!(relative(cpu, wrong) > 1e-4, "{cpu:?} {wrong:?}");
    // And it learns.
    let first = train(link, &on_gpu, 1);
    assert!(graphics[0] < 0.5 * first[0], "{first:?} {graphics:?}");
}

#[test]
fn typed_equations_train_alike_on_both_devices() {
    let Some(gpu) = crate::harness::gpu() else { return };
    let on_gpu = Context { device: Device::Gpu(gpu.clone()), ..Context::cpu() };
    let on_cpu = Context { precision: Precision::F32, ..Context::cpu() };
    let small = "optimizer=adam&width=12&layers=2&points=256&steps=1000";
    // Each with the same where one number is another: a layer between walls without slope, which are terms, walls that are built
    // in, a source that turns with the time, a steady line, one without space, sines, a wall that moves.
    let cases = [
        ("preset=burgers", "parameters=nu=0.02"),
        ("preset=fisher-kpp", "parameters=D=1.3"),
        ("preset=bratu", "parameters=k=1.2"),
        (
            "equations=u_t%20=%20D*dxx(u)%20%2B%20sin(x%2Bt)*exp(-u^2)%0AD%20=%200.1&x=0%20..%202*pi,%2032&initial=u%20=%20cos(x)&end=1",
            "parameters=D=0.2",
        ),
        ("equations=u_t%20=%20-a*u%20%2B%20cos(t)%0Aa%20=%201&initial=u%20=%201&end=2", "parameters=a=1.1"),
        ("preset=heat&network=sines", "parameters=D=0.2"),
        (
            "equations=u_t%20=%20D*dxx(u)%0AD%20=%200.1&x=0%20..%201,%2032&initial=u%20=%20x^2&end=1&boundary=u.x_min%20=%20dirichlet:%20sin(t)%0Au.x_max%20=%20robin:%202*u%20%2B%20u_n%20=%204",
            "parameters=D=0.2",
        ),
        // The same of ten thousand: single precision has the loss in units of that.
        (
            "equations=u_t%20=%20D*dxx(u)%0AD%20=%200.1&x=0%20..%201,%2032&initial=u%20=%201e4*x^2&end=1&boundary=u.x_min%20=%20dirichlet:%201e4*sin(t)%0Au.x_max%20=%20robin:%202*u%20%2B%20u_n%20=%204e4",
            "parameters=D=0.2",
        ),
        (
            "equations=u_t%20=%20D*dxx(u)%0AD%20=%200.1&x=0%20..%206,%2032&initial=u%20=%201e-7*sin(pi*x/3)&end=1",
            "parameters=D=0.2",
        ),
    ];
    let relative = |a: [f64; 2], b: [f64; 2]| (a[0] / b[0] - 1.0).abs().max((a[1] / b[1] - 1.0).abs());
    for (link, fault) in cases {
        let link = format!("typed-pinn?{link}&{small}");
        let (cpu, graphics) = (train(&link, &on_cpu, 20), train(&link, &on_gpu, 20));
        assert!(relative(cpu, graphics) < 1e-3, "{link}: {cpu:?} {graphics:?}");
        let wrong = train(&format!("{link}&{fault}"), &on_gpu, 20);
        assert!(relative(cpu, wrong) > 1e-3, "{link}: {cpu:?} {wrong:?}");
    }
}

#[test]
fn what_of_typed_equations_the_gpu_cannot_train_is_refused_where_it_is_set() {
    let Some(gpu) = crate::harness::gpu() else { return };
    let on_gpu = Context { device: Device::Gpu(gpu.clone()), ..Context::cpu() };
    let refused = |change: &str| {
        let given = |key: &str| change.split('&').any(|part| part.starts_with(key));
        let rest = ["preset=heat", "optimizer=adam", "points=64"];
        let rest = rest.iter().filter(|part| !given(part.split('=').next().unwrap()));
        let link = format!("typed-pinn?{change}&{}", rest.copied().collect::<Vec<_>>().join("&"));
        Session::open(&link, on_gpu.clone()).err().unwrap_or_else(|| panic!("{change} is not refused"))
    };
    for (change, key) in [
        ("optimizer=gauss-newton", "optimizer"),
        ("optimizer=soap", "optimizer"),
        ("network=modified", "network"),
        ("width=65", "width"),
        ("windows=2", "windows"),
        ("causality=10", "causality"),
        ("sampling=residual", "sampling"),
        ("curriculum=D=0.5", "curriculum"),
    ] {
        let error = refused(change);
        assert_eq!(error.key.as_deref(), Some(key), "{change}: {error:?}");
        assert_eq!(error.repair.as_ref().map(|r| r.0.as_str()), Some(key), "{change}: {error:?}");
        assert!(error.message.contains("CPU"), "{change}: {error:?}");
    }
    for (change, key) in [
        ("preset=kdv", "equations"),
        ("preset=wave-damped", "equations"),
        ("preset=nls-soliton", "equations"),
        ("sought=D=0.5", "sought"),
        ("preset=drum", "sought"),
    ] {
        let error = refused(change);
        assert_eq!(error.key.as_deref(), Some(key), "{change}: {error:?}");
    }
    let balanced = refused("preset=fisher-kpp&weights=gradient-norms");
    assert_eq!(balanced.repair, Some(("weights".to_owned(), "fixed".to_owned())));
}

#[test]
fn what_the_gpu_cannot_train_is_refused_with_advice() {
    let Some(gpu) = crate::harness::gpu() else { return };
    let on_gpu = Context { device: Device::Gpu(gpu.clone()), ..Context::cpu() };
    for change in ["width=65", "activation=gelu"] {
        let error = Session::open(&format!("pinn-burgers?{change}"), on_gpu.clone()).err().expect("refused");
        assert!(error.code == "start" && error.message.contains("CPU"), "{change}: {error:?}");
    }
}
