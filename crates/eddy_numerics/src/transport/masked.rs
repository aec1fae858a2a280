//! Masked (absorbing) diffusion of token sequences whose model is known exactly.
//!
//! Each token of a sequence is masked at time t with probability 1 − α(t) = t; going back from t = 1 to 0 each unmasks
//! once. Two samplers of the same reverse process:
//!
//! - [`MaskedSampler::ancestral`] walks a uniform grid. From t to s < t a masked token becomes v with probability
//!   p π_v, p = (t − s)/t, or stays masked with probability 1 − p. It costs one categorical draw for each masked token
//!   and step, N/2 in the mean per token, and an error if several tokens that depend on each other unmask at once.
//! - [`MaskedSampler::first_hitting`] draws the next time at which any of n masked tokens unmasks,
//!   τ' = τ u^{1/n}, then which one, then its value: one draw per token, no grid and no error of one.
//!
//! Source: Zheng et al., "Masked diffusion models are secretly time-agnostic masked models and exploit inaccurate
//! categorical sampling", ICLR 2025: the first-hitting sampler, and what uniforms of 32 bits do to Gumbel-max draws.

use crate::rng::{Philox, Stream};

/// Mark of a token that is not there yet.
pub const MASK: u16 = u16::MAX;

/// Largest vocabulary; token numbers stay far from [`MASK`].
pub const MAX_TOKENS: usize = 4096;

/// Bits up to which −ln u is looked up.
const TABLE_BITS: u32 = 16;

/// Probabilities of the tokens of a vocabulary, the same at every position.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLaw {
    probabilities: Vec<f64>,
}

impl TokenLaw {
    /// Zipf's law: token k = 0, 1, … has a probability proportional to (k + 1)^−exponent. `size` is kept in
    /// [1, [`MAX_TOKENS`]].
    pub fn zipf(size: usize, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=size.clamp(1, MAX_TOKENS)).map(|k| (k as f64).powf(-exponent)).collect();
        let total: f64 = weights.iter().sum();
        Self { probabilities: weights.iter().map(|w| w / total).collect() }
    }

    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// −Σ π ln π in nats.
    pub fn entropy(&self) -> f64 {
        entropy(self.probabilities.iter().copied())
    }

    /// Entropy in nats of the observed shares; 0 if nothing was counted. Its mean lies about (V − 1)/(2n) below that of
    /// the law for n counted tokens (Miller and Madow).
    pub fn observed_entropy(counts: &[u64]) -> f64 {
        let total: u64 = counts.iter().sum();
        entropy(counts.iter().map(|c| *c as f64 / total.max(1) as f64))
    }

    /// Pearson's χ² of the counts per degree of freedom: about 1 ± √(2/(V − 1)) if they come from this law. Needs a few
    /// expected counts for each token to be read so.
    pub fn chi_square(&self, counts: &[u64]) -> f64 {
        let total = counts.iter().sum::<u64>() as f64;
        let terms = self.probabilities.iter().zip(counts).map(|(p, c)| {
            let expected = p * total;
            (*c as f64 - expected).powi(2) / expected
        });
        terms.sum::<f64>() / (self.probabilities.len() as f64 - 1.0).max(1.0)
    }
}

fn entropy(shares: impl Iterator<Item = f64>) -> f64 {
    shares.filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum()
}

/// Categorical draws by the Gumbel-max rule from uniform numbers of few bits.
///
/// argmax_v (ln p_v − ln(−ln u_v)) is the same as argmin_v (−ln u_v)/p_v, a race of exponential clocks, and needs one
/// logarithm. The uniforms are the multiples of 2^−bits in [0, 1), so no clock is faster than −ln(1 − 2^−bits) ≈ 2^−bits:
/// a token with p_v well below 2^−bits can hardly win against a mask with p near 1. Ties go to the first.
struct Race {
    bits: u32,
    clocks: Vec<f64>,
}

impl Race {
    fn new(bits: u32) -> Self {
        let bits = bits.clamp(1, 53);
        let size = if bits <= TABLE_BITS { 1u64 << bits } else { 0 };
        let step = 0.5f64.powi(bits as i32);
        Self { bits, clocks: (0..size).map(|k| -(k as f64 * step).ln()).collect() }
    }

