//! Walks the catalogue, so that a new experiment is covered without a test of its own: it opens, advances, draws finite
//! views at any parameters its table allows, reproduces its first frame, and applies live changes.

use eddy_experiments::{Budget, Context, Entry, Precision, Session, entries, papers, spec::*};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

fn open(permalink: &str) -> Session {
    let (session, errors) = Session::open(permalink, Context::cpu()).unwrap_or_else(|e| panic!("{permalink}: {e}"));
    assert!(errors.is_empty(), "{permalink}: {errors:?}");
    session
}

/// Slices are a few milliseconds, a reference some seconds.
const MAX_CALLS: u32 = 5000;

fn advance(session: &mut Session, seconds: f64, steps: u64) {
    let before = session.run().progress();
    // Work that is no step (a sampler's reference, a sweep beside the run) is done in slices of its own, so a call may end
    // without a step; but a run that never moves hangs its page.
    for _ in 0..MAX_CALLS {
        pollster::block_on(session.advance(Budget { seconds, steps }))
            .unwrap_or_else(|e| panic!("{}: {e}", session.permalink()));
        if session.run().progress() != before || !session.run().outcome().is_running() {
            return;
        }
    }
    panic!("{}: {MAX_CALLS} budgets of a step and nothing moved", session.permalink());
}

fn assert_drawable(session: &mut Session) {
    let views = session.entry.views;
    for v in views {
        let data = pollster::block_on(session.run_mut().view(v.key))
            .unwrap_or_else(|e| panic!("{}: view {}: {e}", session.permalink(), v.key));
        assert!(data.is_finite(), "{}: view {} is not finite", session.permalink(), v.key);
        match (&data, v.kind) {
            (ViewData::Field { nx, ny, data, .. }, ViewKind::Field) => assert_eq!(data.len(), nx * ny, "{}", v.key),
            (ViewData::Volume { shape, data, .. }, ViewKind::Volume) => {
                assert_eq!(data.len(), shape.iter().product::<usize>(), "{}", v.key);
            }
            (ViewData::Lines { series, .. }, ViewKind::Lines | ViewKind::Curves) => {
                assert!(series.iter().all(|s| s.xs.len() == s.ys.len()), "{}: {}", session.entry.id, v.key);
            }
            (ViewData::Points { positions, values, trails, trail_len, .. }, ViewKind::Points) => {
                assert_eq!(positions.len(), 2 * values.len(), "{}: {}", session.entry.id, v.key);
                assert!(*trail_len == 0 && trails.is_empty() || trails.len() % (2 * trail_len.max(&1)) == 0);
            }
            (ViewData::Mesh { positions, values, triangles, .. }, ViewKind::Mesh) => {
                assert_eq!(positions.len(), 2 * values.len(), "{}: {}", session.entry.id, v.key);
                let is_inside = |corner: &u32| (*corner as usize) < values.len();
                assert!(triangles.len().is_multiple_of(3) && triangles.iter().all(is_inside), "{}", v.key);
            }
            (ViewData::Empty, _) => {}
            _ => panic!("{}: view {} is not of its declared kind", session.entry.id, v.key),
        }
    }
}

#[test]
fn every_experiment_opens_advances_and_draws() {
    assert!(!entries().is_empty());
    for e in entries() {
        for precision in [Precision::F64, Precision::F32] {
            let context = Context { precision, ..Context::cpu() };
            let (mut s, _) = Session::open(e.id, context).unwrap_or_else(|err| panic!("{}: {err}", e.id));
            assert_drawable(&mut s);
            advance(&mut s, 0.1, u64::MAX);
            advance(&mut s, 0.0, 1);
            assert_drawable(&mut s);
            assert!(!matches!(s.run().outcome(), Outcome::Diverged { .. }), "{} diverges at its defaults", e.id);
            let keys: Vec<_> = e.metrics.iter().map(|m| m.key).collect();
            assert_eq!(s.run().record().keys(), keys, "{}: record and METRICS differ", e.id);
        }
    }
}

