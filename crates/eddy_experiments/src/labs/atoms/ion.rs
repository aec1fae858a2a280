//! One electron at a nucleus: energies and orbitals in closed form, without spin and relativity (Bethe and Salpeter 1957,
//! Quantum Mechanics of One- and Two-Electron Atoms, eq. 3.16).

/// One electron at a nucleus.
#[derive(Clone, Copy, Debug)]
pub struct Ion {
    pub charge: f64,
    pub momentum: u32,
}

impl Ion {
    /// Of the radial equation, with the centrifugal part.
    pub fn potential(self, r: f64) -> f64 {
        let l = f64::from(self.momentum);
        -self.charge / r + 0.5 * l * (l + 1.0) / (r * r)
    }

    /// Energy of the state with `index` zeros: n = l + 1 + index.
    pub fn energy(self, index: usize) -> f64 {
        let n = self.principal(index);
        -0.5 * self.charge * self.charge / (n * n)
    }

    /// n of that state.
    pub fn principal(self, index: usize) -> f64 {
        f64::from(self.momentum) + 1.0 + index as f64
    }

    /// P of that state, of norm one: (2Zr/n)^{l+1} e^{-Zr/n} and a Laguerre polynomial.
    pub fn orbital(self, index: usize, r: f64) -> f64 {
        let (l, n) = (f64::from(self.momentum), self.principal(index));
        let x = 2.0 * self.charge * r / n;
        let alpha = 2.0 * l + 1.0;
        let (mut value, mut before) = (1.0, 0.0);
        for k in 0..index {
            let k = k as f64;
            (value, before) = (((2.0 * k + 1.0 + alpha - x) * value - (k + alpha) * before) / (k + 1.0), value);
        }
        // (n - l - 1)!/(n + l)!
        let ratio: f64 = ((index + 1)..=(index + 2 * self.momentum as usize + 1)).map(|k| 1.0 / k as f64).product();
        (self.charge * ratio).sqrt() / n * x.powf(l + 1.0) * (-0.5 * x).exp() * value
    }
}
