//! Region of linear stability of any method, from its own plans.
//!
//! On ε = J x/α with equal steps of σ/α one step is a linear map of the state, the remembered vectors and the carried
//! one. Its matrix depends on z = Δ(σ/α) J only; the method damps the mode where the spectral radius is below 1.

use eddy_numerics::{
    Complex,
    diffusion::{Combination, Edm, Interval, Method, Node, Plan, Prediction, Schedule, Source},
};
use eddy_spec::{Axis, ColorMap, ViewData, ViewSpec};

pub const STABILITY: ViewSpec = ViewSpec::field(
    "stability",
    "stability region",
    Axis::linear("real part", "\\mathrm{Re}\\, z"),
    Axis::linear("imaginary part", "\\mathrm{Im}\\, z"),
    Axis::linear("growth per step", "|r|"),
    ColorMap::Diverging,
);

type C = Complex<f64>;

/// Spectral radius of one step over a rectangle of z, minus 1 (negative: damped), cut at ±1.
pub(super) fn region(method: &dyn Method) -> ViewData {
    const N: usize = 72;
    let (x, y) = ((-2.5, 0.5), (-1.5, 1.5));
    // σ = 10⁴ and steps of 1: equal steps of σ are also equal steps of λ and of t there, to a part in 10⁴.
    let node = |i: usize| Edm.node(1e4 - i as f64);
    let memory = method.memory();
    let past: Vec<Node> = (0..memory).map(|j| node(memory - 1 - j)).collect();
    let interval =
        Interval { schedule: &Edm, from: node(memory), to: node(memory + 1), step: memory, steps: 1000, past: &past };
    let plan = method.plan(&interval);
    let at = |range: (f64, f64), i: usize| range.0 + (range.1 - range.0) * (i as f64 + 0.5) / N as f64;
    let mut data = Vec::with_capacity(N * N);
    for j in 0..N {
        for i in 0..N {
            // Δ(σ/α) = −1 here, so J = −z.
            let z = C::new(at(x, i), at(y, j));
            data.push((growth(&plan, memory, -z) - 1.0).clamp(-1.0, 1.0) as f32);
        }
    }
    ViewData::Field { nx: N, ny: N, data, x, y, range: (-1.0, 1.0) }
}

/// Spectral radius of the step for ε = J x.
fn growth(plan: &Plan, memory: usize, slope: C) -> f64 {
    // Unknowns: the state, the remembered vectors, the carried one.
    let n = memory + 2;
    let mut matrix = vec![C::new(0.0, 0.0); n * n];
    for column in 0..n {
        let mut unit = vec![C::new(0.0, 0.0); n];
        unit[column] = C::new(1.0, 0.0);
        let mut stages: Vec<C> = Vec::new();
        let value = |what: &Combination, stages: &[C]| {
            let term = |(source, c): &(Source, f64)| match source {
                Source::Stage(j) => stages.get(*j).copied().unwrap_or_default() * c,
                Source::Past(j) => unit[1 + j] * c,
                Source::Carried => unit[n - 1] * c,
            };
            unit[0] * what.state + what.terms.iter().map(term).sum::<C>()
        };
        for stage in &plan.stages {
            let at = value(&stage.point, &stages);
            let epsilon = slope * at;
            // x₀ = x − σ ε on this schedule.
            let data = at - stage.node.sigma * epsilon;
            stages.push(if stage.value == Prediction::Data { data } else { epsilon });
        }
        matrix[column] = value(&plan.update, &stages);
        if memory > 0 {
            matrix[n + column] = plan.remember.as_ref().map_or_else(C::default, |what| value(what, &stages));
            for j in 1..memory {
                matrix[(1 + j) * n + column] = unit[j];
            }
        }
        matrix[(n - 1) * n + column] = plan.carry.as_ref().map_or_else(C::default, |what| value(what, &stages));
    }
    spectral_radius(matrix, n)
}

/// |λ|max as the limit of the norm of M^(2^k) to the power 2^−k; nine squarings leave an error below one percent.
fn spectral_radius(mut m: Vec<C>, n: usize) -> f64 {
    let mut log = 0.0;
    let mut power = 1.0;
    for _ in 0..9 {
        let norm = m.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
        if norm == 0.0 {
            return 0.0;
        }
        log += norm.ln() / power;
        m.iter_mut().for_each(|v| *v /= norm);
        let mut square = vec![C::default(); n * n];
        for i in 0..n {
            for k in 0..n {
                for j in 0..n {
                    square[i * n + j] += m[i * n + k] * m[k * n + j];
                }
            }
        }
        m = square;
        power *= 2.0;
    }
    let norm = m.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
    if norm == 0.0 { 0.0 } else { (log + norm.ln() / power).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eddy_numerics::diffusion::methods::{Adams, Ddim, HeavyBall, RungeKutta, Tableau, Variable};

    fn growth_of(method: &dyn Method, z: C) -> f64 {
        let node = |i: usize| Edm.node(1e4 - i as f64);
        let memory = method.memory();
        let past: Vec<Node> = (0..memory).map(|j| node(memory - 1 - j)).collect();
        let (from, to) = (node(memory), node(memory + 1));
        let plan = method.plan(&Interval { schedule: &Edm, from, to, step: memory, steps: 1000, past: &past });
        growth(&plan, memory, -z)
    }

    #[test]
    fn known_regions() {
        let z = C::new(-0.7, 0.9);
        // Euler: |1 + z|; RK4: its polynomial.
        assert!((growth_of(&Ddim::default(), z) - (z + 1.0).norm()).abs() < 1e-3);
        let rk4 = RungeKutta::new(Tableau::RK4, Variable::Rho);
        let polynomial = (z / 4.0 + 1.0) * z / 3.0 + 1.0;
        let polynomial = (polynomial * z / 2.0 + 1.0) * z + 1.0;
        assert!((growth_of(&rk4, z) - polynomial.norm()).abs() < 1e-3);
        // Real ends of the regions of Adams-Bashforth: −1 for order 2, −0.3 for order 4.
        assert!(
            growth_of(&Adams::new(2), C::new(-0.98, 0.0)) < 1.0 && growth_of(&Adams::new(2), C::new(-1.04, 0.0)) > 1.0
        );
        assert!(
            growth_of(&Adams::new(4), C::new(-0.29, 0.0)) < 1.0 && growth_of(&Adams::new(4), C::new(-0.31, 0.0)) > 1.0
        );
        // Damping enlarges it, the point of the heavy ball.
        assert!(growth_of(&HeavyBall::new(4, 0.8), C::new(-0.31, 0.0)) < 1.0);
    }
}