#[test]
fn the_same_permalink_gives_the_same_run() {
    for e in entries() {
        let (mut a, mut b) = (open(e.id), open(e.id));
        for s in [&mut a, &mut b] {
            // A tenth of a run is enough to see a generator that is not seeded, and cheap for the slow ones.
            for _ in 0..3 {
                advance(s, f64::INFINITY, 1);
            }
        }
        for v in e.views {
            let x = pollster::block_on(a.run_mut().view(v.key)).unwrap();
            let y = pollster::block_on(b.run_mut().view(v.key)).unwrap();
            assert_eq!(format!("{x:?}"), format!("{y:?}"), "{}: view {}", e.id, v.key);
        }
    }
}

#[test]
fn baselines_open() {
    for e in entries() {
        if let Some(link) = open(e.id).baseline_permalink().unwrap_or_else(|err| panic!("{}: {err}", e.id)) {
            assert_ne!(link, e.id, "{}: the baseline is the experiment itself", e.id);
            let mut s = open(&link);
            advance(&mut s, 0.0, 1);
            assert_drawable(&mut s);
        }
    }
}

/// A random text that parameter `p` accepts; the ends of ranges are likely.
fn any_value(p: &'static ParamSpec) -> BoxedStrategy<String> {
    match &p.kind {
        ParamKind::Number { min, max, integer, scale, .. } => {
            let (min, max, integer, log) = (*min, *max, *integer, *scale == Scale::Log);
            prop_oneof![1 => Just(0.0), 1 => Just(1.0), 3 => 0.0..1.0f64]
                .prop_map(move |s| {
                    let v = if log { min * (max / min).powf(s) } else { min + s * (max - min) };
                    if integer { (v.round() as u32).print() } else { v.clamp(min, max).print() }
                })
                .boxed()
        }
        ParamKind::Choice { options } => {
            proptest::sample::select(options.iter().map(|o| o.0.to_owned()).collect::<Vec<_>>()).boxed()
        }
        ParamKind::Toggle => prop_oneof![Just("on".to_owned()), Just("off".to_owned())].boxed(),
        ParamKind::Seed => any::<u32>().prop_map(|s| s.to_string()).boxed(),
        ParamKind::Text { max_len } => {
            let max_len = (*max_len).min(40);
            proptest::string::string_regex(&format!("[a-z0-9+*/()., -]{{0,{max_len}}}"))
                .expect("a valid pattern")
                .boxed()
        }
        // Blank ones too.
        ParamKind::Drawing { columns, rows } => {
            let (columns, rows) = (*columns, *rows);
            proptest::collection::vec((0..=Drawing::DEEPEST, 0..columns, 0..rows), 0..40)
                .prop_map(move |blots| {
                    let mut shades = vec![0; (columns * rows) as usize];
                    for (shade, i, j) in blots {
                        shades[(j * columns + i) as usize] = shade;
                    }
                    Drawing::new(columns, rows, shades).expect("whole").print()
                })
                .boxed()
        }
    }
}

/// Large problems are slow at the end of their ranges; a few random settings per experiment keep the suite short.
const RANDOM_SETTINGS: u32 = 6;

