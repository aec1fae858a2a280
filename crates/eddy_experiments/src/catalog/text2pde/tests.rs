use std::f64::consts::TAU;

use eddy_numerics::{Complex, space::fft::RealFft};

use super::*;
use crate::catalog::text2pde::waves::STEEPENING;

fn finished(p: &Params) -> BlockRun {
    let mut run = BlockRun::new(p).unwrap();
    pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(run.outcome(), Outcome::Finished);
    run
}

fn quick() -> Params {
    Params { steps: 12, trajectories: 64, batch: 16, width: 8, latents: 6, evaluations: 3, ..Params::default() }
}

/// The last frame by Fourier coefficients and the classical fourth-order method.
fn marched(setup: &Setup, steepening: f64) -> Vec<f64> {
    const POINTS: usize = 128;
    let (mut fft, h) = (RealFft::<f64>::new(POINTS), 1.0 / 4000.0);
    let start: Vec<f64> = (0..POINTS).map(|j| setup.start(j as f64 / POINTS as f64)).collect();
    let mut rate = |u: &[f64]| {
        let mut hat = vec![Complex::default(); fft.modes()];
        fft.forward(u, &mut hat);
        let mut derivative = |order: i32| {
            let power = |k: usize| Complex::new(0.0, TAU * k as f64).powi(order);
            let part: Vec<_> = hat.iter().enumerate().map(|(k, u)| u * power(k)).collect();
            let mut out = vec![0.0; POINTS];
            fft.inverse(&part, &mut out);
            out
        };
        let (u_x, u_xx) = (derivative(1), derivative(2));
        let at = |j: usize| setup.diffusivity * u_xx[j] - setup.speed * (1.0 + steepening * u[j]) * u_x[j];
        (0..POINTS).map(at).collect::<Vec<f64>>()
    };
    let plus = |u: &[f64], c: f64, r: &[f64]| u.iter().zip(r).map(|(u, r)| u + c * r).collect::<Vec<f64>>();
    let mut u = start;
    for _ in 0..4000 {
        let a = rate(&u);
        let b = rate(&plus(&u, h / 2.0, &a));
        let c = rate(&plus(&u, h / 2.0, &b));
        let d = rate(&plus(&u, h, &c));
        u = plus(&plus(&u, h / 6.0, &plus(&a, 1.0, &d)), h / 3.0, &plus(&b, 1.0, &c));
    }
    u.into_iter().step_by(POINTS / PLACES).collect()
}

