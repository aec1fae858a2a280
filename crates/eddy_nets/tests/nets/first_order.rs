//! Optimizers that need the gradient alone.

use eddy_nets::{FirstOrder, LayerShape, Rule, Schedule, Shape, Soap, SoapSettings, normal};

const RULES: [Rule; 4] = [Rule::Adam, Rule::AdamW { decay: 1e-4 }, Rule::Muon, Rule::Soap];

/// (1 − x)² + 100 (y − x²)², and its gradient.
fn rosenbrock(x: f64, y: f64) -> (f64, [f64; 2]) {
    let (a, b) = (y - x * x, 1.0 - x);
    (100.0 * a * a + b * b, [-400.0 * a * x - 2.0 * b, 200.0 * a])
}

/// The distance from (1, 1) after so many steps from the customary start, where the gradient has a factor on one entry.
fn along_rosenbrock(rule: Rule, steps: u64, fault: f64) -> f64 {
    let schedule = Schedule { rate: 0.02, shape: Shape::Cosine { steps, floor: 1e-3 }, warm_up: 0 };
    // The first of three layers is no hidden one.
    let at = |weights, biases| LayerShape { inputs: 1, outputs: 1, weights, biases };
    let layers = [at(2, 2), at(0, 2), at(1, 2), at(2, 2)];
    let mut optimizer = FirstOrder::new(rule, schedule, 3, &layers);
    let mut p = vec![-1.2, 1.0, 0.0];
    for _ in 0..steps {
        let (_, g) = rosenbrock(p[0], p[1]);
        let norm = optimizer.step(&mut p, &mut [fault * g[0], g[1], 0.0]);
        assert!((norm - (fault * g[0]).hypot(g[1])).abs() <= 1e-12 * norm);
    }
    (p[0] - 1.0).hypot(p[1] - 1.0)
}

#[test]
fn each_rule_finds_the_minimum_of_rosenbrock() {
    for rule in RULES {
        let gap = along_rosenbrock(rule, 6000, 1.0);
        assert!(gap < 3e-2, "{rule:?}: {gap:e}");
        let wrong = along_rosenbrock(rule, 6000, -1.0);
        assert!(wrong > 0.5, "{rule:?}: uphill along x it goes elsewhere: {wrong:e}");
    }
}

#[test]
fn numbers_by_themselves_go_by_adam() {
    // Of 1×1 matrices the eigenvectors are ±1: SOAP is Adam with its constants, a step late.
    let layer = LayerShape { inputs: 1, outputs: 1, weights: 0, biases: 1 };
    let settings = SoapSettings { rate: 0.1, ..SoapSettings::default() };
    let mut soap = Soap::new(&[layer], settings);
    let (mut w, mut x, mut m, mut v) = ([2.0, 7.0], 2.0, 0.0, 0.0);
    soap.step(&mut w, &[1.0, 1.0]);
    assert_eq!(w, [2.0, 7.0], "the first gradient begins the averages");
    for t in 1..50 {
        let g = |x: f64| 3.0 * (x - 1.0) + 0.5 * (x - 1.0).powi(3);
        let slope = g(w[0]);
        soap.step(&mut w, &[slope, 5.0]);
        m = 0.95 * m + 0.05 * g(x);
        v = 0.95 * v + 0.05 * g(x) * g(x);
        let correction = 1.0 - 0.95f64.powi(t);
        x -= 0.1 * m / correction / ((v / correction).sqrt() + 1e-8);
        assert!((w[0] - x).abs() < 1e-12 && w[1] == 7.0, "{t}: {} {x}", w[0]);
    }
}

/// Rotations by random angles in all pairs of directions.
fn rotation(n: usize, seed: u64) -> Vec<f64> {
    let mut q: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i % (n + 1) == 0))).collect();
    for (k, (i, j)) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).enumerate() {
        let (s, c) = normal(seed, k as u64).sin_cos();
        for row in q.chunks_exact_mut(n) {
            (row[i], row[j]) = (c * row[i] - s * row[j], s * row[i] + c * row[j]);
        }
    }
    q
}

fn product(a: &[f64], b: &[f64], rows: usize, inner: usize, columns: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum();
    (0..rows * columns).map(|n| entry(n / columns, n % columns)).collect()
}

fn transposed(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|n| a[(n % rows) * columns + n / rows]).collect()
}

const ROWS: usize = 5;
const COLUMNS: usize = 3;

/// ½ Σ a_i b_j (w_ij − t_ij)² seen through rotations W = P w Q of rows and columns: the loss by step.
fn losses(rule: Rule, is_rotated: bool, steps: u64) -> Vec<f64> {
    let unit =
        |n: usize| rotation(n, 0).iter().enumerate().map(|(i, _)| f64::from(u8::from(i % (n + 1) == 0))).collect();
    let (p, q): (Vec<f64>, Vec<f64>) =
        if is_rotated { (rotation(ROWS, 3), rotation(COLUMNS, 4)) } else { (unit(ROWS), unit(COLUMNS)) };
    let (back_p, back_q) = (transposed(&p, ROWS, ROWS), transposed(&q, COLUMNS, COLUMNS));
    let turned =
        |w: &[f64], p: &[f64], q: &[f64]| product(&product(p, w, ROWS, ROWS, COLUMNS), q, ROWS, COLUMNS, COLUMNS);
    let weight = |n: usize| 10f64.powf(-0.8 * (n / COLUMNS) as f64) * 10f64.powf(-((n % COLUMNS) as f64));
    let target: Vec<f64> = (0..ROWS * COLUMNS).map(|n| normal(5, n as u64)).collect();
    let layer = LayerShape { inputs: COLUMNS, outputs: ROWS, weights: 0, biases: ROWS * COLUMNS };
    let schedule = Schedule { rate: 0.03, shape: Shape::Cosine { steps, floor: 0.01 }, warm_up: 0 };
    let mut optimizer = FirstOrder::new(rule, schedule, ROWS * COLUMNS, &[layer]);
    let mut w = vec![0.0; ROWS * COLUMNS];
    let mut found = Vec::new();
    for _ in 0..steps {
        let plain = turned(&w, &back_p, &back_q);
        let slopes: Vec<f64> = (0..plain.len()).map(|n| weight(n) * (plain[n] - target[n])).collect();
        found.push((0..plain.len()).map(|n| 0.5 * slopes[n] * (plain[n] - target[n])).sum());
        optimizer.step(&mut w, &mut turned(&slopes, &p, &q));
    }
    found
}

#[test]
fn soap_does_not_see_rotations_and_adam_does() {
    let gap = |rule: Rule| {
        let (plain, turned) = (losses(rule, false, 300), losses(rule, true, 300));
        plain.iter().zip(&turned).map(|(a, b)| (a / b).ln().abs()).fold(0.0, f64::max)
    };
    let (soap, adam) = (gap(Rule::Soap), gap(Rule::Adam));
    assert!(soap < 0.2 && adam > 1.0, "factors between the losses: {:e} {:e}", soap.exp(), adam.exp());
}

#[test]
fn soap_ends_on_quadratics_that_stop_adam() {
    // Condition 1.6e5, rotated.
    let last = |rule: Rule| *losses(rule, true, 1000).last().unwrap();
    let (soap, adam) = (last(Rule::Soap), last(Rule::Adam));
    assert!(soap < 1e-6 && adam > 10.0 * soap, "{soap:e} {adam:e}");
}
