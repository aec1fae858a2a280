//! Flame fronts, thin films and coupled oscillators share one equation of chaos in space and time:
//!
//! $$u_t = -u\,u_x - u_{xx} - u_{xxxx}$$
//!
//! The second derivative has the wrong sign: it feeds long waves. The fourth damps short ones, and $u u_x$ carries energy
//! from the one to the other. Small noise grows at a rate of at most 1/4, at the wavelength $2\pi\sqrt2 \approx 8.9$, until
//! cells of that size fill the line, which then merge and split for ever. Two starts that differ by almost nothing part at
//! about $e^{0.09 t}$.
//!
//! What to look for: shorten the line to 22 and below. How many cells fit, and from which length on is it no longer chaos?

use std::any::Any;
use std::f64::consts::PI;

use eddy_numerics::space::grid::Periodic;
use eddy_numerics::time::stability::{Limit, StabilityLimits, round_down};
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, params};

use crate::labs::pde::{
    LineEquation, Live, Measure, PdeRun, Picture, Range, Setup, Shape, line_backend, smallest_dt, uniforms,
};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Run};

const MOST_POINTS: u32 = 1024;

params! { pub struct Params {
    /// Length of the line.
    length: f64 = 120.0 => range(10.0, 400.0).symbol("L").group("equation"),
    /// Feeding. Factor of the second derivative.
    feeding: f64 = 1.0 => range(0.2, 2.0).live().group("equation"),
    /// Damping. Factor of the fourth derivative.
    damping: f64 = 1.0 => range(0.2, 4.0).live().group("equation"),
    /// Size of the noise at the start.
    noise: f64 = 0.1 => log(1e-6, 2.0).group("start"),
    /// Points. A power of two runs on the GPU as well.
    points: u32 = 256 => steps(32, MOST_POINTS).symbol("N").group("method"),
    /// Length of a step.
    dt: f64 = 0.1 => log(0.01, 2.0).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 300.0 => range(20.0, 5000.0).symbol("T").live().group("method"),
    /// Seed.
    seed: u32 = 1 => seed().group("start"),
} }

pub struct KuramotoSivashinsky;

fn live(p: &Params) -> Live {
    Live { dt: p.dt, end: p.end, coefficients: vec![p.feeding, p.damping] }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    let p = crate::own(params)?;
    resolved(p)?;
    Ok(live(p))
}

/// The shortest wave that the grid keeps, over the shortest one that grows, sqrt(feeding / damping). Measured, at lengths
/// 100 to 300: from 1.8 on the mean energy is that of finer grids; at 1.6 it is twice as large; below 1.4 energy piles
/// up in the last waves, to magnitudes of hundreds, whatever the step.
const REACH: f64 = 1.8;

/// Refuses a grid on which the damping cannot act.
fn resolved(p: &Params) -> Result<(), EddyError> {
    let waves = REACH * (p.feeding / p.damping).sqrt() * p.length / (2.0 * PI);
    // A third of the points' waves are kept, those below N/3.
    let kept = (p.points - 1) / 3;
    if f64::from(kept) >= waves {
        return Ok(());
    }
    let enough = 3 * waves.ceil() as u32 + 1;
    let longest = round_down(f64::from(kept) / waves * p.length);
    let error = |advice: String| {
        EddyError::start(format!(
            "The grid is too coarse: its shortest waves are not damped, so energy would pile up in them. {advice} \
             (points: {}, length: {}).",
            p.points, p.length
        ))
    };
    Err(if enough <= MOST_POINTS {
        // The next power of two runs on the GPU as well.
        let points = enough.next_power_of_two().min(MOST_POINTS);
        error(format!("Take {enough} points or more, or a length of {longest} or less"))
            .at("points")
            .repaired_by("points", points.to_string())
    } else {
        error(format!("Take a length of {longest} or less")).at("length").repaired_by("length", longest.to_string())
    })
}

fn initial(p: &Params, grid: Periodic) -> Vec<f64> {
    // Random waves up to the shortest that can grow, so that the start does not depend on the number of points.
    let count = ((p.length / (2.0 * PI)).ceil() as u32).clamp(2, 64);
    let waves: Vec<(f64, f64, f64)> = (1..=count)
        .map(|k| {
            let [a, b, ..] = uniforms(p.seed, k);
            (grid.fundamental() * f64::from(k), 2.0 * a - 1.0, 2.0 * PI * b)
        })
        .collect();
    let scale = p.noise / f64::from(count).sqrt();
    grid.xs().into_iter().map(|x| scale * waves.iter().map(|(k, a, b)| a * (k * x + b).sin()).sum::<f64>()).collect()
}

impl Experiment for KuramotoSivashinsky {
    type Params = Params;
    const TITLE: &'static str = "Kuramoto-Sivashinsky: chaos on a line";
    const SUMMARY: &'static str = "Noise grows into cells that merge and split for ever.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "energy",
            Axis::linear("energy", "\\tfrac12\\langle u^2\\rangle"),
            Better::Neither,
            "Half the mean square.",
        ),
        Metric::new("amplitude", Axis::linear("largest magnitude", "\\max|u|"), Better::Neither, "Largest magnitude."),
        Metric::new(
            "mean",
            Axis::linear("mean", "\\langle u\\rangle"),
            Better::Neither,
            "Mean value; the equation keeps it.",
        ),
        Metric::new("cells", Axis::linear("cells", "n"), Better::Neither, "Maxima of u along the line."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "history",
            "space and time",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("height", "u"),
            ColorMap::Diverging,
        ),
        ViewSpec::lines("u", "height", Axis::linear("position", "x"), Axis::linear("height", "u")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "ten times the noise", change: "noise=1" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        resolved(p)?;
        let grid = Periodic::new(p.points as usize, p.length);
        let live = live(p);
        let fields = vec![initial(p, grid)];
        let backend = line_backend(context, LineEquation::KuramotoSivashinsky, grid, &live, &fields)?;
        let dx = grid.spacing();
        let diagnose = move |live: &Live, fields: &[Vec<f64>]| {
            let speed = fields[0].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            StabilityLimits::default().with(Limit::Advective, 2.83 * 3.0 * dx / (2.0 * PI * speed)).diagnose(live.dt)
        };
        Ok(Box::new(PdeRun::new(Setup {
            shape: Shape::line(grid),
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(KsMeasure),
            record_every: 2,
            pictures: vec![
                ("history", Picture::SpaceTime(p.end.min(150.0)), Range::Fixed(-3.0, 3.0)),
                ("u", Picture::Lines(vec![(0, "height")]), Range::Fixed(-3.5, 3.5)),
            ],
            brush: (0, 1.0),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

struct KsMeasure;

impl Measure for KsMeasure {
    fn measure(&mut self, _: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        let u = &fields[0];
        let n = u.len();
        out[0] = 0.5 * u.iter().map(|v| v * v).sum::<f64>() / n as f64;
        out[1] = u.iter().fold(0.0, |m, v| m.max(v.abs()));
        out[2] = u.iter().sum::<f64>() / n as f64;
        out[3] = (0..n).filter(|&i| u[i] > u[(i + n - 1) % n] && u[i] >= u[(i + 1) % n]).count() as f64;
    }
}
