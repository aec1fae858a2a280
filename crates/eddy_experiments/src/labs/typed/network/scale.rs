//! How large the residuals of a steady problem are: an eigenvalue of a thousand, or lengths in kilometres, must train as well as
//! what is near one.

use eddy_expr::{Read, Residuals};
use eddy_solve::Statement;

use super::{integrals::tensor, points::run_at};

/// What the residuals count for beside conditions on integrals, before they are squared: with 1 in its place wells, drums and condensates
/// come to errors 5 to 70 times as large in as many steps of Gauss-Newton.
pub(super) const EMPHASIS: f64 = 10.0;

/// Places along an axis.
const PLACES: usize = 9;

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
    let along = |axis: &eddy_solve::grid::Axis| -> Vec<f64> {
        (0..PLACES).map(|i| axis.min + axis.length() * (i as f64 + 0.5) / PLACES as f64).collect()
    };
    let points = tensor(&axes.iter().map(along).collect::<Vec<_>>());
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
    for ((of, read), slope) in residuals.slopes.iter().zip(&outputs[residuals.fields.len()..]) {
        let Read::Jet { orders, .. } = residuals.reads[*read] else { continue };
        let lengths = axes.iter().zip(orders).map(|(axis, order)| (0.5 * axis.length()).powi(i32::from(order)));
        let mean = (slope.iter().map(|s| s * s).sum::<f64>() / slope.len() as f64).sqrt();
        let size = mean / lengths.product::<f64>();
        if size.is_finite() {
            sizes[*of] = f64::max(sizes[*of], size);
        }
    }
    sizes.into_iter().map(|size| if size > 0.0 { size } else { 1.0 }).collect()
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