    /// Index of the winner among `slowness` = 1/p_v. `word(chunk)` gives four random words.
    fn winner(&self, slowness: &[f64], word: impl Fn(u32) -> [u32; 4]) -> usize {
        let mut best = (f64::INFINITY, 0);
        let mut take = |v: usize, clock: f64| {
            let key = clock * slowness[v];
            if key < best.0 {
                best = (key, v);
            }
        };
        if self.bits > 32 {
            // Two words for each uniform, cut to the bits asked for.
            let scale = 0.5f64.powi(self.bits as i32);
            for (chunk, v) in (0..slowness.len()).step_by(2).enumerate() {
                let w = word(chunk as u32);
                for j in 0..(slowness.len() - v).min(2) {
                    let k = (u64::from(w[2 * j]) << 32 | u64::from(w[2 * j + 1])) >> (64 - self.bits);
                    take(v + j, -(k as f64 * scale).ln());
                }
            }
            return best.1;
        }
        let (shift, scale) = (32 - self.bits, 0.5f64.powi(self.bits as i32));
        for (chunk, v) in (0..slowness.len()).step_by(4).enumerate() {
            let w = word(chunk as u32);
            for (j, w) in w[..(slowness.len() - v).min(4)].iter().enumerate() {
                let k = w >> shift;
                let clock = self.clocks.get(k as usize).copied().unwrap_or_else(|| -(f64::from(k) * scale).ln());
                take(v + j, clock);
            }
        }
        best.1
    }
}

enum Kind {
    /// Steps of the uniform grid.
    Ancestral { steps: u32 },
    /// Time of the last event of each sequence.
    FirstHitting { times: Vec<f64> },
}

/// `count` sequences of `length` tokens on their way from all masked to none.
pub struct MaskedSampler {
    law: TokenLaw,
    length: usize,
    tokens: Vec<u16>,
    race: Race,
    /// 1/p of each token and, last, of staying masked.
    slowness: Vec<f64>,
    kind: Kind,
    rng: Philox,
    done: u32,
    draws: u64,
    counts: Vec<u64>,
}

impl MaskedSampler {
    fn new(law: TokenLaw, length: usize, count: usize, bits: u32, rng: Philox, kind: Kind) -> Self {
        let size = law.probabilities.len();
        let tokens = vec![MASK; length.max(1) * count];
        let (race, slowness) = (Race::new(bits), vec![0.0; size + 1]);
        Self { counts: vec![0; size], law, length: length.max(1), tokens, race, slowness, kind, rng, done: 0, draws: 0 }
    }

    /// Ancestral sampling on `steps` (at least 1) equal steps of time, categorical draws from uniforms of `bits` bits.
    pub fn ancestral(law: TokenLaw, length: usize, count: usize, steps: u32, bits: u32, rng: Philox) -> Self {
        Self::new(law, length, count, bits, rng, Kind::Ancestral { steps: steps.max(1) })
    }

    /// The first-hitting sampler; `length` steps, one token of each sequence in each.
    pub fn first_hitting(law: TokenLaw, length: usize, count: usize, bits: u32, rng: Philox) -> Self {
        Self::new(law, length, count, bits, rng, Kind::FirstHitting { times: vec![1.0; count] })
    }

    /// Steps of a whole run.
    pub fn steps(&self) -> u32 {
        match self.kind {
            Kind::Ancestral { steps } => steps,
            Kind::FirstHitting { .. } => self.length as u32,
        }
    }
    pub fn steps_done(&self) -> u32 {
        self.done
    }
    pub fn is_done(&self) -> bool {
        self.done >= self.steps()
    }
    /// Tokens of a sequence.
    pub fn length(&self) -> usize {
        self.length
    }
    /// All tokens, sequence by sequence.
    pub fn tokens(&self) -> &[u16] {
        &self.tokens
    }
    /// How often each token stands in the sequences.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
    /// Categorical draws so far, over all sequences.
    pub fn draws(&self) -> u64 {
        self.draws
    }
    pub fn law(&self) -> &TokenLaw {
        &self.law
    }
    /// Time of the process: of the grid, or the mean over the sequences.
    pub fn time(&self) -> f64 {
        match &self.kind {
            Kind::Ancestral { steps } => 1.0 - f64::from(self.done) / f64::from(*steps),
            Kind::FirstHitting { times } => times.iter().sum::<f64>() / times.len().max(1) as f64,
        }
    }
    /// Times of the last events of the first-hitting sampler, one per sequence; empty for the other.
    pub fn times(&self) -> &[f64] {
        match &self.kind {
            Kind::Ancestral { .. } => &[],
            Kind::FirstHitting { times } => times,
        }
    }

