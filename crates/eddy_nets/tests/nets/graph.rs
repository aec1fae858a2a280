//! Graph networks: derivatives against nested dual numbers (another path) and closed forms, gradients against central
//! differences, Jacobians against gradients.

use std::ops::{Add, Mul, Neg};

use eddy_nets::{
    Level, NetError, Real,
    graph::{Derivatives, Function, Graph, GraphEngine, GraphTile, Initial, NormalEquations, Parts, RowTile},
    normal,
};

/// A number or a dual number over another: nested four deep they carry a mixed fourth derivative.
trait Number: Copy + Add<Output = Self> + Mul<Output = Self> + Neg<Output = Self> {
    fn of(x: f64) -> Self;
    fn tanh(self) -> Self;
    fn sin_cos(self) -> (Self, Self);
    fn exp(self) -> Self;
}

impl Number for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn tanh(self) -> Self {
        self.tanh()
    }
    fn sin_cos(self) -> (Self, Self) {
        self.sin_cos()
    }
    fn exp(self) -> Self {
        self.exp()
    }
}

#[derive(Clone, Copy)]
struct Dual<N> {
    value: N,
    slope: N,
}

impl<N: Number> Add for Dual<N> {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self { value: self.value + b.value, slope: self.slope + b.slope }
    }
}
impl<N: Number> Mul for Dual<N> {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        Self { value: self.value * b.value, slope: self.slope * b.value + self.value * b.slope }
    }
}
impl<N: Number> Neg for Dual<N> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}
impl<N: Number> Number for Dual<N> {
    fn of(x: f64) -> Self {
        Self { value: N::of(x), slope: N::of(0.0) }
    }
    fn tanh(self) -> Self {
        let y = self.value.tanh();
        Self { value: y, slope: self.slope * (N::of(1.0) + -(y * y)) }
    }
    fn sin_cos(self) -> (Self, Self) {
        let (sin, cos) = self.value.sin_cos();
        (Self { value: sin, slope: self.slope * cos }, Self { value: cos, slope: -(self.slope * sin) })
    }
    fn exp(self) -> Self {
        let y = self.value.exp();
        Self { value: y, slope: self.slope * y }
    }
}

type Fourth = Dual<Dual<Dual<Dual<f64>>>>;

/// The fourth mixed derivative of `f` at `point` along the four inputs `along`, or fewer where an entry is beyond them.
fn by_duals(f: impl Fn(&[Fourth]) -> Fourth, point: &[f64], along: [usize; 4]) -> f64 {
    let seed = |i: usize, k: usize| if along[k] == i { 1.0 } else { 0.0 };
    let xs: Vec<Fourth> = (0..point.len())
        .map(|i| {
            let a = Dual { value: point[i], slope: seed(i, 0) };
            let b = Dual { value: a, slope: Dual::of(seed(i, 1)) };
            let c = Dual { value: b, slope: Dual::of(seed(i, 2)) };
            Dual { value: c, slope: Dual::of(seed(i, 3)) }
        })
        .collect();
    let y = f(&xs);
    let used = along.map(|a| a < point.len());
    let y = if used[3] { y.slope } else { y.value };
    let y = if used[2] { y.slope } else { y.value };
    let y = if used[1] { y.slope } else { y.value };
    if used[0] { y.slope } else { y.value }
}

/// Every node kind in one graph of three coordinates: a gated network of periodic and plain inputs, times a distance
/// function, plus Gaussians, plus an exponential.
fn everything() -> Graph {
    let mut g = Graph::new(3);
    let x = g.coordinates();
    let periodic = g.periodic(0, 2.0, 2);
    let inputs = g.join(periodic, x);
    let hidden = g.modified_layers(inputs, 6, 2, Function::Tanh);
    let network = g.dense(hidden, 1, Initial::Glorot);
    let left = g.pick(x, 1, 1.0, 0.0);
    let right = g.pick(x, 1, -1.0, 1.0);
    let distance = g.multiply(left, right);
    let hard = g.multiply(distance, network);
    let (bumps, _) = g.gaussians(5, &[(-1.0, 1.0); 3], 0.8);
    let bumps = g.dense(bumps, 1, Initial::Normal(1.0));
    let sum = g.add(hard, bumps);
    let siren = g.siren(x, &[5], 1, 2.0);
    let growth = g.apply(siren, Function::Exp);
    g.add(sum, growth);
    g
}

