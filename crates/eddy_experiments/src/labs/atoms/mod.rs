//! Atoms with spherical density: shells, the local density functional, and its self-consistent field on radial elements.

pub mod density;
pub mod field;
pub mod ion;
pub mod run;

/// Chemical symbols by charge.
#[rustfmt::skip]
pub const SYMBOLS: [&str; 92] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca", "Sc",
    "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb",
    "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm",
    "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",
];

/// A shell and how many electrons it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shell {
    pub n: u32,
    pub l: u32,
    pub electrons: f64,
}

impl Shell {
    /// "3d".
    pub fn name(self) -> String {
        format!("{}{}", self.n, ["s", "p", "d", "f"][self.l.min(3) as usize])
    }
}

/// The ground configuration of a neutral atom up to krypton: shells by rising n + l, of equal ones the lower n first
/// (Madelung's rule), but for chromium and copper, which take an electron from 4s into 3d.
pub fn configuration(charge: u32) -> Vec<Shell> {
    let order = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (3, 2), (4, 1)];
    let mut left = charge.min(36);
    let mut shells = Vec::new();
    for (n, l) in order {
        let electrons = left.min(2 * (2 * l + 1));
        if electrons > 0 {
            shells.push(Shell { n, l, electrons: f64::from(electrons) });
        }
        left -= electrons;
    }
    if matches!(charge, 24 | 29) {
        for shell in &mut shells {
            match (shell.n, shell.l) {
                (4, 0) => shell.electrons -= 1.0,
                (3, 2) => shell.electrons += 1.0,
                _ => {}
            }
        }
    }
    shells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_neutral_and_known() {
        for charge in 1..=36 {
            assert_eq!(configuration(charge).iter().map(|s| s.electrons).sum::<f64>(), f64::from(charge));
        }
        let of =
            |charge| configuration(charge).iter().map(|s| format!("{}{}", s.name(), s.electrons)).collect::<Vec<_>>();
        assert_eq!(of(18), ["1s2", "2s2", "2p6", "3s2", "3p6"]);
        assert_eq!(of(24)[5..], ["4s1", "3d5"]);
        assert_eq!(of(26)[5..], ["4s2", "3d6"]);
    }
}
