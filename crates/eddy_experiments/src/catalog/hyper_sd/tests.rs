use super::*;

fn counts(p: &Params) -> Vec<usize> {
    p.stages().iter().map(|s| s.bounds.len() - 1).collect()
}

#[test]
fn every_method_trains_equally_long() {
    for method in [Method::Progressive, Method::Segmented, Method::Consistency] {
        for segments in [Segments::Two, Segments::Four, Segments::Eight] {
            let p = Params { method, segments, steps: 1001, ..Params::default() };
            assert_eq!(p.stages().iter().map(|s| s.steps).sum::<u32>(), 1001);
        }
    }
}

#[test]
fn segments_are_halved_down_to_one() {
    let p = Params::default();
    assert_eq!(counts(&p), [4, 2, 1]);
    assert_eq!(counts(&Params { segments: Segments::Eight, ..p.clone() }), [8, 4, 2, 1]);
    assert_eq!(counts(&Params { method: Method::Segmented, ..p.clone() }), [4]);
    assert_eq!(counts(&Params { method: Method::Consistency, ..p }), [1]);
}
