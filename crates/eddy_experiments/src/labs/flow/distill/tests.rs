use eddy_numerics::diffusion::{
    rectified::{FlowSolver, RectifiedFlow},
    targets,
};

use super::*;

fn setup() -> Setup {
    Setup {
        law: targets::ring(8, 1.0, 0.1),
        width: 24,
        warm_up: 20,
        stages: vec![Stage { steps: 9, bounds: bounds(4, 1.0) }, Stage { steps: 7, bounds: bounds(1, 1.0) }],
        skip: 2,
        reach: None,
        batch: 32,
        rate: 2e-3,
        keep: 0.95,
        particles: 200,
        shown: 4,
        seed: 3,
        metrics: METRICS,
    }
}

fn finished(setup: Setup) -> DistillRun {
    let mut run = DistillRun::new(setup).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(run.outcome(), Outcome::Finished);
    run
}

fn vp(angle: f64) -> Level {
    (angle.cos(), angle.sin())
}

#[test]
fn jumps_keep_the_pair_of_signal_and_noise() {
    let (clean, noise) = (0.7, -1.3);
    let at = |l: Level| l.0 * clean + l.1 * noise;
    let v = |l: Level| l.0 * noise - l.1 * clean;
    for (from, to) in [(1.5, 0.0), (1.2, 0.4), (0.3, 0.3)] {
        let (from, to) = (vp(from), vp(to));
        let (a, b) = jump(from, to);
        assert!((a * at(from) + b * v(from) - at(to)).abs() < 1e-14);
    }
    // Seen to fail: the jump to another level.
    let (a, b) = jump(vp(1.2), vp(0.5));
    assert!((a * at(vp(1.2)) + b * v(vp(1.2)) - at(vp(0.4))).abs() > 0.01);
}

#[test]
fn a_sub_path_of_a_straight_path_is_that_path() {
    let schedule = VpCosine::default();
    let (clean, noise) = ([0.7, -0.2], [-1.3, 0.4]);
    let at = |l: Level| -> [f64; 2] { std::array::from_fn(|d| l.0 * clean[d] + l.1 * noise[d]) };
    let (high, low) = (schedule.node(0.9946), schedule.node(0.87));
    let (x, prev) = (at(level(&high)), at(level(&low)));
    for gamma in [0.0, 0.3, 1.0] {
        let (point, l) = on_sub_path(x, prev, &high, &low, gamma);
        assert!((l.0.hypot(l.1) - 1.0).abs() < 1e-14);
        assert!(apart(point, at(l)) < 1e-12, "{gamma}");
    }
    // Its ends are the two points themselves.
    assert!(apart(on_sub_path(x, prev, &high, &low, 1.0).0, x) < 1e-12);
    assert!(apart(on_sub_path(x, prev, &high, &low, 0.0).0, prev) < 1e-12);
    // Seen to fail: the points of another path.
    let (point, l) = on_sub_path(x, [prev[0] + 0.1, prev[1]], &high, &low, 0.3);
    assert!(apart(point, at(l)) > 1e-3);
}

/// Where the exact flow takes `x` from `node` to the last level: in the coordinates x/(α + σ) and the time α/(α + σ) it
/// is the rectified flow, which another file integrates.
fn exact_end(law: &Mixture, x: [f64; 2], node: &Node, last: &Node) -> [f64; 2] {
    let (mut flow, scale) = (RectifiedFlow::new(law.clone()), node.alpha + node.sigma);
    let mut z = Batch::from_points(2, &x.map(|v| v / scale));
    let time = |n: &Node| n.alpha / (n.alpha + n.sigma);
    FlowSolver::RungeKutta4.travel(&mut z, (time(node), time(last)), 2000, |z, t, v| flow.velocity(z, t, v));
    point(&z, 0).map(|v| v * (last.alpha + last.sigma))
}

#[test]
fn the_teacher_follows_the_exact_flow_with_order_one() {
    let (law, schedule) = (targets::ring(8, 1.0, 0.1), VpCosine::default());
    let (low, high) = span(&schedule);
    assert!((schedule.alpha(high) - TERMINAL).abs() < 1e-12);
    let starts = [[0.9, -0.4], [-0.3, 1.2], [1.4, 0.8]];
    let exact: Vec<_> = starts.iter().map(|x| exact_end(&law, *x, &schedule.node(high), &schedule.node(low))).collect();
    let mut teacher = Teacher { law, asked: 0 };
    let mut error = |steps: usize| {
        let nodes: Vec<Node> =
            (0..=steps).map(|k| schedule.node(high + (low - high) * k as f64 / steps as f64)).collect();
        let mut end = |x: &[f64; 2]| nodes.windows(2).fold(*x, |x, pair| teacher.step(x, &pair[0], &pair[1]));
        starts.iter().zip(&exact).map(|(x, e)| apart(end(x), *e)).sum::<f64>()
    };
    let errors = [400, 800, 1600].map(&mut error);
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        assert!((0.8..1.2).contains(&order), "{order} {errors:?}");
    }
    assert!(errors[2] < 0.02, "{errors:?}");
}

