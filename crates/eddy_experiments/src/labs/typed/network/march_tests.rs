//! Windows in time, trained one after the other.

use eddy_spec::Outcome;

use super::{
    tests::{HEAT, objective, training},
    *,
};
use crate::labs::pinn::{Descent, DescentRun, Method, check_objective};
use crate::{Budget, Run};

const TURNING: &str = "equations = \"x_t = y; y_t = -x - 0.2*t*x\"\ninitial.x = 1\n[time]\nend = 12\n";
const DRIFTING: &str = "equations = \"u_t = 0.05*dxx(u) - u*dx(u) - 0.02*dxxxx(u)\"\ninitial.u = \"sin(x)\"\n\
                        [domain]\nx = { max = \"2*pi\", points = 64 }\n[time]\nend = 2\n";

/// Second order between walls that move, and a flow over two periods with a field that no time derivative holds.
const SWINGING: &str = "equations = \"u_tt = 0.5*dxx(u) - 0.1*u_t + x*sin(t)\"\ninitial.u = \"1 + 0.3*sin(pi*x)\"\ninitial.u_t = 1\n\
                        boundary.u.x_min = \"dirichlet: 1 + sin(t)\"\nboundary.u.x_max = \"dirichlet: 1 + t\"\n\
                        [domain]\nx = { min = -1, max = 1, points = 24 }\n[time]\nend = 2\n";
const FLOWING: &str = "equations = \"\"\"\nw_t = -dy(psi)*dx(w) + dx(psi)*dy(w) + 0.1*lap(w)\nlap(psi) = -w\n\"\"\"\n\
                       initial.w = \"cos(x) + cos(2*y)\"\n\
                       [domain]\nx = { max = \"2*pi\", points = 16 }\ny = { max = \"2*pi\", points = 16 }\n[time]\nend = 1\n";

#[test]
fn gradients_in_a_later_window_equal_central_differences() {
    for text in [TURNING, DRIFTING, SWINGING, FLOWING] {
        let mut one = objective(text, Training { windows: 4, ..training() }).unwrap();
        let parameters: Vec<f64> = one.graph().start(9).unwrap();
        one.draw(0);
        one.measure(&parameters);
        one.next_window(&parameters);
        check_objective(&mut one, 5);
    }
}

/// What a window ends with, values and velocities, is what the next one begins with; the side that moves goes on moving.
#[test]
fn windows_of_second_order_and_over_two_axes_join() {
    for (text, velocities) in [(SWINGING, true), (FLOWING, false)] {
        let mut one = objective(text, Training { windows: 4, ..training() }).unwrap();
        let parameters: Vec<f64> = one.graph().start(9).unwrap();
        one.draw(0);
        one.measure(&parameters);
        let inputs = one.candidate.inputs;
        let places = integrals::tensor(&one.reference.axes);
        let at = |time: f64| places.iter().flat_map(|p| [&p[..], &[time]].concat()).collect::<Vec<_>>();
        let both = |one: &mut TypedNetwork, time: f64, with_network: bool| -> Vec<Vec<f64>> {
            let points = at(time);
            let orders: Vec<usize> = (0..inputs).map(|i| usize::from(i + 1 == inputs)).collect();
            let component = one.values.derivatives().component(&orders).filter(|_| velocities);
            [Some(0), component]
                .into_iter()
                .flatten()
                .map(|c| {
                    let mut found = one.candidate.base(0, [0; 3], u8::from(c != 0), &points);
                    if with_network {
                        one.values.evaluate(&parameters, &points, |tile| {
                            let own = &mut found[tile.start..][..tile.len];
                            own.iter_mut().zip(tile.jet(0, c)).for_each(|(v, j)| *v += j);
                        });
                    }
                    found
                })
                .collect()
        };
        let end = one.statement.end;
        let ended = both(&mut one, end, true);
        one.next_window(&parameters);
        let begins = both(&mut one, 0.0, false);
        assert_eq!(begins.len(), if velocities { 2 } else { 1 });
        let gap = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            a.iter().flatten().zip(b.iter().flatten()).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()))
        };
        assert!(gap(&ended, &begins) < 1e-8, "{:e}", gap(&ended, &begins));
        // Seen to fail a little later.
        assert!(gap(&ended, &both(&mut one, 0.01, true)) > 1e-4);
    }
}

#[test]
fn windows_reach_what_swings_between_walls() {
    let training = Training { windows: 4, points: 256, side_points: 32, ..training() };
    let descent = Descent { method: Method::GaussNewton, steps: 120, seed: 1, record_every: 10 };
    let mut run = DescentRun::new(objective(SWINGING, training).unwrap(), descent).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    let error = run.record().latest("error");
    assert!(error < 1e-2, "{error}");
}

#[test]
fn window_after_window_reaches_what_one_does_not() {
    let error = |windows| {
        let training = Training { windows, points: 128, ..training() };
        let descent = Descent { method: Method::Lbfgs, steps: 800, seed: 1, record_every: 50 };
        let mut run = DescentRun::new(objective(TURNING, training).unwrap(), descent).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        assert_eq!(run.outcome(), Outcome::Finished);
        run.record().latest("error")
    };
    let (one, eight) = (error(1), error(8));
    // Rounding, which differs between instruction sets, is enough to send L-BFGS other ways: the ends scatter from 8e-4 to 5e-3.
    assert!(eight < 1e-2 && one > 30.0 * eight, "{one} {eight}");
}

#[test]
fn a_window_begins_where_the_one_before_ended() {
    let mut one = objective(DRIFTING, Training { windows: 4, ..training() }).unwrap();
    let parameters: Vec<f64> = one.graph().start(9).unwrap();
    one.draw(0);
    one.measure(&parameters);
    let per = one.reference.per_time();
    let last = one.march.rows.end - 1;
    assert_eq!((one.march.rows.clone(), one.reference.times[last]), (0..11, 0.5));
    let ended = one.solution[0][last * per..][..per].to_vec();
    one.next_window(&parameters);
    assert_eq!(one.march.rows, 11..21);
    let places: Vec<f64> = one.reference.axes[0].iter().flat_map(|x| [*x, 0.0]).collect();
    let begins = one.candidate.base(0, [0; 3], 0, &places);
    let worst = begins.iter().zip(&ended).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
    assert!(worst < 1e-9, "{worst:e}");
    // Seen to fail: the initial values are others.
    assert!(begins.iter().zip(&places).any(|(b, _)| (b - ended[0]).abs() > 1e-3));
}

#[test]
fn what_cannot_be_marched_through_says_why() {
    let steady = "equations = \"lap(u) = x\"\nboundary.u = \"dirichlet: 0\"\n[domain]\nx = { max = 1, points = 12 }\n";
    let sought = vec![("D".to_owned(), 0.4)];
    for (text, sought, part) in [(steady, Vec::new(), "no time"), (HEAT, sought, "whole time")] {
        let error = objective(text, Training { windows: 3, sought, ..training() }).err().unwrap();
        assert_eq!(error.key.as_deref(), Some("windows"));
        assert!(error.message.contains(part), "{}", error.message);
    }
}
