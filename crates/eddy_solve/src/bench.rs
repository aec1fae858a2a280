//! Typed Gray-Scott against a loop written by hand, for `eddy bench`.

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

/// Seconds per step of the loop.
pub fn gray_scott_loop(steps: usize) -> f64 {
    let mut old = initial();
    let mut new = old.clone();
    let begun = Instant::now();
    for _ in 0..steps {
        step(&old, &mut new);
        std::mem::swap(&mut old, &mut new);
    }
    let seconds = begun.elapsed().as_secs_f64();
    if old[0].iter().all(|u| u.is_finite()) { seconds / steps as f64 } else { f64::NAN }
}

/// Seconds per step of the typed system; NaN if its values are not those of the loop. `may_compile` says whether kernels may
/// be compiled.
pub fn gray_scott_typed(steps: usize, may_compile: bool) -> Result<f64, SolveError> {
    compiled::set_enabled(may_compile);
    let simulation = Simulation::<f32>::new(Statement::new(Problem::parse(TEXT)?)?);
    let mut simulation = simulation?;
    let mut advance = |count: usize| {
        let mut left = count;
        simulation.advance(1e6, || {
            left -= 1;
            left > 0
        });
    };
    // Four steps make the kernels and are compared.
    advance(4);
    let begun = Instant::now();
    advance(steps);
    let seconds = begun.elapsed().as_secs_f64() / steps as f64;
    compiled::set_enabled(true);
    let mut old = initial();
    let mut new = old.clone();
    for _ in 0..steps + 4 {
        step(&old, &mut new);
        std::mem::swap(&mut old, &mut new);
    }
    let values = simulation.values();
    let is_equal = values
        .iter()
        .zip(&old)
        .all(|(typed, loop_values)| typed.re.iter().zip(loop_values).all(|(a, b)| (a - f64::from(*b)).abs() <= 2e-5));
    Ok(if is_equal { seconds } else { f64::NAN })
}

#[cfg(test)]
mod tests {
    #[test]
    fn typed_steps_are_those_of_the_loop() {
        for may_compile in [false, true] {
            let seconds = super::gray_scott_typed(20, may_compile).expect("a run");
            assert!(seconds > 0.0, "{seconds}");
        }
    }
}