/// The same function written out over any number, reading the parameters in their order.
fn everything_by_hand<N: Number>(p: &[f64], x: &[N]) -> N {
    let mut at = 0;
    let mut next = |n: usize| {
        at += n;
        p[at - n..at].to_vec()
    };
    let mut dense = |from: &[N], units: usize| -> Vec<N> {
        let (w, b) = (next(units * from.len()), next(units));
        (0..units)
            .map(|u| from.iter().enumerate().fold(N::of(b[u]), |s, (i, f)| s + N::of(w[u * from.len() + i]) * *f))
            .collect()
    };
    let tanh = |v: Vec<N>| v.into_iter().map(Number::tanh).collect::<Vec<_>>();
    let wave = |k: f64| (N::of(std::f64::consts::PI * k) * x[0]).sin_cos();
    let ((s1, c1), (s2, c2)) = (wave(1.0), wave(2.0));
    let inputs = [c1, c2, s1, s2, x[0], x[1], x[2]];
    let (u, v) = (tanh(dense(&inputs, 6)), tanh(dense(&inputs, 6)));
    let mut h = inputs.to_vec();
    for _ in 0..2 {
        let gate = tanh(dense(&h, 6));
        h = (0..6).map(|i| (N::of(1.0) + -gate[i]) * u[i] + gate[i] * v[i]).collect();
    }
    let network = dense(&h, 1)[0];
    let mut total = x[1] * (N::of(1.0) + -x[1]) * network;
    let gaussians = next(30);
    let bumps: Vec<N> = gaussians
        .chunks(6)
        .map(|g| {
            let squares = (0..3).map(|d| {
                let s = (x[d] + N::of(-g[d])) * N::of((-g[3 + d]).exp());
                s * s
            });
            (N::of(-0.5) * squares.fold(N::of(0.0), |a, b| a + b)).exp()
        })
        .collect();
    let mut dense = |from: &[N], units: usize| -> Vec<N> {
        let (w, b) = (next(units * from.len()), next(units));
        (0..units)
            .map(|u| from.iter().enumerate().fold(N::of(b[u]), |s, (i, f)| s + N::of(w[u * from.len() + i]) * *f))
            .collect()
    };
    total = total + dense(&bumps, 1)[0];
    let sines: Vec<N> = dense(x, 5).into_iter().map(|z| z.sin_cos().0).collect();
    total + dense(&sines, 1)[0].exp()
}

const POINTS: [f64; 9] = [0.3, -0.4, 0.7, -0.9, 0.2, 0.1, 0.55, 0.8, -0.35];

fn largest_error<T: Real>(level: Level, fault: f64) -> f64 {
    let graph = everything();
    let parameters: Vec<f64> = graph.start(5).unwrap();
    let derivatives = Derivatives::all(3, 4).unwrap();
    assert_eq!(derivatives.components(), 35);
    let mut engine = GraphEngine::<T>::with(&graph, &derivatives, 8, level).unwrap();
    let convert = |x: &[f64]| x.iter().map(|x| T::from_f64(*x)).collect::<Vec<_>>();
    // Both paths see the rounded parameters and points.
    let rounded = convert(&parameters);
    let points = convert(&POINTS);
    let exact = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    let (parameters, places) = (exact(&rounded), exact(&points));
    let mut worst: f64 = 0.0;
    engine.evaluate(&rounded, &points, |tile| {
        for (i, point) in places.chunks(3).enumerate() {
            for order in 0..=4 {
                let of_order = |c: &usize| derivatives.orders(*c).iter().sum::<usize>() == order;
                let (mut difference, mut size): (f64, f64) = (0.0, 0.0);
                for c in (0..35).filter(of_order) {
                    let mut along = [3; 4];
                    let inputs = derivatives.orders(c).iter().enumerate();
                    for (k, input) in inputs.flat_map(|(d, n)| std::iter::repeat_n(d, *n)).enumerate() {
                        along[k] = input;
                    }
                    let expected = by_duals(|x| everything_by_hand(&parameters, x), point, along);
                    let got = tile.jet(0, c)[i].to_f64() * (1.0 + fault * f64::from(u8::from(c == 34)));
                    difference = difference.max((got - expected).abs());
                    size = size.max(expected.abs());
                }
                worst = worst.max(difference / size);
            }
        }
    });
    worst
}

