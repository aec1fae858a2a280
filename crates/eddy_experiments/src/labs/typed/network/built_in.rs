//! Conditions at the sides that hold exactly: the network is multiplied by a distance from them.

use eddy_nets::graph::{Graph, Node};
use eddy_solve::{
    Statement,
    boundary::{Condition, Side},
};

use super::{candidate::Output, integrals::tensor};

/// Places across a side, and moments, at which a condition is looked at.
const PLACES: usize = 13;
/// Shares of a side at which that is: not evenly spaced, so that no wave vanishes at all of them.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// What counts as the same value, relative to the largest there.
const SAME: f64 = 1e-9;

/// What is built into one output: û = ℓ + B N with B = Π (4dd'/L²)-like products of the distances d from the sides (Lagaris, Likas,
/// Fotiadis 1998, eq. 12; Sukumar and Srivastava 2022), to the power of how many conditions a side holds: u, then its slope.
/// ℓ goes from the value at the one side to that at the other; where initial values are built in they take its place. What is
/// not constant along a side and in time, and what weighs derivatives, stays a term of the loss.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct BuiltIn {
    /// By axis, low and high side: the power of the distance.
    powers: [[u8; 2]; 3],
    /// ℓ = value + slope · coordinate of an axis.
    lift: (f64, f64),
    lifted: usize,
}

/// Values of an output that has no network: derivatives along an axis at points.
type Base<'a> = &'a dyn Fn(u8, usize, &[f64]) -> Vec<f64>;

/// An axis, with the values and the slopes along it that are held at its low and high side.
type Ends = (usize, [Option<f64>; 2], [Option<f64>; 2]);

impl BuiltIn {
    /// What of the conditions of an output can be built in. `base` are its initial values with their derivatives, where they
    /// are built in.
    pub fn new(statement: &Statement, output: &Output, inputs: usize, base: Option<Base<'_>>) -> Self {
        let mut built = Self::default();
        let Some(sides) = &statement.sides[usize::from(output.variable)] else { return built };
        let dimension = statement.grid.dimension();
        let has_time = inputs > dimension;
        let mut ends: Vec<Ends> = Vec::new();
        for axis in 0..dimension {
            // By side: the value and the slope.
            let mut held = [[None; 2]; 2];
            for (which, side) in sides[axis].iter().enumerate() {
                let Side::Conditions(conditions) = side else { continue };
                let points = side_places(statement, axis, which == 1, has_time);
                held[which] = [0, 1].map(|order: u8| {
                    let condition = conditions.iter().find(|c| order_of(c) == Some(order))?;
                    let value = constant(statement, condition, output, &points, inputs)?;
                    // The factor of u, or of a slope outwards.
                    let factor = condition.coefficients[usize::from(order)];
                    let sign = if order == 1 && which == 0 { -1.0 } else { 1.0 };
                    let value = value / (factor * sign);
                    let is_kept = |base: Base<'_>| {
                        let found = base(order, axis, &points);
                        let size = found.iter().fold(output.size.amplitude.max(value.abs()), |m, v| m.max(v.abs()));
                        found.iter().all(|v| (v - value).abs() <= SAME * size)
                    };
                    base.is_none_or(is_kept).then_some(value)
                });
                built.powers[axis][which] = u8::from(held[which][0].is_some());
            }
            ends.push((axis, held.map(|[value, _]| value), held.map(|[_, slope]| slope)));
        }
        if base.is_none() {
            built.lift_between(statement, &ends, output.size.amplitude);
        }
        for (axis, _, slopes) in ends {
            for (power, slope) in built.powers[axis].iter_mut().zip(slopes) {
                // Without initial values ℓ must have the slope too: only where it is level has it one that is known, zero.
                let is_held = slope.is_some_and(|slope| base.is_some() || (slope == 0.0 && built.lift.1 == 0.0));
                *power += u8::from(*power == 1 && is_held);
            }
        }
        built
    }

    /// ℓ from the values at the sides; the sides that it cannot have are given up.
    fn lift_between(&mut self, statement: &Statement, ends: &[Ends], amplitude: f64) {
        let Some((axis, values, _)) = ends.iter().find(|(_, values, _)| values.iter().any(Option::is_some)) else {
            return;
        };
        let line = &statement.grid.axes[*axis];
        self.lifted = *axis;
        self.lift = match values {
            [Some(low), Some(high)] => {
                let slope = (high - low) / line.length();
                (low - slope * line.min, slope)
            }
            [one, other] => (one.or(*other).unwrap_or(0.0), 0.0),
        };
        for (other, values, _) in ends.iter().filter(|(other, ..)| other != axis) {
            for (which, value) in values.iter().enumerate() {
                let is_same = value.is_some_and(|v| (v - self.lift.0).abs() <= SAME * v.abs().max(amplitude));
                if self.lift.1 != 0.0 || !is_same {
                    self.powers[*other][which] = 0;
                }
            }
        }
    }

    /// Whether no value of the field is fixed at any side.
    pub fn is_nothing(&self) -> bool {
        self.powers == [[0; 2]; 3]
    }

    /// Whether a condition holds by itself.
    pub fn holds(&self, axis: usize, is_high: bool, condition: &Condition) -> bool {
        order_of(condition).is_some_and(|order| order < self.powers[axis][usize::from(is_high)])
    }

    /// By axis and side, the powers of the distances.
    pub fn powers(&self) -> [[u8; 2]; 3] {
        self.powers
    }

    /// (value, slope, axis) of ℓ, where it is not zero.
    pub fn lift(&self) -> Option<(f64, f64, usize)> {
        let (value, slope) = self.lift;
        (self.lift != (0.0, 0.0)).then_some((value, slope, self.lifted))
    }

    /// Factor of the product of distances: its largest value is about one.
    pub fn scale(powers: [u8; 2]) -> f64 {
        if powers.contains(&0) { 1.0 } else { 2f64.powi(i32::from(powers[0] + powers[1])) }
    }

    /// B as a node, if anything is built in.
    pub fn distance(&self, graph: &mut Graph, statement: &Statement) -> Option<Node> {
        let coordinates = graph.coordinates();
        let mut all: Option<Node> = None;
        for (index, axis) in statement.grid.axes.iter().enumerate() {
            let length = axis.length();
            let mut scale = Self::scale(self.powers[index]);
            let ways = [(1.0 / length, -axis.min / length), (-1.0 / length, axis.max / length)];
            for ((slope, shift), power) in ways.into_iter().zip(self.powers[index]) {
                for _ in 0..power {
                    let factor = std::mem::replace(&mut scale, 1.0);
                    let one = graph.pick(coordinates, index, factor * slope, factor * shift);
                    all = Some(all.map_or(one, |all| graph.multiply(all, one)));
                }
            }
        }
        all
    }
}

