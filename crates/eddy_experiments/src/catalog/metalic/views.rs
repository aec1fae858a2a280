//! What is drawn of a sequence.

use eddy_spec::{Marker, Role, Series, ViewData};

use super::{
    super::{place, solver::named},
    Belief, Phase, Sequence, Who, geometric,
};

impl Sequence {
    pub fn solution(&self) -> ViewData {
        let mut series = Vec::new();
        let (mut low, mut high) = (0.0f64, 0.0f64);
        let halves = [0, 1].map(|side| self.solver.half(side));
        let (mut places, mut values) = (Vec::new(), Vec::new());
        for (xs, exact, _) in &halves {
            (low, high) = exact.iter().fold((low, high), |(l, h), u| (l.min(*u), h.max(*u)));
            places.extend_from_slice(xs);
            values.extend_from_slice(exact);
        }
        series.push(Series::line("exact", Role::Reference, places, values));
        let margin = 0.15 * (high - low);
        let who = match self.job.who {
            Who::Learner => "learner",
            Who::Random => "random",
            Who::All => "all",
            Who::ValueAndSlope => "u with u'",
            Who::Fixed(_) => "table",
        };
        let phase = usize::from(matches!(self.job.phase, Phase::Lbfgs(_)));
        let names = [format!("left, {who}"), format!("right, arm {}", named(self.job.arms[phase]).replace(' ', " + "))];
        for (((xs, _, own), name), role) in halves.into_iter().zip(names).zip([Role::Result, Role::Second]) {
            // An untrained network may be anywhere; it stays in the frame.
            let ys = own.iter().map(|u| u.clamp(low - 3.0 * margin, high + 3.0 * margin)).collect();
            series.push(Series::line(name, role, xs, ys));
        }
        ViewData::Lines { series, x: (0.0, 1.0), y: (low - margin, high + margin) }
    }

    /// Expected errors of the arms before the last choice, with a deviation to both sides, and what has been measured.
    pub fn belief(&self, phase: usize) -> ViewData {
        let Belief { means, deviations, chosen } = &self.beliefs[phase];
        if means.is_empty() {
            return ViewData::Empty;
        }
        let count = means.len();
        let xs: Vec<f64> = (1..=count).map(|arm| arm as f64).collect();
        let error = |reward: f64| 10f64.powf(-reward).clamp(1e-8, 1e4);
        let side = |sign: f64| means.iter().zip(deviations).map(|(m, d)| error(m + sign * d)).collect::<Vec<_>>();
        let (best, expected, worst) = (side(1.0), side(0.0), side(-1.0));
        let (mut low, mut high) =
            (best.iter().fold(1.0, |l: f64, e| l.min(*e)), worst.iter().fold(0.0, |h: f64, e| h.max(*e)));
        let at = chosen.saturating_sub(1) as usize;
        let dots = |name: String, role, xs, ys| Series { marker: Marker::Dots, ..Series::line(name, role, xs, ys) };
        let mut series = vec![
            Series::line("a deviation better", Role::Third, xs.clone(), best),
            Series::line("a deviation worse", Role::Third, xs.clone(), worst),
            Series::dotted("expected", Role::Result, xs.clone(), expected.clone()),
            dots(format!("chosen: {}", named(*chosen)), Role::Second, vec![xs[at]], vec![expected[at]]),
        ];
        // After the sequence: what the arms bring, on average.
        if phase == 1 && !self.table.is_empty() {
            let column = |arm: usize| geometric(&self.table.iter().map(|row| row[arm]).collect::<Vec<_>>());
            let ys: Vec<f64> = (0..count).map(column).collect();
            (low, high) = ys.iter().fold((low, high), |(l, h), e| (l.min(*e), h.max(*e)));
            series.push(dots("table, both phases".to_owned(), Role::Reference, xs, ys));
        }
        ViewData::Lines { series, x: (0.5, count as f64 + 0.5), y: (0.8 * low, 1.2 * high) }
    }

    /// Expected final errors by the step's place, for the width of the present problem.
    pub fn map(&self) -> ViewData {
        const PLACES: usize = 24;
        let (_, [_, width]) = self.params.problem(self.errors[0].len().min(self.params.count as usize - 1));
        let arms = self.params.arms();
        let data: Vec<f32> = (1..=arms)
            .flat_map(|arm| (0..PLACES).map(move |i| ((i as f64 + 0.5) / PLACES as f64, arm)))
            .map(|(at, arm)| -self.bandits[1].expect(&[at, width], arm) as f32)
            .collect();
        field(PLACES, arms, data, (place(0.0), place(1.0)))
    }

    pub fn measured(&self) -> ViewData {
        let (count, arms) = (self.params.count as usize, self.params.arms());
        let at = |k: usize| self.known[(k % count) * arms as usize + k / count].log10() as f32;
        let data: Vec<f32> = (0..count * arms as usize).map(at).collect();
        let highest = data.iter().fold(f32::NEG_INFINITY, |h, e| h.max(*e));
        if !highest.is_finite() {
            return ViewData::Empty;
        }
        // What is not known yet is as bright as the worst.
        let data = data.iter().map(|e| if e.is_nan() { highest } else { *e }).collect();
        field(count, arms, data, (0.5, count as f64 + 0.5))
    }

    pub fn cumulative(&self) -> ViewData {
        let names = ["learner", "random", "all", "u with u'"];
        let roles = [Role::Result, Role::Second, Role::Third, Role::Reference];
        let (mut series, mut low, mut high) = (Vec::new(), 0.0f64, 0.0f64);
        let mut add = |name: &str, role, errors: &[f64]| {
            let mut sum = 0.0;
            let ys: Vec<f64> = std::iter::once(0.0)
                .chain(errors.iter().map(|e| {
                    sum += e.log10();
                    sum
                }))
                .collect();
            (low, high) = ys.iter().fold((low, high), |(l, h), y| (l.min(*y), h.max(*y)));
            series.push(Series::line(name, role, (0..ys.len()).map(|i| i as f64).collect(), ys));
        };
        for ((name, role), errors) in names.into_iter().zip(roles).zip(&self.errors) {
            add(name, role, errors);
        }
        if let Some((arm, _)) = self.hindsight() {
            let errors: Vec<f64> = self.table.iter().map(|row| row[arm]).collect();
            add(&format!("best in hindsight: {}", named(arm as u32 + 1)), Role::Reference, &errors);
        }
        ViewData::Lines { series, x: (0.0, f64::from(self.params.count)), y: (low - 1.0, high + 1.0) }
    }
}

/// Numbers by arm, upwards from 1, over `x`.
fn field(nx: usize, arms: u32, data: Vec<f32>, x: (f64, f64)) -> ViewData {
    let (low, high) = data.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), e| (l.min(*e), h.max(*e)));
    let range = (f64::from(low), f64::from(high).max(f64::from(low) + 1e-3));
    ViewData::Field { nx, ny: arms as usize, data, x, y: (0.5, f64::from(arms) + 0.5), range }
}