fn try_random_settings(e: &'static Entry) {
    let all: Vec<_> = e.table.iter().map(|p| (Just(p.key), any_value(p), 0.0..1.0f64)).collect();
    let mut runner = TestRunner::new_with_rng(
        Config { cases: RANDOM_SETTINGS, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    runner
        .run(&all, |values| {
            // About half of the parameters change at a time.
            let values = values.into_iter().filter(|(_, _, u)| *u < 0.5).map(|(k, v, _)| (k.to_owned(), v)).collect();
            let link = Setting { id: e.id.to_owned(), values }.to_string();
            let (mut s, errors) = match Session::open(&link, Context::cpu()) {
                Ok(opened) => opened,
                // Parameters that do not go together are refused with a message.
                Err(err) => {
                    prop_assert!(err.code == "start" && err.message.len() > 20, "{link}: {err:?}");
                    return Ok(());
                }
            };
            prop_assert!(errors.is_empty(), "{link}: {errors:?}");
            for _ in 0..2 {
                pollster::block_on(s.advance(Budget { seconds: 0.02, steps: 50 }))
                    .map_err(|err| TestCaseError::fail(err.message))?;
                assert_drawable(&mut s);
            }
            let p = s.run().progress();
            prop_assert!(p.fraction.is_nan() || (0.0..=1.0).contains(&p.fraction), "{link}: fraction {}", p.fraction);
            if let Outcome::Diverged { cause, advice, .. } = s.run().outcome() {
                prop_assert!(!cause.is_empty() && !advice.is_empty(), "{link}");
            }
            Ok(())
        })
        .unwrap_or_else(|err| panic!("{}: {err}", e.id));
}

#[test]
fn random_settings_never_panic_and_always_draw() {
    for e in entries() {
        try_random_settings(e);
    }
}

#[test]
fn live_parameters_apply_without_a_restart() {
    for e in entries() {
        for p in e.table.iter().filter(|p| p.live) {
            let mut s = open(e.id);
            advance(&mut s, 0.0, 1);
            let steps = s.run().progress().steps;
            let ParamKind::Number { min, max, integer, .. } = p.kind else { continue };
            let middle = if integer { f64::midpoint(min, max).round() } else { f64::midpoint(min, max) };
            let effect = s.set(p.key, &middle.print()).unwrap_or_else(|err| panic!("{}: {}: {err}", e.id, p.key));
            assert_eq!(effect, Effect::Live);
            assert_eq!(s.run().progress().steps, steps, "{}: {} restarted the run", e.id, p.key);
        }
    }
}

#[test]
fn bad_changes_leave_a_session_as_it_was() {
    for e in entries() {
        let mut s = open(e.id);
        advance(&mut s, 0.0, 1);
        let (link, steps) = (s.permalink(), s.run().progress().steps);
        assert_eq!(s.set("no_such_key", "1").unwrap_err().code, "parameter-unknown");
        for p in e.table {
            if let ParamKind::Number { max, .. } = p.kind {
                let err = s.set(p.key, &(max * 2.0 + 1.0).round().print()).unwrap_err();
                assert_eq!((err.code, err.key.as_deref()), ("parameter-range", Some(p.key)));
                assert_eq!(s.set(p.key, "NaN").unwrap_err().code, "parameter-malformed");
            }
        }
        assert_eq!((s.permalink(), s.run().progress().steps), (link, steps), "{}", e.id);
    }
}

#[test]
fn constants_are_complete() {
    for e in entries() {
        assert!(e.title.len() <= 80 && e.summary.len() <= 160 && e.summary.ends_with('.'), "{}: {}", e.id, e.summary);
        assert!(!e.views.is_empty() && !e.metrics.is_empty() && !e.devices.is_empty(), "{}", e.id);
        for p in e.table {
            assert!(!p.label.is_empty(), "{}: {} has no label", e.id, p.key);
            if let Some((key, values)) = p.only_when {
                let other = e.table.iter().find(|q| q.key == key).unwrap_or_else(|| panic!("{}: {}", e.id, p.key));
                if let ParamKind::Choice { options } = &other.kind {
                    assert!(values.iter().all(|v| options.iter().any(|o| o.0 == *v)), "{}: {}", e.id, p.key);
                }
            }
            // A default must be a value its own table accepts.
            e.defaults().set(p.key, &p.default).unwrap_or_else(|err| panic!("{}: {err}", e.id));
        }
        for c in e.papers.iter().filter(|c| c.number > 0) {
            let paper = papers()
                .iter()
                .find(|p| p.number == c.number)
                .unwrap_or_else(|| panic!("{}: paper {}", e.id, c.number));
            assert_eq!(paper.title, c.title, "{}: the title differs from the list of papers", e.id);
        }
    }
    let mut numbers: Vec<u32> = papers().iter().map(|p| p.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 157, "the list of papers has 157 different numbers");
    assert!(papers().iter().all(|p| !p.line.is_empty()), "a paper has no description");
}

#[test]
fn unknown_experiments_name_near_misses() {
    let e = entries().first().unwrap();
    let err = eddy_experiments::entry(&format!("{}x", e.id)).err().unwrap();
    assert!(err.message.contains(e.id), "{err}");
}
