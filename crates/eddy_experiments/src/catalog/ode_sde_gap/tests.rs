use super::*;

fn tiny() -> Params {
    Params { steps: 40, batch: 16, width: 8, levels: 30, particles: 100, ..Params::default() }
}

#[test]
fn the_gradient_is_that_of_the_loss() {
    let p = tiny();
    let mut run = GapRun::new(&p).unwrap();
    let (points, mut noise) = run.noised(12, &Philox::new(5));
    noise.truncate(6);
    let potential = &mut run.potential;
    potential.gradient(&points, &noise, 0.7);
    let exact = potential.gradient.clone();
    let mut worst = 0.0_f64;
    for k in (0..exact.len()).step_by(7) {
        let h = 2e-3_f32;
        let mut at = |shift: f32| {
            potential.network.parameters[k] += shift;
            let loss = potential.gradient(&points, &noise, 0.7);
            potential.network.parameters[k] -= shift;
            loss
        };
        let difference = (at(h) - at(-h)) / f64::from(2.0 * h);
        worst = worst.max((difference - f64::from(exact[k])).abs() / (1.0 + f64::from(exact[k]).abs()));
    }
    assert!(worst < 2e-2, "{worst}");
    // Seen to fail: the gradient of another weight.
    potential.gradient(&points, &noise, 0.1);
    let off = exact.iter().zip(&potential.gradient).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off > 0.1, "{off}");
}

#[test]
fn the_residual_is_that_of_the_equation() {
    // φ = ln p of a Gaussian of another variance obeys the equation: N = φ − ln N(0, v) has R = 0.
    let (x, t, s2) = ([0.7, -0.3], 0.4, 2.0);
    let spread = |t: f64, s2: f64| level(t).0.powi(2) * s2 + level(t).1.powi(2);
    let (v, u) = (spread(t, s2), spread(t, 0.3));
    let n = |x: [f64; 2], t: f64| {
        let (v, u) = (spread(t, s2), spread(t, 0.3));
        (v / u).ln() + 0.5 * (x[0] * x[0] + x[1] * x[1]) * (1.0 / v - 1.0 / u)
    };
    let g = 1.0 / v - 1.0 / u;
    let h = 1e-5;
    let n_t = (n(x, t + h) - n(x, t - h)) / (2.0 * h);
    let jet = [n(x, t), x[0] * g, x[1] * g, n_t * t.sqrt(), g, g];
    assert!(Potential::residual(x, t, v, jet).abs() < 1e-7, "{}", Potential::residual(x, t, v, jet));
    // Seen to fail: a value of the second derivative off by a hundredth.
    let mut wrong = jet;
    wrong[4] += 0.01;
    assert!(Potential::residual(x, t, v, wrong).abs() > 1e-3);
}

#[test]
fn with_the_exact_score_flow_and_sde_agree() {
    let law = targets::ring(8, 1.4, 0.3);
    let n = 150;
    let root = |i: usize| LAST.sqrt() + (FIRST.sqrt() - LAST.sqrt()) * i as f64 / n as f64;
    let score = |x: &Batch<f64>, t: f64| {
        let (alpha, sigma) = level(t);
        let points: Vec<f64> = (0..x.len()).flat_map(|i| law.score(&x.point(i), alpha, sigma)).collect();
        Batch::from_points(2, &points)
    };
    let start = Batch::normal(2, 1500, level(LAST).1, &Philox::new(1), Stream::Prior, 0);
    let (mut flow, mut noisy) = (start.clone(), start);
    for i in 0..n {
        let (t, to) = (root(i).powi(2), root(i + 1).powi(2));
        flow = flow_step(&flow, t, to, score);
        let s = score(&noisy, t);
        noisy_step(&mut noisy, t, to, &s, &Philox::new(2), i as u32);
    }
    let (alpha, sigma) = level(FIRST);
    let reference = law.sample_stratified(1500, alpha, sigma, &Philox::new(3), Stream::Control);
    let distance = |a: &Batch<f64>, b: &Batch<f64>| sliced_wasserstein(a, b, 64);
    assert!(distance(&flow, &reference) < 0.09 && distance(&noisy, &reference) < 0.09);
    assert!(distance(&flow, &noisy) < 0.1);
    // Seen to fail: the start is not the data.
    assert!(distance(&Batch::zeros(2, 1500), &reference) > 0.5);
}

#[test]
fn a_run_ends_with_a_row() {
    let mut run = GapRun::new(&tiny()).unwrap();
    let mut steps = 0;
    while run.outcome == Outcome::Running {
        steps += run.work();
    }
    assert_eq!((run.outcome.clone(), steps), (Outcome::Finished, 40));
    assert_eq!(run.record.x(), [20.0, 40.0]);
    assert!(run.record.rows().iter().all(|v| v.is_finite()));
}
