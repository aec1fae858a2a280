//! Optimizers against traces that others have published: parameters step by step, not only where they end.

use eddy_nets::{Adam, AdamSettings, GaussNewton, GaussNewtonSettings, Lbfgs, LbfgsSettings, Schedule};

/// Gradient of the sum of the outputs of a 2-3-1 network with sigmoids at three points, parameters in PyTorch's order.
fn small_network(p: &[f64], g: &mut [f64]) {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    g.fill(0.0);
    for x in [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]] {
        let hidden: [f64; 3] = std::array::from_fn(|h| sigmoid(p[2 * h] * x[0] + p[2 * h + 1] * x[1] + p[6 + h]));
        let y = sigmoid(p[12] + (0..3).map(|h| p[9 + h] * hidden[h]).sum::<f64>());
        let slope = y * (1.0 - y);
        g[12] += slope;
        for h in 0..3 {
            g[9 + h] += slope * hidden[h];
            let inner = slope * p[9 + h] * hidden[h] * (1.0 - hidden[h]);
            g[6 + h] += inner;
            g[2 * h] += inner * x[0];
            g[2 * h + 1] += inner * x[1];
        }
    }
}

/// Steps, and the parameters after them by PyTorch's Adam at rate 1, all else as it is by default: "Adam" of
/// test/cpp/api/optim_baseline.h (as of 2019), from the weights of test/cpp/api/optim.cpp.
const PYTORCH_ADAM: [(i32, [f64; 13]); 4] = [
    (
        1,
        [
            0.7889791973017408,
            0.5023527440741749,
            0.8586918159203789,
            0.6579591153929213,
            0.747610883848348,
            1.697537897359327,
            0.8914325948147117,
            0.7020467393446147,
            1.6891939505415117,
            -1.0508020464078212,
            -1.3941340315784612,
            -1.2843369730699878,
            -1.0711376814874036,
        ],
    ),
    (
        101,
        [
            8.232343369651838,
            7.970643300186943,
            6.643546447481872,
            6.470927350729255,
            6.1699929180461135,
            7.150644529115176,
            8.417513698774671,
            6.597182008001362,
            7.231731333798338,
            -6.7296200590850805,
            -7.097441464483235,
            -6.7533081426144665,
            -6.435644769127909,
        ],
    ),
    (
        201,
        [
            8.232728629793431,
            7.971029896507964,
            6.643845645407439,
            6.471228017080045,
            6.170273299845014,
            7.150926509034132,
            8.41790341440641,
            6.597486966540781,
            7.232017965615688,
            -6.729913952070152,
            -7.097736635913622,
            -6.7535910561856145,
            -6.435922230155599,
        ],
    ),
    (
        1001,
        [
            8.232728644466773,
            7.971029911310943,
            6.64384565701621,
            6.471228028886431,
            6.170273310651826,
            7.150926520006559,
            8.417903429548836,
            6.5974869789301245,
            7.23201797707385,
            -6.729914394552445,
            -7.097737106893246,
            -6.753591316396183,
            -6.435922417839901,
        ],
    ),
];

/// PyTorch's start, of which its sources print four digits, to all of them: where the first step, whose direction depends on
/// the start through ε alone, leads to the first row.
fn pytorch_start(epsilon: f64) -> [f64; 13] {
    let printed = [
        -0.2109, -0.4976, -0.1413, -0.3420, -0.2524, 0.6976, -0.1085, -0.2979, 0.6892, -0.0508, -0.3941, -0.2843,
        -0.0711,
    ];
    let (mut p, mut g) = (printed, [0.0; 13]);
    for _ in 0..20 {
        small_network(&p, &mut g);
        for ((p, after), g) in p.iter_mut().zip(PYTORCH_ADAM[0].1).zip(g) {
            *p = after + g / (g.abs() + epsilon);
        }
    }
    assert!(p.iter().zip(printed).all(|(p, d): (&f64, f64)| (p - d).abs() < 5e-5), "{p:?}");
    p
}

/// Farthest from the published parameters, with a factor on β₂'s distance from one.
fn from_pytorch(fault: f64) -> f64 {
    let base = AdamSettings { schedule: Schedule::constant(1.0), ..AdamSettings::default() };
    // These versions added ε to √v before the correction of its bias.
    let epsilon = |step: i32| base.epsilon / (1.0 - base.beta2.powi(step)).sqrt();
    let mut p = pytorch_start(epsilon(1));
    let mut adam = Adam::<f64>::new(13, AdamSettings { beta2: 1.0 - fault * (1.0 - base.beta2), ..base });
    let (mut worst, mut g): (f64, _) = (0.0, [0.0; 13]);
    for step in 1..=1001 {
        adam.settings.epsilon = epsilon(step);
        small_network(&p, &mut g);
        adam.step(&mut p, &mut g);
        for (_, published) in PYTORCH_ADAM.iter().filter(|(at, _)| *at == step) {
            worst = p.iter().zip(published).fold(worst, |w, (a, b)| w.max((a - b).abs()));
        }
    }
    worst
}

