use super::*;
use eddy_numerics::diffusion::{
    Sampler,
    methods::named::{Amount, Options, Times, named},
    metrics::{paired_distances, rms},
};

fn small(extra: Extra) -> Params {
    Params { extra, steps: 20, batch: 32, particles: 100, ..Params::default() }
}

#[test]
fn the_heun_loop_is_the_sampler() {
    let law = targets::ring(8, 1.4, 0.15);
    let start = {
        let mut x = kernel_noise(60, Some(16.0), &Philox::new(1));
        x.combine(TOP, &[]);
        x
    };
    let mut flow = PoissonFlow::new(law, 16.0).unwrap();
    let got = sample(&mut flow, start.clone(), &levels(18).unwrap(), 0.0, &Philox::new(0), |_, _| ());
    assert_eq!(Denoiser::<f64>::evaluations(&flow), 35);
    let times = Times::Spaced {
        spacing: Spacing::Karras { rho: 7.0 },
        start: TOP,
        end: LEAST,
        amount: Amount::Evaluations(35),
    };
    let setup = named("pfgm-pp").unwrap().setup(&Edm, &times, &Options::default()).unwrap();
    let mut other = Sampler::new(std::sync::Arc::new(Edm), setup.method, &setup.grid, start.clone(), Philox::new(0));
    other.run(&mut flow);
    assert!(rms(&paired_distances(&got, other.x())) < 1e-10);
    // Seen to fail: the least noise on the way.
    let moved = sample(&mut flow, start, &levels(18).unwrap(), 1e-3, &Philox::new(0), |_, _| ());
    assert!(rms(&paired_distances(&moved, &got)) > 1e-5);
}

#[test]
fn a_run_counts_what_it_asks() {
    for extra in [Extra::One, Extra::Infinite] {
        let mut run = FlowRun::new(&small(extra)).unwrap();
        while run.outcome == Outcome::Running {
            run.work();
        }
        assert_eq!(run.outcome, Outcome::Finished);
        assert_eq!(run.step, run.all_steps());
        assert_eq!(run.record.latest("evaluations"), 35.0);
        assert!(run.record.latest("w2").is_finite() && run.curve.len() == STRESSES.len());
    }
}

#[test]
fn the_learned_denoiser_is_scaled_as_published() {
    // With a network that gives 0 what is left is c_skip x: the mean of one Gaussian of the data's size.
    let run = FlowRun::new(&small(Extra::Four)).unwrap();
    for sigma in [0.02, 0.7, 40.0] {
        let (skip, out, scale) = run.model.scales(sigma);
        let d2 = run.model.data_sd * run.model.data_sd;
        let var = sigma * sigma + d2;
        assert!((skip - d2 / var).abs() < 1e-14 && (scale * scale * var - 1.0).abs() < 1e-14);
        // c_out² is the variance of what the skip leaves.
        let left = (1.0 - skip).powi(2) * d2 + skip * skip * sigma * sigma;
        assert!((out * out - left).abs() < 1e-12 * left, "{sigma}");
    }
}

#[test]
fn noise_of_the_kernel_has_its_spread() {
    // E|z|² of Student's t is N D/(D − 2).
    for (extra, expected) in [(Some(16.0), 2.0 * 16.0 / 14.0), (None, 2.0)] {
        let z = kernel_noise(20_000, extra, &Philox::new(2));
        let square = z.data().iter().map(|v| v * v).sum::<f64>() / 2e4;
        assert!((square / expected - 1.0).abs() < 0.04, "{extra:?}: {square}");
    }
}
