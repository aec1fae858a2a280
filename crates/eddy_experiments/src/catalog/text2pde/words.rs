//! Captions: the words that were taught, and what they say.

use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::EddyError;

use super::waves::{Attributes, VALUES};
use crate::registry::is_near;

/// Three words for each value of each attribute.
const WORDS: [[&str; 3]; 9] = [
    ["one", "single", "lone"],
    ["two", "double", "pair"],
    ["three", "triple", "trio"],
    ["left", "leftward", "westward"],
    ["right", "rightward", "eastward"],
    ["fast", "quick", "rapid"],
    ["slow", "gentle", "sluggish"],
    ["strong", "heavy", "marked"],
    ["weak", "slight", "faint"],
];
/// Where the values of each attribute begin among them.
const FIRST: Attributes = [0, 3, 5, 7];
pub const VOCABULARY: usize = 3 * WORDS.len();
/// Words that may stand between them and say nothing.
const SILENT: &str = "a an the of and with to at in is are moving going travelling running pulse pulses bump bumps wave waves diffusion speed spreading";
/// The parameter that is read.
const KEY: &str = "caption";

/// What a caption says of each attribute, and which words it has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caption {
    pub said: [Option<usize>; 4],
    pub words: [f32; VOCABULARY],
}

impl Caption {
    fn add(&mut self, attribute: usize, value: usize, synonym: usize) {
        self.said[attribute] = Some(value);
        self.words[3 * (FIRST[attribute] + value) + synonym] = 1.0;
    }

    /// The caption of a user.
    pub fn read(text: &str) -> Result<Self, EddyError> {
        let wrong = |message: String| EddyError::start(message).at(KEY);
        let mut out = Self::default();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            let word = word.to_lowercase();
            if SILENT.split(' ').any(|silent| silent == word) {
                continue;
            }
            // Quickly is quick, pairs are a pair.
            let stem = word.strip_suffix("ly").or(word.strip_suffix('s')).unwrap_or(&word);
            let place = |w: &str| WORDS.iter().flatten().position(|known| *known == w);
            let Some(place) = place(&word).or_else(|| place(stem)) else {
                return Err(wrong(unknown(&word)));
            };
            let attribute = (0..4).rev().find(|a| place / 3 >= FIRST[*a]).unwrap_or(0);
            let value = place / 3 - FIRST[attribute];
            if out.said[attribute].is_some_and(|said| said != value) {
                let other = WORDS[FIRST[attribute] + out.said[attribute].unwrap_or(0)][0];
                return Err(wrong(format!("“{word}” contradicts “{other}”. Leave out one of the two.")));
            }
            out.add(attribute, value, place % 3);
        }
        Ok(out)
    }

    /// A caption of a run that says everything: in one of the wordings that are taught, or in one of those held out.
    pub fn full(attributes: Attributes, taught: bool, draws: [u32; 4]) -> Self {
        let mut synonyms = draws.map(|d| d as usize % 3);
        // Wordings are parted by the sum of their words' numbers; every two words meet in training.
        let residue = if taught { draws[3] as usize / 3 % 2 } else { 2 };
        synonyms[3] = (residue + 9 - synonyms[0] - synonyms[1] - synonyms[2]) % 3;
        let mut out = Self::default();
        (0..4).for_each(|a| out.add(a, attributes[a], synonyms[a]));
        out
    }

    /// A caption to train with: it may leave out something, or everything.
    pub fn taught(attributes: Attributes, rng: &Philox, stream: Stream, index: u32) -> Self {
        let full = Self::full(attributes, true, rng.words(stream, 1, index, 0));
        let [nothing, ..] = rng.uniforms(stream, 1, index, 1);
        let left_out = rng.uniforms(stream, 1, index, 2);
        let mut out = Self::default();
        if nothing < SAY_NOTHING {
            return out;
        }
        for a in (0..4).filter(|a| left_out[*a] >= LEAVE_OUT) {
            let from = 3 * FIRST[a];
            out.said[a] = full.said[a];
            out.words[from..from + 3 * VALUES[a]].copy_from_slice(&full.words[from..from + 3 * VALUES[a]]);
        }
        out
    }

    /// The attributes with what is not said filled in.
    pub fn filled(&self, draws: [u32; 4]) -> Attributes {
        [0, 1, 2, 3].map(|a| self.said[a].unwrap_or(draws[a] as usize % VALUES[a]))
    }
}

/// Shares of the captions that say nothing, which guidance needs, and of attributes that are not mentioned.
const SAY_NOTHING: f64 = 0.1;
const LEAVE_OUT: f64 = 0.15;

/// Two of the twelve combinations of number, direction and speed are never seen in training, though every two of their
/// values are.
pub fn is_held_out(attributes: Attributes) -> bool {
    matches!(attributes, [1, 0, 0, _] | [2, 1, 1, _])
}

fn unknown(word: &str) -> String {
    // Short words are near to, or part of, too many others.
    let all = WORDS.iter().flatten().copied().chain(SILENT.split(' '));
    let near = all.filter(|w| word.len().min(w.len()) > 2 && is_near(w, word));
    let guess = near.min_by_key(|w| w.len().abs_diff(word.len()));
    let guess = guess.map_or(String::new(), |w| format!(" Did you mean “{w}”?"));
    let known: Vec<&str> = WORDS.iter().flatten().copied().collect();
    let known = known.join(", ");
    format!(
        "“{word}” is not among the words that were taught.{guess} They are: {known}; and without a meaning: {SILENT}."
    )
}
