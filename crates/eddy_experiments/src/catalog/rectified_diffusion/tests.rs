use super::*;

fn quick(second: Second) -> Params {
    Params { second, steps: 60, more: 30, pairs: 600, particles: 100, batch: 32, width: 16, ..Params::default() }
}

fn finished(p: &Params) -> RectifyRun {
    let mut run = RectifyRun::new(p).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(run.outcome(), Outcome::Finished);
    run
}

#[test]
fn pairs_are_made_where_they_are_wanted_and_every_evaluation_is_counted() {
    assert_eq!(finished(&quick(Second::Control)).pair_evaluations, 0);
    for second in [Second::Diffusion, Second::Flow] {
        let run = finished(&quick(second));
        assert_eq!((run.made(), run.pair_evaluations), (600, 600 * PAIR_STEPS as u64));
    }
}

#[test]
fn a_pair_lies_on_the_path_that_made_it() {
    for second in [Second::Diffusion, Second::Flow] {
        let mut run = RectifyRun::new(&quick(second)).unwrap();
        while run.made() == 0 {
            run.work();
        }
        let top = run.params.form(true).level(1.0);
        let rng = Philox::new(run.params.seed.wrapping_add(7919));
        let vp = run.params.form(false).level(1.0);
        let start = run.law.sample(CHUNK, vp.alpha, vp.sigma, &rng, Stream::Prior).to_points();
        for (i, x) in start.iter().enumerate().take(20) {
            let on_path = top.alpha * run.pairs.1[i] + top.sigma * run.pairs.0[i];
            assert!((on_path - x).abs() < 1e-9, "{second:?} {on_path} {x}");
        }
    }
}

#[test]
fn the_signal_at_the_start_is_the_one_asked_for() {
    for terminal in [0.005, 0.068, 0.5] {
        let p = Params { terminal, ..Params::default() };
        assert!((p.form(false).level(1.0).alpha - terminal).abs() < 1e-12);
    }
}
