use super::*;

fn quick(rule: Rule) -> Params {
    Params { rule, steps: 40, width: 12, batch: 32, particles: 100, evaluations: 10, ..Params::default() }
}

fn finished(p: &Params) -> ExitRun {
    let mut run = ExitRun::new(p).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(run.outcome(), Outcome::Finished);
    run
}

fn network(run: &ExitRun) -> (&ExitNetwork, Vec<[f64; 3]>) {
    (&run.network, run.examples(50, &Philox::new(4)).0)
}

#[test]
fn stopping_gives_what_the_whole_pass_gives_at_that_exit() {
    let mut run = finished(&quick(Rule::Never));
    let (net, points) = network(&run);
    // Every point at another depth, so that points move together in many ways.
    let depth = |i: usize| 1 + (i * 5) % 8;
    let out = net.run(&points, |i, block, _| block >= depth(i));
    let mut off = 0.0_f64;
    let mut wrong = 0.0_f64;
    run.network.all_exits(&points, |i, b, exit| {
        let gap = (exit.answer[0] - out[i].0[0]).abs() + (exit.answer[1] - out[i].0[1]).abs();
        if b + 1 == depth(i) {
            off = off.max(gap);
            assert_eq!(out[i].1, depth(i));
        } else {
            wrong = wrong.max(gap);
        }
    });
    assert!(off < 1e-4, "{off}");
    // Seen to fail: another exit says something else.
    assert!(wrong > 1e-2, "{wrong}");
}

#[test]
fn doubt_is_seen_alike_by_both_passes() {
    let mut run = finished(&quick(Rule::Never));
    let (net, points) = network(&run);
    let mut seen = vec![Vec::new(); points.len()];
    net.run(&points, |i, _, exit| {
        seen[i].push(exit.doubt);
        false
    });
    run.network.all_exits(&points, |i, b, exit| {
        if b < 7 {
            assert!((seen[i][b] - exit.doubt).abs() < 1e-5);
        }
    });
    assert!(seen.iter().all(|s| s.len() == 7));
}

#[test]
fn blocks_are_counted_where_they_run() {
    for (rule, saving) in [(Rule::Never, 0.0), (Rule::Fixed, 0.4), (Rule::Random, 0.4), (Rule::Doubt, 0.4)] {
        let run = finished(&Params { saving, ..quick(rule) });
        let shown = run.shown.as_ref().unwrap();
        let by_stops: u64 = shown
            .stops
            .iter()
            .map(|s| s.iter().enumerate().map(|(b, n)| (b as u64 + 1) * u64::from(*n)).sum::<u64>())
            .sum();
        assert_eq!((by_stops, shown.each.iter().map(|n| u64::from(*n)).sum::<u64>()), (shown.blocks, shown.blocks));
        let saved = run.record.latest("saved");
        match rule {
            Rule::Never => assert_eq!(saved, 0.0),
            // The threshold was found on other particles of the same law.
            Rule::Doubt => assert!(saved > 0.3, "{saved}"),
            _ => assert!((saved - saving).abs() < 0.02, "{rule:?}: {saved}"),
        }
    }
}

#[test]
fn random_depths_have_the_mean_that_is_asked_for() {
    for (blocks, mean) in [(8, 4.8), (8, 1.5), (8, 7.2), (1, 1.0), (5, 5.0)] {
        let n = 20_000;
        let draw = |i: u32| {
            let [u, v, ..] = Philox::new(1).uniforms(Stream::Data, 0, i, 0);
            random_depth(mean, blocks, u, v)
        };
        let depths: Vec<usize> = (0..n).map(draw).collect();
        let got = depths.iter().sum::<usize>() as f64 / f64::from(n);
        assert!((got - mean).abs() < 0.06, "{blocks} {mean}: {got}");
        assert!(depths.iter().all(|d| (1..=blocks).contains(d)));
    }
}

#[test]
fn training_lowers_the_error_and_the_doubt_follows_it() {
    let longer = Params { output: Kind::Noise, width: 24, batch: 128, rate: 5e-3, ..quick(Rule::Fixed) };
    let run = finished(&Params { steps: 400, ..longer.clone() });
    let last = run.depths.square.last().unwrap();
    // Noise that nothing is known of has the square 2.
    assert!(*last < 1.2, "{last}");
    for (measured, expected) in run.depths.doubted.iter().zip(&run.depths.expected) {
        assert!((measured - expected).abs() < 0.06, "{measured} {expected}");
    }
    let fresh = finished(&Params { steps: 10, ..longer });
    let off = fresh.depths.doubted.iter().zip(&fresh.depths.expected).map(|(m, e)| (m - e).abs());
    assert!(off.fold(0.0, f64::max) > 0.03, "ten steps do not suffice");
}

#[test]
fn every_view_can_be_drawn_at_every_moment() {
    let mut run = ExitRun::new(&quick(Rule::Doubt)).unwrap();
    for unit in 0.. {
        // The pictures of the units before the first step, then now and then.
        if unit < 5 || unit % 50 == 0 || !run.outcome().is_running() {
            for key in Deediff::VIEWS.iter().map(|v| v.key) {
                assert!(pollster::block_on(run.view(key)).unwrap().is_finite(), "{key} at unit {unit}");
            }
        }
        if !run.outcome().is_running() {
            break;
        }
        run.work();
    }
}
