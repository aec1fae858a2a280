use super::*;

fn finished(p: &Params) -> IonRun {
    let mut run = IonRun::new(p);
    walk(&mut run);
    run
}

fn walk(run: &mut dyn Run) {
    let mut last = false;
    loop {
        for view in Featom::VIEWS {
            let data = pollster::block_on(run.view(view.key)).unwrap();
            assert!(data.is_finite() && data != ViewData::Empty, "{}", view.key);
        }
        if last {
            return;
        }
        pollster::block_on(run.advance(Budget::steps(7))).unwrap();
        last = !run.outcome().is_running();
    }
}

#[test]
fn an_atom_converges_with_the_degree_and_poor_meshes_are_an_outcome() {
    let atom = |p: Params| {
        let mut run = Featom::start(&Params { system: System::Atom, ..p }, &Context::cpu()).unwrap();
        walk(run.as_mut());
        (run.outcome(), run.record().latest("total_error"))
    };
    let (outcome, error) = atom(Params { charge: 2, ..Params::default() });
    assert!(outcome == Outcome::Finished && error < 1e-6, "{error:e}");
    let (_, error) = atom(Params { charge: 2, degree: 4, ratio: 10.0, ..Params::default() });
    assert!(!(error < 1e-6), "{error:e}");
    let (outcome, _) = atom(Params { charge: 36, degree: 1, elements: 2, ratio: 1.0, ..Params::default() });
    assert!(matches!(outcome, Outcome::Diverged { .. }), "{outcome:?}");
    let refused = Featom::start(&Params { system: System::Atom, charge: 37, ..Params::default() }, &Context::cpu());
    assert_eq!(refused.err().and_then(|e| e.key), Some("charge".to_owned()));
}

#[test]
fn exact_orbitals_are_of_norm_one_and_those_of_the_elements() {
    for momentum in 0..3 {
        let run = finished(&Params { momentum, charge: 10, states: 3, ..Params::default() });
        let points = run.elements.quadrature();
        for (i, state) in run.orbitals.iter().enumerate() {
            let own = run.elements.at_points(&state.vector);
            let [mut norm, mut overlap] = [0.0; 2];
            for ((r, w), p) in points.iter().zip(&own) {
                norm += w * run.ion.orbital(i, *r).powi(2);
                overlap += w * run.ion.orbital(i, *r) * p;
            }
            assert!(
                (norm - 1.0).abs() < 1e-10 && (overlap.abs() - 1.0).abs() < 1e-10,
                "{momentum} {i}: {norm} {overlap}"
            );
        }
        // A neighbour's orbital is not it.
        let other: f64 = points
            .iter()
            .zip(run.elements.at_points(&run.orbitals[0].vector))
            .map(|((r, w), p)| w * run.ion.orbital(1, *r) * p)
            .sum();
        assert!(other.abs() < 1e-8);
    }
}

#[test]
fn a_box_too_small_for_the_states_is_seen_in_the_error() {
    let worst = |reach| IonRun::new(&Params { charge: 1, reach, ..Params::default() }).record.latest("error");
    let (small, large) = (worst(1.0), worst(20.0));
    assert!(small > 1e-2 && large < 1e-10, "{small:e} {large:e}");
}

#[test]
fn extreme_settings_finish() {
    for (degree, elements, ratio, reach, charge, points) in [
        (1, 2, 1.0, 1.0, 1, 100),
        (1, 2, 1e7, 1000.0, 92, 100),
        (24, 32, 1e7, 1000.0, 1, 100),
        (24, 2, 1.0, 1.0, 92, 100),
    ] {
        let p = Params {
            degree,
            elements,
            ratio,
            reach,
            charge,
            points,
            states: 8,
            momentum: 3,
            refined: 6,
            ..Params::default()
        };
        finished(&p);
    }
}
