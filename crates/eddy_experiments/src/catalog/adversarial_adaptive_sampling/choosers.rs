//! Ways to choose the points of a step.

use eddy_nets::{AdamSettings, NetError, Schedule, Shape, uniform};

use super::{Choice, Params, flow::Flow, solver::Solver};

/// Cells along a side of the grid, one evaluation in each at a look; the list of the largest residuals has as many candidates.
pub(super) const CELLS: usize = 32;
/// The list of largest residuals takes up this part of a step's points at a look.
const ADDED: usize = 20;
/// What the mean of r² keeps from one step of the opponent to the next: a batch of uniform points may miss the peak.
const KEPT: f64 = 0.95;

/// Uniform numbers of one seed, in order.
pub(super) struct Numbers {
    seed: u64,
    drawn: u64,
}

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }
    pub fn next(&mut self) -> f64 {
        self.drawn += 1;
        uniform(self.seed, self.drawn)
    }
    /// A coordinate in [-1, 1).
    fn coordinate(&mut self) -> f64 {
        2.0 * self.next() - 1.0
    }
}

pub(super) enum Chooser {
    /// Anew in each step, or those of the first one for ever.
    Uniform { once: bool, drawn: bool },
    /// A density that climbs the residual, and the mean of r² under it.
    Adversarial { flow: Box<Flow>, level: f64 },
    /// Places of large residuals, the oldest given up first.
    Largest { kept: Vec<f64>, oldest: usize },
    /// Cumulated probabilities of the cells, row by row.
    Grid { cumulated: Vec<f64> },
}

/// How many of a step's points are not uniform.
fn chosen(p: &Params) -> usize {
    ((1.0 - p.uniform_share) * f64::from(p.points)).round() as usize
}

impl Chooser {
    pub fn new(p: &Params) -> Result<Self, NetError> {
        Ok(match p.sampler {
            Choice::Uniform | Choice::Once => Self::Uniform { once: p.sampler == Choice::Once, drawn: false },
            Choice::Adversarial => {
                let shape = Shape::Cosine { steps: p.training_steps() / u64::from(p.turns.max(1)), floor: 0.1 };
                let schedule = Schedule { rate: p.density_rate, shape, warm_up: 0 };
                // The residual falls by orders: what it was is forgotten sooner than Adam would by itself.
                let settings = AdamSettings { schedule, beta2: 0.99, ..AdamSettings::default() };
                Self::Adversarial { flow: Box::new(Flow::new(16, u64::from(p.seed) ^ 0xf10e, settings)?), level: 0.0 }
            }
            Choice::Largest => Self::Largest { kept: Vec::new(), oldest: 0 },
            Choice::Grid => {
                let cells = CELLS * CELLS;
                Self::Grid { cumulated: (1..=cells).map(|k| k as f64 / cells as f64).collect() }
            }
        })
    }

    /// Looks at the residual of the network as it stands; what that costs is `Params::look`. Returns whether it is finite.
    pub fn look(&mut self, p: &Params, solver: &mut Solver, numbers: &mut Numbers) -> bool {
        let width = 2.0 / CELLS as f64;
        match self {
            Self::Uniform { .. } | Self::Adversarial { .. } => true,
            Self::Largest { kept, oldest } => {
                let pool: Vec<f64> = (0..2 * CELLS * CELLS).map(|_| numbers.coordinate()).collect();
                let (_, residuals) = solver.look(&pool);
                let mut order: Vec<usize> = (0..residuals.len()).collect();
                order.sort_by(|a, b| residuals[*b].abs().total_cmp(&residuals[*a].abs()));
                let room = chosen(p);
                for k in order.into_iter().take((p.points as usize).div_ceil(ADDED)) {
                    let point = &pool[2 * k..2 * k + 2];
                    if kept.len() < 2 * room {
                        kept.extend_from_slice(point);
                    } else if room > 0 {
                        kept[2 * *oldest..2 * *oldest + 2].copy_from_slice(point);
                        *oldest = (*oldest + 1) % room;
                    }
                }
                residuals.iter().all(|r| r.is_finite())
            }
            Self::Grid { cumulated } => {
                let mut place = |k: usize| -1.0 + width * (k as f64 + numbers.next());
                let places: Vec<f64> = (0..CELLS * CELLS).flat_map(|k| [place(k % CELLS), place(k / CELLS)]).collect();
                let (_, mut heights) = solver.look(&places);
                heights.iter_mut().for_each(|r| *r = r.abs().powf(p.power));
                let total = heights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                let flat = p.uniform_share / heights.len() as f64;
                let mut sum = 0.0;
                for (cumulated, height) in cumulated.iter_mut().zip(&heights) {
                    sum += flat + (1.0 - p.uniform_share) * height / total;
                    *cumulated = sum;
                }
                total.is_finite()
            }
        }
    }

