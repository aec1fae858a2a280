//! The lab of typed equations: forms, runs, links, and what the editor is told.
#![cfg(feature = "equations")]

use eddy_experiments::{
    Budget, Context, Picture, Pointer, PointerKind, Session,
    labs::typed::{Texts, analyse},
    spec::{Outcome, ViewData},
};
use eddy_solve::{Problem, Simulation, Statement, presets::presets};

fn open(link: &str) -> Session {
    let (session, warnings) = Session::open(link, Context::cpu()).expect("a link that opens");
    assert!(warnings.is_empty(), "{warnings:?}");
    session
}

fn finish(session: &mut Session) {
    for _ in 0..100_000 {
        if !session.run().outcome().is_running() {
            return;
        }
        pollster::block_on(session.advance(Budget::steps(1000))).unwrap();
    }
    panic!("the run does not end");
}

fn view(session: &mut Session, key: &str) -> ViewData {
    let data = pollster::block_on(session.run_mut().view(key)).unwrap();
    assert!(data.is_finite(), "{key}");
    data
}

#[test]
fn texts_of_every_preset_make_its_problem() {
    for preset in presets() {
        let problem = Problem::parse(preset.text).unwrap();
        let texts = Texts::of(&problem);
        let again = texts.problem(problem.method.precision == "f32").unwrap();
        let mut wanted = problem.clone();
        // What a form does not hold: a preset's description, and a bound on steps.
        wanted.about = None;
        wanted.time.max_steps = None;
        wanted.equations = wanted.equations.trim().to_owned();
        let (again, wanted) = (Statement::new(again), Statement::new(wanted));
        let (again, wanted) = (again.unwrap_or_else(|e| panic!("{}: {e}", preset.key)), wanted.unwrap());
        assert_eq!(again.problem.equations, wanted.problem.equations, "{}", preset.key);
        assert_eq!(
            (&again.grid, &again.parameters, again.start, again.end, &again.saves, again.dt, again.tolerance),
            (&wanted.grid, &wanted.parameters, wanted.start, wanted.end, &wanted.saves, wanted.dt, wanted.tolerance),
            "{}",
            preset.key
        );
        assert_eq!(again.problem.method, wanted.problem.method, "{}", preset.key);
        for position in 0..again.stepped().len() {
            assert_eq!(again.initial(position, &again.grid).unwrap(), wanted.initial(position, &wanted.grid).unwrap());
        }
        assert_eq!(format!("{:?}", again.sides), format!("{:?}", wanted.sides), "{}", preset.key);
    }
}

#[test]
fn a_run_gives_the_numbers_of_eddy_solve() {
    let mut session = open("equation-lab?preset=heat&end=2");
    finish(&mut session);
    assert_eq!(session.run().outcome(), Outcome::Finished);
    let error = session.run().record().latest("error");
    assert!(error < 1e-12, "{error}");
    assert!(session.run().record().latest("drift") < 1e-12);
    // The problem file of the editor, read and solved as `eddy solve` does it: save by save.
    let form = Texts { preset: "heat".into(), end: "2".into(), seed: 1, ..Texts::default() };
    let facts = analyse(&form);
    let problem = Problem::parse(facts["toml"].as_str().unwrap()).unwrap();
    let mut simulation = Simulation::<f64>::new(Statement::new(problem).unwrap()).unwrap();
    for save in simulation.statement.saves.clone() {
        while simulation.time < save {
            simulation.advance(save, || true);
        }
    }
    let solved = &simulation.values()[0].re;
    let ViewData::Lines { series, .. } = view(&mut session, "lines") else { panic!("no curves") };
    assert_eq!(series.len(), 2);
    assert_eq!(series[0].name, "u exact");
    assert_eq!(&series[1].ys, solved, "bit for bit");
}

