use super::*;
use eddy_nets::uniform;

fn small(sampler: Choice) -> Params {
    Params { sampler, width: 8, layers: 2, points: 200, budget: 50, ..Params::default() }
}

#[test]
fn exact_solution_solves_the_equation() {
    for peaks in [Peaks::One, Peaks::Two] {
        let problem = Params { peaks, ..Params::default() }.problem();
        let h = 1e-4;
        for [x, y] in [[0.52, 0.49], [0.47, 0.55], [-0.51, -0.48]] {
            let u = |i: f64, j: f64| problem.exact(x + i * h, y + j * h);
            let laplacian = (u(1.0, 0.0) + u(-1.0, 0.0) + u(0.0, 1.0) + u(0.0, -1.0) - 4.0 * u(0.0, 0.0)) / (h * h);
            let scale = 4.0 * problem.sharpness;
            assert!((laplacian + problem.source(x, y)).abs() < 1e-4 * scale);
            assert!(u(0.0, 0.0) < 1e-3 || (laplacian + 1.01 * problem.source(x, y)).abs() > 1e-4 * scale);
        }
        assert!(problem.exact(1.0, 0.5) < 1e-16 && problem.exact(0.5, -1.0) < 1e-16);
    }
}

/// The gradient by differences of the loss, the residuals by differences of the values.
#[test]
fn gradients_and_residuals_equal_central_differences() {
    let p = Params { sharpness: 20.0, ..Params::default() };
    let mut solver = Solver::new(p.problem(), &[6, 6], 3, AdamSettings::default()).unwrap();
    let points: Vec<f64> = (0..60).map(|k| 2.0 * uniform(12, k) - 1.0).collect();
    let loss = solver.loss(&points);
    let own = solver.gradient.clone();
    let scale = own.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let h = 1e-5;
    let mut seen = false;
    for i in 0..own.len() {
        let w = solver.network.parameters[i];
        let mut at = |x: f64| {
            solver.network.parameters[i] = x;
            solver.loss(&points)
        };
        let slope = (at(w + h) - at(w - h)) / (2.0 * h);
        solver.network.parameters[i] = w;
        assert!((slope - own[i]).abs() < 1e-6 * scale, "{i}: {slope} {}", own[i]);
        seen |= (slope - 0.999 * own[i]).abs() > 1e-6 * scale;
    }
    assert!(seen);
    let (_, residuals) = solver.look(&points);
    let mean = residuals.iter().map(|r| r * r).sum::<f64>() / 30.0;
    assert!((mean - loss).abs() < 1e-12 * loss);
    let (x, y, h) = (0.42, 0.31, 1e-3);
    let (u, r) = solver.look(&[x, y, x + h, y, x - h, y, x, y + h, x, y - h, 1.0, 0.3]);
    let differences = solver.problem.source(x, y) + (u[1..5].iter().sum::<f64>() - 4.0 * u[0]) / (h * h);
    assert!((r[0] - differences).abs() < 1e-4 && u[5] == 0.0);
}

#[test]
fn choosers_go_where_the_residual_is() {
    // A network that has learned nothing: the residual is about the source, which lies at the peak.
    for (sampler, least) in
        [(Choice::Adversarial, 0.15), (Choice::Largest, 0.2), (Choice::Grid, 0.2), (Choice::Uniform, 0.0)]
    {
        let p = Params { points: 400, sharpness: 100.0, budget: 400, ..small(sampler) };
        let mut solver = Solver::new(p.problem(), &[8], 1, AdamSettings::default()).unwrap();
        let mut numbers = Numbers::new(5);
        let mut chooser = Chooser::new(&p).unwrap();
        let mut points = vec![0.0; 2 * 400];
        for _ in 0..100 {
            assert!(chooser.look(&p, &mut solver, &mut numbers));
            chooser.draw(&p, &mut numbers, &mut points);
            solver.loss(&points);
            assert!(chooser.answer(&p, &points, &solver.squares));
        }
        assert!(points.iter().all(|x| (-1.0..=1.0).contains(x)));
        let near = points.chunks_exact(2).filter(|x| (x[0] - 0.5).hypot(x[1] - 0.5) < 0.2).count() as f64 / 400.0;
        // Uniform points: 0.031 of them.
        assert!(near > least && (sampler != Choice::Uniform || near < 0.06), "{sampler:?} {near}");
        if let Some(density) = chooser.density(&p, &points) {
            // E[1/p] over drawn points is the area.
            let area = density.iter().map(|p| 1.0 / p).sum::<f64>() / 400.0;
            assert!((area - 4.0).abs() < 1.2, "{sampler:?} {area}");
        }
    }
}

#[test]
fn grid_draws_cells_in_proportion() {
    let p = small(Choice::Grid);
    let mut chooser = Chooser::Grid { cumulated: (0..CELLS * CELLS).map(|k| if k < 7 { 0.25 } else { 1.0 }).collect() };
    let mut points = vec![0.0; 8000];
    chooser.draw(&p, &mut Numbers::new(2), &mut points);
    let width = 2.0 / CELLS as f64;
    let first = points.chunks_exact(2).filter(|x| x[0] < -1.0 + width && x[1] < -1.0 + width).count() as f64 / 4000.0;
    let eighth =
        points.chunks_exact(2).filter(|x| (7.0..8.0).contains(&((x[0] + 1.0) / width))).count() as f64 / 4000.0;
    // Four standard errors of a quarter.
    assert!((first - 0.25).abs() < 0.028 && first + eighth == 1.0, "{first} {eighth}");
}

#[test]
fn every_method_gets_the_same_budget_and_views_are_there_from_the_start() {
    for &sampler in Choice::ALL {
        let p = small(sampler);
        let mut run = AdversarialAdaptiveSampling::start(&p, &Context::cpu()).unwrap();
        for _ in 0..2 {
            for view in AdversarialAdaptiveSampling::VIEWS {
                let data = pollster::block_on(run.view(view.key)).unwrap();
                let is_empty = sampler == Choice::Largest && view.key == "density";
                assert!(data.is_finite() && (data == ViewData::Empty) == is_empty, "{}", view.key);
            }
            while run.outcome().is_running() {
                pollster::block_on(run.advance(Budget::steps(50))).unwrap();
            }
        }
        assert_eq!(run.outcome(), Outcome::Finished);
        let spent = run.progress().position;
        let (_, cost) = p.look();
        assert!(spent <= 50_000.0 && spent + 200.0 + cost as f64 > 50_000.0, "{sampler:?} {spent}");
    }
}

#[test]
fn weights_go_out_and_come_back() {
    let p = small(Choice::Adversarial);
    let start = || AdversarialAdaptiveSampling::start(&p, &Context::cpu()).unwrap();
    let (mut a, mut b) = (start(), start());
    pollster::block_on(a.advance(Budget::steps(20))).unwrap();
    assert_ne!(a.weights(), b.weights());
    b.set_weights(&a.weights()).unwrap();
    assert_eq!(a.weights(), b.weights());
    // One tensor short: refused, and nothing has changed.
    let mut short = start().weights();
    short.pop();
    assert!(b.set_weights(&short).is_err());
    assert_eq!(a.weights(), b.weights());
}
