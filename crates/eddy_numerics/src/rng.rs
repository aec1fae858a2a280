//! Counter-based random numbers: Philox4x32-10 and normal deviates made from it.
//!
//! A number is a pure function of (key, counter), so particle 17's noise at step 3 is the same whatever the batch size,
//! the order of evaluation or the device. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", SC 2011, section 3.3 and the known-answer vectors of its supplement.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Ten rounds of Philox4x32: 128 random bits for one counter value.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let p0 = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let p1 = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter =
            [(p1 >> 32) as u32 ^ counter[1] ^ key[0], p1 as u32, (p0 >> 32) as u32 ^ counter[3] ^ key[1], p0 as u32];
    }
    counter
}

/// What a stream of numbers is for. Streams of one seed are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Noise a sampler starts from.
    Prior = 1,
    /// Noise a sampler adds on the way.
    Path = 2,
    /// Fresh samples of the target.
    Data = 3,
    /// A second, independent set of samples of the target.
    Control = 4,
    /// Langevin corrections.
    Corrector = 5,
    /// Noise that lifts a state to a higher level before a step.
    Lift = 6,
}

/// A seeded family of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    seed: u32,
}

impl Philox {
    pub fn new(seed: u32) -> Self {
        Self { seed }
    }

    /// Four random words of `particle`: `draw` numbers repeated use (a time step), `chunk` the group of four
    /// coordinates.
    pub fn words(&self, stream: Stream, draw: u32, particle: u32, chunk: u32) -> [u32; 4] {
        philox4x32([particle, chunk, draw, 0], [self.seed, stream as u32])
    }

    /// Four uniform numbers in the open interval (0, 1).
    pub fn uniforms(&self, stream: Stream, draw: u32, particle: u32, chunk: u32) -> [f64; 4] {
        self.words(stream, draw, particle, chunk).map(unit)
    }

    /// Four independent standard normal numbers.
    pub fn normals(&self, stream: Stream, draw: u32, particle: u32, chunk: u32) -> [f64; 4] {
        let u = self.uniforms(stream, draw, particle, chunk);
        let (a, b) = box_muller(u[0], u[1]);
        let (c, d) = box_muller(u[2], u[3]);
        [a, b, c, d]
    }
}

/// The centre of one of 2^32 equal cells of (0, 1): never 0, so its logarithm is finite.
fn unit(word: u32) -> f64 {
    (f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0)
}

/// Two independent standard normal numbers from two uniform ones (Box and Muller, 1958). |z| < 6.8 by construction.
pub fn box_muller(u: f64, v: f64) -> (f64, f64) {
    let radius = (-2.0 * u.ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
    (radius * cos, radius * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox4x32(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    fn moments(z: &[f64]) -> [f64; 4] {
        let n = z.len() as f64;
        [1, 2, 3, 4].map(|p| z.iter().map(|v| v.powi(p)).sum::<f64>() / n)
    }

    #[test]
    fn normals_have_normal_moments() {
        let r = Philox::new(3);
        let z: Vec<f64> = (0..50_000).flat_map(|i| r.normals(Stream::Path, 0, i, 0)).collect();
        let n = z.len() as f64;
        let m = moments(&z);
        // Five standard errors of each sample moment: sqrt(1, 2, 15, 96 over n).
        for (value, (expected, variance)) in m.iter().zip([(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)]) {
            assert!((value - expected).abs() < 5.0 * f64::sqrt(variance / n), "{m:?}");
        }
        // The check sees a fault of one percent in the scale.
        let wrong = moments(&z.iter().map(|v| 1.01 * v).collect::<Vec<_>>());
        assert!((wrong[1] - 1.0).abs() > 5.0 * (2.0 / n).sqrt());
    }

    #[test]
    fn streams_differ_and_do_not_depend_on_the_batch() {
        let r = Philox::new(9);
        let words = |s| (0..64).map(|i| r.words(s, 2, i, 0)).collect::<Vec<_>>();
        assert_ne!(words(Stream::Prior), words(Stream::Path));
        assert_ne!(r.words(Stream::Prior, 0, 1, 0), r.words(Stream::Prior, 1, 1, 0));
        assert_ne!(r.words(Stream::Prior, 0, 1, 0), Philox::new(8).words(Stream::Prior, 0, 1, 0));
    }
}
