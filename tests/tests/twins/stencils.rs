//! gray_scott/runge_kutta, wave/* and brush/gaussian.

use eddy_kernels::cpu::brush::gaussian;
use eddy_kernels::cpu::shared::laplacian::{DIRICHLET, NEUMANN, PERIODIC, Stencil};
use eddy_kernels::cpu::{gray_scott, wave};
use eddy_kernels::kernels;

use crate::harness::*;

const STAGE: Bound = Bound::Relative(
    1e-6,
    "a Laplacian of up to nine terms, weighted, where products may fuse into additions (6e-8 each)",
);

fn stencils() -> Vec<(String, Stencil)> {
    let mut all = Vec::new();
    for (nx, ny) in [(3, 3), (16, 16), (33, 7), (40, 50)] {
        for (edge_x, edge_y) in [(PERIODIC, PERIODIC), (DIRICHLET, NEUMANN), (NEUMANN, DIRICHLET)] {
            for (near, far) in [(1.0, 0.0), (4.0 / 3.0, -1.0 / 12.0)] {
                let s = Stencil { nx, ny, edge_x, edge_y, inverse_dx2: 1.5, inverse_dy2: 0.75, near, far };
                all.push((format!("{nx} × {ny}, edges {edge_x} {edge_y}, far {far}"), s));
            }
        }
    }
    all
}

fn fields(s: &Stencil, seed: u32) -> Vec<u32> {
    words(&noise(2 * (s.nx * s.ny) as usize, seed))
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (label, s) in stencils() {
        for is_first in [0, 1] {
            let workgroups = [s.nx.div_ceil(16), s.ny.div_ceil(16), 1];
            let count = 2 * (s.nx * s.ny) as usize;
            let arrays = [fields(&s, 1), fields(&s, 2), if is_first == 1 { dirty(count) } else { fields(&s, 3) }];
            let [start, state, sum] = arrays;
            let (share, ahead) = (0.11, 0.23);
            let p = gray_scott::runge_kutta::Params {
                stencil: s,
                diffusivity_u: 0.16,
                diffusivity_v: 0.08,
                feed: 0.037,
                kill: 0.06,
                share,
                ahead,
                is_first,
            };
            cases.push(Case {
                kernel: &kernels::gray_scott::RUNGE_KUTTA,
                label: format!("{label}, first {is_first}"),
                buffers: vec![words(&[p]), start.clone(), state.clone(), sum.clone(), dirty(count)],
                workgroups,
                twin: |b| {
                    let (head, out) = b.split_at_mut(3);
                    let (sum, next) = out.split_at_mut(1);
                    gray_scott::runge_kutta::runge_kutta(
                        &params(head),
                        view(&head[1]),
                        view(&head[2]),
                        view_mut(&mut sum[0]),
                        view_mut(&mut next[0]),
                    );
                },
                bound: STAGE,
                fault: Fault("u * v * v", "u * u * v"),
            });
            let p = wave::runge_kutta::Params { stencil: s, speed_squared: 1.7, damping: 0.3, share, ahead, is_first };
            cases.push(Case {
                kernel: &kernels::wave::RUNGE_KUTTA,
                label: format!("{label}, first {is_first}"),
                buffers: vec![words(&[p]), start, state, sum, dirty(count)],
                workgroups,
                twin: |b| {
                    let (head, out) = b.split_at_mut(3);
                    let (sum, next) = out.split_at_mut(1);
                    wave::runge_kutta::runge_kutta(
                        &params(head),
                        view(&head[1]),
                        view(&head[2]),
                        view_mut(&mut sum[0]),
                        view_mut(&mut next[0]),
                    );
                },
                bound: STAGE,
                // Fields of random numbers: an even mirror, an odd one and a wrap differ everywhere along an edge.
                fault: if s.edge_x == PERIODIC {
                    Fault("(at + n) % n", "(at + n + 1) % n")
                } else {
                    Fault("u_t = 0.0;", "u_t = 0.01;")
                },
            });
        }
    }
    for (label, s) in stencils() {
        let workgroups = [s.nx.div_ceil(16), s.ny.div_ceil(16), 1];
        let count = 2 * (s.nx * s.ny) as usize;
        let p = wave::kick_drift::Params { stencil: s, speed_squared: 1.7, dt: 0.21 };
        cases.push(Case {
            kernel: &kernels::wave::KICK_DRIFT,
            label: label.clone(),
            buffers: vec![words(&[p]), fields(&s, 1), dirty(count)],
            workgroups,
            twin: |b| {
                let (head, out) = b.split_at_mut(2);
                wave::kick_drift::kick_drift(&params(head), view(&head[1]), view_mut(&mut out[0]));
            },
            bound: STAGE,
            fault: Fault("drift = params.dt * velocity", "drift = params.dt * state[j]"),
        });
        let p = wave::kick::Params { stencil: s, speed_squared: 1.7, dt: 0.21 };
        cases.push(Case {
            kernel: &kernels::wave::KICK,
            label,
            buffers: vec![words(&[p]), fields(&s, 1)],
            workgroups,
            twin: |b| {
                let (head, out) = b.split_at_mut(1);
                wave::kick::kick(&params(head), view_mut(&mut out[0]));
            },
            bound: STAGE,
            fault: Fault("0.5 * params.dt", "params.dt"),
        });
    }
    for is_periodic in [0, 1] {
        for (nx, ny, offset) in [(1, 1, 0), (17, 1, 2), (40, 23, 100)] {
            let p = gaussian::Params { nx, ny, offset, is_periodic, x: 1.25, y: 0.5, radius: 2.0, amplitude: 3.0 };
            cases.push(Case {
                kernel: &kernels::brush::GAUSSIAN,
                label: format!("{nx} × {ny} from {offset}, periodic {is_periodic}"),
                buffers: vec![words(&[p]), words(&noise((nx * ny + offset + 3) as usize, 5))],
                workgroups: [nx.div_ceil(16), ny.div_ceil(16), 1],
                twin: |b| {
                    let (head, out) = b.split_at_mut(1);
                    gaussian::gaussian(&params(head), view_mut(&mut out[0]));
                },
                bound: Bound::Relative(2e-6, "WGSL grants exp(x) an error of 3 + 2 |x| units in the last place"),
                fault: Fault("2.0 * params.radius", "2.1 * params.radius"),
            });
        }
    }
    cases
}