#[test]
fn blocks_are_exact() {
    for (k, attributes) in [[2, 0, 0, 1], [1, 1, 1, 0]].into_iter().enumerate() {
        let setup = Setup::draw(attributes, &Philox::new(5), Stream::Data, k as u32);
        let block = Solver::new().block(&setup);
        let off = |steepening| {
            let other = marched(&setup, steepening).into_iter().zip(&block[BLOCK - PLACES..]);
            other.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        assert!(off(STEEPENING) < 1e-6, "{attributes:?}: {}", off(STEEPENING));
        assert!(off(0.9 * STEEPENING) > 1e-4, "another equation is seen");
    }
}

#[test]
fn attributes_are_read_from_the_solvers_blocks() {
    let mut solver = Solver::new();
    for (k, attributes) in all_attributes().cycle().take(240).enumerate() {
        let setup = Setup::draw(attributes, &Philox::new(3), Stream::Data, k as u32);
        let block = solver.block(&setup);
        let look = Look::of(&block);
        assert_eq!(look.attributes(), attributes, "{setup:?} {look:?}");
        let (speed, diffusivity) = (look.speed / setup.speed - 1.0, look.diffusivity / setup.diffusivity - 1.0);
        assert!(speed.abs() < 0.05 && diffusivity.abs() < 0.2, "{setup:?} {look:?}");
        // Frames from the last to the first go the other way.
        let back: Vec<f64> = block.chunks_exact(PLACES).rev().flatten().copied().collect();
        assert!(Look::of(&back).speed * setup.speed < 0.0);
    }
    assert_eq!(Look::of(&[0.5; BLOCK]).attributes(), [usize::MAX; 4], "nothing moves");
}

#[test]
fn codes_keep_what_their_variances_say() {
    let mut run = BlockRun::new(&Params::default()).unwrap();
    let snapshots: Vec<f64> = (0..24).flat_map(|k| run.make(Stream::Data, k).2).collect();
    let pod = |kept: usize| {
        let mut waves = Waves::new(&snapshots);
        std::iter::repeat_with(|| waves.work(kept)).flatten().next().unwrap()
    };
    let (all, few) = (pod(400), pod(10));
    let product = |a: usize, b: usize| few.axes[a].iter().zip(&few.axes[b]).map(|(a, b)| a * b).sum::<f64>();
    assert!((0..100).all(|k| (product(k / 10, k % 10) - f64::from(k / 10 == k % 10)).abs() < 1e-10));
    // Over all shifts, codes have variance 1 and what is lost is the variance along the other axes.
    let (mut lost, mut square) = (0.0, 0.0);
    for block in snapshots.chunks_exact(BLOCK) {
        for shift in 0..PLACES {
            let moved: Vec<f64> =
                block.chunks_exact(PLACES).flat_map(|f| [&f[shift..], &f[..shift]].concat()).collect();
            let code = few.encode(&moved);
            square += code[7] * code[7] / (24 * PLACES) as f64;
            let off = few.decode(&code).into_iter().zip(&moved).map(|(a, b)| (a - b) * (a - b));
            lost += off.sum::<f64>() / (24 * PLACES) as f64;
        }
    }
    let beyond: f64 = all.spreads[10..].iter().map(|s| s * s).sum();
    assert!((square - 1.0).abs() < 1e-9 && (lost / beyond - 1.0).abs() < 1e-3, "{square} {lost} {beyond}");
}

#[test]
fn captions_are_read_and_what_is_wrong_is_told() {
    let caption = Caption::read("Two pulses, moving LEFT quickly; weak diffusion").unwrap();
    assert_eq!(caption.said, [Some(1), Some(0), Some(0), Some(1)]);
    assert_eq!(caption.words.iter().sum::<f32>(), 4.0);
    assert_eq!(Caption::read("").unwrap(), Caption::default());
    for (text, part) in [
        ("two waves moving lefft", "Did you mean “left”"),
        ("two puises", "Did you mean “pulses”"),
        ("five pulses", "“five” is not among the words"),
        ("fast waves, sluggish", "“sluggish” contradicts “fast”"),
    ] {
        let error = Caption::read(text).unwrap_err();
        assert!(error.message.contains(part) && error.key.as_deref() == Some("caption"), "{error:?}");
    }
    assert_eq!(BlockRun::new(&Params { method: Method::Steps, ..quick() }).err().unwrap().key.unwrap(), "method");
}

#[test]
fn wordings_and_combinations_that_are_held_out_are_never_taught() {
    let wording = |words: &[f32]| (0..words.len()).filter(|w| words[*w] > 0.0).sum::<usize>() % 3;
    let mut met = Caption::default().words;
    for k in 0..3000 {
        let attributes = [k % 3, k / 3 % 2, k / 6 % 2, k / 12 % 2];
        let caption = Caption::taught(attributes, &Philox::new(4), Stream::Control, k as u32);
        assert!(caption.said.iter().any(Option::is_none) || wording(&caption.words) != 2);
        met.iter_mut().zip(&caption.words).for_each(|(m, w)| *m += w);
    }
    assert!(met.iter().all(|m| *m > 100.0), "every word is taught: {met:?}");
    for group in 0..3 {
        for case in captions(group, 1, 2) {
            assert_eq!(wording(&case.condition) == 2, group == 2);
            assert_eq!(is_held_out(case.said.map(Option::unwrap)), group == 1);
        }
    }
    let mut run = BlockRun::new(&quick()).unwrap();
    assert!((0..500).all(|k| !is_held_out(run.make(Stream::Data, k).0)));
}

#[test]
fn every_kind_of_run_measures_what_it_can_and_is_as_large() {
    let mut sizes = Vec::new();
    for (condition, method) in [
        (Condition::Words, Method::Block),
        (Condition::Words, Method::Mean),
        (Condition::Frame, Method::Block),
        (Condition::Frame, Method::Mean),
        (Condition::Frame, Method::Steps),
    ] {
        let mut run = finished(&Params { condition, method, ..quick() });
        let (at, is_told) = (|key: &str| run.record.latest(key), condition == Condition::Words);
        for key in ["right", "combination", "wording", "number", "direction", "speed", "diffusion"] {
            assert_eq!((0.0..=1.0).contains(&at(key)), is_told, "{key} {condition:?} {method:?}");
        }
        assert!(at("last").is_finite() != is_told && at("loss").is_finite() && at("floor") < 1.0);
        for view in Text2pde::VIEWS {
            let data = pollster::block_on(run.view(view.key)).unwrap();
            assert!(data.is_finite() && data != ViewData::Empty, "{}", view.key);
        }
        sizes.push(Model::new(&Params { condition, method, ..Params::default() }).unwrap().multiplications(1));
    }
    assert!((1.0..1.02).contains(&(sizes[3] / sizes[2])) && (1.0..1.02).contains(&(sizes[4] / sizes[2])), "{sizes:?}");
}

#[test]
fn guidance_hears_the_caption_alone_and_a_new_one_needs_no_training() {
    let mut run = finished(&quick());
    let mut made = |caption: &str, guidance: f64| {
        run.update(&Params { caption: caption.to_owned(), guidance, ..quick() })?;
        pollster::block_on(run.advance(Budget::steps(u64::MAX)))?;
        assert!(run.step == 12 && run.outcome == Outcome::Finished);
        run.draw();
        Ok::<_, EddyError>(run.picture[0].clone())
    };
    // Where nothing is said there is nothing to overdo, and without guidance nothing is heard.
    assert_eq!(made("", 1.0).unwrap(), made("", 3.0).unwrap());
    assert_eq!(made("one pulse, right", 0.0).unwrap(), made("", 1.0).unwrap());
    assert_ne!(made("one pulse, right", 1.0).unwrap(), made("one pulse, right", 3.0).unwrap());
    assert!(made("one pluse", 1.0).is_err());
    assert_eq!(run.params.caption, "one pulse, right", "a wrong one changes nothing");
}
