//! A steady flat flame of one step of chemistry: its speed by shooting, and the rate of burning with its slopes.

/// The gas constant, J/(mol K).
pub const GAS: f64 = 8.314_462_618;
/// Mean molar mass, kg/mol.
const MOLAR: f64 = 28.97e-3;
/// Pressure, Pa.
const PRESSURE: f64 = 101_325.0;
/// Heat capacity, J/(kg K).
pub const CAPACITY: f64 = 1000.0;
/// Heat of burning, J per kg of fuel.
pub const HEAT: f64 = 5e7;
/// Factor of the rate, in SI units for an order of 1.6.
const FACTOR: f64 = 1.4e8;
/// Order of the rate in the fuel's partial density.
const ORDER: f64 = 1.6;

/// A premixed flame that stands still while gas at temperature `inflow` (K) with a mass fraction `fuel` streams into it:
///
/// ρ₀ s c_p T′ = λ T″ + q ω, with the fuel Y = Y₀ − c_p (T − T₀)/q that is left, the subsonic speed u and the density
/// ρ = ρ₀ s/u of mass and momentum conservation, and ω = A exp(−E/(R T)) (Y ρ)^1.6.
///
/// Wu, Zhang, Wang, Zhang 2025, "FlamePINN-1D: Physics-informed neural networks to solve forward and inverse problems of 1D
/// laminar flames", case 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flame {
    pub inflow: f64,
    pub fuel: f64,
    /// λ, W/(m K).
    pub conductivity: f64,
    /// E, J/mol.
    pub activation: f64,
}

/// The rate of burning, kg/(m³ s), and its slopes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub value: f64,
    pub by_temperature: f64,
    pub by_speed: f64,
    pub by_activation: f64,
}

/// What [`Flame::shoot`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// The speed of the flame, m/s.
    pub speed: f64,
    /// Temperatures at `steps + 1` even places from the inlet to the end.
    pub temperatures: Vec<f64>,
}

impl Flame {
    /// The flame of equivalence ratio `phi`: Y₀ = φ/(φ + 4), methane in oxygen.
    pub fn new(phi: f64, inflow: f64) -> Self {
        Self { inflow, fuel: phi / (phi + 4.0), conductivity: 2.6e-2, activation: 1.214_172e5 }
    }
    /// Temperature when all is burnt.
    pub fn hottest(&self) -> f64 {
        self.inflow + HEAT * self.fuel / CAPACITY
    }
    pub fn inflow_density(&self) -> f64 {
        PRESSURE * MOLAR / (GAS * self.inflow)
    }
    /// Mass fraction of the fuel left at temperature `t`.
    pub fn fuel_at(&self, t: f64) -> f64 {
        self.fuel + CAPACITY * (self.inflow - t) / HEAT
    }

    /// The rate at temperature `t` in a flame of speed `s`. Zero where no fuel is left.
    pub fn rate(&self, t: f64, s: f64) -> Rate {
        let fuel = self.fuel_at(t);
        if fuel <= 0.0 {
            return Rate { value: 0.0, by_temperature: 0.0, by_speed: 0.0, by_activation: 0.0 };
        }
        // A network without bounds may go below any temperature there is.
        let t = t.max(1.0);
        let specific = GAS / MOLAR;
        let momentum = s + specific * self.inflow / s;
        // Gas so fast and hot that it chokes has no steady speed; it is held at the edge.
        let root = (momentum * momentum - 4.0 * specific * t).max(1e-6 * momentum * momentum).sqrt();
        // The smaller root of u² − c u + R_g T = 0, without the cancellation of c and the square root.
        let speed = 2.0 * specific * t / (momentum + root);
        let density = self.inflow_density() * s / speed;
        let value = FACTOR * (-self.activation / (GAS * t)).exp() * (fuel * density).powf(ORDER);
        // From the logarithm: ρ_T/ρ = −u_T/u with u_T = R_g/root, and u_s/u = −c_s/root.
        let of_density = -specific / (root * speed);
        let of_momentum = 1.0 - specific * self.inflow / (s * s);
        Rate {
            value,
            by_temperature: value * (self.activation / (GAS * t * t) + ORDER * (of_density - CAPACITY / (HEAT * fuel))),
            by_speed: value * ORDER * (1.0 / s + of_momentum / root),
            by_activation: -value / (GAS * t),
        }
    }

