//! Limited-memory BFGS with a line search for the strong Wolfe conditions.

use std::collections::VecDeque;

/// Constants of [`Lbfgs`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsSettings {
    /// Pairs of steps and gradient changes that are kept.
    pub memory: usize,
    /// Sufficient decrease: f(x + a d) ≤ f(x) + c₁ a f′.
    pub decrease: f64,
    /// Curvature: |f′(x + a d)| ≤ c₂ |f′|.
    pub curvature: f64,
    /// Most evaluations of one line search.
    pub evaluations: usize,
}

impl Default for LbfgsSettings {
    /// Memory 50, c₁ = 1e-4, c₂ = 0.9, 25 evaluations: the book's values for quasi-Newton directions.
    fn default() -> Self {
        Self { memory: 50, decrease: 1e-4, curvature: 0.9, evaluations: 25 }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LbfgsStep {
    /// Loss after the step.
    pub loss: f64,
    /// Largest entry of the gradient after it.
    pub gradient: f64,
    /// Evaluations of loss and gradient.
    pub evaluations: usize,
    pub state: LbfgsState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LbfgsState {
    /// Both Wolfe conditions hold.
    Moved,
    /// The loss fell, but not all conditions could be met.
    Improved,
    /// Not even along the steepest descent does the loss fall: rounding is reached, or the loss is not smooth.
    Stalled,
    /// Loss or gradient at the start of the step are not finite.
    NotFinite,
}

/// L-BFGS (Nocedal and Wright 2006, "Numerical optimization", algorithms 7.4 and 7.5), the step length by bracketing and
/// zooming (algorithms 3.5 and 3.6) with cubic interpolation (eq. 3.59). Superlinear in practice near a minimum of a
/// smooth function; a step costs about one evaluation and 4·memory·n operations. The loss must be the same function from
/// step to step: after drawing new points, [`forget`](Self::forget). In f32 it stalls at a relative decrease of about
/// 1e-7, so it is f64.
#[derive(Clone, Debug)]
pub struct Lbfgs {
    pub settings: LbfgsSettings,
    /// Steps s, gradient changes y, and 1/sᵀy, oldest first.
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    /// Loss and gradient where the last step ended.
    at: Option<(f64, Vec<f64>)>,
    direction: Vec<f64>,
    trial: Vec<f64>,
    trial_gradient: Vec<f64>,
}

/// Loss, slope along the direction, and step length of a trial.
#[derive(Clone, Copy)]
struct Trial {
    length: f64,
    loss: f64,
    slope: f64,
}

impl Lbfgs {
    pub fn new(parameters: usize, settings: LbfgsSettings) -> Self {
        Self {
            settings,
            pairs: VecDeque::new(),
            at: None,
            direction: vec![0.0; parameters],
            trial: vec![0.0; parameters],
            trial_gradient: vec![0.0; parameters],
        }
    }

    /// The loss has changed: nothing learnt of it holds any more.
    pub fn forget(&mut self) {
        self.pairs.clear();
        self.at = None;
    }

    /// The loss is re-drawn from the same distribution: what was learnt of its curvature is kept, its value is not.
    pub fn refresh(&mut self) {
        self.at = None;
    }

    /// One step; `evaluate(parameters, gradient)` writes the gradient and returns the loss. The parameters never get worse.
    ///
    /// # Panics
    /// If `parameters` has not the length given to [`new`](Self::new).
    pub fn step(&mut self, parameters: &mut [f64], mut evaluate: impl FnMut(&[f64], &mut [f64]) -> f64) -> LbfgsStep {
        assert_eq!(parameters.len(), self.direction.len(), "one entry per parameter");
        let mut evaluations = 0;
        let (loss, mut gradient) = self.at.take().unwrap_or_else(|| {
            let mut gradient = vec![0.0; parameters.len()];
            evaluations += 1;
            (evaluate(parameters, &mut gradient), gradient)
        });
        let report = |loss, gradient: &[f64], evaluations, state| LbfgsStep {
            loss,
            gradient: gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs())),
            evaluations,
            state,
        };
        if !loss.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
            return report(loss, &gradient, evaluations, LbfgsState::NotFinite);
        }
        loop {
            self.aim(&gradient);
            let mut slope = dot(&self.direction, &gradient);
            if slope >= 0.0 {
                // Rounding has spoilt the pairs.
                self.pairs.clear();
                self.aim(&gradient);
                slope = dot(&self.direction, &gradient);
            }
            // Without curvature the first length is a guess: the whole step has size one at most.
            let first =
                if self.pairs.is_empty() { (1.0 / dot(&gradient, &gradient).sqrt().max(1e-300)).min(1.0) } else { 1.0 };
            let start = Trial { length: 0.0, loss, slope };
            let (found, wolfe) = self.search(parameters, start, first, &mut evaluations, &mut evaluate);
            if found.length > 0.0 && found.loss < loss {
                let step: Vec<f64> = self.direction.iter().map(|d| found.length * d).collect();
                for (p, s) in parameters.iter_mut().zip(&step) {
                    *p += s;
                }
                let change: Vec<f64> = self.trial_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
                let curvature = dot(&step, &change);
                if curvature > 1e-14 * dot(&change, &change) {
                    if self.pairs.len() >= self.settings.memory.max(1) {
                        self.pairs.pop_front();
                    }
                    self.pairs.push_back((step, change, 1.0 / curvature));
                }
                gradient.copy_from_slice(&self.trial_gradient);
                let state = if wolfe { LbfgsState::Moved } else { LbfgsState::Improved };
                let done = report(found.loss, &gradient, evaluations, state);
                self.at = Some((found.loss, gradient));
                return done;
            }
            if self.pairs.is_empty() {
                let done = report(loss, &gradient, evaluations, LbfgsState::Stalled);
                self.at = Some((loss, gradient));
                return done;
            }
            self.pairs.clear();
        }
    }

