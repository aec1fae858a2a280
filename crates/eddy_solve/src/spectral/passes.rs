//! In which order elliptic lines can be solved.

use eddy_expr::{
    Equation, System,
    ir::{Id, Leaf},
};

use super::Root;
use crate::error::SolveError;

/// How often sources have to be evaluated until all elliptic fields are known: what the matrix at a wavenumber couples is solved
/// together, what a source reads comes from the pass before. Refuses lines whose sources read, in the end, their own unknown.
pub(super) fn elliptic_passes(system: &mut System, elliptic: &[u16], sources: &[Root]) -> Result<usize, SolveError> {
    let reads = |system: &System, id: Id| -> Vec<bool> {
        let leaves = system.graph.leaves(&[id]);
        elliptic.iter().map(|variable| leaves.contains(&Leaf::Variable(*variable))).collect()
    };
    let mut later = vec![vec![false; elliptic.len()]; elliptic.len()];
    for root in sources {
        let Some(line) = elliptic.iter().position(|variable| *variable == root.variable) else { continue };
        later[line].iter_mut().zip(reads(system, root.value)).for_each(|(a, b)| *a |= b);
    }
    let mut all = later.clone();
    for (line, variable) in elliptic.iter().enumerate() {
        let sides = system.equations.iter().find_map(|equation| match equation {
            Equation::Elliptic { variable: other, left, right, .. } if other == variable => Some([*left, *right]),
            _ => None,
        });
        let inlined = sides.and_then(|sides| system.inlined(&sides).ok()).unwrap_or_default();
        for side in inlined {
            all[line].iter_mut().zip(reads(system, side)).for_each(|(a, b)| *a |= b);
        }
    }
    let mut reach = all.clone();
    for through in 0..reach.len() {
        let beyond = reach[through].clone();
        for row in reach.iter_mut().filter(|row| row[through]) {
            row.iter_mut().zip(&beyond).for_each(|(a, b)| *a |= *b);
        }
    }
    let count = elliptic.len();
    for line in 0..count {
        if (0..count).any(|other| later[line][other] && (other == line || reach[other][line])) {
            return Err(SolveError::value(
                "equations",
                format!(
                    "the equation of {} has a coefficient that varies, which the Fourier method cannot solve; use space = \"fd4\"",
                    system.variables[usize::from(elliptic[line])].name
                ),
            ));
        }
    }
    // The most sources on a way from line to line.
    let mut depth = vec![0; count];
    for _ in 0..count {
        for line in 0..count {
            for other in (0..count).filter(|other| all[line][*other] && !reach[*other][line] || later[line][*other]) {
                depth[line] = depth[line].max(depth[other] + usize::from(later[line][other]));
            }
            for other in (0..count).filter(|other| reach[line][*other] && reach[*other][line]) {
                depth[line] = depth[line].max(depth[other]);
            }
        }
    }
    Ok(1 + depth.into_iter().max().unwrap_or(0))
}
