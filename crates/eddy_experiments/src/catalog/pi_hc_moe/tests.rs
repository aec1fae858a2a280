use eddy_spec::ViewSpec;

use super::{
    super::{
        Experts, Method, Split,
        layer::Row,
        volumes::{SPREAD, mobility},
    },
    *,
};

fn small() -> Params {
    let (bases, width, edge) = (4, 5, 8);
    Params { bases, width, edge, side: 16, budget: 0.2, ridge: 1e-2, ..Params::default() }
}

/// Inner solves to rounding, or the implicit function theorem does not hold.
fn exact(p: &Params) -> Training {
    let mut training = Training::new(p).unwrap();
    // Biases too, and nothing symmetric.
    training.network.parameters.iter_mut().enumerate().for_each(|(i, p)| *p += 0.3 * (1.7 * i as f64).sin());
    training.layer.params.most = 400;
    training.layer.tolerance = 0.0;
    training.draw();
    training
}

/// Worst difference between gradient and central differences, relative to the largest entry, for a change of how the
/// gradient is made.
fn mismatch(training: &mut Training, change: impl Fn(&mut Training)) -> f64 {
    let params = training.layer.params.clone();
    training.descend().unwrap();
    change(training);
    training.descend().unwrap();
    let gradient = training.gradient.clone();
    training.layer.params = params;
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let mut worst = 0.0f64;
    for i in (0..gradient.len()).step_by(3) {
        let p = training.network.parameters[i];
        let mut at = |p: f64| {
            training.network.parameters[i] = p;
            training.descend().unwrap().loss
        };
        // Of order 4, as solves end with noise of the size of the root of rounding.
        let h = 1e-4;
        let slope = (8.0 * (at(p + h) - at(p - h)) - at(p + 2.0 * h) + at(p - 2.0 * h)) / (12.0 * h);
        training.network.parameters[i] = p;
        worst = worst.max((slope - gradient[i]).abs() / scale);
    }
    worst
}

#[test]
fn gradients_through_the_solve_equal_central_differences() {
    for (experts, split) in [(Experts::One, Split::Space), (Experts::Four, Split::Time)] {
        let mut training = exact(&Params { experts, split, ridge: 0.1, ..small() });
        let worst = mismatch(&mut training, |_| {});
        assert!(worst < 1e-5, "{worst:e}");
        // Weights held constant are another gradient.
        let wrong = mismatch(&mut training, |t| t.layer.params.implicit = false);
        assert!(wrong > 1e-3, "{wrong:e}");
    }
    let worst = mismatch(&mut exact(&Params { method: Method::Soft, ..small() }), |_| {});
    assert!(worst < 1e-6, "{worst:e}");
}

/// Far from the right wall u depends on x/√t alone: nine times as late it is three times as far.
#[test]
fn the_reference_is_self_similar_and_solves_the_equation() {
    let u = reference(0.1, 3, 100.0);
    let at = |row: usize, column: usize| u[row * COLUMNS + column];
    for column in 0..12 {
        let (early, late) = (at(0, column), at(4, 3 * column + 1));
        assert!((early - late).abs() < 1e-3, "{column}: {early} {late}");
        assert!(column > 3 || (early - at(3, 3 * column + 1)).abs() > 1e-3);
    }
    let (dt, dx) = (1.0 / ROWS as f64, 1.0 / COLUMNS as f64);
    for (row, column) in [(20, 10), (25, 20), (16, 16)] {
        let (c, l, r) = (at(row, column), at(row, column - 1), at(row, column + 1));
        let jet = [
            c,
            (r - l) / (2.0 * dx),
            (at(row + 1, column) - at(row - 1, column)) / (2.0 * dt),
            (l - 2.0 * c + r) / (dx * dx),
        ];
        let size = jet[2].abs();
        let wrong = jet[2] - 1.1 * SPREAD * mobility(c)[0] * jet[3];
        assert!(Row::Inside.at(jet).value.abs() < 0.01 * size && wrong.abs() > 0.05 * size, "{row} {column}");
    }
    assert!(relative_error(&u, &reference(0.1, 9, 300.0)) < 3e-4);
}

fn finished(p: &Params, slice: u64) -> Training {
    let mut run = Training::new(p).unwrap();
    let mut views: Vec<&ViewSpec> = PiHcMoe::VIEWS.iter().collect();
    while run.outcome().is_running() {
        for view in views.drain(..) {
            let data = pollster::block_on(run.view(view.key)).unwrap();
            assert!(data.is_finite() && (data != ViewData::Empty || view.key == "seams"), "{}", view.key);
        }
        pollster::block_on(run.advance(Budget::steps(slice))).unwrap();
    }
    run
}

#[test]
fn slices_do_not_matter_and_the_work_is_spent() {
    for method in [Method::Hard, Method::Soft] {
        let p = Params { method, experts: Experts::Eight, split: Split::Time, ..small() };
        let run = finished(&p, 7);
        assert_eq!(run.outcome(), Outcome::Finished);
        assert!(run.work >= 2e8 && run.work < 2.2e8, "{:e}", run.work);
        assert_eq!(run.network.parameters, finished(&p, 1000).network.parameters);
        assert_ne!(run.network.parameters, finished(&Params { seed: 2, ..p }, 1000).network.parameters);
        let [error, jump] = ["error", "jump"].map(|key| run.record().latest(key));
        assert!(error < 0.5 && (jump > 1e-6) == (method == Method::Hard), "{error} {jump}");
    }
}

#[test]
fn a_new_level_needs_no_training_and_a_fault_ends_the_run() {
    let mut run = Training::new(&small()).unwrap();
    pollster::block_on(run.advance(Budget::steps(3))).unwrap();
    let (kept, before) = (run.network.parameters.clone(), run.reference.clone());
    let saved = run.weights();
    let data = pollster::block_on(run.view("u")).unwrap();
    run.update(&Params { level: 0.2, ..small() }).unwrap();
    assert_ne!(pollster::block_on(run.view("u")).unwrap(), data);
    assert!(run.network.parameters == kept && run.reference != before);
    pollster::block_on(run.advance(Budget::steps(2))).unwrap();
    assert_ne!(run.network.parameters, kept);
    run.set_weights(&saved).unwrap();
    assert_eq!(run.network.parameters, kept);
    run.network.parameters[2] = f64::NAN;
    pollster::block_on(run.advance(Budget::steps(1))).unwrap();
    assert!(matches!(run.outcome(), Outcome::Diverged { .. }));
    for view in PiHcMoe::VIEWS {
        assert!(pollster::block_on(run.view(view.key)).unwrap().is_finite());
    }
    assert_eq!(run.network.parameters, kept);
}
