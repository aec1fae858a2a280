//! How long the solver's presets last where a network learns them.

/// The end that a network is given, where it is not the solver's: errors of an instant grow with the time that hangs on it, and
/// ahead of Fisher's front, say, e-fold in each unit of it. With these ends each preset is learnt to 2 % or better within half
/// a minute (measured: docs/performance.md, "Gauss-Newton for networks").
pub fn network_end(preset: &str) -> Option<&'static str> {
    Some(match preset {
        "burgers-steepening" => "1.5",
        "heat" => "2",
        "bistable" => "10",
        "fisher-kpp" => "4",
        "wave-damped" => "3",
        "klein-gordon" | "kdv" => "0.5",
        "beam" => "0.9",
        "nls-soliton" | "van-der-pol" => "2",
        "schroedinger-harmonic" => "1",
        "oscillator" => "4",
        _ => return None,
    })
}
