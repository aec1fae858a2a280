//! Training data from the solver: trajectories of viscous Burgers on a periodic line.

use std::f64::consts::TAU;

use eddy_numerics::{
    rng::{Philox, Stream},
    space::grid::Periodic,
    systems::spectral_line::SpectralLine,
    time::etdrk::{Etdrk, EtdrkOrder, SplitTerm},
};
use num_complex::Complex;

use crate::LearnError;

/// u_t + u u_x = ν u_xx for x in [0, 2π), periodic, and the step map that is to be learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    /// Grid points.
    pub points: usize,
    /// ν.
    pub viscosity: f64,
    /// Time that one application of the map moves on.
    pub interval: f64,
    /// Applications of the map per trajectory.
    pub steps: usize,
}

/// Modes that an initial state is made of: sines of wavenumber 1, 2 and 3 and a mean.
const MODES: u32 = 3;
/// Longest solver step. With |u| below 3.5 and 64 points or fewer, a tenth of ETDRK4's stability limit.
const MAX_DT: f64 = 0.01;

/// Trajectories of [`Problem::steps`] + 1 states, made one after the other.
pub(crate) struct Trajectories {
    problem: Problem,
    random: Philox,
    stream: Stream,
    term: SpectralLine<f64>,
    stepper: Etdrk<f64>,
    dt: f64,
    substeps: usize,
    states: Vec<f32>,
    count: usize,
    change: f64,
}

impl Trajectories {
    /// No trajectories yet. Trajectory j of a seed and stream is always the same.
    ///
    /// # Errors
    /// [`LearnError::Setting`] unless the grid has an even number of at least 8 points, ν and the interval are positive,
    /// and a trajectory has at least one step.
    pub fn new(problem: Problem, random: Philox, stream: Stream) -> Result<Self, LearnError> {
        let is_valid = problem.points >= 8
            && problem.points.is_multiple_of(2)
            && problem.viscosity > 0.0
            && (1e-6..=1e3).contains(&problem.interval)
            && problem.viscosity.is_finite()
            && problem.steps > 0;
        if !is_valid {
            return Err(LearnError::Setting {
                message: format!(
                    "The solver needs an even number of at least 8 points, a positive viscosity, a step between 1e-6 and \
                     1e3 and at least one step: {problem:?}"
                ),
            });
        }
        let term = SpectralLine::burgers(Periodic::new(problem.points, TAU), problem.viscosity);
        let substeps = (problem.interval / MAX_DT).ceil().max(1.0) as usize;
        let dt = problem.interval / substeps as f64;
        let stepper = Etdrk::new(EtdrkOrder::Four, &term.symbol(), dt);
        Ok(Self { problem, random, stream, term, stepper, dt, substeps, states: Vec::new(), count: 0, change: 0.0 })
    }

    /// Number of trajectories.
    pub fn len(&self) -> usize {
        self.count
    }

    /// State `at` of trajectory `trajectory`.
    pub fn state(&self, trajectory: usize, at: usize) -> &[f32] {
        let start = (trajectory * (self.problem.steps + 1) + at) * self.problem.points;
        &self.states[start..start + self.problem.points]
    }

    /// Mean square of the change in one application of the map, over all that there are.
    pub fn mean_square_change(&self) -> f64 {
        self.change / (self.count * self.problem.steps * self.problem.points) as f64
    }

    /// Solves until there are `count` trajectories. Each costs 4 · interval · steps / 0.01 transform pairs.
    pub fn extend_to(&mut self, count: usize) {
        while self.count < count {
            self.add();
        }
    }

    /// Mean in [-0.5, 0.5] and amplitudes in [-1, 1] / k with phases all round, so that |u| stays below 2.4.
    fn initial(&self, trajectory: u32) -> Vec<f64> {
        let dx = TAU / self.problem.points as f64;
        let mean = self.random.uniforms(self.stream, 0, trajectory, 0)[0] - 0.5;
        let waves: Vec<(f64, f64, f64)> = (1..=MODES)
            .map(|k| {
                let numbers = self.random.uniforms(self.stream, 0, trajectory, k);
                (f64::from(k), (2.0 * numbers[0] - 1.0) / f64::from(k), TAU * numbers[1])
            })
            .collect();
        (0..self.problem.points)
            .map(|i| {
                let x = i as f64 * dx;
                mean + waves.iter().map(|(k, amplitude, phase)| amplitude * (k * x + phase).sin()).sum::<f64>()
            })
            .collect()
    }

    fn add(&mut self) {
        let mut u = self.initial(self.count as u32);
        let mut u_hat = vec![Complex::default(); self.term.modes()];
        self.term.transform(&u, &mut u_hat);
        self.push(&u);
        let mut t = 0.0;
        for _ in 0..self.problem.steps {
            let before = u.clone();
            for _ in 0..self.substeps {
                self.stepper.step(&mut self.term, t, &mut u_hat);
                t += self.dt;
            }
            self.term.field(&u_hat, &mut u);
            self.push(&u);
            self.change += u.iter().zip(&before).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        }
        self.count += 1;
    }

    fn push(&mut self, u: &[f64]) {
        self.states.extend(u.iter().map(|v| *v as f32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: Problem = Problem { points: 64, viscosity: 0.1, interval: 0.2, steps: 8 };

    fn trajectories(problem: Problem, seed: u32, count: usize) -> Trajectories {
        let mut all = Trajectories::new(problem, Philox::new(seed), Stream::Data).unwrap();
        all.extend_to(count);
        all
    }

    /// Kinetic energy ½ mean u².
    fn energy(u: &[f32]) -> f64 {
        0.5 * u.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / u.len() as f64
    }

    #[test]
    fn trajectories_keep_the_mean_and_lose_energy() {
        let all = trajectories(PROBLEM, 1, 8);
        for j in 0..8 {
            let mean = |at| all.state(j, at).iter().map(|v| f64::from(*v)).sum::<f64>() / 64.0;
            // f32 storage of the states.
            assert!((mean(8) - mean(0)).abs() < 1e-6);
            for at in 0..8 {
                assert!(energy(all.state(j, at + 1)) < energy(all.state(j, at)));
            }
        }
    }

    #[test]
    fn the_step_map_does_not_depend_on_the_grid() {
        // The same initial state on a finer grid gives the same state at the common points; twice the viscosity does not.
        let coarse = trajectories(PROBLEM, 5, 1);
        let fine = trajectories(Problem { points: 128, ..PROBLEM }, 5, 1);
        let other = trajectories(Problem { points: 128, viscosity: 0.2, ..PROBLEM }, 5, 1);
        let difference = |finer: &Trajectories| {
            (0..64).fold(0.0f32, |a, i| a.max((coarse.state(0, 8)[i] - finer.state(0, 8)[2 * i]).abs()))
        };
        assert!(difference(&fine) < 2e-3, "{}", difference(&fine));
        assert!(difference(&other) > 2e-2);
    }

    #[test]
    fn seeds_and_streams_give_different_states() {
        let one = trajectories(PROBLEM, 1, 2);
        assert_eq!(one.state(1, 0), trajectories(PROBLEM, 1, 2).state(1, 0));
        assert_ne!(one.state(0, 0), one.state(1, 0));
        assert_ne!(one.state(0, 0), trajectories(PROBLEM, 2, 1).state(0, 0));
        let mut control = Trajectories::new(PROBLEM, Philox::new(1), Stream::Control).unwrap();
        control.extend_to(1);
        assert_ne!(one.state(0, 0), control.state(0, 0));
        assert!(Trajectories::new(Problem { points: 7, ..PROBLEM }, Philox::new(1), Stream::Data).is_err());
    }
}