#[test]
fn derivatives_to_order_four_equal_nested_dual_numbers() {
    for level in Level::available() {
        let double = largest_error::<f64>(level, 0.0);
        let single = largest_error::<f32>(level, 0.0);
        assert!(double < 1e-12, "{level:?} f64: {double:e}");
        assert!(single < 1e-5, "{level:?} f32: {single:e}");
    }
    // ∂⁴/∂z⁴ is a small part of its order; a percent of it must be seen.
    assert!(largest_error::<f64>(Level::best(), 0.01) > 1e-12);
}

#[test]
fn plane_waves_have_their_closed_form() {
    let mut g = Graph::new(2);
    let x = g.coordinates();
    let phase = g.fixed(x, &[vec![2.0, -3.0]], &[0.4]);
    g.apply(phase, Function::Sin);
    let set = Derivatives::new(2, &[&[2, 2], &[4, 0]]).unwrap();
    // The closure: all below xxyy, and x³, x⁴.
    assert_eq!(set.components(), 11);
    assert!(set.component(&[0, 3]).is_none() && set.component(&[3, 1]).is_none());
    let mut engine = GraphEngine::<f64>::new(&g, &set).unwrap();
    let points: Vec<f64> = (0..40).map(|k| (k as f64 * 0.37).sin()).collect();
    engine.evaluate(&[], &points, |tile| {
        for c in 0..set.components() {
            let (a, b) = (set.orders(c)[0] as i32, set.orders(c)[1] as i32);
            for i in 0..tile.len {
                let phase = 2.0 * tile.input(0)[i] - 3.0 * tile.input(1)[i] + 0.4;
                let turned = phase + f64::from(a + b) * std::f64::consts::FRAC_PI_2;
                let expected = 2f64.powi(a) * (-3f64).powi(b) * turned.sin();
                assert!((tile.jet(0, c)[i] - expected).abs() < 1e-13 * 16.0 * 9.0, "{a} {b}");
            }
        }
    });
}

/// Place and time: a dense layer's units are plane waves' kin, σ(k·x + b), whose derivatives are powers of k times σ's.
#[test]
fn four_coordinates_have_all_their_derivatives() {
    let set = Derivatives::all(4, 4).unwrap();
    assert_eq!(set.components(), 70);
    let k = [2.0, -3.0, 0.5, 1.5];
    let mut g = Graph::new(4);
    let x = g.coordinates();
    let phase = g.fixed(x, &[k.to_vec()], &[0.4]);
    let wave = g.apply(phase, Function::Sin);
    g.dense(wave, 1, Initial::Glorot);
    let parameters = [1.7, 0.3];
    let points: Vec<f64> = (0..80).map(|k| (k as f64 * 0.37).sin()).collect();
    let mut engine = GraphEngine::<f64>::new(&g, &set).unwrap();
    let mut gradient = [0.0; 2];
    let last = set.component(&[1, 1, 1, 1]).unwrap();
    let mut expected_slope = 0.0;
    let mut worst: f64 = 0.0;
    engine.add_gradient(&parameters, &points, &mut gradient, |tile| {
        for i in 0..tile.len {
            let phase = (0..4).map(|d| k[d] * tile.input(d)[i]).sum::<f64>() + 0.4;
            for c in 0..set.components() {
                let orders = set.orders(c);
                let factor: f64 = k.iter().zip(orders).map(|(k, o)| k.powi(*o as i32)).product();
                let turned = phase + orders.iter().sum::<usize>() as f64 * std::f64::consts::FRAC_PI_2;
                let offset = if c == 0 { 0.3 } else { 0.0 };
                worst =
                    worst.max((tile.jet(0, c)[i] - 1.7 * factor * turned.sin() - offset).abs() / factor.abs().max(1.0));
            }
            tile.adjoint(0, last)[i] = 1.0;
            expected_slope += k.iter().product::<f64>() * phase.sin();
        }
        0.0
    });
    assert!(worst < 1e-13, "{worst:e}");
    assert!((gradient[0] - expected_slope).abs() < 1e-11 && gradient[1] == 0.0, "{gradient:?} {expected_slope}");
    assert!(Derivatives::all(5, 1).is_err());
}

