//! Random numbers as a function of a seed and a counter: the same network on every machine and in any order.

/// The `counter`-th 64-bit word of stream `seed`: the finalizer of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable
/// pseudorandom number generators", fig. 17) on both, in turn.
fn word(seed: u64, counter: u64) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(counter.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Uniform in [0, 1), with 53 random bits.
pub fn uniform(seed: u64, counter: u64) -> f64 {
    (word(seed, counter) >> 11) as f64 / (1u64 << 53) as f64
}

/// Standard normal, by Box and Muller from two words of its own.
pub fn normal(seed: u64, counter: u64) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(seed, 2 * counter)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(seed, 2 * counter + 1)).cos()
}