#[test]
fn kept_paths_are_those_of_the_exact_flow() {
    let run = finished(setup());
    assert_eq!(run.paths.len(), GRID + 1);
    let (top, last) = (run.nodes[GRID], run.nodes[0]);
    let off = |i: usize| {
        let start = run.on_path(GRID, i).unwrap();
        apart(exact_end(&run.setup.law, start, &top, &last), run.on_path(0, i).unwrap())
    };
    let mut all: Vec<f64> = (0..8).map(off).collect();
    all.sort_by(f64::total_cmp);
    // The median: a start beside the watershed of two modes may end at the other one.
    assert!(all[4] < 0.02, "{all:?}");
}

#[test]
fn bounds_hold_every_part_apart() {
    assert_eq!(bounds(4, 1.0), [0, 12, 24, 36, 48]);
    assert_eq!(bounds(1, 2.0), [0, 48]);
    for count in [2, 4, 8, 16, 48] {
        for power in [0.05, 0.5, 1.0, 2.0, 20.0] {
            let bounds = bounds(count, power);
            assert!(bounds.len() == count + 1 && bounds.windows(2).all(|b| b[0] < b[1]), "{bounds:?}");
            assert_eq!((bounds[0], bounds[count]), (0, GRID));
        }
    }
    assert!(bounds(4, 2.0)[1] < 12 && bounds(4, 0.5)[1] > 12);
}

#[test]
fn every_question_to_the_teacher_is_counted_and_stages_follow_each_other() {
    let mut run = DistillRun::new(setup()).unwrap();
    let mut seen = Vec::new();
    while run.outcome().is_running() {
        if run.work() == 1 {
            seen.push(run.learned_bounds().len() - 1);
        }
    }
    // The warm-up asks nothing; 16 steps ask once per sample.
    assert_eq!((run.step, run.teacher.asked), (36, 16 * 32));
    assert_eq!(seen, [vec![1; 20], vec![4; 9], vec![1; 7]].concat());
    let (at, row) = run.record.latest_row();
    assert_eq!((at, row.len()), (36.0, METRICS.len()));
    assert!(row.iter().all(|v| v.is_finite()));
}

#[test]
fn the_loss_of_an_example_is_the_distance_of_the_jumps() {
    let mut run = DistillRun::new(Setup { reach: Some(1.0), ..setup() }).unwrap();
    run.distill(0);
    let weights: Vec<f64> = run.examples.iter().map(|e| e.weight).collect();
    for (i, e) in run.examples.iter().enumerate() {
        let (x, prev, [at, below, end]) = run.drawn[i];
        let (point, from) = on_sub_path(x, prev, &run.nodes[at], &run.nodes[below], e.input[3]);
        let (a, b) = jump(from, level(&run.nodes[end]));
        let v = [0.3, -0.8];
        let landed = std::array::from_fn(|d| a * point[d] + b * v[d]);
        let by_weight = (e.weight * (0..2).map(|d| (v[d] - e.target[d]).powi(2)).sum::<f64>()).sqrt();
        if e.weight > 0.0 {
            assert!((by_weight - apart(landed, run.ends[i])).abs() < 1e-9);
        }
        // A jump that ends where the teacher's step did aims at that point.
        if below == end {
            assert!(apart(run.ends[i], prev) < 1e-12);
        }
        assert!(end < at && below >= end && at - below <= 2);
    }
    assert!(weights.iter().filter(|w| **w > 0.0).count() > 24);
}

#[test]
fn distillation_brings_one_step_closer_and_the_foot_of_the_ramp_does_not() {
    let train = |reach| {
        let stages = vec![Stage { steps: 300, bounds: bounds(1, 1.0) }];
        let run = finished(Setup { warm_up: 200, stages, skip: 6, reach, width: 32, batch: 64, rate: 5e-3, ..setup() });
        run.record.latest("one") / run.record.latest("ddim_one")
    };
    let (consistency, ramp, foot) = (train(None), train(Some(1.0)), train(Some(0.0)));
    assert!(consistency < 0.6 && ramp < 0.6 && foot > 0.8, "{consistency} {ramp} {foot}");
}

#[test]
fn every_view_can_be_drawn_at_every_moment() {
    let mut run = DistillRun::new(setup()).unwrap();
    for unit in 0.. {
        // The pictures of the units before the first step, then now and then.
        if unit < 5 || unit % 50 == 0 || !run.outcome().is_running() {
            for key in [PARTICLES, TEACHER, RACE, MISS, SUB_PATH, GAP].map(|v| v.key) {
                assert!(pollster::block_on(run.view(key)).unwrap().is_finite(), "{key} at unit {unit}");
            }
        }
        if !run.outcome().is_running() {
            break;
        }
        run.work();
    }
}
