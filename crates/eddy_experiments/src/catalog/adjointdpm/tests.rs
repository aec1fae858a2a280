use super::*;

fn finished(p: &Params) -> GradientRun {
    let mut run = GradientRun::new(p).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(run.outcome(), Outcome::Finished);
    run
}

fn quick(method: Method) -> Params {
    Params { method, particles: 20, descent: 2, evaluations: 40, curve: false, ..Params::default() }
}

#[test]
fn both_ways_are_counted_and_the_graph_keeps_what_the_adjoint_does_not() {
    for (method, kept) in
        [(Method::Midpoint, 2.0), (Method::MidpointRho, 2.0), (Method::EulerTime, 2.0), (Method::Stored, 41.0)]
    {
        let run = finished(&quick(method));
        let [_, _, trip, states, evaluations, products] = run.measured;
        assert_eq!((states, evaluations, products), (kept, 80.0, 40.0), "{method:?}");
        assert_eq!(trip.is_nan(), method == Method::Stored);
        // One gradient at first, one after each step of descent.
        assert_eq!(run.model.evaluations(), 20 * 3 * 80);
    }
}

#[test]
fn the_reference_is_converged() {
    let mut run = GradientRun::new(&quick(Method::Midpoint)).unwrap();
    let start = run.start.clone();
    let coarse = run.fine_gradient(&start);
    let mut flow = AdjointFlow { model: &mut run.fine_model, schedule: &VpLinear::default(), span: SPAN };
    let x = flow.sample(Scheme::RungeKutta4, 2 * FINE_STEPS, &start, |_| ());
    let gradient = GradientRun::loss_gradient(run.target, &x);
    let fine = flow.pull_back(Scheme::RungeKutta4, 2 * FINE_STEPS, &Pair { x, gradient }).gradient;
    let error = relative_error(&coarse, &fine);
    assert!(error < 1e-4, "{error}");
}

#[test]
fn descent_brings_the_noises_to_the_mode_and_ascent_does_not() {
    let p = Params { particles: 60, descent: 30, ..quick(Method::Midpoint) };
    let arrived = |p: &Params| finished(p).record.latest_named().iter().find(|m| m.0 == "arrived").unwrap().1;
    let (some, few) = (arrived(&p), arrived(&Params { descent: 1, rate: 0.01, ..p.clone() }));
    assert!(some > 0.9 && few < 0.4, "{some} {few}");
}
