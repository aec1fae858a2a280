//! Where functions of the place jump.

use eddy_expr::{System, ir::Id, kernel::Piece};

use crate::statement::Statement;

/// Parts of an axis that are looked at, halvings of one where a value changes much, and the share of the function's range that
/// counts as much.
const PARTS: usize = 512;
const HALVINGS: usize = 24;
const SHARE: f64 = 0.02;

/// A place in [low, high], with the step there, across which a function keeps changing by more than 2 % of its range however near one looks: to 1e-10
/// of the interval. None where it has values that are not finite. Jumps that lie as near to each other as a 512th of the
/// interval may cancel and be missed.
pub fn jump(low: f64, high: f64, mut f: impl FnMut(&[f64]) -> Vec<f64>) -> Option<(f64, f64)> {
    let places: Vec<f64> = (0..=PARTS).map(|i| low + (high - low) * i as f64 / PARTS as f64).collect();
    let values = f(&places);
    let (least, most) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    let much = SHARE * (most - least);
    if !values.iter().all(|v| v.is_finite()) || much <= f64::EPSILON * most.abs().max(least.abs()) {
        return None;
    }
    let ends = places.windows(2).zip(values.windows(2)).map(|(x, v)| ([x[0], x[1]], [v[0], v[1]]));
    let is_steep = |(_, v): &([f64; 2], [f64; 2])| (v[1] - v[0]).abs() > much;
    let mut parts: Vec<([f64; 2], [f64; 2])> = ends.filter(is_steep).collect();
    for _ in 0..HALVINGS {
        if parts.is_empty() {
            return None;
        }
        let middles: Vec<f64> = parts.iter().map(|(x, _)| 0.5 * (x[0] + x[1])).collect();
        let found = f(&middles);
        let halves = parts.iter().zip(middles.iter().zip(&found)).map(|((x, v), (m, f))| {
            let halves = [([x[0], *m], [v[0], *f]), ([*m, x[1]], [*f, v[1]])];
            let [a, b] = halves.map(|(_, v)| (v[1] - v[0]).abs());
            if a > b { halves[0] } else { halves[1] }
        });
        parts = halves.filter(is_steep).collect();
    }
    let steps = parts.iter().map(|(x, v)| (0.5 * (x[0] + x[1]), (v[1] - v[0]).abs()));
    steps.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Where a coefficient that lines differentiate along an axis jumps, such as the conductivity in dx(k*u_x): in words. Its
/// derivative there is no number, so what is worked out point by point would lose it.
pub fn of_coefficients(statement: &Statement, system: &mut System, roots: &[Id]) -> Option<String> {
    let pieces = system.pieces(roots);
    pieces.iter().find_map(|piece| of_piece(statement, piece))
}

/// What to say of it.
pub fn jumps(names: &str, place: &str) -> String {
    format!(
        "the equation of {names} differentiates a coefficient that jumps at {place}, where its derivative is no number. Let it \
         change steeply instead, as 1 + 4.5*(1 + tanh((x - 0.5)/0.02)) does from 1 to 10"
    )
}

fn of_piece(statement: &Statement, piece: &Piece) -> Option<String> {
    let axes = &statement.grid.axes;
    let axis = axes.get(piece.axis)?;
    // Elsewhere on the other axes where one place says nothing.
    let found = [0.381_966, 0.723_607, 0.1].into_iter().find_map(|share| {
        let mut place = [0.0; 3];
        place.iter_mut().zip(axes).for_each(|(x, axis)| *x = axis.min + share * axis.length());
        jump(axis.min, axis.max, |along| piece.values(place, along, statement.start, &statement.parameters))
    })?;
    Some(format!("{} = {}", ["x", "y", "z"][piece.axis], (found.0 * 1e4).round() / 1e4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_found_and_slopes_are_not() {
        let at = |f: fn(f64) -> f64| jump(-1.0, 3.0, |x| x.iter().map(|x| f(*x)).collect());
        let (found, step) = at(|x| if x < 0.3 { 0.0 } else { 1.0 + x }).unwrap();
        assert!((found - 0.3).abs() < 1e-8 && (step - 1.3).abs() < 1e-6, "{found} {step}");
        // On a place that is looked at, and at an end.
        assert!((at(|x| if x <= 1.0 { 0.0 } else { 1.0 }).unwrap().0 - 1.0).abs() < 1e-8);
        assert!((at(|x| if x < 3.0 { x.sin() } else { 5.0 }).unwrap().0 - 3.0).abs() < 1e-8);
        let smooth: [fn(f64) -> f64; 6] =
            [f64::sin, f64::abs, |x| (x / 1e-4).tanh(), |_| 2.5, |x| 1e8 + x, |x| x.abs().sqrt()];
        for smooth in smooth {
            assert_eq!(at(smooth), None);
        }
        assert_eq!(at(|x| 1.0 / x), None);
    }
}