    /// direction = −H·gradient by the two loops over the pairs, H₀ = (sᵀy/yᵀy)·1 of the latest pair.
    fn aim(&mut self, gradient: &[f64]) {
        let d = &mut self.direction;
        d.copy_from_slice(gradient);
        let mut weights = Vec::with_capacity(self.pairs.len());
        for (s, y, rho) in self.pairs.iter().rev() {
            let weight = rho * dot(s, d);
            add_scaled(d, -weight, y);
            weights.push(weight);
        }
        if let Some((_, y, rho)) = self.pairs.back() {
            let scale = 1.0 / (rho * dot(y, y));
            d.iter_mut().for_each(|d| *d *= scale);
        }
        for ((s, y, rho), weight) in self.pairs.iter().zip(weights.iter().rev()) {
            let back = rho * dot(y, d);
            add_scaled(d, weight - back, s);
        }
        d.iter_mut().for_each(|d| *d = -*d);
    }

    /// A length that meets both conditions, or the best one seen; `trial_gradient` is then the gradient there.
    fn search(
        &mut self,
        parameters: &[f64],
        start: Trial,
        first: f64,
        evaluations: &mut usize,
        evaluate: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
    ) -> (Trial, bool) {
        let LbfgsSettings { decrease, curvature, evaluations: limit, .. } = self.settings;
        let mut best = start;
        let mut best_gradient = Vec::new();
        let enough = |t: &Trial| t.loss <= start.loss + decrease * t.length * start.slope;
        let flat = |t: &Trial| t.slope.abs() <= -curvature * start.slope;
        let (mut before, mut length) = (start, first);
        // The interval that holds a good length, its better end first, once there is one.
        let mut bracket: Option<(Trial, Trial)> = None;
        for _ in 0..limit {
            for ((t, p), d) in self.trial.iter_mut().zip(parameters).zip(&self.direction) {
                *t = p + length * d;
            }
            *evaluations += 1;
            let loss = evaluate(&self.trial, &mut self.trial_gradient);
            let slope = dot(&self.trial_gradient, &self.direction);
            let finite = loss.is_finite() && slope.is_finite();
            let now = Trial { length, loss: if finite { loss } else { f64::INFINITY }, slope };
            if finite && enough(&now) && flat(&now) {
                return (now, true);
            }
            if finite && now.loss < best.loss {
                best = now;
                best_gradient.clone_from(&self.trial_gradient);
            }
            bracket = match bracket {
                None if !finite || !enough(&now) || (before.length > 0.0 && now.loss >= before.loss) => {
                    Some((before, now))
                }
                None if now.slope >= 0.0 => Some((now, before)),
                None => {
                    before = now;
                    length *= 2.5;
                    continue;
                }
                Some((low, high)) if !finite || !enough(&now) || now.loss >= low.loss => {
                    let _ = high;
                    Some((low, now))
                }
                Some((low, high)) => {
                    let far = if now.slope * (high.length - low.length) >= 0.0 { low } else { high };
                    Some((now, far))
                }
            };
            if let Some((low, high)) = &bracket {
                length = inside(low, high);
                if (high.length - low.length).abs() < 1e-14 * low.length.max(high.length) {
                    break;
                }
            }
        }
        if best.length > 0.0 {
            self.trial_gradient.clone_from(&best_gradient);
        }
        (best, false)
    }
}

/// The minimum of the cubic through both ends' values and slopes, kept off the ends by a tenth of the interval; the middle
/// where there is none.
fn inside(low: &Trial, high: &Trial) -> f64 {
    let (a, b) = (low.length, high.length);
    let middle = 0.5 * (a + b);
    if !high.loss.is_finite() {
        return a + 0.1 * (b - a);
    }
    let d1 = low.slope + high.slope - 3.0 * (low.loss - high.loss) / (a - b);
    let root = d1 * d1 - low.slope * high.slope;
    if root < 0.0 {
        return middle;
    }
    let d2 = (b - a).signum() * root.sqrt();
    let at = b - (b - a) * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2);
    let margin = 0.1 * (b - a).abs();
    if at.is_finite() { at.clamp(a.min(b) + margin, a.max(b) - margin) } else { middle }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums: one would wait for every addition before the next.
    let mut sums = [0.0; 4];
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    let rest = a.len() / 4 * 4;
    sums.iter().sum::<f64>() + a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum::<f64>()
}

fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}