    /// One step of the grid, or one event in each sequence. Does nothing at the end. O(masked · V), or O(count · V).
    pub fn step(&mut self) {
        if self.is_done() {
            return;
        }
        match self.kind {
            Kind::Ancestral { steps } => self.ancestral_step(steps),
            Kind::FirstHitting { .. } => self.event(),
        }
        self.done += 1;
    }

    /// The chances of a token, given that it unmasks with probability p.
    fn set_chances(&mut self, p: f64) {
        let size = self.law.probabilities.len();
        for (s, pi) in self.slowness.iter_mut().zip(&self.law.probabilities) {
            *s = 1.0 / (p * pi);
        }
        self.slowness[size] = 1.0 / (1.0 - p);
    }

    fn ancestral_step(&mut self, steps: u32) {
        let left = f64::from(steps - self.done);
        let is_last = self.done + 1 == steps;
        self.set_chances(1.0 / left);
        let size = self.law.probabilities.len();
        // At the last step staying masked is no choice.
        let choices = if is_last { size } else { size + 1 };
        for (i, token) in self.tokens.iter_mut().enumerate().filter(|(_, t)| **t == MASK) {
            let word = |chunk| self.rng.words(Stream::Path, self.done, i as u32, chunk);
            let v = self.race.winner(&self.slowness[..choices], word);
            self.draws += 1;
            if v < size {
                *token = v as u16;
                self.counts[v] += 1;
            }
        }
    }

