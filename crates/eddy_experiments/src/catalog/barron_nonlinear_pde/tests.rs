use super::*;

fn last(p: &Params, key: &str) -> f64 {
    let mut run = BarronNonlinearPde::start(p, &Context::cpu()).unwrap();
    while run.outcome().is_running() {
        pollster::block_on(run.advance(Budget::steps(1000))).unwrap();
    }
    run.record().latest(key)
}

#[test]
fn steps_with_the_preconditioner_do_not_see_the_grid() {
    let steps = |method, points| last(&Params { method, points, ..Params::default() }, "needed");
    let [coarse, fine] = [16, 64].map(|n| steps(Method::Preconditioned, n));
    assert!((fine / coarse - 1.0).abs() <= 0.2, "{coarse} {fine}");
    // Without it a grid four times as fine takes some sixteen times as many.
    let [coarse, fine] = [16, 64].map(|n| steps(Method::Plain, n));
    assert!((8.0..17.0).contains(&(fine / coarse)), "{coarse} {fine}");
}

#[test]
fn network_comes_closer_with_more_steps() {
    let with = |steps| Params { method: Method::Network, dimension: 2, parameters: 100, steps, ..Params::default() };
    let (early, late) = (last(&with(100), "error"), last(&with(1000), "error"));
    assert!(late < 0.5 * early && late < 0.2, "{early} {late}");
}

#[test]
fn dimensions_that_do_not_go_with_the_method_are_refused() {
    let with = |method, dimension| {
        BarronNonlinearPde::start(&Params { method, dimension, ..Params::default() }, &Context::cpu())
            .err()
            .map(|e| e.key)
    };
    let wrong = Some(Some("dimension".to_owned()));
    assert_eq!(with(Method::Plain, 3), wrong);
    assert_eq!(with(Method::Splines, 1), wrong);
    assert_eq!(with(Method::Splines, 3), None);
}

/// What is saved of a network gives another one the same error; the other methods have nothing to save.
#[test]
fn weights_of_the_network_are_saved_and_loaded() {
    let start = |method, seed| {
        let p = Params { method, dimension: 2, parameters: 100, steps: 500, seed, ..Params::default() };
        BarronNonlinearPde::start(&p, &Context::cpu()).unwrap()
    };
    let (mut one, mut other) = (start(Method::Network, 1), start(Method::Network, 2));
    pollster::block_on(one.advance(Budget::steps(200))).unwrap();
    let tensors = one.weights();
    assert_eq!(tensors.iter().map(|t| t.shape.len()).collect::<Vec<_>>(), [1, 1, 1, 2]);
    other.set_weights(&tensors).unwrap();
    assert_eq!(other.weights(), tensors);
    let splines = start(Method::Splines, 1);
    assert!(splines.weights().is_empty());
    assert!(start(Method::Splines, 1).set_weights(&tensors).is_err());
}
