//! What is drawn.
//!
//! Positions are shown divided by √(α² + σ²), so that the noise of every schedule, σ = 80 included, fits on the stage
//! and the end is shown as it is.

use eddy_numerics::diffusion::{Batch, Lane, Mixture, Node, Shape, log_likelihood};
use eddy_spec::{Axis, ColorMap, ViewData, ViewSpec};

use super::{Colour, Setup, stability, sweep::Curve};

const X: Axis = Axis::linear("x", "x_1");
const Y: Axis = Axis::linear("y", "x_2");

/// Particles coloured by their distance to the reference.
pub const PARTICLES: ViewSpec = ViewSpec::points(
    "particles",
    "particles",
    X,
    Y,
    Axis::linear("log₁₀ of the distance to the reference", "\\log_{10} e"),
    ColorMap::Viridis,
);
/// Particles coloured by the density where they are.
pub const PARTICLES_BY_DENSITY: ViewSpec =
    ViewSpec::points("particles", "particles", X, Y, Axis::linear("log-density", "\\ln p_t"), ColorMap::Viridis);
/// Log-likelihood of each point by the flow.
pub const LIKELIHOOD_MAP: ViewSpec = ViewSpec::field(
    "likelihood",
    "log-likelihood by the flow",
    X,
    Y,
    Axis::linear("log-likelihood", "\\ln p").unit("nats"),
    ColorMap::Viridis,
);
/// Exact log-density, on the same scale.
pub const DENSITY_MAP: ViewSpec = ViewSpec::field(
    "density",
    "exact log-density",
    X,
    Y,
    Axis::linear("log-density", "\\ln p").unit("nats"),
    ColorMap::Viridis,
);

/// Particles with a trail: many for a short path, few for one of hundreds of steps.
const TRAILS: usize = 40;
const LONG_TRAILS: usize = 14;
const LONG: u32 = 60;
/// Points of a trail; a longer path is thinned by dropping every second point.
const TRAIL_POINTS: usize = 256;
/// Cells per side of the backdrop and of the likelihood map.
const BACKDROP: usize = 96;
const MAP: usize = 40;
/// Colours of a density map span this many nats below the top.
const NATS: f64 = 12.0;

/// Pictures of one run, with what they remember of its past.
pub(super) struct Pictures {
    limit: f64,
    /// x, y pairs of the last state in which all particles were finite.
    positions: Vec<f32>,
    node: Node,
    /// Particle by particle.
    trails: Vec<Vec<[f32; 2]>>,
    /// Every `stride`-th state is on the trails.
    stride: usize,
    states: usize,
    backdrop: Option<(f64, ViewData)>,
    likelihood: Option<ViewData>,
    density: Option<ViewData>,
    stability: Option<ViewData>,
}

/// Shown position of coordinate `v`.
fn shrink(node: &Node) -> f64 {
    1.0 / node.alpha.hypot(node.sigma)
}

impl Pictures {
    pub(super) fn of(setup: &Setup) -> Self {
        let adaptive = setup.method().step_control().is_some();
        let trails = if setup.evaluations > LONG && !adaptive { LONG_TRAILS } else { TRAILS };
        Self {
            // Guidance overshoots the class on the way.
            limit: (1.2 * setup.mixture.extent()).max(if setup.guidance.is_some() { 3.0 } else { 2.2 }),
            positions: Vec::new(),
            node: setup.schedule.node(setup.span.0),
            trails: vec![Vec::new(); trails.min(setup.particles as usize)],
            stride: 1,
            states: 0,
            backdrop: None,
            likelihood: None,
            density: None,
            stability: None,
        }
    }