#[test]
fn gradient_equals_central_differences_and_the_jacobian() {
    let graph = everything();
    let set = Derivatives::new(3, &[&[1, 0, 0], &[0, 2, 1], &[0, 0, 4]]).unwrap();
    let mut parameters: Vec<f64> = graph.start(3).unwrap();
    let points: Vec<f64> = (0..60).map(|k| 0.8 * normal(8, k).sin()).collect();
    let mut engine = GraphEngine::<f64>::with(&graph, &set, 16, Level::best()).unwrap();
    let third = set.component(&[0, 2, 1]).unwrap();
    let fourth = set.component(&[0, 0, 4]).unwrap();
    // r = u + u_yyz + 0.01 u_zzzz u, per point: nonlinear in the jets.
    let residual = |u: f64, a: f64, b: f64| u + a + 0.01 * b * u;
    let mut loss = |parameters: &[f64], gradient: &mut [f64]| {
        gradient.fill(0.0);
        engine.add_gradient(parameters, &points, gradient, |tile| {
            let mut total = 0.0;
            for i in 0..tile.len {
                let (u, a, b) = (tile.jet(0, 0)[i], tile.jet(0, third)[i], tile.jet(0, fourth)[i]);
                let r = residual(u, a, b);
                total += r * r;
                tile.adjoint(0, 0)[i] = 2.0 * r * (1.0 + 0.01 * b);
                tile.adjoint(0, third)[i] = 2.0 * r;
                tile.adjoint(0, fourth)[i] = 2.0 * r * 0.01 * u;
            }
            total
        })
    };
    let mut gradient = vec![0.0; parameters.len()];
    let mut scratch = gradient.clone();
    loss(&parameters, &mut gradient);
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let h = 1e-5;
    let mut worst: (f64, usize) = (0.0, 0);
    let mut seen = f64::INFINITY;
    for i in 0..parameters.len() {
        let p = parameters[i];
        let mut at = |x: f64| {
            parameters[i] = x;
            loss(&parameters, &mut scratch)
        };
        let slope = (at(p + h) - at(p - h)) / (2.0 * h);
        parameters[i] = p;
        let error = (slope - gradient[i]).abs() / scale;
        worst = if error > worst.0 { (error, i) } else { worst };
        if gradient[i].abs() == scale {
            seen = (slope - 0.999 * gradient[i]).abs() / scale;
        }
    }
    // Truncation h² and rounding 1e-16/h, relative to the largest entry; a thousandth off must be seen.
    assert!(worst.0 < 1e-7, "{worst:?}");
    assert!(seen > 1e-7, "{seen:e}");

    let (mut residuals, mut jacobian) = (vec![0.0; 20], vec![0.0; 20 * parameters.len()]);
    let write = |rows: &mut RowTile<'_, '_, f64>| {
        let tile = &mut rows.tile;
        for i in 0..tile.len {
            let (u, a, b) = (tile.jet(0, 0)[i], tile.jet(0, third)[i], tile.jet(0, fourth)[i]);
            tile.adjoint(0, 0)[i] = 1.0 + 0.01 * b;
            tile.adjoint(0, third)[i] = 1.0;
            tile.adjoint(0, fourth)[i] = 0.01 * u;
            rows.residuals[i] = residual(u, a, b);
        }
    };
    engine.jacobian(&parameters, &points, 1, &mut residuals, &mut jacobian, |rows, _| write(rows));
    for (i, g) in gradient.iter().enumerate() {
        let product: f64 = (0..20).map(|r| 2.0 * residuals[r] * jacobian[r * gradient.len() + i]).sum();
        assert!((product - g).abs() < 1e-12 * scale, "{i}");
    }

    // One point's part of the loss and its gradient, from the loss as it is.
    let chosen = [0, 3, 15, 16, 19];
    let single = |tile: &mut GraphTile<'_, f64>| {
        assert!(tile.len == 1 && points[3 * tile.start..][..3] == [0, 1, 2].map(|i| tile.input(i)[0]));
        let (u, a, b) = (tile.jet(0, 0)[0], tile.jet(0, third)[0], tile.jet(0, fourth)[0]);
        let r = residual(u, a, b);
        tile.adjoint(0, 0)[0] = 2.0 * r * (1.0 + 0.01 * b);
        tile.adjoint(0, third)[0] = 2.0 * r;
        tile.adjoint(0, fourth)[0] = 2.0 * r * 0.01 * u;
        r * r
    };
    let parts = engine.parts(&parameters, &points, single);
    assert_eq!(parts.len(), 20);
    assert!(parts.iter().zip(&residuals).all(|(part, r)| (part - r * r).abs() < 1e-12 * part));
    let singles = engine.gradients_of(&parameters, &points, &chosen, single);
    assert_eq!(singles.len(), chosen.len());
    for ((part, slopes), at) in singles.iter().zip(chosen) {
        assert!((part - residuals[at] * residuals[at]).abs() < 1e-12 * part);
        let row = &jacobian[at * slopes.len()..][..slopes.len()];
        assert!(slopes.iter().zip(row).all(|(s, j)| (s - 2.0 * residuals[at] * j).abs() < 1e-12 * scale), "{at}");
    }

    // The products of the rows, as they are made without keeping them: so many points that they are made in several parts.
    let repeated = points.repeat(33);
    let mut equations = NormalEquations::new(parameters.len());
    engine.rows(&parameters, &repeated, 1, |rows, _| write(rows), |rows| equations.add(rows));
    equations.finish();
    let size = parameters.len();
    let product = |i: usize, j: usize| (0..20).map(|r| jacobian[r * size + i] * jacobian[r * size + j]).sum::<f64>();
    let largest = (0..size).map(|i| 33.0 * product(i, i)).fold(0.0, f64::max);
    for i in 0..size {
        assert!((equations.gradient[i] - 16.5 * gradient[i]).abs() < 1e-10 * scale, "{i}");
        for j in 0..=i {
            assert!((equations.gram[i * size + j] - 33.0 * product(i, j)).abs() < 1e-12 * largest, "{i} {j}");
        }
    }
    assert!((equations.gram[size + 1] - 32.0 * product(1, 1)).abs() > 1e-12 * largest, "a tile less must be seen");
}