    fn event(&mut self) {
        self.set_chances(1.0);
        let size = self.law.probabilities.len();
        let Kind::FirstHitting { times } = &mut self.kind else { return };
        let masked = self.length - self.done as usize;
        for ((s, sequence), time) in self.tokens.chunks_mut(self.length).enumerate().zip(times) {
            let [u, pick, ..] = self.rng.uniforms(Stream::Corrector, self.done, s as u32, 0);
            *time *= u.powf(1.0 / masked as f64);
            let chosen = ((pick * masked as f64) as usize).min(masked - 1);
            let word = |chunk| self.rng.words(Stream::Path, self.done, s as u32, chunk);
            let v = self.race.winner(&self.slowness[..size], word);
            self.draws += 1;
            if let Some(token) = sequence.iter_mut().filter(|t| **t == MASK).nth(chosen) {
                *token = v as u16;
                self.counts[v] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mut s: MaskedSampler) -> MaskedSampler {
        while !s.is_done() {
            s.step();
        }
        assert!(s.tokens().iter().all(|t| *t != MASK));
        assert_eq!(s.counts().iter().sum::<u64>() as usize, s.tokens().len());
        s
    }

    /// Five standard deviations of χ² per degree of freedom.
    fn band(dof: f64) -> f64 {
        5.0 * (2.0 / dof).sqrt()
    }

    #[test]
    fn both_samplers_have_the_marginals_of_the_model() {
        let law = TokenLaw::zipf(16, 1.0);
        let a = run(MaskedSampler::ancestral(law.clone(), 32, 256, 40, 53, Philox::new(1)));
        let f = run(MaskedSampler::first_hitting(law.clone(), 32, 256, 53, Philox::new(1)));
        for s in [&a, &f] {
            let chi = law.chi_square(s.counts());
            assert!((chi - 1.0).abs() < band(15.0), "{chi}");
        }
        // The test sees another law, and uniforms of too few bits.
        assert!(TokenLaw::zipf(16, 1.2).chi_square(f.counts()) > 1.0 + band(15.0));
        let coarse = run(MaskedSampler::ancestral(law.clone(), 32, 256, 512, 9, Philox::new(1)));
        assert!(law.chi_square(coarse.counts()) > 1.0 + band(15.0));
    }

    #[test]
    fn pairs_of_neighbours_are_independent() {
        let law = TokenLaw::zipf(4, 0.5);
        let s = run(MaskedSampler::first_hitting(law.clone(), 64, 512, 53, Philox::new(3)));
        let mut pairs = vec![0u64; 16];
        for sequence in s.tokens().chunks(64) {
            sequence.chunks(2).for_each(|p| pairs[usize::from(p[0]) * 4 + usize::from(p[1])] += 1);
        }
        let p = law.probabilities();
        let joint = TokenLaw { probabilities: (0..16).map(|i| p[i / 4] * p[i % 4]).collect() };
        let chi = joint.chi_square(&pairs);
        assert!((chi - 1.0).abs() < band(15.0), "{chi}");
    }

    #[test]
    fn unmasking_times_are_the_order_statistics_of_uniform_numbers() {
        let (length, count) = (16, 4000);
        let mut s = MaskedSampler::first_hitting(TokenLaw::zipf(4, 1.0), length, count, 53, Philox::new(2));
        for k in 1..=length {
            s.step();
            // The k-th largest of L uniform numbers: mean (L + 1 − k)/(L + 1) and the variance of a beta law.
            let n = length as f64 + 1.0;
            let mean = (n - k as f64) / n;
            let sd = (mean * (1.0 - mean) / (n + 1.0) / count as f64).sqrt();
            assert!((s.time() - mean).abs() < 5.0 * sd, "event {k}: {} {mean}", s.time());
        }
        assert!((s.time() - 1.5 / 17.0).abs() > 5.0 * 0.056 / (count as f64).sqrt(), "half a token off is seen");
    }

    #[test]
    fn every_position_unmasks_first_equally_often() {
        let (length, count) = (8, 8000);
        let mut s = MaskedSampler::first_hitting(TokenLaw::zipf(2, 0.0), length, count, 53, Philox::new(4));
        s.step();
        let mut first = vec![0u64; length];
        for sequence in s.tokens().chunks(length) {
            first[sequence.iter().position(|t| *t != MASK).unwrap()] += 1;
        }
        let chi = TokenLaw::zipf(length, 0.0).chi_square(&first);
        assert!((chi - 1.0).abs() < band(7.0), "{first:?}");
    }

    #[test]
    fn draws_are_counted() {
        let law = TokenLaw::zipf(8, 1.0);
        let f = run(MaskedSampler::first_hitting(law.clone(), 32, 64, 53, Philox::new(1)));
        assert_eq!(f.draws(), 32 * 64);
        // A token is masked before step i with probability 1 − i/N: (N + 1)/2 draws in the mean.
        let a = run(MaskedSampler::ancestral(law, 32, 64, 99, 53, Philox::new(1)));
        let per_token = a.draws() as f64 / (32.0 * 64.0);
        assert!((per_token - 50.0).abs() < 5.0 * 28.6 / 2048f64.sqrt(), "{per_token}");
    }

    #[test]
    fn few_bits_lower_the_entropy_and_many_do_not() {
        let law = TokenLaw::zipf(64, 1.0);
        let deficit = |bits| {
            let s = run(MaskedSampler::ancestral(law.clone(), 32, 64, 256, bits, Philox::new(5)));
            law.entropy() - TokenLaw::observed_entropy(s.counts())
        };
        let (ten, all) = (deficit(10), deficit(53));
        // 2048 tokens: bias 0.015, standard deviation about 0.02.
        assert!(ten > 0.3 && all.abs() < 0.1, "{ten} {all}");
    }

    #[test]
    fn the_race_is_the_gumbel_max_rule() {
        let p = [0.5, 0.2, 0.3f64];
        let slowness = p.map(|p| 1.0 / p);
        for bits in [12, 24, 40] {
            let race = Race::new(bits);
            for i in 0..500 {
                let word = |chunk| Philox::new(8).words(Stream::Path, 0, i, chunk);
                let uniform = |v: usize| -> f64 {
                    if bits > 32 {
                        let w = word(v as u32 / 2);
                        let k = (u64::from(w[2 * (v % 2)]) << 32 | u64::from(w[2 * (v % 2) + 1])) >> (64 - bits);
                        k as f64 / (1u64 << bits) as f64
                    } else {
                        f64::from(word(0)[v] >> (32 - bits)) / (1u64 << bits) as f64
                    }
                };
                let gumbel = |v: usize| p[v].ln() - (-uniform(v).ln()).ln();
                let expected = (0..3).max_by(|a, b| gumbel(*a).total_cmp(&gumbel(*b))).unwrap();
                assert_eq!(race.winner(&slowness, word), expected);
            }
        }
    }
}
