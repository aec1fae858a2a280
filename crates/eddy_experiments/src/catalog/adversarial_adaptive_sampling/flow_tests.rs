use super::*;
use eddy_nets::{Schedule, uniform};

/// A flow far from uniform.
fn flow(seed: u64) -> Flow {
    let settings = AdamSettings { schedule: Schedule::constant(1e-2), beta2: 0.99, ..AdamSettings::default() };
    let mut flow = Flow::new(6, seed, settings).unwrap();
    for (k, network) in flow.networks.iter_mut().enumerate() {
        for (i, w) in network.parameters.iter_mut().enumerate() {
            *w += 1.6 * (uniform(seed + 77, (1000 * k + i) as u64) - 0.5);
        }
    }
    flow
}

/// Middles of cells of the square.
fn cells(n: usize) -> Vec<f64> {
    let middle = |k: usize| -1.0 + 2.0 * (k as f64 + 0.5) / n as f64;
    (0..n * n).flat_map(|k| [middle(k % n), middle(k / n)]).collect()
}

fn densities(flow: &mut Flow, points: &[f64]) -> Vec<f64> {
    flow.evaluate(points).0.into_iter().map(f64::exp).collect()
}

#[test]
fn what_is_drawn_comes_back_and_has_the_density() {
    let mut flow = flow(3);
    let count = 20_000;
    let latent: Vec<f64> = (0..2 * count).map(|k| uniform(8, k as u64)).collect();
    let mut points = latent.clone();
    flow.sample(&mut points);
    assert!(points.iter().all(|x| (-1.0..=1.0).contains(x)));
    let (_, back) = flow.evaluate(&points);
    for (z, b) in latent.chunks_exact(2).zip(&back) {
        assert!((z[0] - b[0]).abs() < 1e-8 && (z[1] - b[1]).abs() < 1e-8);
    }
    // Counts in 4 × 4 parts against the integral of the density over each, by a finer midpoint rule.
    let n = 120;
    let (mut counted, mut expected) = ([0.0; 16], [0.0; 16]);
    let part = |x: &[f64]| {
        let along = |x: f64| ((2.0 * (x + 1.0)) as usize).min(3);
        4 * along(x[1]) + along(x[0])
    };
    let middles = cells(n);
    for (x, p) in middles.chunks_exact(2).zip(densities(&mut flow, &middles)) {
        expected[part(x)] += p * 4.0 / (n * n) as f64;
    }
    points.chunks_exact(2).for_each(|x| counted[part(x)] += 1.0 / count as f64);
    let mass: f64 = expected.iter().sum();
    assert!((mass - 1.0).abs() < 2e-3, "{mass}");
    for (c, e) in counted.iter().zip(expected) {
        // Five standard errors, and the midpoint rule's.
        assert!((c - e).abs() < 5.0 * (e / count as f64).sqrt() + 1e-3, "{c} {e}");
    }
    // A uniform cloud would be told apart.
    assert!(expected.iter().any(|e| (e - 1.0 / 16.0).abs() > 0.02), "{expected:?}");
}

/// Central differences of `value` against `gradients`, some of each layer's weights.
fn check(flow: &mut Flow, bound: f64, h: f64, mut value: impl FnMut(&mut Flow) -> f64) {
    let own = flow.gradients.clone();
    for layer in 0..LAYERS {
        let scale = own[layer].iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let mut seen = false;
        for i in (0..own[layer].len()).filter(|i| i % 7 == 0 || own[layer][*i].abs() == scale) {
            let w = flow.networks[layer].parameters[i];
            let mut at = |x: f64| {
                flow.networks[layer].parameters[i] = x;
                value(flow)
            };
            let slope = (at(w + h) - at(w - h)) / (2.0 * h);
            flow.networks[layer].parameters[i] = w;
            assert!((slope - own[layer][i]).abs() < bound * scale, "{layer} {i}: {slope} {}", own[layer][i]);
            seen |= (slope - (1.0 - 3.0 * bound) * own[layer][i]).abs() > bound * scale;
        }
        assert!(seen, "layer {layer}: a wrong slope is not seen");
    }
}