#[test]
fn an_error_is_at_its_characters_and_its_fix_repairs_it() {
    let equations = "# two species\nalpha = 0.5\nu_t = lap(u) + alpah*v\nv_t = 0.1*lap(v) - u";
    let form = Texts { equations: equations.into(), x: "10, 32".into(), end: "1".into(), ..Texts::default() };
    let facts = analyse(&form);
    let errors = facts["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (start, end) = (errors[0]["start"].as_u64().unwrap() as usize, errors[0]["end"].as_u64().unwrap() as usize);
    assert_eq!((&equations[start..end], errors[0]["replacement"].as_str()), ("alpah", Some("alpha")));
    let fixed = format!("{}alpha{}", &equations[..start], &equations[end..]);
    let facts = analyse(&Texts { equations: fixed, ..form.clone() });
    assert_eq!(facts["errors"].as_array().unwrap().len(), 0, "{facts}");
    assert_eq!(facts["method"]["time"], "etdrk4");
    assert!(facts["latex"].as_array().unwrap().len() >= 2);
    assert_eq!(facts["parameters"][0]["name"], "alpha");
    // An error in another text counts from that text's beginning, in the units of a browser.
    let initial = "v = 1\nu = sin(𝑥) + cso(x)";
    let facts = analyse(&Texts { initial: initial.into(), equations: "u_t = lap(u)\nv_t = lap(v)".into(), ..form });
    let wanted = initial.encode_utf16().collect::<Vec<_>>();
    let found: Vec<String> = facts["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert_eq!(error["key"], "initial");
            let range = error["start"].as_u64().unwrap() as usize..error["end"].as_u64().unwrap() as usize;
            String::from_utf16(&wanted[range]).unwrap()
        })
        .collect();
    assert!(found.contains(&"cso".to_owned()), "{found:?}");
}

/// A remark may stand behind any line of any text, whatever it holds.
#[test]
fn remarks_are_passed_over() {
    let with = |mark: &str| Texts {
        equations: format!("u_t = D*lap(u){mark}\nv_t = lap(v)"),
        x: "1, 32".into(),
        boundary: format!("u.x_min = dirichlet: 0{mark}\nu.x_max = neumann: 0\nv = dirichlet: 0{mark}"),
        initial: format!("u = x{mark}\nv = sin(pi*x){mark}"),
        parameters: format!("D = 2{mark}"),
        exact: format!("v = exp(-pi^2*t)*sin(pi*x){mark}"),
        end: "1".into(),
        ..Texts::default()
    };
    let [plain, marked] = ["", " # of (it; u = 3, v = dirichlet: 1"].map(|mark| {
        let facts = analyse(&with(mark));
        assert_eq!(facts["errors"].as_array().unwrap().len(), 0, "{facts}");
        let problem = with(mark).problem(false).unwrap();
        (problem.boundary, problem.initial, problem.parameters, problem.exact)
    });
    assert_eq!(plain, marked);
}

#[test]
fn live_parameters_and_strokes_reach_the_running_run() {
    let mut session = open("equation-lab?preset=gray-scott-maze&end=40&x=128, 32&y=128, 32");
    pollster::block_on(session.advance(Budget::steps(20))).unwrap();
    let before = session.run().progress();
    session.set("parameters", "F = 0.05").unwrap();
    let after = session.run().progress();
    assert_eq!((before.position, before.steps), (after.position, after.steps), "the run goes on where it was");
    session.set("shown", "v").unwrap();
    let middle = |session: &mut Session| match view(session, "field") {
        ViewData::Field { data, nx, range, .. } => (f64::from(data[16 * nx + 16]), range.1 - range.0),
        _ => panic!("no field"),
    };
    let (plain, range) = middle(&mut session);
    let event = Pointer { kind: PointerKind::Down, x: 64.0, y: 64.0, radius: 16.0, secondary: false };
    assert!(session.run_mut().pointer("field", &event));
    let (painted, _) = middle(&mut session);
    assert!(painted > plain + 0.15 * range, "{plain} {painted} {range}");
    finish(&mut session);
    assert_eq!(session.run().outcome(), Outcome::Finished);
    assert!(matches!(view(&mut session, "spectrum"), ViewData::Lines { series, .. } if series.len() == 2));
}

