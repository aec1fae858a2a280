//! What a distillation draws.

use eddy_numerics::diffusion::{Batch, Node, Schedule, VpCosine};
use eddy_spec::{Axis, ColorMap, Outcome, Role, Series, ViewData, ViewSpec};

use super::{
    super::{Cloud, Trails, angles, error_lines, student::INPUTS, with_gaps},
    COUNTS, DistillRun, GRID, PATHS, SHOWN, Teacher, apart, jump, level, on_sub_path, point,
};

/// Paths of a cloud.
const TRAILS: usize = 60;

const X: Axis = Axis::linear("x", "x_1");
const Y: Axis = Axis::linear("y", "x_2");
const START: Axis = Axis::linear("direction of the start", "\\varphi");
/// The student's samples and jumps.
pub const PARTICLES: ViewSpec = ViewSpec::points("particles", "student", X, Y, START, ColorMap::Cyclic);
/// The teacher's, with as many DDIM steps.
pub const TEACHER: ViewSpec = ViewSpec::points("ddim", "teacher, DDIM", X, Y, START, ColorMap::Cyclic);
/// Distances against step counts.
pub const RACE: ViewSpec = ViewSpec::curves(
    "race",
    "distance against steps",
    Axis::log("steps", "N"),
    Axis::log("sliced Wasserstein distance", "W_2"),
);
/// How far jumps along exact paths end from those paths.
pub const MISS: ViewSpec = ViewSpec::lines(
    "miss",
    "where jumps end",
    Axis::linear("time", "t"),
    Axis::linear("mean distance from the path at the end of the jump", "|\\hat x_s - x_s|"),
);
/// The way between two points of a path and the straight line put in its place.
pub const SUB_PATH: ViewSpec = ViewSpec::lines(
    "sub-path",
    "sub-paths",
    Axis::linear("noise to signal, as a share of the sub-path's", "\\gamma"),
    Axis::linear("distance along the sub-path's chord, as a share of it", "x/\\alpha"),
);
/// How differently the jumps from x_γ and from the sub-path's end arrive.
pub const GAP: ViewSpec = ViewSpec::lines(
    "gap",
    "error along the sub-path",
    Axis::linear("place on the sub-path", "\\gamma"),
    Axis::linear("mean distance between the ends of two jumps", "|\\hat x_0 - \\hat x_0'|"),
);

impl DistillRun {
    pub(super) fn show(&mut self) {
        // A broken network is not shown.
        if self.shown == Some(self.step) || matches!(self.outcome, Outcome::Diverged { .. }) {
            return;
        }
        self.shown = Some(self.step);
        let (start, count) = (self.start.head(SHOWN), self.setup.shown);
        for k in 0..2 {
            let mut trails = Trails::of(TRAILS);
            let push = |x: &Batch<f64>| trails.push(x);
            let end = if k == 0 {
                self.sample(start.clone(), count, false, push)
            } else {
                self.teacher_ends(start.clone(), count, push)
            };
            let pi = std::f64::consts::PI;
            let mut cloud = Cloud::new(&end, angles(&start), (-pi, pi), self.limit);
            cloud.trails = trails;
            cloud.backdrop = Some(self.backdrop.clone());
            self.pictures[k] = cloud;
        }
    }

    pub(super) fn race(&self) -> ViewData {
        let at = |n: usize| COUNTS[..n].iter().map(|c| *c as f64).collect::<Vec<f64>>();
        let line = |name, role, ys: &Vec<f64>| Series::dotted(name, role, at(ys.len()), with_gaps(ys));
        let mut series = Vec::new();
        if let Some(now) = &self.measured {
            series.push(line("student", Role::Result, &now.steps));
            series.push(line("student, fresh noise", Role::Second, &now.renoised));
        }
        series.push(line("teacher, DDIM", Role::Reference, &self.ddim));
        let ends = vec![1.0, COUNTS[COUNTS.len() - 1] as f64];
        if let Some(floor) = self.floor {
            series.push(Series::line("exact samples", Role::Third, ends.clone(), vec![floor; 2]));
        }
        error_lines(series, (ends[0], ends[1]), (0.02, 1.0))
    }

    /// A point of kept path `i` at position `at`, once it is there.
    pub(super) fn on_path(&self, at: usize, i: usize) -> Option<[f64; 2]> {
        self.paths.get(GRID - at)?.get(i).copied()
    }