#[test]
fn hidden_units_are_those_the_first_output_reads() {
    let mut g = Graph::new(2);
    let x = g.coordinates();
    let network = g.mlp(x, &[5, 4], 2, Function::Tanh);
    let walls = g.pick(x, 0, 1.0, -1.0);
    let inside = g.multiply(walls, network);
    let first = g.pick(inside, 0, 2.0, 0.0);
    let line = g.pick(x, 1, 1.0, 0.0);
    g.add(line, first);
    let (hidden, layer) = g.hidden().unwrap();
    assert_eq!((hidden.outputs(), layer.inputs, layer.outputs), (4, 4, 2));
    let parameters: Vec<f64> = g.start(5).unwrap();
    let value = |graph: &Graph| -> Vec<f64> {
        let mut out = Vec::new();
        let mut engine = GraphEngine::<f64>::new(graph, &Derivatives::new(2, &[]).unwrap()).unwrap();
        let units = graph.outputs();
        engine.evaluate(&parameters, &[0.3, -0.7], |tile| out.extend((0..units).map(|u| tile.jet(u, 0)[0])));
        out
    };
    let units = value(&hidden);
    let read: f64 =
        units.iter().zip(&parameters[layer.weights..]).map(|(u, w)| u * w).sum::<f64>() + parameters[layer.biases];
    let expected = -0.7 + 2.0 * (0.3 - 1.0) * read;
    assert!((value(&g)[0] - expected).abs() < 1e-14 && expected.abs() > 0.1);
    let mut fixed = Graph::new(1);
    let x = fixed.coordinates();
    fixed.affine(x, 2.0, 0.0);
    assert!(fixed.hidden().is_none());
}

