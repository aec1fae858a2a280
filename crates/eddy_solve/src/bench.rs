//! What `eddy bench` measures of typed systems: Gray-Scott against a loop written by hand, vorticity, a Poisson equation.

use eddy_numerics::space::trig::{Ends, FastAxis, Helmholtz, Symbol};
use web_time::Instant;

use crate::{Problem, Simulation, SolveError, Statement, compiled};

const N: usize = 256;
const PARAMETERS: [f32; 4] = [0.16, 0.08, 0.037, 0.06];

const TEXT: &str = r#"
equations = """
u_t = Du*lap(u) - u*v^2 + F*(1 - u)
v_t = Dv*lap(v) + u*v^2 - (F + k)*v
"""
[domain]
x = { max = 256, points = 256 }
y = { max = 256, points = 256 }
[initial]
u = "1 - 0.5*exp(-((x - 128)^2 + (y - 120)^2)/200)"
v = "0.25*exp(-((x - 128)^2 + (y - 120)^2)/200)"
[parameters]
Du = 0.16
Dv = 0.08
F = 0.037
k = 0.06
[time]
end = 1e6
dt = 0.5
[method]
space = "fd2"
time = "euler"
precision = "f32"
"#;

fn initial() -> [Vec<f32>; 2] {
    let bump = |at: usize| {
        let (x, y) = ((at % N) as f32 - 128.0, (at / N) as f32 - 120.0);
        (-(x * x + y * y) / 200.0).exp()
    };
    [(0..N * N).map(|at| 1.0 - 0.5 * bump(at)).collect(), (0..N * N).map(|at| 0.25 * bump(at)).collect()]
}

/// One Euler step of length 0.5 on a unit grid from `old` to `new`: rows with their neighbours as slices, so that the
/// compiler vectorizes the inside; ends of rows by themselves.
fn step(old: &[Vec<f32>; 2], new: &mut [Vec<f32>; 2]) {
    let [du, dv, feed, kill] = PARAMETERS;
    let dt = 0.5f32;
    let [new_u, new_v] = new;
    for j in 0..N {
        let row = |field: usize, j: usize| &old[field][j * N..(j + 1) * N];
        let (below, above) = ((j + N - 1) % N, (j + 1) % N);
        let (u, v) = (row(0, j), row(1, j));
        let (us, vs) = (row(0, below), row(1, below));
        let (un, vn) = (row(0, above), row(1, above));
        let (to_u, to_v) = (&mut new_u[j * N..(j + 1) * N], &mut new_v[j * N..(j + 1) * N]);
        let point = |u: f32, v: f32, lap_u: f32, lap_v: f32| {
            let reaction = u * v * v;
            (u + dt * (du * lap_u - reaction + feed * (1.0 - u)), v + dt * (dv * lap_v + reaction - (feed + kill) * v))
        };
        let inside = N - 2;
        let (uw, uc, ue) = (&u[..inside], &u[1..N - 1], &u[2..]);
        let (vw, vc, ve) = (&v[..inside], &v[1..N - 1], &v[2..]);
        let (us1, un1, vs1, vn1) = (&us[1..N - 1], &un[1..N - 1], &vs[1..N - 1], &vn[1..N - 1]);
        let (out_u, out_v) = (&mut to_u[1..N - 1], &mut to_v[1..N - 1]);
        for i in 0..inside {
            let lap_u = uw[i] + ue[i] + us1[i] + un1[i] - 4.0 * uc[i];
            let lap_v = vw[i] + ve[i] + vs1[i] + vn1[i] - 4.0 * vc[i];
            (out_u[i], out_v[i]) = point(uc[i], vc[i], lap_u, lap_v);
        }
        for i in [0, N - 1] {
            let (west, east) = ((i + N - 1) % N, (i + 1) % N);
            let lap_u = u[west] + u[east] + us[i] + un[i] - 4.0 * u[i];
            let lap_v = v[west] + v[east] + vs[i] + vn[i] - 4.0 * v[i];
            (to_u[i], to_v[i]) = point(u[i], v[i], lap_u, lap_v);
        }
    }
}

/// Steps that are timed together: as many as a browser's clock resolves, few enough to fit between two interruptions.
const BATCH: usize = 20;

/// The fastest of `batches` batches, in seconds per step.
fn fastest(batches: usize, mut batch: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..batches {
        let begun = Instant::now();
        batch();
        best = best.min(begun.elapsed().as_secs_f64());
    }
    best / BATCH as f64
}

/// Seconds per step of the loop.
pub fn gray_scott_loop(batches: usize) -> f64 {
    let mut old = initial();
    let mut new = old.clone();
    let seconds = fastest(batches, || {
        for _ in 0..BATCH {
            step(&old, &mut new);
            std::mem::swap(&mut old, &mut new);
        }
    });
    if old[0].iter().all(|u| u.is_finite()) { seconds } else { f64::NAN }
}

