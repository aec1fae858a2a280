//! Twin of random/philox.wgsl: bit-equal.

crate::layout::uniform! {
    pub struct Params {
        counter_0: u32,
        counter_1: u32,
        counter_2: u32,
        counter_3: u32,
        key_0: u32,
        key_1: u32,
        blocks: u32,
    }
}

/// Philox4x32-10 (Salmon et al. 2011, section 3.3): four random words from a counter and a key.
pub fn philox_4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let (high_0, low_0) = product(0xd251_1f53, c0);
        let (high_1, low_1) = product(0xcd9e_8d57, c2);
        (c0, c1, c2, c3) = (high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0);
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    [c0, c1, c2, c3]
}

/// Block i belongs to counter + i; the low 64 bits of the counter carry.
pub fn philox(params: &Params, words: &mut [[u32; 4]]) {
    for i in 0..params.blocks {
        let (low, carries) = params.counter_0.overflowing_add(i);
        let counter = [low, params.counter_1.wrapping_add(u32::from(carries)), params.counter_2, params.counter_3];
        words[i as usize] = philox_4x32_10(counter, [params.key_0, params.key_1]);
    }
}

#[cfg(test)]
mod tests {
    use super::philox_4x32_10;

    /// The vectors published with the paper (Random123, kat_vectors).
    #[test]
    fn known_answers() {
        let ones = u32::MAX;
        for (counter, key, answer) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([ones; 4], [ones; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox_4x32_10(counter, key), answer);
            assert_ne!(philox_4x32_10([counter[0] ^ 1, counter[1], counter[2], counter[3]], key), answer);
        }
    }
}