    /// The particles are now at `x`.
    pub(super) fn moved<T: Lane>(&mut self, x: &Batch<T>, node: &Node) {
        let scale = shrink(node);
        let (xs, ys) = (x.coordinate(0), x.coordinate(x.dim().min(2) - 1));
        // Far beyond the stage a position only has to be finite.
        let show = |v: T| (v.to_f64() * scale).clamp(-1e6, 1e6) as f32;
        self.positions.clear();
        self.positions.extend(xs.iter().zip(ys).flat_map(|(x, y)| [show(*x), show(*y)]));
        self.node = *node;
        if self.states.is_multiple_of(self.stride) {
            for (trail, p) in self.trails.iter_mut().zip(self.positions.chunks_exact(2)) {
                trail.push([p[0], p[1]]);
            }
            if self.trails.first().is_some_and(|t| t.len() >= TRAIL_POINTS) {
                self.stride *= 2;
                for trail in &mut self.trails {
                    let mut i = 0;
                    trail.retain(|_| {
                        i += 1;
                        i % 2 == 1
                    });
                }
            }
        }
        self.states += 1;
    }

    pub(super) fn particles(&mut self, setup: &Setup, reference: Option<&Batch<f64>>) -> ViewData {
        let scale = shrink(&self.node);
        let count = self.positions.len() / 2;
        let (values, range) = match (setup.colour, reference) {
            (Colour::Error, Some(r)) => {
                let ends = shrink(&setup.end());
                let (xs, ys) = (r.coordinate(0), r.coordinate(r.dim().min(2) - 1));
                let distance = |i: usize| {
                    let dx = f64::from(self.positions[2 * i]) - xs[i] * ends;
                    let dy = f64::from(self.positions[2 * i + 1]) - ys[i] * ends;
                    dx.hypot(dy).max(1e-6).log10() as f32
                };
                ((0..count).map(distance).collect(), (-3.0, 0.5))
            }
            (Colour::Error, None) => (vec![0.0; count], (-3.0, 0.5)),
            (Colour::Density, _) => {
                let points = self.positions.iter().map(|v| f64::from(*v) / scale);
                let points: Vec<f64> = points.collect();
                let mut logs = log_densities(&setup.mixture, &self.node, &points);
                let top = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                logs.iter_mut().for_each(|v| *v = v.max(-1e6));
                (logs, (f64::from(top) - 6.0, f64::from(top)))
            }
        };
        let trail_len = self.trails.first().map_or(0, Vec::len);
        // A trail ends where its particle is, also between two recorded states.
        let mut trails = Vec::with_capacity(2 * self.trails.len() * (trail_len + 1));
        for (trail, now) in self.trails.iter().zip(self.positions.chunks_exact(2)) {
            trails.extend(trail.iter().flatten());
            trails.extend(now);
        }
        ViewData::Points {
            positions: self.positions.clone(),
            values,
            range,
            trails,
            trail_len: if self.trails.is_empty() { 0 } else { trail_len + 1 },
            backdrop: Some(Box::new(self.backdrop(setup))),
            x: (-self.limit, self.limit),
            y: (-self.limit, self.limit),
        }
    }

    /// Density of the particles' exact marginal at their present time, in shown coordinates.
    fn backdrop(&mut self, setup: &Setup) -> ViewData {
        if let Some((t, data)) = &self.backdrop
            && *t == self.node.t
        {
            return data.clone();
        }
        let logs = log_densities(&setup.mixture, &self.node, &cells(BACKDROP, self.limit, 1.0 / shrink(&self.node)));
        let top = logs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // The square root of the density keeps the tails visible beside sharp modes.
        let data = logs.iter().map(|v| (0.5 * (v - top)).exp()).collect();
        let (nx, side) = (BACKDROP, (-self.limit, self.limit));
        let data = ViewData::Field { nx, ny: nx, data, x: side, y: side, range: (0.0, 1.0) };
        self.backdrop = Some((self.node.t, data.clone()));
        data
    }

    pub(super) fn curve(&self, setup: &Setup, curve: &Curve) -> ViewData {
        let series = curve.series(setup.solver.label());
        let bounds = |values: Vec<f64>, low: f64, high: f64| {
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if min < max { (min, max) } else { (low, high) }
        };
        let xs = series.iter().flat_map(|s| s.xs.clone()).collect();
        let ys = series.iter().flat_map(|s| s.ys.clone()).collect();
        let (x, y) = (bounds(xs, 1.0, 100.0), bounds(ys, 1e-3, 1.0));
        ViewData::Lines { series, x, y: (0.7 * y.0, 1.4 * y.1) }
    }