#[test]
fn layers_that_add_nothing_change_nothing() {
    let set = Derivatives::new(2, &[&[1, 2]]).unwrap();
    let points: Vec<f64> = (0..40).map(|k| normal(8, k)).collect();
    let jets = |graph: &Graph, parameters: &[f64]| {
        let mut engine = GraphEngine::<f64>::new(graph, &set).unwrap();
        let mut all = Vec::new();
        engine.evaluate(parameters, &points, |tile| all.extend((0..6).flat_map(|c| tile.jet(0, c).to_vec())));
        all
    };
    let (mut deep, mut plain) = (Graph::new(2), Graph::new(2));
    let (x, y) = (deep.coordinates(), plain.coordinates());
    let hidden = deep.residual_layers(x, 5, 3, Function::Tanh);
    deep.dense(hidden, 1, Initial::Glorot);
    plain.mlp(y, &[5], 1, Function::Tanh);
    let mut parameters: Vec<f64> = deep.start(2).unwrap();
    assert_eq!(parameters.len(), 15 + 2 * 30 + 6);
    let whole = jets(&deep, &parameters);
    parameters[15..75].fill(0.0);
    let without = jets(&deep, &parameters);
    let short: Vec<f64> = [&parameters[..15], &parameters[75..]].concat();
    let gap = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(gap(&without, &jets(&plain, &short)) < 1e-14);
    assert!(gap(&without, &whole) > 0.1, "otherwise they count");
    // One layer of them by hand.
    let mut two = Graph::new(1);
    let z = two.coordinates();
    let hidden = two.residual_layers(z, 1, 2, Function::Tanh);
    two.dense(hidden, 1, Initial::Glorot);
    let mut engine = GraphEngine::<f64>::new(&two, &Derivatives::all(1, 0).unwrap()).unwrap();
    engine.evaluate(&[0.7, 0.1, -1.2, 0.3, 2.0, -0.5], &[0.4], |tile| {
        let first = (0.7f64 * 0.4 + 0.1).tanh();
        let by_hand = 2.0 * (first + (-1.2 * first + 0.3).tanh()) - 0.5;
        assert!((tile.jet(0, 0)[0] - by_hand).abs() < 1e-15);
    });
}

#[test]
fn conditions_built_in_hold_exactly() {
    let mut g = Graph::new(2);
    let x = g.coordinates();
    let periodic = g.periodic(1, 2.0, 3);
    let t = g.pick(x, 0, 1.0, 0.0);
    let inputs = g.join(t, periodic);
    let network = g.mlp(inputs, &[8, 8], 1, Function::Tanh);
    g.multiply(t, network);
    let parameters: Vec<f64> = g.start(2).unwrap();
    let set = Derivatives::new(2, &[&[1, 2]]).unwrap();
    let mut engine = GraphEngine::<f64>::new(&g, &set).unwrap();
    // At t = 0 nothing is left but u_t; at x = −1 and x = 1 every derivative is alike.
    engine.evaluate(&parameters, &[0.0, 0.3, 0.6, -1.0, 0.6, 1.0], |tile| {
        for c in 0..set.components() {
            if set.orders(c)[0] == 0 {
                assert_eq!(tile.jet(0, c)[0], 0.0);
            }
            let [a, b] = [1, 2].map(|i| tile.jet(0, c)[i]);
            assert!((a - b).abs() < 1e-13 * (1.0 + a.abs()) && a.abs() > 1e-3, "{c}: {a} {b}");
        }
    });
}

#[test]
fn parts_that_do_not_fit_are_told() {
    assert_eq!(Derivatives::all(5, 2), Err(NetError::TooManyDerivatives { inputs: 5, order: 2 }));
    assert_eq!(Derivatives::new(1, &[&[5]]), Err(NetError::TooManyDerivatives { inputs: 1, order: 5 }));
    let mut g = Graph::new(1);
    let x = g.coordinates();
    let (a, b) = (g.dense(x, 3, Initial::Glorot), g.dense(x, 2, Initial::Glorot));
    g.add(a, b);
    assert_eq!(g.start::<f64>(1), Err(NetError::Units { have: 3, need: 2 }));
    let mut g = Graph::new(1);
    g.mlp(g.coordinates(), &[0], 1, Function::Tanh);
    assert_eq!(g.start::<f32>(1), Err(NetError::Empty { what: "units in a node" }));
}

fn along(is_periodic: bool, count: usize, is_sharp: bool) -> Parts {
    Parts { input: 0, low: -1.0, high: 3.0, is_periodic, count, is_sharp }
}