#[test]
fn adam_follows_the_trace_of_pytorch() {
    let (own, faulty) = (from_pytorch(1.0), from_pytorch(1.0001));
    assert!(own < 1e-12, "{own:e}");
    assert!(faulty > 1e-6, "{faulty:e}");
}

#[test]
fn lbfgs_follows_the_trace_of_optax() {
    // The example in the documentation of optax.lbfgs: Σx² from (1, 2, 3) is 7.52 after the first step, whose length is the
    // reciprocal of the gradient's norm, and 7.46e-14, in single precision, after the second.
    let square = |x: &[f64], g: &mut [f64]| {
        g.iter_mut().zip(x).for_each(|(g, x)| *g = 2.0 * x);
        x.iter().map(|x| x * x).sum()
    };
    let mut x = [1.0, 2.0, 3.0];
    let mut optimizer = Lbfgs::new(3, LbfgsSettings::default());
    let first = optimizer.step(&mut x, square).loss;
    let second = optimizer.step(&mut x, square).loss;
    assert_eq!(format!("{first:.2e}"), "7.52e0");
    assert!(second < 1e-13, "{second:e}");
}

/// Rates of an enzyme with puromycin against the concentration of its substrate (Treloar 1974; Bates and Watts 1988,
/// "Nonlinear regression analysis and its applications", table A1.3).
const PUROMYCIN: [(f64, f64); 12] = [
    (0.02, 76.0),
    (0.02, 47.0),
    (0.06, 97.0),
    (0.06, 107.0),
    (0.11, 123.0),
    (0.11, 139.0),
    (0.22, 159.0),
    (0.22, 152.0),
    (0.56, 191.0),
    (0.56, 201.0),
    (1.10, 207.0),
    (1.10, 200.0),
];

/// Sum of squares and parameters of v = V c/(K + c) after each step from a start, hardly damped.
fn michaelis_menten(start: [f64; 2], steps: usize, fault: f64) -> Vec<(f64, [f64; 2])> {
    let residuals = |p: &[f64]| -> Vec<f64> { PUROMYCIN.iter().map(|(c, v)| p[0] * c / (p[1] + c) - v).collect() };
    let sum = |p: &[f64]| residuals(p).iter().map(|r| r * r).sum::<f64>();
    let settings = GaussNewtonSettings { damping: 1e-14, range: (1e-14, 1e8), tries: 12 };
    let (mut optimizer, mut p) = (GaussNewton::new(settings), start);
    let mut trace = vec![(sum(&p), p)];
    for _ in 0..steps {
        let jacobian: Vec<f64> = PUROMYCIN
            .iter()
            .flat_map(|(c, _)| [c / (p[1] + c), -fault * p[0] * c / ((p[1] + c) * (p[1] + c))])
            .collect();
        let r = residuals(&p);
        let step = optimizer.step(&mut p, &r, &jacobian, sum);
        trace.push((step.loss, p));
    }
    trace
}

#[test]
fn gauss_newton_follows_the_traces_of_statistics() {
    // Bates and Watts 1988, example of section 2.2.1, as carried out in Montgomery, Peck and Vining 2012, "Introduction to linear
    // regression analysis", example 12.5: from (205, 0.08) with S = 3155 the increment is (8.03, -0.017).
    let worked = michaelis_menten([205.0, 0.08], 1, 1.0);
    let increment = [worked[1].1[0] - 205.0, worked[1].1[1] - 0.08];
    assert_eq!(format!("{:.0}", worked[0].0), "3155");
    assert_eq!(format!("{:.2} {:.3}", increment[0], increment[1]), "8.03 -0.017");
    // What nls of R prints from (55, 0.011) with trace = TRUE. Residuals remain, so it converges linearly, and every digit of
    // the way is the method's (its derivatives are differences there, good to seven).
    let printed = [
        ("127395.8", "55.0000", "0.011000"),
        ("6232.5", "192.4433", "0.079220"),
        ("1220.9", "213.0386", "0.061998"),
        ("1195.5", "212.5393", "0.063874"),
        ("1195.4", "212.6683", "0.064097"),
        ("1195.4", "212.6822", "0.064119"),
        ("1195.4", "212.6836", "0.064121"),
    ];
    let shown = |trace: &[(f64, [f64; 2])]| -> Vec<(String, String, String)> {
        trace.iter().map(|(s, [v, k])| (format!("{s:.1}"), format!("{v:.4}"), format!("{k:.6}"))).collect()
    };
    let own = shown(&michaelis_menten([55.0, 0.011], 6, 1.0));
    for (own, printed) in own.iter().zip(printed) {
        assert_eq!((own.0.as_str(), own.1.as_str(), own.2.as_str()), printed);
    }
    assert_ne!(shown(&michaelis_menten([55.0, 0.011], 1, 1.001))[1].2, printed[1].2);
}
