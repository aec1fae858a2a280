//! Trained weights of every experiment that has them: saved, loaded elsewhere, refused where they do not fit.

use eddy_experiments::{Budget, Context, DeviceKind, Session, entries, weights::from_safetensors};

fn open(permalink: &str) -> Session {
    Session::open(permalink, Context::cpu()).expect("a link that opens").0
}

#[test]
fn weights_go_from_one_run_to_another() {
    let mut trained = Vec::new();
    for entry in entries().iter().filter(|e| e.runs_on(DeviceKind::Cpu)) {
        // What is trained does not depend on the seed, what comes out does.
        // Weights that come trained are moved only where that is asked for, and shown anew some lessons later.
        let (link, steps) = if entry.id == "image-model" {
            ("image-model?weights=scratch&lessons=20&samples=8&curve=off", 12)
        } else {
            (entry.id, 2)
        };
        let mut first = open(link);
        let Some(start) = first.weights() else { continue };
        trained.push(entry.id);
        pollster::block_on(first.advance(Budget::steps(steps))).unwrap();
        let mut file = first.weights().expect("weights");
        // Some make their examples first.
        for _ in 0..40 {
            if file != start {
                break;
            }
            pollster::block_on(first.advance(Budget::steps(50))).unwrap();
            file = first.weights().expect("weights");
        }
        assert!(file != start, "{}: training moves the weights", entry.id);

        let mut second = open(link);
        let has_seed = second.set("seed", "77").is_ok();
        let other = second.weights();
        assert!(!has_seed || other.as_ref() != Some(&start), "{}: another seed, other weights", entry.id);
        second.set_weights(&file).unwrap_or_else(|e| panic!("{}: {e}", entry.id));
        let read = |file: &[u8]| from_safetensors(file).unwrap();
        assert!(read(&second.weights().unwrap()) == read(&file), "{}", entry.id);
        for view in entry.views {
            assert!(
                pollster::block_on(second.run_mut().view(view.key)).unwrap().is_finite(),
                "{} {}",
                entry.id,
                view.key
            );
        }
        pollster::block_on(second.advance(Budget::steps(1))).unwrap();
        let error = second.set_weights(&file[..file.len() - 1]).unwrap_err();
        assert!(error.message.contains("no safetensors file"), "{error}");
    }
    if cfg!(feature = "pinn") {
        assert!(trained.contains(&"pinn-burgers") && trained.contains(&"pig"), "{trained:?}");
    }
    if cfg!(feature = "flow") {
        assert!(trained.contains(&"rectified-flow"), "{trained:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    if !cfg!(feature = "pinn") {
        return;
    }
    let file = open("pinn-burgers").weights().expect("weights");
    let mut other = open("pig");
    let before = other.weights();
    let error = other.set_weights(&file).unwrap_err();
    assert_eq!(error.code, "weights");
    assert!(other.weights() == before);
    assert!(open("heat-1d").weights().is_none());
    assert!(open("heat-1d").set_weights(&file).unwrap_err().message.contains("trains no network"));
}
