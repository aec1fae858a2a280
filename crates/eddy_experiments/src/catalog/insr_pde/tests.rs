use super::*;

fn small() -> Params {
    Params { count: 3, width: 10, layers: 2, points: 80, sigma: 0.12, ..Params::default() }
}

fn finished(p: &Params) -> Stepping {
    let mut run = Stepping::new(p).unwrap();
    while run.outcome().is_running() {
        for view in InsrPde::VIEWS {
            let data = pollster::block_on(run.view(view.key)).unwrap();
            assert!(data.is_finite() && data != ViewData::Empty, "{}", view.key);
        }
        pollster::block_on(run.advance(Budget::steps(7))).unwrap();
    }
    run
}

/// What is saved of a run gives another one of another seed the same field.
#[test]
fn weights_are_saved_and_loaded() {
    let [mut one, mut other] = [1, 2].map(|seed| Stepping::new(&Params { seed, ..small() }).unwrap());
    pollster::block_on(one.advance(Budget::steps(20))).unwrap();
    assert!(one.solution != other.solution);
    other.set_weights(&one.weights()).unwrap();
    one.evaluate();
    assert_eq!(one.solution, other.solution);
    assert!(other.set_weights(&one.weights()[1..]).is_err(), "a layer is missing");
}

#[test]
fn interpolation_is_exact_to_its_degree_and_has_its_order() {
    let n = 30;
    for (cubic, degree) in [(false, 1), (true, 3)] {
        let error = |power: i32| {
            let u: Vec<f64> = (0..n).map(|i| (i as f64 / 10.0).powi(power)).collect();
            let mut out = vec![0.0; n];
            advect(&u, 2.3, cubic, &mut out);
            (10..20).map(|i| (out[i] - ((i as f64 - 2.3) / 10.0).powi(power)).abs()).fold(0.0, f64::max)
        };
        assert!((0..=degree).all(|k| error(k) < 1e-12) && error(degree + 1) > 1e-5, "{cubic}");
    }
    // Against the wind too.
    let mut out = vec![0.0; 4];
    advect(&[0.0, 1.0, 2.0, 3.0], -1.5, false, &mut out);
    assert_eq!(out[..2], [1.5, 2.5]);
}

#[test]
fn both_rules_carry_the_field_and_a_poor_fit_does_not() {
    for rule in [Rule::Characteristics, Rule::Midpoint] {
        let run = finished(&Params { rule, ..small() });
        assert!(run.record().latest("error") < 0.005, "{} {:?}", rule.key(), run.record().latest_named());
    }
    let run = finished(&Params { solver: Solver::Adam, first: 5, inner: 1, ..small() });
    assert!(run.record().latest("error") > 0.3);
}