fn advance(simulation: &mut Simulation<f32>) {
    let mut left = BATCH;
    simulation.advance(1e6, || {
        left -= 1;
        left > 0
    });
}

/// Seconds per step of the typed system; NaN if its values are not those of the loop. `may_compile` says whether kernels may
/// be compiled.
pub fn gray_scott_typed(batches: usize, may_compile: bool) -> Result<f64, SolveError> {
    compiled::set_enabled(may_compile);
    let simulation = Simulation::<f32>::new(Statement::new(Problem::parse(TEXT)?)?);
    let mut simulation = simulation?;
    // The first batch makes the kernels, and its result is compared: later rounding grows as patterns do.
    advance(&mut simulation);
    let mut old = initial();
    let mut new = old.clone();
    for _ in 0..BATCH {
        step(&old, &mut new);
        std::mem::swap(&mut old, &mut new);
    }
    let values = simulation.values();
    let is_equal = values
        .iter()
        .zip(&old)
        .all(|(typed, loop_values)| typed.re.iter().zip(loop_values).all(|(a, b)| (a - f64::from(*b)).abs() <= 2e-6));
    let seconds = fastest(batches, || advance(&mut simulation));
    compiled::set_enabled(true);
    Ok(if is_equal { seconds } else { f64::NAN })
}

/// Seconds per ETDRK4 step of the typed 2-D vorticity equation on n² points in f64, viscosity 1e-3, steps of 1e-3; NaN if the
/// run does not go on.
pub fn vorticity_typed(n: usize, batches: usize) -> Result<f64, SolveError> {
    let text = format!(
        r#"
equations = """
w_t = 1e-3*lap(w) - dy(psi)*dx(w) + dx(psi)*dy(w)
lap(psi) = -w
"""
[domain]
x = {{ max = "2*pi", points = {n} }}
y = {{ max = "2*pi", points = {n} }}
[initial]
w = "sin(3*x + y) + cos(2*y - x)*sin(4*x)"
[time]
end = 1e6
dt = 1e-3
[method]
space = "fourier"
time = "etdrk4"
"#
    );
    let mut simulation = Simulation::<f64>::new(Statement::new(Problem::parse(&text)?)?)?;
    const STEPS: usize = 4;
    let mut advance = || {
        let mut left = STEPS;
        simulation.advance(1e6, || {
            left -= 1;
            left > 0
        });
    };
    // Coefficients and kernels are made once.
    advance();
    let seconds = fastest(batches, &mut advance) * BATCH as f64 / STEPS as f64;
    let steps = simulation.steps().0;
    Ok(if steps == ((batches + 1) * STEPS) as u64 { seconds } else { f64::NAN })
}

/// Seconds of one direct solve of -∇²u = f by transforms on 512² periodic points in f64; NaN if the residual of the
/// five-point operator is above 1e-11 of the right side.
pub fn poisson_512(batches: usize) -> f64 {
    const POINTS: usize = 512;
    let spacing = 1.0 / POINTS as f64;
    let axis = FastAxis { points: POINTS, spacing, ends: Ends::Periodic };
    let Ok(mut solver) = Helmholtz::<f64>::new(&[axis, axis], Symbol::Order(2)) else { return f64::NAN };
    let f: Vec<f64> = (0..POINTS * POINTS)
        .map(|at| {
            let [x, y] = [at % POINTS, at / POINTS].map(|i| std::f64::consts::TAU * i as f64 * spacing);
            x.sin() * (2.0 * y).cos() + 0.3 * (3.0 * x).sin()
        })
        .collect();
    let mut u = f.clone();
    let mut is_solved = true;
    let mut best = f64::INFINITY;
    for _ in 0..batches {
        u.copy_from_slice(&f);
        let begun = Instant::now();
        is_solved &= solver.solve(0.0, 1.0, &mut u).is_ok();
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let (mut residual, mut size) = (0.0f64, 0.0f64);
    for j in 0..POINTS {
        for i in 0..POINTS {
            let at = |i: usize, j: usize| u[j % POINTS * POINTS + i % POINTS];
            let sum = at(i + 1, j) + at(i + POINTS - 1, j) + at(i, j + 1) + at(i, j + POINTS - 1);
            let right = f[j * POINTS + i];
            residual += ((4.0 * at(i, j) - sum) / (spacing * spacing) - right).powi(2);
            size += right * right;
        }
    }
    if is_solved && (residual / size).sqrt() <= 1e-11 { best } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_measured_is_right() {
        assert!(super::vorticity_typed(32, 1).expect("a run") > 0.0);
        assert!(super::poisson_512(1) > 0.0);
    }

    #[test]
    fn typed_steps_are_those_of_the_loop() {
        for may_compile in [false, true] {
            let seconds = super::gray_scott_typed(1, may_compile).expect("a run");
            assert!(seconds > 0.0, "{seconds}");
        }
    }
}
