use super::{Method, StepControl};
use crate::diffusion::{Combination, Interval, Node, Plan, Prediction, Schedule, Source, Stage};

/// Coefficients of an explicit Runge-Kutta method.
#[derive(Clone, Copy, Debug)]
pub struct Tableau {
    pub name: &'static str,
    pub order: u32,
    pub c: &'static [f64],
    /// Row j holds the j coefficients of stage j.
    pub a: &'static [&'static [f64]],
    pub b: &'static [f64],
    /// b minus the weights of the embedded method; empty if there is none. The last stage is then evaluated at the new
    /// state and is the first stage of the next step.
    pub error: &'static [f64],
}

impl Tableau {
    pub const EULER: Self = Self { name: "Euler", order: 1, c: &[0.0], a: &[&[]], b: &[1.0], error: &[] };
    /// Heun's method of order 2 (the sampler of Karras et al. 2022 when used in σ/α).
    pub const HEUN: Self =
        Self { name: "Heun", order: 2, c: &[0.0, 1.0], a: &[&[], &[1.0]], b: &[0.5, 0.5], error: &[] };
    /// Kutta's method of order 3.
    pub const KUTTA3: Self = Self {
        name: "RK3",
        order: 3,
        c: &[0.0, 0.5, 1.0],
        a: &[&[], &[0.5], &[-1.0, 2.0]],
        b: &[1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0],
        error: &[],
    };
    /// The explicit midpoint method.
    pub const MIDPOINT: Self =
        Self { name: "Midpoint", order: 2, c: &[0.0, 0.5], a: &[&[], &[0.5]], b: &[0.0, 1.0], error: &[] };
    /// Heun's method of order 3.
    pub const HEUN3: Self = Self {
        name: "Heun-3",
        order: 3,
        c: &[0.0, 1.0 / 3.0, 2.0 / 3.0],
        a: &[&[], &[1.0 / 3.0], &[0.0, 2.0 / 3.0]],
        b: &[0.25, 0.0, 0.75],
        error: &[],
    };
    /// Ralston's method of order 3.
    pub const RALSTON3: Self = Self {
        name: "Ralston-3",
        order: 3,
        c: &[0.0, 0.5, 0.75],
        a: &[&[], &[0.5], &[0.0, 0.75]],
        b: &[2.0 / 9.0, 3.0 / 9.0, 4.0 / 9.0],
        error: &[],
    };
    /// The third-order method that preserves strong stability (Shu & Osher 1988).
    pub const SSPRK3: Self = Self {
        name: "SSPRK3",
        order: 3,
        c: &[0.0, 1.0, 0.5],
        a: &[&[], &[1.0], &[0.25, 0.25]],
        b: &[1.0 / 6.0, 1.0 / 6.0, 4.0 / 6.0],
        error: &[],
    };
    pub const RK4: Self = Self {
        name: "RK4",
        order: 4,
        c: &[0.0, 0.5, 0.5, 1.0],
        a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
        b: &[1.0 / 6.0, 2.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0],
        error: &[],
    };
    /// Dormand and Prince (1980), order 5 with an embedded method of order 4.
    pub const DORMAND_PRINCE: Self = Self {
        name: "RK45",
        order: 5,
        c: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
        a: &[
            &[],
            &[0.2],
            &[3.0 / 40.0, 9.0 / 40.0],
            &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
            &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
            &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
            &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
        ],
        b: &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0, 0.0],
        error: &[71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0],
    };
}

/// The variable in which the flow is integrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// dx/dt = f x + (g²/2σ) ε: the classical form, which pays for the stiff linear part.
    Time,
    /// d(x/α)/dρ = ε with ρ = σ/α (Karras et al. 2022; ρRK of Zhang & Chen 2023).
    Rho,
}

/// Classical explicit Runge-Kutta on the probability-flow ODE. As many evaluations per step as stages; with an embedded
/// method, six per attempt and the steps chosen by tolerance.
#[derive(Clone, Copy, Debug)]
pub struct RungeKutta {
    pub tableau: Tableau,
    pub variable: Variable,
    pub control: Option<StepControl>,
    /// Whether a step that ends at σ = 0 is one Euler step, which does not ask for ε there.
    pub euler_to_zero: bool,
}

/// Below this α a slope is written with x₀ instead of ε, whose coefficient g grows like 1/α.
const SMALL_ALPHA: f64 = 1e-3;

impl RungeKutta {
    pub fn new(tableau: Tableau, variable: Variable) -> Self {
        Self { tableau, variable, control: None, euler_to_zero: false }
    }
    /// The same, with an Euler step where a step ends at σ = 0 (Karras et al. 2022, algorithm 1).
    pub fn with_euler_to_zero(mut self) -> Self {
        self.euler_to_zero = true;
        self
    }
    /// Dormand-Prince in t with the same absolute and relative tolerance.
    pub fn adaptive(tolerance: f64) -> Self {
        let control = Some(StepControl { absolute: tolerance, relative: tolerance });
        Self { tableau: Tableau::DORMAND_PRINCE, variable: Variable::Time, control, euler_to_zero: false }
    }
}

