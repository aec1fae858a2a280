//! A residual at a point as a WGSL function, for shaders that hold the candidate's derivatives there.

use std::{collections::BTreeSet, fmt::Write};

use super::wgsl::{WgslError, loads, sources, statements};
use crate::{
    kernel::{Read, Residuals},
    program::Operand,
};

/// Where a residual's reads are in the jet that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Component 0 to 3.
    Jet(usize),
    Time,
}

/// The only residual of `residuals` as
///
/// `fn residual(u: vec4<f32>, place: vec2<f32>) -> Residual`, `struct Residual { value: f32, slopes: vec4<f32> }`,
///
/// with the functions that it calls. `u` holds what `places` says, by read, `place` is (x, time), and `uniforms` is an
/// `array<f32>` of [`Program::uniform_values`](crate::program::Program::uniform_values). The slopes are the derivatives with
/// respect to `u`.
///
/// # Errors
/// [`WgslError`] for what single precision on a device cannot do.
pub fn residual_function(residuals: &Residuals, places: &[Place]) -> Result<String, WgslError> {
    let program = &residuals.program;
    let (mut body, mut helpers) = (String::new(), BTreeSet::new());
    let loads = loads(program);
    for (position, (slot, _)) in loads.iter().enumerate() {
        let text = match places.get(usize::from(*slot)) {
            Some(Place::Jet(component)) => format!("u.{}", COMPONENTS[component % 4]),
            Some(Place::Time) => "place.y".to_string(),
            None => "0.0f".to_string(),
        };
        writeln!(body, "    let a{position} = {text};").ok();
    }
    let reads_coordinates = |operand: &Operand| matches!(operand, Operand::Coordinate(_));
    if program.code.iter().flat_map(|instruction| instruction.used()).chain(&program.outputs).any(reads_coordinates) {
        body.push_str("    let x = place.x;\n    let y = 0.0f;\n    let z = 0.0f;\n");
    }
    let outputs = statements(program, &loads, "", &mut helpers, &mut body)?;
    let value = outputs.first().map_or("0.0f", String::as_str);
    let mut slopes = [const { String::new() }; 4];
    for ((_, read), text) in residuals.slopes.iter().zip(&outputs[residuals.fields.len().min(outputs.len())..]) {
        let Some(Place::Jet(component)) = places.get(*read) else { continue };
        let sum = &mut slopes[component % 4];
        write!(sum, "{}({text})", if sum.is_empty() { "" } else { " + " }).ok();
    }
    let slopes = slopes.map(|slope| if slope.is_empty() { "0.0f".to_string() } else { slope });
    Ok(format!(
        "{}
fn residual(u: vec4<f32>, place: vec2<f32>) -> Residual {{
{body}    return Residual({value}, vec4<f32>({}));
}}
",
        sources(&helpers),
        slopes.join(", ")
    ))
}

const COMPONENTS: [&str; 4] = ["x", "y", "z", "w"];

/// Where the reads of a residual are in a jet (u, ∂u/∂`first`, ∂u/∂`second`, ∂²u/∂`second`²) of one field of `axes` places and,
/// with `has_time`, the time as the last input. None where it reads anything else.
pub fn places_in_jet(
    residuals: &Residuals,
    axes: usize,
    has_time: bool,
    [first, second]: [Option<usize>; 2],
) -> Option<Vec<Place>> {
    let place = |read: &Read| match read {
        Read::Time => Some(Place::Time),
        Read::Jet { orders, time, .. } => {
            let mut all: Vec<usize> = orders[..axes].iter().map(|o| usize::from(*o)).collect();
            all.extend(has_time.then_some(usize::from(*time)));
            let total: usize = all.iter().sum();
            let order = |input: Option<usize>| input.map_or(0, |input| all[input]);
            match (total, order(first), order(second)) {
                (0, 0, 0) => Some(Place::Jet(0)),
                (1, 1, 0) => Some(Place::Jet(1)),
                (1, 0, 1) => Some(Place::Jet(2)),
                (2, 0, 2) => Some(Place::Jet(3)),
                _ => None,
            }
        }
    };
    residuals.reads.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Options, System};

    fn function(text: &str, inputs: [Option<usize>; 2]) -> Option<String> {
        let residuals = System::parse(text, &Options::default()).unwrap().residuals(&[]).unwrap();
        let places = places_in_jet(&residuals, 1, true, inputs)?;
        Some(residual_function(&residuals, &places).unwrap())
    }

    #[test]
    fn reads_are_components_of_the_jet() {
        let in_time_along_x = [Some(1), Some(0)];
        let burgers = function("u_t = nu*dxx(u) - u*dx(u) + x*sin(t); nu = 0.1", in_time_along_x).unwrap();
        for part in ["u.x;", "u.y;", "u.z;", "u.w;", "place.y;", "let x = place.x;", "return Residual("] {
            assert!(burgers.contains(part), "{part}\n{burgers}");
        }
        // Of the slopes the one with respect to u_t is 1, and what is not read has none.
        let decay = function("u_t = -u", in_time_along_x).unwrap();
        assert!(decay.contains("vec4<f32>(") && decay.contains("0.0f)") && !decay.contains("let x ="), "{decay}");
        // With the axes exchanged u_xx has no place; third derivatives and those in time of second order have none anywhere.
        assert_eq!(function("u_t = dxx(u)", [Some(0), Some(1)]), None);
        assert_eq!(function("u_t = dxxx(u)", in_time_along_x), None);
        assert_eq!(function("u_tt = dxx(u)", in_time_along_x), None);
    }
}
