//! Timed units of work for `eddy bench`.

use web_time::Instant;

use crate::space::grid::Periodic;
use crate::systems::navier_stokes::NavierStokes2;
use crate::time::etdrk::{Etdrk, EtdrkOrder, SplitTerm};

/// Seconds per ETDRK4 step of the 2-D vorticity equation on n² points in f64, the mean of `steps` steps after two to warm
/// up.
pub fn navier_stokes_step(n: usize, steps: u32) -> f64 {
    let side = Periodic::new(n, std::f64::consts::TAU);
    let mut term = NavierStokes2::<f64>::new(side, side, 1e-3, 0.0);
    let vorticity: Vec<f64> = (0..n * n)
        .map(|i| {
            let (x, y) = (side.x(i % n), side.x(i / n));
            (3.0 * x + y).sin() + (2.0 * y - x).cos() * (4.0 * x).sin()
        })
        .collect();
    let mut w_hat = vec![Default::default(); term.modes()];
    term.transform(&vorticity, &mut w_hat);
    let mut stepper = Etdrk::new(EtdrkOrder::Four, &term.symbol(), 1e-3);
    for _ in 0..2 {
        stepper.step(&mut term, 0.0, &mut w_hat);
    }
    let started = Instant::now();
    for _ in 0..steps {
        stepper.step(&mut term, 0.0, &mut w_hat);
    }
    started.elapsed().as_secs_f64() / f64::from(steps.max(1))
}