    /// (T′, T″) of a flame of speed `s`.
    fn slope(&self, s: f64, [t, slope]: [f64; 2]) -> [f64; 2] {
        let carried = self.inflow_density() * s * CAPACITY * slope;
        [slope, (carried - HEAT * self.rate(t, s).value) / self.conductivity]
    }

    /// One step of Runge and Kutta, order 4.
    fn step(&self, s: f64, at: [f64; 2], h: f64) -> [f64; 2] {
        let along = |k: [f64; 2], h: f64| [at[0] + h * k[0], at[1] + h * k[1]];
        let a = self.slope(s, at);
        let b = self.slope(s, along(a, 0.5 * h));
        let c = self.slope(s, along(b, 0.5 * h));
        let d = self.slope(s, along(c, h));
        [0, 1].map(|i| at[i] + h / 6.0 * (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]))
    }

    /// The path of a flame of speed `s` from T₀ with slope `first`, until it turns down (`true`: too slow) or leaves through
    /// the burnt temperature.
    fn path(&self, s: f64, first: f64, h: f64, steps: usize) -> (Vec<f64>, Option<bool>) {
        let (mut at, mut temperatures) = ([self.inflow, first], vec![self.inflow]);
        for _ in 0..steps {
            at = self.step(s, at, h);
            if at[1] < 0.0 || at[0] > self.hottest() {
                return (temperatures, Some(at[1] < 0.0));
            }
            temperatures.push(at[0]);
        }
        (temperatures, None)
    }

    /// Speed and profile of the flame that leaves the inlet with slope T′(0) = `first` (K/m), which fixes where it stands,
    /// over `length` in `steps` steps: bisection on the speed. A flame too slow burns up on the way and turns down, one
    /// too fast does not burn enough and climbs through the burnt temperature.
    ///
    /// Order 4 in the step. Errors of the speed grow like exp(x ρ₀ s c_p/λ) along the path, so the two last paths part where
    /// rounding has grown; from there on conduction no longer matters and ρ₀ s c_p T′ = q ω is followed instead.
    /// `None` where no speed between 0.03 and 30 m/s does.
    pub fn shoot(&self, first: f64, length: f64, steps: usize) -> Option<Shot> {
        let h = length / steps as f64;
        let is_slow = |s: f64| self.path(s, first, h, 4 * steps).1 != Some(false);
        let (mut slow, mut fast) = (0.03, 30.0);
        if !is_slow(slow) || is_slow(fast) {
            return None;
        }
        while 0.5 * (slow + fast) > slow && 0.5 * (slow + fast) < fast {
            let middle = 0.5 * (slow + fast);
            if is_slow(middle) { slow = middle } else { fast = middle }
        }
        let (below, above) = (self.path(slow, first, h, steps).0, self.path(fast, first, h, steps).0);
        let tolerance = 1e-6 * self.hottest();
        let mut temperatures: Vec<f64> =
            below.iter().zip(&above).take_while(|(a, b)| (*a - *b).abs() < tolerance).map(|(a, _)| *a).collect();
        let burn = |t: f64| HEAT * self.rate(t, slow).value / (self.inflow_density() * slow * CAPACITY);
        while temperatures.len() <= steps {
            let t = *temperatures.last()?;
            let half = t + 0.5 * h * burn(t);
            temperatures.push((t + h * burn(half)).min(self.hottest()));
        }
        Some(Shot { speed: slow, temperatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOPE: f64 = 1e5;
    const LENGTH: f64 = 1.5e-3;

    /// T′ at the inlet by the equation of p = T′ as a function of T, p′ = a − q ω/(λ p), backwards from the burnt end, where
    /// conduction is negligible and p = q ω/(λ a). That way errors die out. Trapezoidal rule; each step is a quadratic.
    fn slope_at_inlet(flame: &Flame, s: f64, steps: usize) -> f64 {
        let a = flame.inflow_density() * s * CAPACITY / flame.conductivity;
        let b = |t: f64| HEAT * flame.rate(t, s).value / flame.conductivity;
        let high = flame.hottest() - 1e-3 * (flame.hottest() - flame.inflow);
        let h = (high - flame.inflow) / steps as f64;
        let mut p = b(high) / a;
        for i in 1..=steps {
            let (from, to) = (high - (i - 1) as f64 * h, high - i as f64 * h);
            let known = p - 0.5 * h * (2.0 * a - b(from) / p);
            p = 0.5 * (known + (known * known + 2.0 * h * b(to)).sqrt());
        }
        p
    }

    #[test]
    fn shooting_equals_the_phase_plane() {
        for (phi, inflow, expected) in [(0.4, 450.0, 0.4583), (0.5, 450.0, 0.6587), (0.4, 298.0, 0.2678)] {
            let flame = Flame::new(phi, inflow);
            let shot = flame.shoot(SLOPE, LENGTH, 2000).unwrap();
            let (mut slow, mut fast) = (0.1, 2.0);
            for _ in 0..40 {
                let middle = 0.5 * (slow + fast);
                if slope_at_inlet(&flame, middle, 20_000) < SLOPE { fast = middle } else { slow = middle }
            }
            let error = (shot.speed / slow - 1.0).abs();
            assert!(error < 3e-4, "{phi} {inflow}: {} {slow}", shot.speed);
            assert!((shot.speed - expected).abs() < 1e-3, "{phi} {inflow}: {}", shot.speed);
            // Another conductivity is another flame.
            let other = Flame { conductivity: 1.01 * flame.conductivity, ..flame };
            assert!((other.shoot(SLOPE, LENGTH, 2000).unwrap().speed / slow - 1.0).abs() > 1e-3);
        }
    }

    #[test]
    fn shooting_is_of_order_four() {
        let flame = Flame::new(0.4, 450.0);
        let speed = |steps| flame.shoot(SLOPE, LENGTH, steps).unwrap().speed;
        let (exact, coarse, fine) = (speed(3200), speed(200), speed(400));
        let order = ((coarse - exact) / (fine - exact)).abs().log2();
        assert!((3.5..4.6).contains(&order), "{order}");
    }

    #[test]
    fn profile_rises_to_the_burnt_temperature() {
        for (phi, inflow) in [(0.3, 298.0), (0.4, 450.0), (0.6, 600.0)] {
            let flame = Flame::new(phi, inflow);
            let shot = flame.shoot(SLOPE, LENGTH, 2000).unwrap();
            assert_eq!(shot.temperatures.len(), 2001);
            assert!(shot.temperatures.windows(2).all(|w| w[1] >= w[0]));
            let last = shot.temperatures[2000];
            assert!(last <= flame.hottest() && last > 0.98 * flame.hottest(), "{phi} {inflow}: {last}");
        }
    }

    #[test]
    fn slopes_of_the_rate_equal_central_differences() {
        let flame = Flame::new(0.4, 450.0);
        let (t, s) = (3000.0, 0.4);
        let rate = flame.rate(t, s);
        let close = |slope: f64, above: f64, below: f64, h: f64| {
            let differences = (above - below) / (2.0 * h);
            (slope / differences - 1.0).abs() < 1e-6 && (1.001 * slope / differences - 1.0).abs() > 1e-6
        };
        let at = |t: f64, s: f64| flame.rate(t, s).value;
        assert!(close(rate.by_temperature, at(t + 0.1, s), at(t - 0.1, s), 0.1));
        // At the speed of a flame ρ is p/(R_g T) up to the squared Mach number: the slope is seen only in faster gas.
        let fast = flame.rate(t, 20.0).by_speed;
        assert!(close(fast, at(t, 20.0 + 0.02), at(t, 20.0 - 0.02), 0.02));
        let with = |e: f64| Flame { activation: flame.activation + e, ..flame }.rate(t, s).value;
        assert!(close(rate.by_activation, with(10.0), with(-10.0), 10.0));
        assert_eq!(flame.rate(flame.hottest() + 1.0, s).value, 0.0);
    }
}