#[test]
fn slopes_by_the_weights_equal_central_differences() {
    let mut flow = flow(5);
    let points: Vec<f64> = (0..24).map(|k| 2.0 * uniform(4, k) - 1.0).collect();
    let adjoints: Vec<f64> = (0..12).map(|i| uniform(6, i) - 0.5).collect();
    flow.evaluate(&points);
    flow.pull_back(&adjoints);
    check(&mut flow, 1e-6, 1e-5, |flow| flow.evaluate(&points).0.iter().zip(&adjoints).map(|(l, a)| l * a).sum());
}

/// β ∫|∇p|² - ∫ reward p on a grid, ∇p by differences of neighbours: no points drawn, no slopes.
fn objective(flow: &mut Flow, reward: impl Fn(&[f64]) -> f64, beta: f64) -> f64 {
    let n = 80;
    let middles = cells(n);
    let p = densities(flow, &middles);
    let cell = 4.0 / (n * n) as f64;
    let gain: f64 = middles.chunks_exact(2).zip(&p).map(|(x, p)| p * reward(x)).sum();
    // A squared difference over a width, times an area of that width squared.
    let mut bent = 0.0;
    for k in 0..n * n {
        if k % n + 1 < n {
            bent += (p[k + 1] - p[k]).powi(2);
        }
        if k + n < n * n {
            bent += (p[k + n] - p[k]).powi(2);
        }
    }
    beta * bent - gain * cell
}

#[test]
fn slopes_at_drawn_points_are_those_of_the_integrals() {
    let mut flow = flow(7);
    let reward = |x: &[f64]| 1.0 + x[0] + 0.5 * x[1] * x[0];
    // Both terms count.
    let beta = 1.0;
    // Points of a fine grid of the latent square: a quadrature of the mean over p.
    let mut points: Vec<f64> = cells(120).iter().map(|x| 0.5 * (x + 1.0)).collect();
    flow.sample(&mut points);
    let rewards: Vec<f64> = points.chunks_exact(2).map(reward).collect();
    flow.slopes(&points, &rewards, beta);
    // Both are quadratures; on the grid half a cell at the sides is missing from |∇p|².
    check(&mut flow, 0.05, 1e-4, |flow| objective(flow, reward, beta));
}

#[test]
fn the_inner_maximum_is_that_of_the_closed_form() {
    // r² = 1 + cos πx: (-Δ)⁻¹ with natural boundary values divides the cosine by π².
    let beta = 0.5 / (std::f64::consts::PI.powi(2) * 0.15);
    let reward = |x: &[f64]| 1.0 + (std::f64::consts::PI * x[0]).cos();
    let best = |x: f64| 0.25 + 0.15 * (std::f64::consts::PI * x).cos();
    let settings = AdamSettings { schedule: Schedule::constant(5e-3), beta2: 0.99, ..AdamSettings::default() };
    let mut flow = Flow::new(8, 1, settings).unwrap();
    let distance = |flow: &mut Flow| {
        let middles = cells(40);
        let p = densities(flow, &middles);
        let squares = middles.chunks_exact(2).zip(p).map(|(x, p)| (p - best(x[0])).powi(2));
        (squares.sum::<f64>() / 1600.0).sqrt()
    };
    let before = distance(&mut flow);
    for step in 0..300 {
        let mut points: Vec<f64> = (0..2 * 400).map(|k| uniform(step, k)).collect();
        flow.sample(&mut points);
        let rewards: Vec<f64> = points.chunks_exact(2).map(reward).collect();
        assert!(flow.ascend(&points, &rewards, beta));
    }
    let after = distance(&mut flow);
    assert!(before > 0.08 && after < 0.03, "{before} {after}");
    // The maximum: 1 + ∫ cos p - β ∫|∇p|², and the integral of the cosine's square over the square is 2.
    let most = 1.0 + 0.15 * 2.0 - beta * 2.0 * (0.15 * std::f64::consts::PI).powi(2);
    let reached = -objective(&mut flow, reward, beta);
    assert!((reached - most).abs() < 0.02, "{reached} {most}");
}