    /// ln p at the last time by the flow, cell by cell. Empty if the flow could not be integrated.
    pub(super) fn likelihood(&mut self, setup: &Setup) -> ViewData {
        let limit = self.limit;
        let compute = || {
            let points = cells(MAP, limit, 1.0);
            let (first, last) = setup.span;
            let tolerance = setup.likelihood_tolerance;
            let Ok(flow) = log_likelihood(&setup.mixture, &*setup.schedule, &points, last, first, tolerance) else {
                return ViewData::Empty;
            };
            map(flow.log_density.iter().map(|v| *v as f32).collect(), limit, top_of(setup))
        };
        self.likelihood.get_or_insert_with(compute).clone()
    }

    /// The exact ln p at the last time on the same cells.
    pub(super) fn density(&mut self, setup: &Setup) -> ViewData {
        let limit = self.limit;
        let compute =
            || map(log_densities(&setup.mixture, &setup.end(), &cells(MAP, limit, 1.0)), limit, top_of(setup));
        self.density.get_or_insert_with(compute).clone()
    }

    pub(super) fn stability(&mut self, setup: &Setup) -> ViewData {
        self.stability.get_or_insert_with(|| stability::region(&*setup.method())).clone()
    }
}

/// Largest log-density at the modes: the top of the colours.
fn top_of(setup: &Setup) -> f64 {
    let end = setup.end();
    let at = |mean: &[f64]| {
        let x: Vec<f64> = mean.iter().map(|m| end.alpha * m).collect();
        setup.mixture.log_density(&x, end.alpha, end.sigma)
    };
    setup.mixture.components().iter().map(|c| at(&c.mean)).fold(f64::NEG_INFINITY, f64::max)
}

fn map(data: Vec<f32>, limit: f64, top: f64) -> ViewData {
    let side = (-limit, limit);
    let data = data.into_iter().map(|v| v.clamp(-1e6, 1e6)).collect();
    ViewData::Field { nx: MAP, ny: MAP, data, x: side, y: side, range: (top - NATS, top) }
}

/// Centres of n × n cells of the square, row by row from the bottom, times `scale`.
fn cells(n: usize, limit: f64, scale: f64) -> Vec<f64> {
    let at = |i: usize| scale * limit * (2.0 * (i as f64 + 0.5) / n as f64 - 1.0);
    (0..n).flat_map(|j| (0..n).flat_map(move |i| [at(i), at(j)])).collect()
}

/// ln p of many points of the plane (x, y pairs) at one noise level, in f32, which a picture does not need more than.
fn log_densities(mixture: &Mixture, node: &Node, points: &[f64]) -> Vec<f32> {
    let isotropic: Option<Vec<[f32; 4]>> = mixture
        .components()
        .iter()
        .map(|c| match c.shape {
            Shape::Isotropic { sd } if mixture.dim() == 2 => {
                let v = (node.alpha * sd).powi(2) + node.sigma * node.sigma;
                let log = c.weight.ln() - (std::f64::consts::TAU * v).ln();
                Some([node.alpha * c.mean[0], node.alpha * c.mean[1], 0.5 / v, log].map(|v| v as f32))
            }
            _ => None,
        })
        .collect();
    let Some(rows) = isotropic else {
        let log = |x: &[f64]| mixture.log_density(x, node.alpha, node.sigma) as f32;
        return points.chunks_exact(mixture.dim()).map(log).collect();
    };
    let log = |x: &[f64]| {
        let (x, y) = (x[0] as f32, x[1] as f32);
        let term = |[a, b, half, log]: &[f32; 4]| log - half * ((x - a) * (x - a) + (y - b) * (y - b));
        let top = rows.iter().map(term).fold(f32::NEG_INFINITY, f32::max);
        // Terms e¹⁶ times smaller than the largest do not show.
        let terms = rows.iter().map(term).filter(|v| *v > top - 16.0);
        top + terms.map(|v| (v - top).exp()).sum::<f32>().ln()
    };
    points.chunks_exact(2).map(log).collect()
}