/// Windows of parts between walls and on a ring: they add up to one with all derivatives, each stands over its part, and what is
/// made of the parts is put together.
#[test]
fn windows_of_parts_add_up_to_one() {
    for is_periodic in [false, true] {
        for count in [1, 2, 3, 5, 8] {
            let mut g = Graph::new(1);
            let windows = g.parts(&along(is_periodic, count, false), |_, window, _| window);
            assert_eq!(g.units(windows), count);
            g.fixed(windows, &[vec![1.0; count]], &[0.0]);
            let set = Derivatives::all(1, 4).unwrap();
            let mut sums = GraphEngine::<f64>::new(&g, &set).unwrap();
            let points: Vec<f64> = (0..=80).map(|k| -1.0 + 0.05 * f64::from(k)).collect();
            sums.evaluate(&[], &points, |tile| {
                for c in 0..set.components() {
                    let one = f64::from(u8::from(c == set.component(&[0]).unwrap()));
                    // Derivatives of steep windows are large themselves.
                    tile.jet(0, c).iter().for_each(|v| assert!((v - one).abs() < 1e-9, "{count} {c}: {v}"));
                }
            });
            let mut g = Graph::new(1);
            g.parts(&along(is_periodic, count, false), |_, window, _| window);
            let mut each = GraphEngine::<f64>::new(&g, &Derivatives::all(1, 0).unwrap()).unwrap();
            let width = 4.0 / count as f64;
            let middles: Vec<f64> = (0..count).map(|k| -1.0 + (k as f64 + 0.5) * width).collect();
            each.evaluate(&[], &middles, |tile| {
                for k in 0..count {
                    for i in 0..count {
                        let (value, own) = (tile.jet(k, 0)[i], tile.jet(i, 0)[i]);
                        assert!((-1e-12..=1.0 + 1e-12).contains(&value) && (k == i || value < own), "{count}: {value}");
                    }
                }
            });
        }
    }
}

#[test]
fn gaussian_features_have_their_closed_form() {
    let mut g = Graph::new(2);
    let x = g.coordinates();
    let scaled = g.affine(x, 2.0, -0.5);
    g.gaussian_features(scaled, 3, 0.4);
    let parameters: Vec<f64> = g.start(8).unwrap();
    assert_eq!(parameters.len(), 2 * (3 + 3));
    // They begin with that width, and with centres within the box.
    assert!(parameters[..3].iter().chain(&parameters[6..9]).all(|s| (s - 2.5).abs() < 1e-12));
    assert!(parameters[3..6].iter().chain(&parameters[9..]).all(|b| b.abs() <= 2.5) && parameters[3] != parameters[4]);
    let set = Derivatives::new(2, &[&[2, 0]]).unwrap();
    let second = set.component(&[2, 0]).unwrap();
    let mut engine = GraphEngine::<f64>::new(&g, &set).unwrap();
    engine.evaluate(&parameters, &[0.3, 0.7], |tile| {
        for unit in 0..3 {
            let slopes = [parameters[unit], parameters[6 + unit]];
            let [a, b] = [0, 1].map(|i| slopes[i] * (2.0 * [0.3, 0.7][i] - 0.5) + parameters[6 * i + 3 + unit]);
            let value = (-0.5 * (a * a + b * b)).exp();
            let slope = 2.0 * slopes[0];
            assert!((tile.jet(unit, 0)[0] - value).abs() < 1e-14);
            assert!((tile.jet(unit, second)[0] - slope * slope * (a * a - 1.0) * value).abs() < 1e-12);
        }
    });
}

#[test]
fn domains_meet_without_overlap() {
    for is_periodic in [false, true] {
        let mut g = Graph::new(1);
        g.parts(&along(is_periodic, 4, true), |_, window, _| window);
        let set = Derivatives::all(1, 2).unwrap();
        let mut engine = GraphEngine::<f64>::new(&g, &set).unwrap();
        // Of each place its part: beyond walls the outer ones, around a ring the next ones.
        let points = [-1.5, -1.0, -0.1, 0.0, 0.99, 1.0, 2.9, 3.0, 3.5];
        let parts = if is_periodic { [3, 0, 0, 1, 1, 2, 3, 0, 0] } else { [0, 0, 0, 1, 1, 2, 3, 3, 3] };
        engine.evaluate(&[], &points, |tile| {
            for (i, part) in parts.iter().enumerate() {
                for k in 0..4 {
                    assert_eq!(tile.jet(k, 0)[i], f64::from(u8::from(k == *part)), "{} {k}", points[i]);
                    assert!((1..3).all(|c| tile.jet(k, c)[i] == 0.0));
                }
            }
        });
    }
}
