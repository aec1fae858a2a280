//! What a problem brings about that its text does not say. It is trained all the same.

use eddy_solve::{Statement, boundary::Side};
use eddy_spec::EddyError;

use super::{built_in::side_places, candidate::Candidate};

const SIDES: [[&str; 2]; 3] = [["x_min", "x_max"], ["y_min", "y_max"], ["z_min", "z_max"]];
/// Share of the field's size from which on two values are not the same: what of a pulse has not decayed at a side is below it.
const APART: f64 = 1e-3;

/// By the text that they are about: what the statement warns of, and where initial values contradict the conditions.
/// `knows_start`: whether the initial values are given to the network.
pub(super) fn remarks(statement: &Statement, candidate: &Candidate, knows_start: bool) -> Vec<EddyError> {
    let place = |warning: &str| {
        let of = |key: &&str| warning.split(' ').any(|word| word.split('.').next() == Some(key) && word.contains('.'));
        ["initial", "boundary", "parameters", "exact"].into_iter().find(of)
    };
    let mut all: Vec<EddyError> = Vec::new();
    for warning in &statement.warnings {
        let remark = EddyError::new("remark", warning.clone());
        match place(warning) {
            Some("initial") if !knows_start => {}
            Some(key) => all.push(remark.at(key)),
            None => all.push(remark),
        }
    }
    all.extend(corners(statement, candidate));
    all
}

/// Where a field begins with another value than the one that a side holds.
fn corners(statement: &Statement, candidate: &Candidate) -> Vec<EddyError> {
    let dimension = statement.grid.dimension();
    // What is said, and the sides that it is said of.
    let mut found: Vec<((String, String), Vec<&str>)> = Vec::new();
    for (at, output) in candidate.outputs.iter().enumerate() {
        let Some(sides) = &statement.sides[usize::from(output.variable)] else { continue };
        if output.guess.is_some() || output.initial_positions().next().is_none() {
            continue;
        }
        let ends = (0..dimension).flat_map(|axis| [(axis, 0), (axis, 1)]);
        for (axis, which) in ends {
            let Side::Conditions(conditions) = &sides[axis][which] else { continue };
            let holds = |coefficients: &[f64]| coefficients[0] != 0.0 && coefficients[1..].iter().all(|c| *c == 0.0);
            let Some(held) = conditions.iter().find(|condition| holds(&condition.coefficients)) else { continue };
            let places = side_places(statement, axis, which == 1, false);
            let points: Vec<f64> =
                places.chunks_exact(dimension).flat_map(|place| [place, &[statement.start]].concat()).collect();
            let begins = candidate.base(at, [0; 3], 0, &points);
            let mut worst: Option<(f64, f64, f64)> = None;
            for (point, begins) in points.chunks_exact(candidate.inputs).zip(begins) {
                let mut place = [0.0; 3];
                place[..dimension].copy_from_slice(&point[..dimension]);
                let (re, im) = held.value(place, statement.start, &statement.parameters);
                let value = output.pick(re, im) / held.coefficients[0];
                let gap = (begins - value).abs();
                let size = begins.abs().max(value.abs()).max(output.size.amplitude);
                if gap > APART * size && worst.is_none_or(|(most, ..)| gap > most) {
                    worst = Some((gap, begins, value));
                }
            }
            let Some((_, begins, value)) = worst else { continue };
            let (begins, value) = (number(begins), number(value));
            let what = (format!("{} begins with {begins}", output.name), value);
            match found.iter_mut().find(|(other, _)| *other == what) {
                Some((_, sides)) => sides.push(SIDES[axis][which]),
                None => found.push((what, vec![SIDES[axis][which]])),
            }
        }
    }
    let remark = |((begins, value), sides): ((String, String), Vec<&str>)| {
        let message = format!(
            "{begins} at {}, where its condition holds it at {value}. The solution jumps there at the start, and the network \
             rounds that off: look for its largest errors in that corner. Initial values that meet the condition have none.",
            sides.join(", ")
        );
        EddyError::new("remark", message).at("initial")
    };
    found.into_iter().map(remark).collect()
}

/// Four digits.
fn number(v: f64) -> String {
    let v: f64 = format!("{:.3e}", v + 0.0).parse().unwrap_or(v);
    if v == 0.0 || (1e-4..1e6).contains(&v.abs()) { format!("{v}") } else { format!("{v:e}") }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HEAT, objective, training};
    use crate::labs::pinn::Objective;

    fn of(text: &str) -> Vec<(String, String)> {
        let one = objective(text, training()).unwrap();
        one.remarks().into_iter().map(|one| (one.key.unwrap_or_default(), one.message)).collect()
    }

    #[test]
    fn what_a_text_does_not_say_is_told() {
        assert_eq!(of(HEAT), []);
        let told = |text: &str, key: &str, words: &[&str]| {
            let all = of(text);
            let found = all.iter().any(|(at, message)| at == key && words.iter().all(|word| message.contains(word)));
            assert!(found, "{text}: {all:?}");
        };
        let without = HEAT.replace("initial.u = \"sin(x)\"\n", "initial.v = 1\n").replace("; D", "; v_t = u; D");
        told(&without, "initial", &["u starts from zero"]);
        told(&format!("parameters.E = 1\n{HEAT}"), "parameters", &["E", "is not used"]);
        // A rod of 300 between sides of 400 and of 300 + t.
        let rod = HEAT
            .replace("\"sin(x)\"", "300\nboundary.u = { x_min = \"dirichlet: 400\", x_max = \"dirichlet: 300 + t\" }");
        told(&rod, "initial", &["u begins with 300 at x_min", "holds it at 400"]);
        assert_eq!(of(&rod).len(), 1, "{:?}", of(&rod));
        assert_eq!(of(&rod.replace("400", "300")), []);
        // What is left of a pulse, and numbers of any size.
        let pulse = rod.replace("= 300\n", "= \"exp(-2*(x - pi)^2)\"\n").replace("400", "0").replace("300 + t", "0");
        assert_eq!(of(&pulse), []);
        assert_eq!(
            [0.0, -0.0, 300.0, 5.2e-5, 1.0 / 3.0, 1e25].map(super::number),
            ["0", "0", "300", "5.2e-5", "0.3333", "1e25"]
        );
        told(&rod.replace("300 + t", "400"), "initial", &["u begins with 300 at x_min, x_max,"]);
    }
}
