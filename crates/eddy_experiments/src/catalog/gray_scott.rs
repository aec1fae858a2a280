//! Two chemicals: U feeds in everywhere, V eats U to make more V, and decays.
//!
//! $$u_t = D_u \nabla^2 u - u v^2 + F(1 - u), \qquad v_t = D_v \nabla^2 v + u v^2 - (F + k) v$$
//!
//! U spreads twice as fast as V. So V starves where it is dense and lives on at its edges: spots divide like cells, stripes
//! grow into labyrinths, rings chase each other. Which of them depends on two numbers, the feed $F$ and the kill $k$ (Pearson
//! 1993). Uniform states other than $v = 0$ exist only where $F \ge 4(F + k)^2$; the patterns live along the fold of that
//! curve, some beyond it, where no uniform state could.
//!
//! Paint to add V. Try $F = 0.03, k = 0.062$ (dividing spots), $F = 0.055, k = 0.062$ (labyrinth), $F = 0.026, k = 0.051$
//! (chaos), $F = 0.014, k = 0.045$ (travelling waves).

use std::any::Any;

use eddy_numerics::space::stencil::{Axis as GridAxis, StencilOrder};
use eddy_numerics::systems::gray_scott::{GrayScott as Reaction, GrayScottRates};
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::pde::{
    Live, Measure, PdeRun, Picture, Range, ReactionMethod, Setup, Shape, gray_scott_backend, smallest_dt, uniforms,
};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Run};

choice! { pub enum Start {
    /// scattered spots
    Spots = "spots",
    /// one square
    Square = "square",
    /// V missing
    Empty = "empty",
} }

choice! { pub enum Side {
    /// 64²
    Small = "64",
    /// 128²
    Medium = "128",
    /// 256²
    Large = "256",
    /// 512²
    Huge = "512",
} }

impl Side {
    fn points(self) -> usize {
        match self {
            Self::Small => 64,
            Self::Medium => 128,
            Self::Large => 256,
            Self::Huge => 512,
        }
    }
}

choice! { pub enum Method {
    /// Runge-Kutta 4
    Rk4 = "rk4",
    /// explicit Euler
    Euler = "euler",
} }

params! { pub struct Params {
    /// Feed.
    feed: f64 = 0.037 => range(0.0, 0.1).symbol("F").live().group("equation"),
    /// Kill.
    kill: f64 = 0.06 => range(0.03, 0.08).symbol("k").live().group("equation"),
    /// Diffusivity of U. In units of one grid cell.
    diffusivity_u: f64 = 0.16 => range(0.02, 0.3).symbol("D_u").live().group("equation"),
    /// Diffusivity of V.
    diffusivity_v: f64 = 0.08 => range(0.01, 0.3).symbol("D_v").live().group("equation"),
    /// Start.
    start: Start = Start::Spots => choice().group("start"),
    /// Grid.
    grid: Side = Side::Medium => choice().group("method"),
    /// Method.
    method: Method = Method::Euler => choice().group("method"),
    /// Length of a step.
    dt: f64 = 1.0 => range(0.1, 6.0).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 4000.0 => range(500.0, 50000.0).symbol("T").live().group("method"),
    /// Seed.
    seed: u32 = 1 => seed().group("start"),
} }

pub struct GrayScott;

fn live(p: &Params) -> Live {
    Live { dt: p.dt, end: p.end, coefficients: vec![p.diffusivity_u, p.diffusivity_v, p.feed, p.kill] }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

fn initial(p: &Params, shape: &Shape) -> Vec<Vec<f64>> {
    let n = shape.x.1;
    let spots: Vec<(f64, f64, f64)> = match p.start {
        Start::Spots => (0..(n / 8.0) as u32)
            .map(|i| {
                let [x, y, r, _] = uniforms(p.seed, i);
                (n * x, n * y, 2.0 + 3.0 * r)
            })
            .collect(),
        _ => Vec::new(),
    };
    let v = shape.sample(|x, y| match p.start {
        Start::Spots => {
            let near = |a: f64, b: f64| (a - b).abs().min(n - (a - b).abs());
            if spots.iter().any(|(a, b, r)| near(x, *a).powi(2) + near(y, *b).powi(2) < r * r) { 0.5 } else { 0.0 }
        }
        // A square is a state of high symmetry, which the exact equations keep: the pattern is a carpet.
        Start::Square => {
            if (x - n / 2.0).abs() <= 6.0 && (y - n / 2.0).abs() <= 6.0 {
                0.5
            } else {
                0.0
            }
        }
        Start::Empty => 0.0,
    });
    let u = v.iter().map(|v| 1.0 - v).collect();
    vec![u, v]
}

impl Experiment for GrayScott {
    type Params = Params;
    const TITLE: &'static str = "Gray-Scott: spots, stripes, labyrinths";
    const SUMMARY: &'static str = "Two chemicals make living patterns; two numbers decide which.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "covered",
            Axis::linear("area covered", "A"),
            Better::Neither,
            "Fraction of the area with v above 0.1.",
        ),
        Metric::new("mean_v", Axis::linear("mean of v", "\\langle v\\rangle"), Better::Neither, "Mean of v."),
        Metric::new("mean_u", Axis::linear("mean of u", "\\langle u\\rangle"), Better::Neither, "Mean of u."),
        Metric::new("top_v", Axis::linear("largest v", "\\max v"), Better::Neither, "Largest v."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "v",
            "V",
            Axis::linear("position", "x"),
            Axis::linear("position", "y"),
            Axis::linear("concentration", "v"),
            ColorMap::Viridis,
        ),
        ViewSpec::field(
            "u",
            "U",
            Axis::linear("position", "x"),
            Axis::linear("position", "y"),
            Axis::linear("concentration", "u"),
            ColorMap::Cividis,
        ),
    ];
    const BASELINE: Option<Baseline> = None;
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let n = p.grid.points();
        let shape = Shape::square(n, n as f64, true);
        let live = live(p);
        let fields = initial(p, &shape);
        let method = match p.method {
            Method::Euler => ReactionMethod::Euler,
            Method::Rk4 => ReactionMethod::Rk4,
        };
        let tableau = method.tableau();
        let backend = gray_scott_backend(context, n, method, &live, &fields)?;
        let axis = GridAxis::periodic(n, n as f64);
        let diagnose = move |live: &Live, _: &[Vec<f64>]| {
            let c = &live.coefficients;
            let rates = GrayScottRates { diffusivity_u: c[0], diffusivity_v: c[1], feed: c[2], kill: c[3] };
            Reaction::<f64>::new(axis, axis, StencilOrder::Two, rates).limits(tableau.real_interval).diagnose(live.dt)
        };
        Ok(Box::new(PdeRun::new(Setup {
            shape,
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(ReactionMeasure),
            record_every: 20,
            pictures: vec![
                ("v", Picture::Plane(1), Range::Fixed(0.0, 0.4)),
                ("u", Picture::Plane(0), Range::Fixed(0.2, 1.0)),
            ],
            brush: (1, 0.4),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

struct ReactionMeasure;

impl Measure for ReactionMeasure {
    fn measure(&mut self, _: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        let (u, v) = (&fields[0], &fields[1]);
        let n = v.len() as f64;
        out[0] = v.iter().filter(|v| **v > 0.1).count() as f64 / n;
        out[1] = v.iter().sum::<f64>() / n;
        out[2] = u.iter().sum::<f64>() / n;
        out[3] = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    }
}