/// The order of the only derivative that a condition weighs.
fn order_of(condition: &Condition) -> Option<u8> {
    let mut weighed = (0u8..).zip(condition.coefficients).filter(|(_, c)| *c != 0.0).map(|(order, _)| order);
    weighed.next().filter(|order| *order <= 1 && weighed.next().is_none())
}

/// Points on a side, [point][input].
pub(super) fn side_places(statement: &Statement, axis: usize, is_high: bool, has_time: bool) -> Vec<f64> {
    let share = |n: usize| ((n + 1) as f64 * GOLDEN).fract();
    let along = |index: usize| -> Vec<f64> {
        let line = &statement.grid.axes[index];
        match index == axis {
            true => vec![if is_high { line.max } else { line.min }],
            false => (0..PLACES).map(|n| line.min + line.length() * share(n)).collect(),
        }
    };
    let mut all: Vec<Vec<f64>> = (0..statement.grid.dimension()).map(along).collect();
    if has_time {
        let length = statement.end - statement.start;
        all.push((0..PLACES).map(|n| statement.start + length * n as f64 / (PLACES - 1) as f64).collect());
    }
    tensor(&all).concat()
}

/// The right side of a condition, where it is the same at all points.
fn constant(
    statement: &Statement,
    condition: &Condition,
    output: &Output,
    points: &[f64],
    inputs: usize,
) -> Option<f64> {
    if condition.is_homogeneous {
        return Some(0.0);
    }
    // A later window may see it move.
    if condition.needs_time {
        return None;
    }
    let dimension = statement.grid.dimension();
    let at = |point: &[f64]| {
        let mut place = [0.0; 3];
        place[..dimension].copy_from_slice(&point[..dimension]);
        let (re, im) = condition.value(place, statement.start, &statement.parameters);
        output.pick(re, im)
    };
    let values: Vec<f64> = points.chunks_exact(inputs).map(at).collect();
    let first = values[0];
    values.iter().all(|v| (v - first).abs() <= SAME * first.abs().max(output.size.amplitude)).then_some(first)
}
