//! The PDE lab as the page sees it: exact where theory says so, blow-ups as outcomes with a repair that works, strokes,
//! live changes, and both devices against each other. Base of the chain: tests/pde.rs.

use eddy_experiments::{Budget, Context, Device, Pointer, PointerKind, Precision, Session, spec::*};

fn open(permalink: &str, context: Context) -> Session {
    let (session, errors) = Session::open(permalink, context).unwrap_or_else(|e| panic!("{permalink}: {e}"));
    assert!(errors.is_empty(), "{permalink}: {errors:?}");
    session
}

fn advance(session: &mut Session, budget: Budget) {
    pollster::block_on(session.advance(budget)).unwrap_or_else(|e| panic!("{}: {e}", session.permalink()));
}

fn finish(permalink: &str) -> Session {
    let mut s = open(permalink, Context::cpu());
    advance(&mut s, Budget::seconds(60.0));
    assert_eq!(s.run().outcome(), Outcome::Finished, "{permalink}");
    s
}

fn values(session: &mut Session, view: &str) -> Vec<f64> {
    match pollster::block_on(session.run_mut().view(view)).unwrap() {
        ViewData::Field { data, .. } => data.into_iter().map(f64::from).collect(),
        ViewData::Lines { series, .. } => {
            series.into_iter().find(|s| s.role == Role::Result).map(|s| s.ys).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn max_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}

#[test]
fn exact_solutions_are_met() {
    // Heat: the exponential method is exact at any step; three points are not.
    let spectral = finish("heat-1d?dt=0.5").run().record().latest("error");
    let implicit = finish("heat-1d?dt=0.5&scheme=crank-nicolson").run().record().latest("error");
    assert!(spectral < 1e-13 && implicit > 1e-4, "{spectral} {implicit}");
    // Taylor-Green, e^{-2νt}.
    let flow = finish("navier-stokes-2d?start=taylor-green&viscosity=0.01&grid=64&dt=0.1&end=10");
    assert!(flow.run().record().latest("error") < 1e-12);
    assert!((flow.run().record().latest("energy") / 0.25 - 0.670_320_046).abs() < 1e-8);
    // A clamped mode: c = 1, second order in dx.
    let coarse = finish("wave-2d?start=mode&points=33&dt=0.005&end=1").run().record().latest("error");
    let fine = finish("wave-2d?start=mode&points=65&dt=0.0025&end=1").run().record().latest("error");
    assert!((3.5..4.5).contains(&(coarse / fine)), "{coarse} {fine}");
    // Burgers: the published slope, and Cole-Hopf all along.
    let mut burgers = open("burgers-1d?points=2048&dt=5e-4", Context::cpu());
    advance(&mut burgers, Budget::steps(1021));
    let record = burgers.run().record();
    let steepest = record.rows().chunks(4).map(|row| row[0]).fold(0.0, f64::max);
    assert!((steepest - 152.005).abs() < 0.05, "{steepest}");
    assert!(record.latest("error") < 1e-4, "{}", record.latest("error"));
    // Closed forms of the Schrödinger equation, each through its own start.
    for (start, points) in [("soliton", 512), ("bound-state", 1024), ("breather", 512)] {
        let error = finish(&format!("nlse-1d?start={start}&points={points}")).run().record().latest("error");
        assert!(error < 1e-3, "{start}: {error}");
    }
    // Static kinks stay, a packet keeps its energy.
    let kinks = finish("klein-gordon-1d?start=static&end=100");
    assert!(kinks.run().record().latest("energy_error") < 1e-4);
    assert!((kinks.run().record().latest("energy") - 4.0 * 2.0_f64.sqrt() / 3.0).abs() < 1e-3, "two kinks of 2√2/3");
}

/// Settings whose step is far too long.
const TOO_LONG: &[&str] = &[
    "heat-1d?scheme=euler&dt=1",
    "heat-1d?scheme=rk4-fd4&dt=1",
    "burgers-1d?dt=0.1",
    "kuramoto-sivashinsky?dt=2&feeding=2",
    "wave-2d?dt=0.05",
    "wave-2d?dt=0.05&method=rk4",
    "gray-scott?dt=6",
    "gray-scott?dt=6&method=rk4",
    "navier-stokes-2d?dt=1",
    "nlse-1d?method=differences&dt=0.5",
    "klein-gordon-1d?dt=1",
    "klein-gordon-1d?dt=1&method=rk4",
];

#[test]
fn a_step_that_is_too_long_is_an_outcome_with_a_repair_that_works() {
    for precision in [Precision::F64, Precision::F32] {
        for link in TOO_LONG {
            let mut s = open(link, Context { precision, ..Context::cpu() });
            let view = s.entry.views[0].key;
            let before = values(&mut s, view);
            advance(&mut s, Budget::seconds(0.5));
            let Outcome::Diverged { cause, advice, repair, step } = s.run().outcome() else {
                panic!("{link} {precision:?}: {:?}", s.run().outcome());
            };
            assert!(!cause.is_empty() && !advice.is_empty() && step > 0, "{link}");
            for view in s.entry.views {
                let data = pollster::block_on(s.run_mut().view(view.key)).unwrap();
                assert!(data.is_finite(), "{link}");
            }
            let shown = values(&mut s, view);
            let size = |v: &[f64]| v.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
            assert!(size(&shown) < 1e3 * size(&before), "{link}: {}", size(&shown));
            // The repair restarts nothing: the run goes on from its last good state, and a fresh run holds as well.
            let (key, text) = repair.unwrap_or_else(|| panic!("{link}: no repair ({cause})"));
            let steps = s.run().progress().steps;
            s.set(&key, &text).unwrap_or_else(|e| panic!("{link}: repair {text}: {e}"));
            assert!(s.run().outcome().is_running(), "{link}");
            advance(&mut s, Budget::steps(1));
            assert!(s.run().progress().steps >= steps, "{link}");
            s.restart().unwrap();
            advance(&mut s, Budget { seconds: 2.0, steps: 300 });
            assert!(
                !matches!(s.run().outcome(), Outcome::Diverged { .. }),
                "{link}: dt = {text} diverges too: {cause}"
            );
        }
    }
}

#[test]
fn chaos_on_a_grid_that_cannot_damp_it_is_refused() {
    // Without the refusal these end at magnitudes between 30 and 1,000, or diverge; on fine grids none passes 5.
    for link in ["kuramoto-sivashinsky?points=64", "kuramoto-sivashinsky?length=400", "kuramoto-sivashinsky?points=80"]
    {
        let error = match Session::open(link, Context::cpu()) {
            Err(error) => error,
            Ok(_) => panic!("{link} was opened"),
        };
        assert!(error.message.contains("too coarse") && error.key.as_deref() == Some("points"), "{link}: {error:?}");
        let (key, value) = error.repair.unwrap();
        let mut s =
            open(&format!("{link}&{key}={value}").replace("points=64&", "").replace("points=80&", ""), Context::cpu());
        advance(&mut s, Budget::seconds(10.0));
        assert_eq!(s.run().outcome(), Outcome::Finished, "{link}");
        let energy = s.run().record().latest("energy");
        assert!((0.5..2.0).contains(&energy), "{link}: {energy}");
    }
    // No grid on offer is fine enough: a shorter line is.
    let mut s = open("kuramoto-sivashinsky?length=400&points=1024", Context::cpu());
    s.set("feeding", "2").unwrap();
    let error = s.set("damping", "0.2").unwrap_err();
    assert_eq!(error.key.as_deref(), Some("length"), "{error:?}");
    // What was refused changed nothing.
    assert_eq!(s.get("damping").as_deref(), Some("1"));
    let (key, value) = error.repair.unwrap();
    s.set(&key, &value).unwrap();
    s.set("damping", "0.2").unwrap();
}

#[test]
fn a_stroke_adds_where_it_is_painted() {
    for (link, view) in
        [("wave-2d?start=rest", "u"), ("gray-scott?start=empty", "v"), ("navier-stokes-2d?start=rest", "vorticity")]
    {
        let mut s = open(link, Context::cpu());
        let ViewData::Field { nx, ny, data, x, y, .. } = pollster::block_on(s.run_mut().view(view)).unwrap() else {
            panic!("{link}")
        };
        assert!(data.iter().all(|v| v.abs() < 1e-9), "{link} starts empty");
        let at = (x.0 + 0.25 * (x.1 - x.0), y.0 + 0.75 * (y.1 - y.0));
        let stroke =
            Pointer { kind: PointerKind::Down, x: at.0, y: at.1, radius: 0.03 * (x.1 - x.0), secondary: false };
        assert!(s.run_mut().pointer(view, &stroke), "{link}");
        let painted = values(&mut s, view);
        let top = (0..nx * ny).max_by(|a, b| painted[*a].total_cmp(&painted[*b])).unwrap();
        assert!((top % nx).abs_diff(nx / 4) <= 1 && (top / nx).abs_diff(3 * ny / 4) <= 1, "{link}: {top}");
        assert!(painted[top] > 0.1, "{link}");
        // The other side is untouched (a periodic flow has no mean, so there it is lowered a little).
        let far = painted[(ny / 4) * nx + 3 * nx / 4];
        assert!(far.abs() < 0.05 * painted[top], "{link}: {far}");
        let opposite = Pointer { secondary: true, ..stroke };
        assert!(s.run_mut().pointer(view, &opposite));
        let erased = values(&mut s, view);
        assert!(erased.iter().all(|v| v.abs() < 1e-6), "{link}: the opposite stroke undoes it");
        let lost = Pointer { x: f64::NAN, ..stroke };
        assert!(!s.run_mut().pointer(view, &lost));
    }
    // The exact solution of the heat equation starts anew from a stroke.
    let mut s = open("heat-1d", Context::cpu());
    advance(&mut s, Budget::steps(20));
    let stroke = Pointer { kind: PointerKind::Move, x: 3.0, y: 2.0, radius: 0.3, secondary: false };
    assert!(s.run_mut().pointer("u", &stroke));
    advance(&mut s, Budget::steps(20));
    assert!(s.run().record().latest("error") < 1e-13, "{}", s.run().record().latest("error"));
}

#[test]
fn live_coefficients_act_and_steps_do_not_depend_on_the_budget() {
    // One advance of 40 steps and forty of one are the same run.
    for link in ["kuramoto-sivashinsky", "gray-scott", "navier-stokes-2d", "wave-2d", "klein-gordon-1d"] {
        let (mut a, mut b) = (open(link, Context::cpu()), open(link, Context::cpu()));
        advance(&mut a, Budget::steps(40));
        for _ in 0..40 {
            advance(&mut b, Budget::steps(1));
        }
        let view = a.entry.views[0].key;
        assert_eq!(a.run().progress(), b.run().progress(), "{link}");
        assert_eq!(values(&mut a, view), values(&mut b, view), "{link}");
    }
    // Diffusivity changed on the way: e^{-D1 k² t1 - D2 k² t2}.
    let mut s = open("heat-1d?start=sine&wavenumber=3&dt=0.01", Context::cpu());
    advance(&mut s, Budget::steps(10));
    s.set("diffusivity", "0.5").unwrap();
    advance(&mut s, Budget::steps(10));
    let amplitude = s.run().record().latest("amplitude");
    // The largest sample of 128 is not quite the crest.
    assert!((amplitude / (-0.1_f64 * 9.0 * 0.1 - 0.5 * 9.0 * 0.1).exp() - 1.0).abs() < 2e-3, "{amplitude}");
    assert!(s.run().record().latest("error") < 1e-13);
}

#[test]
fn the_gpu_runs_the_same_systems() {
    let device = match pollster::block_on(Device::request_gpu()) {
        Ok(device) => device,
        Err(e) if std::env::var_os("EDDY_REQUIRE_GPU").is_none() => {
            eprintln!("SKIPPED: {e}");
            return;
        }
        Err(e) => panic!("{e}"),
    };
    let gpu = || Context { device: device.clone(), precision: Precision::F32 };
    // One setting per system and method, with the tolerance of f32 over so many steps.
    for (link, steps, tolerance) in [
        ("heat-1d", 40, 1e-5),
        ("burgers-1d?points=256&viscosity=0.02", 100, 2e-4),
        ("kuramoto-sivashinsky", 40, 2e-4),
        ("wave-2d?method=rk4&points=64&dt=0.005&rim=free", 40, 2e-4),
        ("wave-2d?method=verlet&points=64&dt=0.005&rim=clamped", 40, 2e-4),
        ("gray-scott?method=rk4&grid=64", 40, 1e-4),
        ("gray-scott?method=euler&grid=64", 40, 1e-4),
        ("navier-stokes-2d?grid=64&force=0.5", 20, 5e-3),
    ] {
        let (mut on_gpu, mut on_cpu) = (open(link, gpu()), open(link, Context::cpu()));
        assert!(on_gpu.device().contains("f32") && !on_gpu.device().contains("CPU · "), "{}", on_gpu.device());
        let view = on_cpu.entry.views.iter().find(|v| v.key != "history").unwrap().key;
        let before = values(&mut on_cpu, view);
        let (x, y) = match pollster::block_on(on_cpu.run_mut().view(view)).unwrap() {
            ViewData::Field { x, y, .. } | ViewData::Lines { x, y, .. } => (x, y),
            _ => panic!("{link}"),
        };
        let stroke = Pointer {
            kind: PointerKind::Down,
            x: x.0 + 0.3 * (x.1 - x.0),
            y: y.0 + 0.6 * (y.1 - y.0),
            radius: 0.05 * (x.1 - x.0),
            secondary: false,
        };
        for s in [&mut on_gpu, &mut on_cpu] {
            advance(s, Budget::steps(steps));
            values(s, view);
            assert!(s.run_mut().pointer(view, &stroke), "{link}");
            advance(s, Budget::steps(steps));
            assert_eq!(s.run().progress().steps, 2 * steps, "{link}");
        }
        let (a, b) = (values(&mut on_gpu, view), values(&mut on_cpu, view));
        let difference = max_difference(&a, &b);
        assert!(difference < tolerance, "{link}: {difference}");
        let moved = max_difference(&before, &b);
        assert!(moved > 10.0 * tolerance, "{link}: the comparison is not of a state at rest ({moved})");
        // A planted fault: one more step on one side is seen.
        advance(&mut on_gpu, Budget::steps(3));
        assert!(max_difference(&values(&mut on_gpu, view), &b) > difference, "{link}");
    }
    // A blow-up is an outcome there, too, and the last good state is shown.
    for link in
        ["gray-scott?dt=6&grid=64", "wave-2d?dt=0.05&points=64", "navier-stokes-2d?dt=1&grid=64", "burgers-1d?dt=0.1"]
    {
        let mut s = open(link, gpu());
        advance(&mut s, Budget { seconds: 5.0, steps: 400 });
        assert!(matches!(s.run().outcome(), Outcome::Diverged { .. }), "{link}: {:?}", s.run().outcome());
        let view = s.entry.views[0].key;
        assert!(values(&mut s, view).iter().all(|v| v.is_finite()), "{link}");
    }
    // Rows of the history are of the same times on both devices, however often the record is written and whatever the
    // slices are.
    let history = |context: Context, slice: u64| {
        let mut s = open("kuramoto-sivashinsky?points=64&length=40&end=40&dt=0.07", context);
        while s.run().progress().steps < 150 {
            let left = 150 - s.run().progress().steps;
            advance(&mut s, Budget::steps(slice.min(left)));
        }
        values(&mut s, "history")
    };
    let (a, b) = (history(gpu(), 150), history(Context::cpu(), 7));
    let rows = |values: &[f64]| values.chunks(64).map(<[f64]>::to_vec).collect::<Vec<_>>();
    let (a, b) = (rows(&a), rows(&b));
    // 10.5 time units in rows of 40 / 240.
    assert_eq!((a.len(), b.len()), (240, 240));
    for (row, (a, b)) in a.iter().zip(&b).take(63).enumerate() {
        assert!(max_difference(a, b) < 2e-4, "row {row}: {}", max_difference(a, b));
    }
    // A planted fault, a row taken one step late, is seen: neighbouring rows differ by far more.
    assert!(max_difference(&a[60], &b[61]) > 2e-3, "{}", max_difference(&a[60], &b[61]));

    // A method without a GPU version says that it computes on the CPU.
    assert_eq!(open("heat-1d?scheme=euler", gpu()).device(), "CPU · f32");
    // A number of points that the transform cannot take is refused at its control.
    let error = Session::open("heat-1d?points=100", gpu()).err().unwrap();
    assert_eq!((error.code, error.key.as_deref()), ("gpu-transform", Some("points")));
}
