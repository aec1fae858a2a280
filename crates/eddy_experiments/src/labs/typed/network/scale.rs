//! How large residuals are: an eigenvalue of a thousand, lengths in kilometres, or pressures in pascals must train as well as what
//! is near one.

use eddy_expr::{Read, Residuals, kernel::Part};
use eddy_solve::{Statement, boundary::Condition, grid::Axis};

use super::{
    amplitude::{Size, rounded},
    candidate::Candidate,
    integrals::tensor,
    points::run_at,
};

/// What the residuals count for beside conditions on integrals, before they are squared: with 1 in its place wells, drums and condensates
/// come to errors 5 to 70 times as large in as many steps of Gauss-Newton.
pub(super) const EMPHASIS: f64 = 10.0;

/// Places along an axis.
const PLACES: usize = 9;

/// What is within this factor of one stays as it is, as only the sizes of residuals beside each other matter.
const NEAR: f64 = 10.0;

/// By residual its largest term for a field of amplitude one that changes over half of each axis: of all slopes ∂r/∂(derivative)
/// the largest root mean square, over the half length to the power of the derivative's orders. Where fields are zero, parameters
/// at these guesses, and fields that are looked for at theirs. 1 where nothing is known there.
pub(super) fn size_of_terms(
    statement: &Statement,
    residuals: &Residuals,
    guesses: &[(usize, f64)],
    free: &[(u16, f64)],
) -> Vec<f64> {
    let axes = &statement.grid.axes;
    let points = points(axes, PLACES);
    let places: Vec<Vec<f64>> = (0..axes.len()).map(|axis| points.iter().map(|p| p[axis]).collect()).collect();
    let column = |read: &Read| match read {
        Read::Time => vec![statement.start; points.len()],
        Read::Jet { variable, orders, .. } => {
            let guess = free.iter().find(|(free, _)| free == variable && orders.iter().all(|order| *order == 0));
            vec![guess.map_or(0.0, |(_, guess)| *guess); points.len()]
        }
    };
    let columns: Vec<Vec<f64>> = residuals.reads.iter().map(column).collect();
    let mut parameters = statement.parameters.clone();
    guesses.iter().for_each(|(parameter, guess)| parameters[*parameter] = *guess);
    let Some(outputs) = run_at(residuals, &parameters, &places, &columns) else {
        return vec![1.0; residuals.fields.len()];
    };
    let mut sizes = vec![0.0; residuals.fields.len()];
    for (of, _, size) in terms(statement, residuals, &outputs, |axis| 0.5 * axis.length()) {
        sizes[of] = f64::max(sizes[of], size);
    }
    sizes.into_iter().map(|size| if size > 0.0 { size } else { 1.0 }).collect()
}

/// Points at the middles of `count` parts of each axis.
pub(super) fn points(axes: &[Axis], count: usize) -> Vec<Vec<f64>> {
    let along = |axis: &Axis| -> Vec<f64> {
        (0..count).map(|i| axis.min + axis.length() * (i as f64 + 0.5) / count as f64).collect()
    };
    tensor(&axes.iter().map(along).collect::<Vec<_>>())
}

/// By slope ∂r/∂(derivative): the residual, what it reads, and the slope's root mean square over `length` of the axes to the power
/// of the derivative's orders and over the time to that of its own. `outputs` of the program by point.
pub(super) fn terms<'a>(
    statement: &'a Statement,
    residuals: &'a Residuals,
    outputs: &'a [Vec<f64>],
    length: impl Fn(&Axis) -> f64 + 'a,
) -> impl Iterator<Item = (usize, usize, f64)> + 'a {
    let slopes = residuals.slopes.iter().zip(&outputs[residuals.fields.len()..]);
    slopes.filter_map(move |((of, read), slope)| {
        let Read::Jet { orders, time, .. } = &residuals.reads[*read] else { return None };
        let lengths = statement.grid.axes.iter().zip(orders).map(|(axis, order)| length(axis).powi(i32::from(*order)));
        let duration = (statement.end - statement.start).powi(i32::from(*time));
        let size = root_mean_square(slope) / (lengths.product::<f64>() * duration);
        size.is_finite().then_some((*of, *read, size))
    })
}

pub(super) fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// By residual its factor: T for rates, T² for second order, over the amplitude of its output; of steady problems ten over the size
/// of their terms and that amplitude. Of lines without a time derivative beside others the size counts where it is far from one.
pub(super) fn factors(
    statement: &Statement,
    candidate: &Candidate,
    residuals: &Residuals,
    of_terms: &[f64],
) -> Vec<f64> {
    let length = statement.end - statement.start;
    let factor = |((variable, part), size): (&(u16, Part), &f64)| {
        let output = candidate.output(*variable, *part).map(|o| &candidate.outputs[o]);
        let (order, own) = output.map_or((0, Size::UNKNOWN), |one| (one.order, one.size));
        let amplitude = own.amplitude;
        match (candidate.has_time, order) {
            (false, _) => EMPHASIS / size / amplitude,
            (true, 0) => 1.0 / of_rows(own.terms) / amplitude,
            (true, order) => length.powi(i32::from(order)) / amplitude,
        }
    };
    residuals.fields.iter().zip(of_terms).map(factor).collect()
}

/// Factor of a condition at a side: one over the amplitude, and over its largest term for a field that changes as [`changes_within`]
/// says, where that is far from one.
pub(super) fn of_condition(statement: &Statement, condition: &Condition, axis: usize, size: &Size) -> f64 {
    1.0 / of_rows(largest_term(condition, changes_within(statement, axis, size.reach))) / size.amplitude
}

/// A condition's largest term for a field of amplitude one that changes over `length`.
pub(super) fn largest_term(condition: &Condition, length: f64) -> f64 {
    let term = |(order, c): (i32, f64)| c.abs() / length.powi(order);
    (0..).zip(condition.coefficients).map(term).fold(0.0, f64::max)
}

/// Length over which a field changes at a side: half of the axis, or what its equation carries along the first one in the time where
/// that is less: on a long axis fronts are steeper, and counted by the axis their slope at its end would be all that counts.
pub(super) fn changes_within(statement: &Statement, axis: usize, reach: f64) -> f64 {
    let half = 0.5 * statement.grid.axes[axis].length();
    if axis == 0 { half.min(reach) } else { half }
}

/// 1 in place of what is near that, or not known.
pub(super) fn of_rows(size: f64) -> f64 {
    if (1.0 / NEAR..=NEAR).contains(&size) { 1.0 } else { rounded(size, true) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eddy_solve::Problem;

    #[test]
    fn terms_are_as_large_as_their_coefficients_say() {
        let size = |equations: &str, length: f64| {
            let text = format!(
                "equations = \"{equations}\"\nboundary.u = \"dirichlet: 0\"\n[domain]\nx = {{ max = {length}, points = 16 }}\n"
            );
            let mut statement = Statement::new(Problem::parse(&text).unwrap()).unwrap();
            let residuals = statement.system.residuals(&[]).unwrap();
            size_of_terms(&statement, &residuals, &[], &[])[0]
        };
        // u_xx of a field that changes over a half of 0.2, and 1000 u; the square has no slope where u is zero.
        assert!((size("dxx(u) + 3*u = x", 0.2) / 100.0 - 1.0).abs() < 1e-12);
        assert!((size("dxx(u) + 1000*u = x", 0.2) / 1000.0 - 1.0).abs() < 1e-12);
        assert!((size("7*dxx(u) = sin(x)", 2.0) / 7.0 - 1.0).abs() < 1e-12);
    }
}
