//! The permalink codec: round trips, typed errors, and no panic on any text.

use eddy_spec::{ParamError, Setting, SettingError, choice, params};
use proptest::prelude::*;

choice! { pub enum Grid {
    /// uniform in t
    Uniform = "uniform",
    LogSnr = "log-snr",
} }

params! { pub struct Params {
    /// Evaluations. How often the model is called.
    evaluations: u32 = 10 => steps(2, 200).live(),
    /// Width of a mode.
    sd: f64 = 0.1 => range(0.001, 0.5),
    /// Time grid.
    grid: Grid = Grid::Uniform => choice(),
    /// Compare.
    compare: bool = true => toggle(),
    /// Seed.
    seed: u32 = 7 => seed(),
    /// Initial condition.
    initial: String = "sin(x)".to_owned() => expression(200),
} }

#[test]
fn defaults_print_as_the_bare_id() {
    assert_eq!(Setting::of("deis", &Params::default()).to_string(), "deis");
}

#[test]
fn only_differences_are_written() {
    let p = Params { evaluations: 20, grid: Grid::LogSnr, ..Params::default() };
    assert_eq!(Setting::of("deis", &p).to_string(), "deis?evaluations=20&grid=log-snr");
}

#[test]
fn bad_values_are_named_and_the_rest_is_kept() {
    let s = Setting::parse("deis?evaluations=900&seed=3&grd=uniform&grid=karras&sd=NaN").unwrap();
    let mut p = Params::default();
    let errors = s.apply(&mut p);
    assert_eq!(p.seed, 3);
    assert_eq!(p.evaluations, 10);
    assert!(
        matches!(&errors[0], ParamError::OutOfRange { key, min, max, .. } if key == "evaluations" && *min == 2.0 && *max == 200.0)
    );
    assert!(matches!(&errors[1], ParamError::Unknown { key, .. } if key == "grd"));
    assert!(matches!(&errors[2], ParamError::NotAnOption { key, .. } if key == "grid"));
    assert!(matches!(&errors[3], ParamError::Malformed { key, .. } if key == "sd"));
    assert!(errors[0].to_string().contains("between 2 and 200"), "{}", errors[0]);
}

#[test]
fn structure_errors_are_typed() {
    assert!(matches!(Setting::parse(""), Err(SettingError::Id { .. })));
    assert!(matches!(Setting::parse("De is"), Err(SettingError::Id { .. })));
    assert!(matches!(Setting::parse("deis?seed"), Err(SettingError::Malformed { .. })));
    assert!(matches!(Setting::parse("deis?a=%4"), Err(SettingError::Malformed { .. })));
    assert!(matches!(Setting::parse("deis?a=%+1"), Err(SettingError::Malformed { .. })));
    assert!(matches!(Setting::parse("deis?a=%FF"), Err(SettingError::Malformed { .. })));
    assert!(matches!(Setting::parse("deis?a=1&a=2"), Err(SettingError::Malformed { .. })));
    assert!(matches!(Setting::parse("deis?v=2"), Err(SettingError::Version { .. })));
    assert!(matches!(Setting::parse(&"a".repeat(9000)), Err(SettingError::TooLong { .. })));
    assert_eq!(Setting::parse("deis?v=1").unwrap(), Setting::defaults("deis"));
}

proptest! {
    #[test]
    fn round_trip(evaluations in 2u32..=200, sd in 0.001f64..=0.5, log in any::<bool>(), compare in any::<bool>(),
                  seed in any::<u32>(), initial in "\\PC{0,60}") {
        let p = Params { evaluations, sd, grid: if log { Grid::LogSnr } else { Grid::Uniform }, compare, seed, initial };
        let text = Setting::of("deis", &p).to_string();
        prop_assert!(text.is_ascii() && !text.contains([' ', '"', '#', '<', '>']));
        let mut back = Params::default();
        prop_assert!(Setting::parse(&text).unwrap().apply(&mut back).is_empty());
        prop_assert_eq!(back, p);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        if let Ok(s) = Setting::parse(&text) {
            let again = Setting::parse(&s.to_string()).unwrap();
            prop_assert_eq!(&again, &s);
            let mut p = Params::default();
            let errors = s.apply(&mut p);
            prop_assert!(errors.len() <= s.values.len());
        }
    }

    #[test]
    fn any_query_is_read_or_refused(query in "[a-z=&%0-9.+-]{0,80}") {
        let text = format!("deis?{query}");
        if let Ok(s) = Setting::parse(&text) {
            prop_assert_eq!(Setting::parse(&s.to_string()).unwrap(), s);
        }
    }
}
