//! Converged runs, made once per noise and shared by all runs of the lab.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::{Rc, Weak},
};

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
    /// Those being computed: the panes of a page wait for the same one, and each takes it a step further.
    static UNDER_WAY: RefCell<Vec<(String, Weak<RefCell<Computing>>)>> = const { RefCell::new(Vec::new()) };
}

/// A converged run on its way.
pub(super) struct Computing {
    sampler: Sampler<f64>,
    model: MixtureModel<f64>,
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
    Computing { key: String, run: Rc<RefCell<Computing>> },
}

impl Reference {
    pub(super) fn of(setup: &Setup) -> Result<Self, EddyError> {
        let key = key(setup);
        if let Some(batch) = known(&key) {
            return Ok(Self::Ready(batch));
        }
        let under_way = UNDER_WAY.with_borrow_mut(|all| {
            all.retain(|(_, run)| run.strong_count() > 0);
            all.iter().find(|(k, _)| *k == key).and_then(|(_, run)| run.upgrade())
        });
        if let Some(run) = under_way {
            return Ok(Self::Computing { key, run });
        }
        let fine = Setup { solver: Solver::Rk4, grid: Grid::LogSnr, evaluations: EVALUATIONS, ..setup.clone() };
        let method = fine.method();
        let nodes = fine.nodes(&*method)?;
        let sampler = Sampler::new(fine.schedule.clone(), method, &nodes, fine.noise(), Philox::new(0));
        let run = Rc::new(RefCell::new(Computing { sampler, model: fine.model()? }));
        UNDER_WAY.with_borrow_mut(|all| all.push((key.clone(), Rc::downgrade(&run))));
        Ok(Self::Computing { key, run })
    }

    /// One step. Returns the end points once they are there.
    pub(super) fn step(&mut self) -> Option<Rc<Batch<f64>>> {
        let (key, run) = match self {
            Self::Ready(batch) => return Some(batch.clone()),
            Self::Computing { key, run } => (key, run),
        };
        let batch = match known(key) {
            // Another run has made the last step.
            Some(batch) => batch,
            None => {
                let Computing { sampler, model } = &mut *run.borrow_mut();
                sampler.step(model);
                if sampler.status() == Status::Running {
                    return None;
                }
                let batch = Rc::new(sampler.x().clone());
                CACHE.with_borrow_mut(|c| {
                    c.push_front((key.clone(), batch.clone()));
                    c.truncate(KEPT);
                });
                batch
            }
        };
        *self = Self::Ready(batch.clone());
        Some(batch)
    }
}

fn known(key: &str) -> Option<Rc<Batch<f64>>> {
    CACHE.with_borrow(|c| c.iter().find(|(k, _)| k == key).map(|(_, batch)| batch.clone()))
}

#[cfg(test)]
mod tests {
    use eddy_numerics::diffusion::targets;

    use super::*;
    use crate::labs::sampler::choices::Noise;

    fn setup(seed: u32) -> Setup {
        Setup { particles: 16, seed, ..Setup::new(targets::ring(8, 1.4, 0.1), Noise::VpLinear, &[]) }
    }
    /// Steps of each in turn until both are there, and the ends.
    fn both(mut one: Reference, mut other: Reference) -> (usize, [Rc<Batch<f64>>; 2]) {
        let mut steps = 0;
        loop {
            let ends = [one.step(), other.step()];
            steps += 2;
            if let [Some(one), Some(other)] = ends {
                return (steps, [one, other]);
            }
        }
    }

    #[test]
    fn runs_with_the_same_noise_share_the_work() {
        let grid_steps = (EVALUATIONS / 4) as usize;
        let (steps, [one, other]) = both(Reference::of(&setup(3)).unwrap(), Reference::of(&setup(3)).unwrap());
        assert!(Rc::ptr_eq(&one, &other) && steps <= grid_steps + 2, "{steps}");
        assert!(matches!(Reference::of(&setup(3)).unwrap(), Reference::Ready(_)));
        // Others have work of their own, and the shared end is that of a run by itself.
        let (steps, [fourth, fifth]) = both(Reference::of(&setup(4)).unwrap(), Reference::of(&setup(5)).unwrap());
        assert!(steps >= 2 * grid_steps - 2 && fourth.data() != fifth.data(), "{steps}");
        CACHE.with_borrow_mut(VecDeque::clear);
        let mut alone = Reference::of(&setup(3)).unwrap();
        let end = std::iter::repeat_with(|| alone.step()).flatten().next().unwrap();
        assert_eq!(end.data(), one.data());
    }
}
