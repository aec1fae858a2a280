//! Exchange and correlation of the uniform electron gas without spin, per electron, in hartree.

use std::f64::consts::PI;

/// ε and the potential d(nε)/dn at density n: Slater's exchange and the correlation of Vosko, Wilk and Nusair (1980, Can. J.
/// Phys. 58, 1200, eq. 4.4, paramagnetic fit to Ceperley and Alder), as in the tables of NIST.
pub fn exchange_correlation(n: f64) -> [f64; 2] {
    // Far from an atom the density underflows; there both are zero.
    if !(n > 1e-30) {
        return [0.0, 0.0];
    }
    let exchange = -0.75 * (3.0 * n / PI).cbrt();
    let [correlation, of_correlation] = vosko_wilk_nusair((3.0 / (4.0 * PI * n)).cbrt());
    [exchange + correlation, 4.0 / 3.0 * exchange + of_correlation]
}

/// ε_c and its potential ε_c - (r_s/3) dε_c/dr_s at the radius of a sphere with one electron.
fn vosko_wilk_nusair(radius: f64) -> [f64; 2] {
    const A: f64 = 0.031_090_7;
    const X0: f64 = -0.104_98;
    const B: f64 = 3.727_44;
    const C: f64 = 12.935_2;
    let polynomial = |x: f64| x * x + B * x + C;
    let q = (4.0 * C - B * B).sqrt();
    let x = radius.sqrt();
    let whole = polynomial(x);
    let angle = (q / (2.0 * x + B)).atan();
    let part = B * X0 / polynomial(X0);
    let energy = A
        * ((x * x / whole).ln() + 2.0 * B / q * angle
            - part * (((x - X0) * (x - X0) / whole).ln() + 2.0 * (B + 2.0 * X0) / q * angle));
    // d angle/dx = -2q/(q² + (2x + b)²)
    let turn = 4.0 / (q * q + (2.0 * x + B) * (2.0 * x + B));
    let slope = A
        * (2.0 / x
            - (2.0 * x + B) / whole
            - B * turn
            - part * (2.0 / (x - X0) - (2.0 * x + B) / whole - (B + 2.0 * X0) * turn));
    [energy, energy - x / 6.0 * slope]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_potential_is_the_derivative_of_the_energy() {
        for n in [1e-6, 1e-2, 1.0, 300.0] {
            let h = 1e-5 * n;
            let energy = |n: f64| n * exchange_correlation(n)[0];
            let slope = (energy(n + h) - energy(n - h)) / (2.0 * h);
            let potential = exchange_correlation(n)[1];
            assert!((slope / potential - 1.0).abs() < 1e-8, "{n}: {slope} {potential}");
            // The energy per electron is not its own potential.
            assert!((slope / exchange_correlation(n)[0] - 1.0).abs() > 0.1);
        }
    }

    #[test]
    fn known_values_of_the_uniform_gas() {
        // Correlation energies of Ceperley and Alder in hartree, to their digits.
        for (radius, known) in [(1.0, -0.0600), (2.0, -0.0448), (5.0, -0.0282)] {
            assert!((vosko_wilk_nusair(radius)[0] - known).abs() < 2e-4, "{radius}: {}", vosko_wilk_nusair(radius)[0]);
        }
        // Exchange: -0.458165/r_s.
        let n = 3.0 / (4.0 * PI);
        assert!((exchange_correlation(n)[0] - vosko_wilk_nusair(1.0)[0] + 0.458_165).abs() < 1e-6);
        assert_eq!(exchange_correlation(0.0), [0.0, 0.0]);
    }
}