#[test]
fn too_long_steps_diverge_with_a_repair_that_runs() {
    let link = "equation-lab?equations=u_t%20%3D%20lap(u)&x=1, 33&boundary=dirichlet: 0&initial=u%20%3D%20sin(pi*x)%20%2B%201e-3*sin(31*pi*x)&end=0.5&space=fd2&time=rk4&dt=0.002";
    let mut session = open(link);
    finish(&mut session);
    let Outcome::Diverged { cause, advice, repair, .. } = session.run().outcome() else {
        panic!("{:?}", session.run().outcome())
    };
    assert!(!cause.is_empty() && !advice.is_empty());
    let mut repair = repair.expect("a repair");
    for _ in 0..4 {
        session.set(&repair.0, &repair.1).unwrap();
        finish(&mut session);
        match session.run().outcome() {
            Outcome::Finished => return,
            Outcome::Diverged { repair: Some(next), .. } => repair = next,
            other => panic!("{other:?}"),
        }
    }
    panic!("halving does not help");
}

#[test]
fn every_preset_is_seen() {
    for preset in presets() {
        let mut session = open(&format!("equation-lab?preset={}", preset.key));
        let about = Problem::parse(preset.text).unwrap().about.expect("each preset says what it is");
        let key = about["view"].as_str().unwrap().to_owned();
        pollster::block_on(session.advance(Budget { seconds: 0.2, steps: 3 })).unwrap();
        assert!(!matches!(view(&mut session, &key), ViewData::Empty), "{}: {key}", preset.key);
    }
}