impl Method for RungeKutta {
    fn name(&self) -> &'static str {
        self.tableau.name
    }
    fn order(&self) -> u32 {
        self.tableau.order
    }
    fn memory(&self) -> usize {
        usize::from(!self.tableau.error.is_empty())
    }
    fn cost(&self, steps: usize) -> usize {
        let stages = self.tableau.c.len();
        // With an embedded method the last stage is the first of the next step.
        if self.tableau.error.is_empty() { steps * stages } else { steps * (stages - 1) + usize::from(steps > 0) }
    }
    fn cost_to_zero(&self, steps: usize) -> usize {
        let euler = self.euler_to_zero && self.tableau.c[1..].contains(&1.0);
        if euler && steps > 0 { self.cost(steps - 1) + 1 } else { self.cost(steps) }
    }
    fn step_control(&self) -> Option<StepControl> {
        self.control
    }
    fn value_at(&self, node: &Node) -> Prediction {
        let by_data = self.variable == Variable::Time && node.alpha < SMALL_ALPHA;
        if by_data { Prediction::Data } else { Prediction::Epsilon }
    }
    fn reaches(&self, schedule: &dyn Schedule, first: &Node, last: &Node) -> bool {
        let at_end = self.tableau.c.len() > 1 && self.tableau.c.contains(&1.0) && !self.euler_to_zero;
        match self.variable {
            Variable::Time => {
                let starts = first.alpha > 0.0 || schedule.rates(first.t).1.is_finite();
                starts && (last.sigma > 0.0 || !at_end || schedule.flow(last.t).1.is_finite())
            }
            Variable::Rho => first.alpha > 0.0 && (last.sigma > 0.0 || !at_end),
        }
    }

    fn plan(&self, at: &Interval) -> Plan {
        // Where the slope exists at σ = 0, as on straight paths, there is nothing to avoid.
        let singular = self.variable == Variable::Rho || !at.schedule.flow(at.to.t).1.is_finite();
        if self.euler_to_zero && at.to.sigma == 0.0 && singular && self.tableau.c[1..].contains(&1.0) {
            return Self::new(Tableau::EULER, self.variable).plan(at);
        }
        let table = &self.tableau;
        let nodes: Vec<Node> = table.c.iter().map(|c| self.inside(at, *c)).collect();
        // With the last stage of the previous step in memory the first one need not be evaluated.
        let reuse = usize::from(!table.error.is_empty() && !at.past.is_empty());
        let source = |j: usize| if j < reuse { Source::Past(0) } else { Source::Stage(j - reuse) };
        let named = |v: &Linear| {
            Combination::new(
                v.state,
                v.eps.iter().enumerate().filter(|(_, c)| **c != 0.0).map(|(j, c)| (source(j), *c)),
            )
        };
        let mut slopes: Vec<Linear> = Vec::new();
        let mut stages = Vec::new();
        for (j, node) in nodes.iter().enumerate() {
            let point = self.point(at, node, &slopes, table.a[j]);
            if j >= reuse {
                stages.push(Stage { node: *node, point: named(&point), value: self.value_at(node) });
            }
            slopes.push(self.slope(at, node, &point, j, nodes.len()));
        }
        let update = self.point(at, &at.to, &slopes, table.b);
        let mut plan = Plan::new(stages, named(&update));
        if !table.error.is_empty() {
            let last = nodes.len() - 1;
            let with = self.point(at, &at.to, &slopes, table.error);
            let without = self.point(at, &at.to, &slopes, &[]);
            plan.error = Some(named(&with.minus(&without)));
            plan.remember = Some(Combination::source(source(last)));
        }
        plan
    }
}

/// state · x + Σ eps_j ε_j.
#[derive(Clone, Debug)]
struct Linear {
    state: f64,
    eps: Vec<f64>,
}

impl Linear {
    fn add(&mut self, c: f64, other: &Self) {
        self.state += c * other.state;
        self.eps.resize(self.eps.len().max(other.eps.len()), 0.0);
        self.eps.iter_mut().zip(&other.eps).for_each(|(a, b)| *a += c * b);
    }
    fn minus(mut self, other: &Self) -> Self {
        self.add(-1.0, other);
        self
    }
}

impl RungeKutta {
    /// The node a fraction `c` of the step away.
    fn inside(&self, at: &Interval, c: f64) -> Node {
        let between = |a: f64, b: f64| a + c * (b - a);
        match self.variable {
            _ if c == 0.0 => at.from,
            _ if c == 1.0 => at.to,
            Variable::Time => at.schedule.node(between(at.from.t, at.to.t)),
            Variable::Rho => at.schedule.node_of_lambda(-between(at.from.rho(), at.to.rho()).ln()),
        }
    }

    /// The state at `node` after moving from the start with the slopes weighted by `weights`.
    fn point(&self, at: &Interval, node: &Node, slopes: &[Linear], weights: &[f64]) -> Linear {
        let (scale, step) = match self.variable {
            Variable::Time => (1.0, at.to.t - at.from.t),
            Variable::Rho => (node.alpha, at.to.rho() - at.from.rho()),
        };
        let start = match self.variable {
            Variable::Time => 1.0,
            Variable::Rho => node.alpha / at.from.alpha,
        };
        let mut out = Linear { state: start, eps: Vec::new() };
        for (slope, w) in slopes.iter().zip(weights) {
            out.add(scale * step * w, slope);
        }
        out
    }

    /// The right-hand side at a stage.
    fn slope(&self, at: &Interval, node: &Node, point: &Linear, j: usize, stages: usize) -> Linear {
        let (f, g) = match self.variable {
            Variable::Time => at.schedule.slope(node, self.value_at(node)),
            Variable::Rho => (0.0, 1.0),
        };
        let mut out = Linear { state: f * point.state, eps: vec![0.0; stages] };
        out.eps.iter_mut().zip(&point.eps).for_each(|(o, p)| *o = f * p);
        out.eps[j] += g;
        out
    }
}