    /// The points of a step.
    pub fn draw(&mut self, p: &Params, numbers: &mut Numbers, points: &mut [f64]) {
        match self {
            Self::Uniform { once, drawn } => {
                if !(*once && *drawn) {
                    points.iter_mut().for_each(|x| *x = numbers.coordinate());
                }
                *drawn = true;
            }
            Self::Adversarial { flow, .. } => {
                let (own, even) = points.split_at_mut(2 * chosen(p));
                own.iter_mut().for_each(|x| *x = numbers.next());
                flow.sample(own);
                even.iter_mut().for_each(|x| *x = numbers.coordinate());
            }
            Self::Largest { kept, .. } => {
                let (old, fresh) = points.split_at_mut(kept.len().min(points.len()));
                old.copy_from_slice(&kept[..old.len()]);
                fresh.iter_mut().for_each(|x| *x = numbers.coordinate());
            }
            Self::Grid { cumulated } => {
                let width = 2.0 / CELLS as f64;
                for point in points.chunks_exact_mut(2) {
                    let at = numbers.next() * cumulated.last().copied().unwrap_or(1.0);
                    let cell = cumulated.partition_point(|c| *c <= at).min(cumulated.len() - 1);
                    point[0] = -1.0 + width * ((cell % CELLS) as f64 + numbers.next());
                    point[1] = -1.0 + width * ((cell / CELLS) as f64 + numbers.next());
                }
            }
        }
    }

    /// The opponent's step, from a step's points and their squared residuals: no further evaluations. Returns whether its
    /// slope is finite.
    pub fn answer(&mut self, p: &Params, points: &[f64], squares: &[f64]) -> bool {
        let Self::Adversarial { flow, level } = self else { return true };
        let own = &squares[..chosen(p)];
        if own.is_empty() {
            return true;
        }
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        *level = if *level == 0.0 { mean } else { KEPT * *level + (1.0 - KEPT) * mean };
        let rewards: Vec<f64> = own.iter().map(|s| s / level.max(f64::MIN_POSITIVE)).collect();
        flow.ascend(&points[..2 * own.len()], &rewards, p.beta)
    }

    /// The density that points are drawn from, at places of the square, where there is one.
    pub fn density(&mut self, p: &Params, places: &[f64]) -> Option<Vec<f64>> {
        match self {
            Self::Uniform { .. } => Some(vec![0.25; places.len() / 2]),
            Self::Adversarial { flow, .. } => {
                let mixed = |log: &f64| 0.25 * p.uniform_share + (1.0 - p.uniform_share) * log.exp();
                Some(flow.evaluate(places).0.iter().map(mixed).collect())
            }
            Self::Largest { .. } => None,
            Self::Grid { cumulated } => {
                let cell = |x: f64| ((0.5 * (x + 1.0) * CELLS as f64) as usize).min(CELLS - 1);
                let at = |x: &[f64]| {
                    let k = CELLS * cell(x[1]) + cell(x[0]);
                    let below = if k == 0 { 0.0 } else { cumulated[k - 1] };
                    (cumulated[k] - below) * (CELLS * CELLS) as f64 / 4.0
                };
                Some(places.chunks_exact(2).map(at).collect())
            }
        }
    }
}