fn field(session: &mut Session, key: &str) -> Vec<f32> {
    match pollster::block_on(session.run_mut().view(key)).unwrap() {
        ViewData::Field { data, .. } => data,
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn the_run_goes_back_to_a_moment_and_on_from_there() {
    let link = "equation-lab?equations=u_t%20=%200.1*lap(u)%20%2B%20u%20-%20u%5E3&x=6,32&y=6,32&initial=u%20=%20sin(x)*cos(2*y)&end=4&dt=0.04";
    let mut session = open(link);
    finish(&mut session);
    let (last, steps) = (field(&mut session, "field"), session.run().progress().steps);
    let rows = session.run().record().x().len();
    // What was there at a quarter of the run, from a run of its own.
    let mut other = open(link);
    while other.run().progress().position < 1.0 - 1e-9 {
        pollster::block_on(other.advance(Budget::steps(1))).unwrap();
    }
    assert!(session.run_mut().seek(1.01));
    assert!((session.run().progress().position - 1.0).abs() < 1e-9);
    assert_eq!(session.run().progress().steps, other.run().progress().steps);
    let quarter = field(&mut session, "field");
    assert_eq!(quarter, field(&mut other, "field"));
    assert_ne!(quarter, last);
    // To look is not to change: the end is still there.
    assert!(session.run_mut().seek(1e9));
    assert_eq!(session.run().outcome(), Outcome::Finished);
    assert_eq!((field(&mut session, "field"), session.run().progress().steps), (last.clone(), steps));
    assert_eq!(session.run().record().x().len(), rows);
    // Going on from a moment makes the same future anew.
    assert!(session.run_mut().seek(1.0));
    pollster::block_on(session.advance(Budget::steps(1))).unwrap();
    assert!(
        session.run().record().x().iter().all(|t| *t <= 1.0401) && session.run().keyframes().last() <= Some(&1.0401)
    );
    finish(&mut session);
    assert_eq!((field(&mut session, "field"), session.run().progress().steps), (last, steps));
    assert_eq!(session.run().record().x().len(), rows);
    // Another future from the same moment.
    session.run_mut().seek(1.0);
    let bump = Pointer { kind: PointerKind::Down, x: 0.3, y: 0.3, radius: 0.2, secondary: false };
    assert!(session.run_mut().pointer("field", &bump));
    assert!(session.run().keyframes().last() <= Some(&1.0));
    assert_ne!(field(&mut session, "field"), quarter);
}

/// Walls are drawn while the waves are looked at.
#[test]
fn the_brush_is_on_the_field_that_it_names() {
    let mut session = open("equation-lab?preset=wave-walls&x=-5%20..%205,%2048&y=-5%20..%205,%2048&dt=0.05");
    let values = |session: &mut Session, name: &str| {
        session.set("shown", name).unwrap();
        let data = match pollster::block_on(session.run_mut().view("field")).unwrap() {
            ViewData::Field { data, .. } => (data, 0),
            ViewData::Points { backdrop: Some(behind), trails, .. } => match *behind {
                ViewData::Field { data, .. } => (data, trails.len()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        session.set("shown", "").unwrap();
        data
    };
    let (wall, none) = values(&mut session, "wall");
    let (u, outline) = values(&mut session, "u");
    assert!(none == 0 && outline > 0, "the outline is on the other field only");
    let at = |x: f64, y: f64, secondary| Pointer { kind: PointerKind::Move, x, y, radius: 0.5, secondary };
    assert!(session.run_mut().pointer("field", &at(2.0, 2.0, false)));
    assert_eq!(values(&mut session, "u").0, u);
    let painted = values(&mut session, "wall");
    assert_ne!(painted.0, wall);
    let most = |(data, _): &(Vec<f32>, usize)| data.iter().fold(f32::MIN, |a, b| a.max(*b));
    assert!((most(&painted) - 1.0).abs() < 1e-6, "a third of the range, beside a wall of 1");
    session.set("brush", "u").unwrap();
    assert!(session.run_mut().pointer("field", &at(2.0, 2.0, false)));
    assert_ne!(values(&mut session, "u").0, u);
    assert_eq!(values(&mut session, "wall").0, painted.0);
    assert_eq!(values(&mut session, "u").1, 0, "no outline of what is shown");
    pollster::block_on(session.advance(Budget::steps(20))).unwrap();
    assert_eq!(session.run().outcome(), Outcome::Running);
}

/// Zero is the middle of colours that have one.
#[test]
fn colours_with_a_middle_have_zero_there() {
    for (preset, is_centred) in [("wave-drop", true), ("gray-scott-mitosis", false)] {
        let mut session = open(&format!("equation-lab?preset={preset}"));
        pollster::block_on(session.advance(Budget::steps(5))).unwrap();
        let ViewData::Field { range, .. } = view(&mut session, "field") else { panic!("{preset}") };
        assert_eq!((range.0 + range.1).abs() < 1e-12, is_centred, "{preset}: {range:?}");
    }
}

/// A field that is zero everywhere takes bumps that can be seen.
#[test]
fn an_empty_field_is_painted_on() {
    let mut session = open("equation-lab?equations=u_t%20=%20lap(u)&initial=u%20=%200&x=1,%2032&y=1,%2032&end=1");
    let bump = Pointer { kind: PointerKind::Down, x: 0.5, y: 0.5, radius: 0.2, secondary: false };
    assert!(session.run_mut().pointer("field", &bump));
    let most = field(&mut session, "field").iter().fold(0.0f32, |a, b| a.max(b.abs()));
    assert!((most - 0.3).abs() < 1e-3, "{most}");
}

#[test]
fn a_diverged_run_goes_back_to_a_good_moment() {
    let mut session = open("equation-lab?equations=u_t%20=%20u%5E2&initial=u%20=%201&end=2&x=&dt=0.01&time=euler");
    finish(&mut session);
    assert!(matches!(session.run().outcome(), Outcome::Diverged { .. }), "{:?}", session.run().outcome());
    assert!(session.run_mut().seek(0.5));
    assert_eq!(session.run().outcome(), Outcome::Running);
    assert!((session.run().progress().position - 0.5).abs() < 0.021);
}

#[test]
fn pictures_suit_their_system() {
    let empty = |link: &str, key: &str| {
        let mut session = open(link);
        pollster::block_on(session.advance(Budget::steps(40))).unwrap();
        let view = pollster::block_on(session.run_mut().view(key)).unwrap();
        assert!(view.is_finite(), "{link} {key}");
        view == ViewData::Empty
    };
    let plane = "equation-lab?preset=gray-scott-mitosis&x=2.5,48&y=2.5,48";
    assert!(!empty(plane, "contours") && !empty(plane, "arrows") && empty(plane, "difference-plane"));
    assert!(empty(plane, "difference") && empty(plane, "lines"));
    assert!(!empty("equation-lab?preset=taylor-green&x=6.28,32&y=6.28,32", "difference-plane"));
    let line = "equation-lab?preset=heat";
    assert!(!empty(line, "difference") && empty(line, "contours") && empty(line, "arrows"));
    assert!(!empty("equation-lab?preset=van-der-pol", "frequencies"));
}

#[test]
fn a_volume_holds_the_whole_field() {
    let link = "equation-lab?equations=u_t%20=%20lap(u)&x=0..4,8&y=0..5,10&z=0..6,12&initial=u%20=%20x%20%2B%2010*y%20%2B%20100*z&end=1&space=fd2";
    let mut session = open(link);
    let ViewData::Volume { shape, data, x, y, z, range } = view(&mut session, "volume") else { panic!("no volume") };
    assert_eq!((shape, x, y, z), ([8, 10, 12], (0.0, 4.0), (0.0, 5.0), (0.0, 6.0)));
    // Every value where its coordinates say, along each of the axes.
    for (index, value) in data.iter().enumerate() {
        let [i, j, k] = [index % 8, index / 8 % 10, index / 80].map(|n| 0.5 * n as f64);
        assert!((f64::from(*value) - (i + 10.0 * j + 100.0 * k)).abs() < 1e-3, "{index}: {value}");
    }
    assert!(range.0.abs() < 1e-9 && (range.1 - 598.5).abs() < 1e-9, "{range:?}");
    // The plane is the layer in the middle.
    assert_eq!(field(&mut session, "field"), data[6 * 80..7 * 80]);
    let mut flat = open("equation-lab?preset=allen-cahn");
    assert_eq!(view(&mut flat, "volume"), ViewData::Empty);
}

#[test]
fn a_picture_stands_in_for_a_field() {
    let mut session = open("equation-lab?equations=u_t%20=%20lap(u)&x=6,16&y=6,12&initial=u%20=%20x&end=1&space=fd2");
    let before = field(&mut session, "field");
    let slope = Picture { nx: 32, ny: 24, values: (0..32 * 24).map(|n| (n / 32) as f32 / 23.0).collect() };
    assert!(session.run_mut().load("field", &slope));
    let after = field(&mut session, "field");
    assert_ne!(before, after);
    let (least, most) = before.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    for (index, value) in after.iter().enumerate() {
        let shade = (2.0 * (index / 16) as f32 + 0.5) / 23.0;
        assert!((value - (least + (most - least) * shade)).abs() < 1e-5, "{index}: {value}");
    }
    for bad in [
        Picture { nx: 3, ny: 3, values: vec![0.0; 8] },
        Picture { nx: 0, ny: 0, values: vec![] },
        Picture { nx: 1, ny: 1, values: vec![f32::NAN] },
    ] {
        assert!(!session.run_mut().load("field", &bad));
    }
    assert_eq!(field(&mut session, "field"), after);
    assert!(!open("equation-lab?preset=heat").run_mut().load("lines", &slope));
}
