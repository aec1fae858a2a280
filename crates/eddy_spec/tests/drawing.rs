//! The codec of drawings: round trips, the same texts as the page's codec, and errors that name what was expected.

use eddy_spec::{Drawing, ParamError, ParamTable, ParamType, Setting, params};
use proptest::prelude::*;

params! { pub struct Params {
    /// Drawing.
    drawing: Drawing = Drawing::default() => drawing(32, 32),
    /// Seed.
    seed: u32 = 7 => seed(),
} }

/// Columns, rows and shades: short runs, long ones, and ink in a few places.
fn any_cells() -> impl Strategy<Value = (u32, u32, Vec<u8>)> {
    (1..=Drawing::MOST, 1..=Drawing::MOST, proptest::collection::vec((0..=Drawing::DEEPEST, 1..200usize), 1..80))
        .prop_map(|(columns, rows, runs)| {
            let count = (columns * rows) as usize;
            let cells = runs.iter().cycle().flat_map(|(shade, length)| std::iter::repeat_n(*shade, *length));
            (columns, rows, cells.take(count).collect())
        })
}

proptest! {
    #[test]
    fn round_trip((columns, rows, shades) in any_cells()) {
        let drawing = Drawing::new(columns, rows, shades.clone()).unwrap();
        let text = drawing.print();
        prop_assert!(text.len() <= Drawing::longest(columns, rows));
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{}", text);
        let back = Drawing::parse(&text).unwrap();
        prop_assert_eq!(&back, &drawing);
        prop_assert_eq!(back.is_empty(), shades.iter().all(|s| *s == 0));
        if !back.is_empty() {
            prop_assert_eq!((back.columns(), back.rows(), back.shades()), (columns, rows, &shades[..]));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "1?[A-Za-z0-9_-]{0,60}|\\PC{0,40}") {
        if let Ok(drawing) = Drawing::parse(&text) {
            prop_assert_eq!(drawing.print(), text);
        }
    }

    /// A text that lost or changed a letter is another drawing or none, never a panic; of the same drawing there is one text.
    #[test]
    fn a_changed_letter_is_seen((columns, rows, shades) in any_cells(), at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_-]") {
        let drawing = Drawing::new(columns, rows, shades).unwrap();
        let text = drawing.print();
        prop_assume!(!text.is_empty());
        let at = at.index(text.len());
        let cut = format!("{}{}", &text[..at], &text[at + 1..]);
        let changed = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
        for other in [cut, changed] {
            prop_assert!(other == text || Drawing::parse(&other).ok().as_ref() != Some(&drawing));
        }
    }
}

#[test]
fn the_page_writes_the_same() {
    let shared: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/drawings.json")).unwrap();
    let side = |case: &serde_json::Value, key: &str| case[key].as_u64().unwrap() as u32;
    let drawings = shared["drawings"].as_array().unwrap();
    assert!(drawings.len() > 10);
    for case in drawings {
        let shades = case["shades"].as_str().unwrap().chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
        let drawing = Drawing::new(side(case, "columns"), side(case, "rows"), shades).unwrap();
        let text = case["text"].as_str().unwrap();
        assert_eq!(drawing.print(), text);
        assert_eq!(Drawing::parse(text).unwrap(), drawing);
    }
    for case in shared["broken"].as_array().unwrap() {
        let expected = Drawing::parse(case["text"].as_str().unwrap()).expect_err(case["why"].as_str().unwrap());
        assert!(expected.starts_with("a drawing"), "{expected}");
    }
}

#[test]
fn what_cannot_be_a_drawing_is_none() {
    for (columns, rows, shades) in [(0, 3, vec![]), (65, 1, vec![1; 65]), (2, 2, vec![1; 3]), (1, 1, vec![16])] {
        assert_eq!(Drawing::new(columns, rows, shades), None);
    }
    assert!(Drawing::new(5, 4, vec![0; 20]).unwrap().is_empty());
}

#[test]
fn errors_name_the_key_and_what_was_expected() {
    let mut p = Params::default();
    let mut refused = |text: &str| p.set("drawing", text).expect_err(text);
    let small = Drawing::new(16, 8, vec![3; 128]).unwrap().print();
    let wrong = refused(&small);
    assert!(
        matches!(&wrong, ParamError::WrongSize { key, size: [16, 8], expected: [32, 32] } if key == "drawing"),
        "{wrong:?}"
    );
    assert!(wrong.to_string().contains("32 × 32 cells; this one has 16 × 8"), "{wrong}");
    assert_eq!(wrong.code(), "parameter-size");
    let wrong = refused("1ffAB");
    assert!(matches!(&wrong, ParamError::Malformed { key, .. } if key == "drawing"));
    assert!(wrong.to_string().contains("takes a drawing as the pad writes it"), "{wrong}");
    assert!(refused("2ffAB").to_string().contains("format 1"));
    let longest = Drawing::longest(32, 32);
    assert!(matches!(refused(&"1".repeat(longest + 1)), ParamError::TooLong { max_len, .. } if max_len == longest));
    assert_eq!(p, Params::default());
}

#[test]
fn a_broken_drawing_costs_no_other_value() {
    let full = Drawing::new(32, 32, (0..1024).map(|k| (k % 16) as u8).collect()).unwrap();
    let link = Setting::of("deis", &Params { drawing: full.clone(), seed: 3 }).to_string();
    assert!(link.len() < 1100 && !link.contains('%'), "{link}");
    let mut p = Params::default();
    assert!(Setting::parse(&link).unwrap().apply(&mut p).is_empty());
    assert_eq!(p, Params { drawing: full, seed: 3 });

    let mut p = Params::default();
    let errors = Setting::parse("deis?drawing=1ffA&seed=5").unwrap().apply(&mut p);
    assert_eq!((errors.len(), errors[0].key(), p), (1, "drawing", Params { seed: 5, ..Params::default() }));
}
