//! Converged runs, made once per noise and shared by all runs of the lab.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use eddy_numerics::{
    diffusion::{Batch, MixtureModel, Sampler, Status},
    rng::Philox,
};
use eddy_spec::EddyError;

use super::{Setup, choices::Grid, choices::Solver};

/// Evaluations of the reference: Runge-Kutta of order 4 in σ/α on the log-SNR grid. On the 8-Gaussian ring its end
/// points differ from those of twice as many by less than 1e-4 (RMS), far below every error that is compared with it.
const EVALUATIONS: u32 = 800;

/// References kept; two arms of a claim at some seeds, and the two panes of the page.
const KEPT: usize = 12;

thread_local! {
    static CACHE: RefCell<VecDeque<(String, Rc<Batch<f64>>)>> = const { RefCell::new(VecDeque::new()) };
}

/// What decides a reference, as text.
fn key(setup: &Setup) -> String {
    let ends = [setup.span.0, setup.span.1].map(|t| setup.schedule.node(t));
    format!(
        "{:?} {ends:?} {} {} {:?} {:?} {:?}",
        setup.mixture, setup.seed, setup.particles, setup.guidance, setup.field, setup.start
    )
}

/// A reference in progress.
pub(super) enum Reference {
    Ready(Rc<Batch<f64>>),
    Computing { key: String, sampler: Box<Sampler<f64>>, model: Box<MixtureModel<f64>> },
}

impl Reference {
    pub(super) fn of(setup: &Setup) -> Result<Self, EddyError> {
        let key = key(setup);
        let known = CACHE.with_borrow(|c| c.iter().find(|(k, _)| *k == key).map(|(_, b)| b.clone()));
        if let Some(batch) = known {
            return Ok(Self::Ready(batch));
        }
        let fine = Setup { solver: Solver::Rk4, grid: Grid::LogSnr, evaluations: EVALUATIONS, ..setup.clone() };
        let method = fine.method();
        let nodes = fine.nodes(&*method)?;
        let sampler = Sampler::new(fine.schedule.clone(), method, &nodes, fine.noise(), Philox::new(0));
        Ok(Self::Computing { key, sampler: Box::new(sampler), model: Box::new(fine.model()?) })
    }

    /// One step. Returns the end points once they are there.
    pub(super) fn step(&mut self) -> Option<Rc<Batch<f64>>> {
        match self {
            Self::Ready(batch) => Some(batch.clone()),
            Self::Computing { key, sampler, model } => {
                sampler.step(&mut **model);
                if sampler.status() == Status::Running {
                    return None;
                }
                let batch = Rc::new(sampler.x().clone());
                CACHE.with_borrow_mut(|c| {
                    c.push_front((std::mem::take(key), batch.clone()));
                    c.truncate(KEPT);
                });
                *self = Self::Ready(batch.clone());
                Some(batch)
            }
        }
    }
}
