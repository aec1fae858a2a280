//! Problems to begin from: the files of `presets/`, one a preset, in the form of any other problem file.
//!
//! Each has a table `[about]`: `title`, `group`, `summary` (a sentence), `look_for` (what to watch), `question` (to a
//! student), `view` (one of [`VIEWS`]), `field` (shown first), `colors` (a colour map), where a shape is to be drawn `brush`
//! (the field that the brush paints), and, where `[exact]` is given, `tolerance`: the largest relative error at the end that
//! the preset's test allows.

/// A problem file that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Name of the file without its ending, such as `heat`.
    pub key: &'static str,
    /// The file (TOML), for [`crate::Problem::parse`].
    pub text: &'static str,
}

/// Ways to look at a preset first.
pub const VIEWS: [&str; 5] = ["field", "volume", "lines", "spacetime", "phase"];

static PRESETS: &[Preset] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// All presets, sorted by key.
pub fn presets() -> &'static [Preset] {
    PRESETS
}

/// The preset of a key.
pub fn preset(key: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.key == key)
}