    pub(super) fn miss(&mut self) -> ViewData {
        let bounds = self.learned_bounds().to_vec();
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for at in 1..=GRID {
            let end = bounds.iter().copied().rfind(|b| *b < at).unwrap_or(0);
            let pairs: Vec<_> =
                (0..PATHS).filter_map(|i| Some((self.on_path(at, i)?, self.on_path(end, i)?))).collect();
            let flat: Vec<f64> = pairs.iter().flat_map(|p| p.0).collect();
            let mut x = Batch::from_points(2, &flat);
            self.student_jump(&mut x, at, end);
            let sum: f64 = pairs.iter().enumerate().map(|(i, p)| apart(point(&x, i), p.1)).sum();
            xs.push(self.nodes[at].t);
            ys.push(sum / pairs.len() as f64);
        }
        let top = ys.iter().copied().filter(|y| y.is_finite()).fold(0.05, f64::max);
        let series = vec![Series::line("student", Role::Result, xs, with_gaps(&ys))];
        ViewData::Lines { series, x: (0.0, 1.0), y: (0.0, 1.1 * top) }
    }

    /// Where the sub-paths of pictures lie: around the level at which modes part.
    fn picture_span(&self) -> (usize, usize) {
        let at = GRID * 7 / 12;
        (at, at - self.setup.skip.min(at))
    }

    pub(super) fn gap(&mut self) -> ViewData {
        const PLACES: usize = 17;
        let (at, below) = self.picture_span();
        let ends: Vec<_> = (0..PATHS).filter_map(|i| Some((self.on_path(at, i)?, self.on_path(below, i)?))).collect();
        let nodes = &self.nodes;
        let clean = level(&nodes[0]);
        let gammas: Vec<f64> = (0..PLACES).map(|k| k as f64 / (PLACES - 1) as f64).collect();
        let mut aims = vec![[0.0; 2]; ends.len()];
        let (a, b) = jump(level(&nodes[below]), clean);
        self.student.evaluate(
            ends.len(),
            |i| [ends[i].1[0], ends[i].1[1], nodes[below].t, 1.0],
            |i, v| aims[i] = std::array::from_fn(|d| a * ends[i].1[d] + b * v[d]),
        );
        let mut ys = Vec::new();
        for gamma in &gammas {
            let from: Vec<_> =
                ends.iter().map(|(x, prev)| on_sub_path(*x, *prev, &nodes[at], &nodes[below], *gamma)).collect();
            let mut sum = 0.0;
            let input = |i: usize| -> [f64; INPUTS] { [from[i].0[0], from[i].0[1], nodes[at].t, *gamma] };
            self.student.evaluate(from.len(), input, |i, v| {
                let (a, b) = jump(from[i].1, clean);
                sum += apart(std::array::from_fn(|d| a * from[i].0[d] + b * v[d]), aims[i]);
            });
            ys.push(sum / from.len() as f64);
        }
        let top = ys.iter().copied().filter(|y| y.is_finite()).fold(0.05, f64::max);
        let series = vec![Series::line("student", Role::Result, gammas, with_gaps(&ys))];
        ViewData::Lines { series, x: (0.0, 1.0), y: (0.0, 1.1 * top) }
    }

    /// Three exact sub-paths in the coordinates in which DDIM's are straight, x/α against σ/α.
    pub(super) fn sub_paths(&self) -> ViewData {
        let (at, below) = self.picture_span();
        let (high, low) = (self.nodes[at], self.nodes[below]);
        let schedule = VpCosine::default();
        let mut teacher = Teacher { law: self.setup.law.clone(), asked: 0 };
        let ends = vec![0.0, 1.0];
        let mut series = vec![Series::line("line in its place", Role::Result, ends.clone(), ends)];
        for i in 0..3 {
            let Some(mut x) = self.on_path(at, i) else { break };
            let fine: Vec<Node> =
                (0..=24).map(|k| schedule.node(high.t + (low.t - high.t) * f64::from(k) / 24.0)).collect();
            let scaled = |x: [f64; 2], node: &Node| x.map(|v| v / node.alpha);
            let mut way = vec![(high.rho(), scaled(x, &high))];
            for pair in fine.windows(2) {
                x = teacher.step(x, &pair[0], &pair[1]);
                way.push((pair[1].rho(), scaled(x, &pair[1])));
            }
            let (last, first) = (way[way.len() - 1], way[0]);
            let chord: [f64; 2] = std::array::from_fn(|d| first.1[d] - last.1[d]);
            let square: f64 = chord.iter().map(|c| c * c).sum();
            let along = |p: [f64; 2]| (0..2).map(|d| (p[d] - last.1[d]) * chord[d]).sum::<f64>() / square.max(1e-300);
            let xs = way.iter().rev().map(|(rho, _)| (rho - last.0) / (first.0 - last.0)).collect();
            let ys = way.iter().rev().map(|(_, p)| along(*p)).collect();
            series.push(Series::line(format!("exact path {}", i + 1), Role::Reference, xs, ys));
        }
        let ys = || series.iter().flat_map(|s| &s.ys).copied();
        let y = (ys().fold(-0.05, f64::min), ys().fold(1.05, f64::max));
        ViewData::Lines { series, x: (0.0, 1.0), y }
    }
}
