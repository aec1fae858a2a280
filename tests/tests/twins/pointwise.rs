//! Kernels with one invocation per number: spectral/*, etdrk4/*, burgers/*, navier_stokes/*.

use eddy_kernels::cpu::{burgers, etdrk4, navier_stokes, spectral};
use eddy_kernels::kernels;

use crate::harness::*;

const PRODUCTS: Bound = Bound::Relative(1e-6, "a few complex products, which may fuse into additions (6e-8 each)");

/// Complex numbers as words.
fn complex(count: usize, seed: u32) -> Vec<u32> {
    words(&noise(2 * count, seed))
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for count in [1, 255, 256, 1000] {
        counted(count, &mut cases);
    }
    for (nx, ny, fields) in [(2, 1, 1), (8, 1, 3), (64, 1, 2), (4, 8, 2), (32, 16, 1)] {
        for (truncates, removes_mean) in [(0, 0), (1, 0), (1, 1)] {
            let p = spectral::project::Params { nx, ny, fields, truncates, removes_mean };
            let count = (nx * ny * fields) as usize;
            cases.push(Case {
                kernel: &kernels::spectral::PROJECT,
                label: format!("{fields} × {nx} × {ny}, truncates {truncates}, removes mean {removes_mean}"),
                buffers: vec![words(&[p]), complex(count + 2, 7)],
                workgroups: [(count as u32).div_ceil(256), 1, 1],
                twin: |b| {
                    let (head, out) = b.split_at_mut(1);
                    spectral::project::project(&params(head), view_mut(&mut out[0]));
                },
                // Halves and sums of two are rounded once on both sides.
                bound: Bound::Relative(1e-7, "one rounding"),
                // The smallest truncated case without mean has nothing left but zeros: its imaginary part shows.
                fault: if removes_mean == 1 && nx == 2 {
                    Fault("value = vec2<f32>(0.0, 0.0)", "value = vec2<f32>(0.1, 0.0)")
                } else {
                    Fault("0.5 * (spectrum", "0.51 * (spectrum")
                },
            });
        }
    }
    for (points, lines) in [(2, 1), (16, 3), (64, 1), (1024, 1)] {
        let p = burgers::flux::Params { points, lines, wavenumber: 0.7, flux: 1.5 };
        let count = (points * lines) as usize;
        cases.push(Case {
            kernel: &kernels::burgers::FLUX,
            label: format!("{lines} lines of {points}"),
            buffers: vec![words(&[p]), complex(count, 8), dirty(2 * count + 2)],
            workgroups: [(count as u32).div_ceil(256), 1, 1],
            twin: |b| {
                let (head, out) = b.split_at_mut(2);
                burgers::flux::flux(&params(head), view(&head[1]), view_mut(&mut out[0]));
            },
            bound: PRODUCTS,
            // Two points hold no mode but 0 below the cut, where the result is 0: widen the cut.
            fault: if points == 2 {
                Fault("var value = vec2<f32>(0.0, 0.0)", "var value = vec2<f32>(0.1, 0.0)")
            } else {
                Fault("3u * u32(abs(mode)) < points", "2u * u32(abs(mode)) < points")
            },
        });
    }
    for (nx, ny) in [(4, 8), (32, 16), (64, 64)] {
        plane(nx, ny, &mut cases);
    }
    cases
}

fn plane(nx: u32, ny: u32, cases: &mut Vec<Case>) {
    let count = (nx * ny) as usize;
    let workgroups = [(nx * ny).div_ceil(256), 1, 1];
    let label = format!("{nx} × {ny}");
    let p = navier_stokes::velocity::Params { nx, ny, wavenumber_x: 0.9, wavenumber_y: 1.3 };
    cases.push(Case {
        kernel: &kernels::navier_stokes::VELOCITY,
        label: label.clone(),
        buffers: vec![words(&[p]), complex(count, 9), dirty(4 * count + 2)],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(2);
            navier_stokes::velocity::velocity(&params(head), view(&head[1]), view_mut(&mut out[0]));
        },
        bound: Bound::Relative(1e-6, "a division, to which WGSL grants 2.5 units in the last place, and products"),
        fault: Fault("vec2<f32>(-ky, kx)", "vec2<f32>(ky, kx)"),
    });
    let p = navier_stokes::force::Params { nx, ny, forced_mode: 2, forcing: -3.5 };
    cases.push(Case {
        kernel: &kernels::navier_stokes::FORCE,
        label,
        buffers: vec![words(&[p]), complex(count, 10), dirty(2 * count + 2)],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(2);
            navier_stokes::force::force(&params(head), view(&head[1]), view_mut(&mut out[0]));
        },
        bound: Bound::Relative(1e-7, "one addition"),
        fault: Fault("value.x += params.forcing", "value.y += params.forcing"),
    });
}

/// Kernels whose only parameter is the count of numbers.
fn counted(count: usize, cases: &mut Vec<Case>) {
    let n = count as u32;
    let workgroups = [n.div_ceil(256), 1, 1];
    let label = format!("{count} numbers");
    cases.push(Case {
        kernel: &kernels::spectral::COMPLEX_FROM_REAL,
        label: label.clone(),
        buffers: vec![
            words(&[spectral::complex_from_real::Params { count: n }]),
            words(&noise(count, 1)),
            dirty(2 * count + 2),
        ],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(2);
            spectral::complex_from_real::complex_from_real(&params(head), view(&head[1]), view_mut(&mut out[0]));
        },
        bound: Bound::Bits,
        fault: Fault("vec2<f32>(field[id.x], 0.0)", "vec2<f32>(0.0, field[id.x])"),
    });
    cases.push(Case {
        kernel: &kernels::spectral::REAL_FROM_COMPLEX,
        label: label.clone(),
        buffers: vec![words(&[spectral::real_from_complex::Params { count: n }]), complex(count, 2), dirty(count + 1)],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(2);
            spectral::real_from_complex::real_from_complex(&params(head), view(&head[1]), view_mut(&mut out[0]));
        },
        bound: Bound::Bits,
        fault: Fault("work[id.x].x", "work[id.x].y"),
    });
    cases.push(Case {
        kernel: &kernels::burgers::SQUARE,
        label: label.clone(),
        buffers: vec![words(&[burgers::square::Params { count: n }]), complex(count + 1, 3)],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(1);
            burgers::square::square(&params(head), view_mut(&mut out[0]));
        },
        bound: Bound::Bits,
        fault: Fault("u * u", "u + u"),
    });
    cases.push(Case {
        kernel: &kernels::navier_stokes::ADVECTION,
        label: label.clone(),
        buffers: vec![words(&[navier_stokes::advection::Params { count: n }]), complex(2 * count, 4)],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(1);
            navier_stokes::advection::advection(&params(head), view_mut(&mut out[0]));
        },
        bound: PRODUCTS,
        fault: Fault("-dot(", "dot("),
    });
    cases.push(Case {
        kernel: &kernels::etdrk4::DECAY,
        label: label.clone(),
        buffers: vec![words(&[etdrk4::decay::Params { count: n }]), complex(6 * count, 5), complex(count + 1, 6)],
        workgroups,
        twin: |b| {
            let (head, out) = b.split_at_mut(2);
            etdrk4::decay::decay(&params(head), view(&head[1]), view_mut(&mut out[0]));
        },
        bound: PRODUCTS,
        fault: Fault("a.x * b.x - a.y * b.y", "a.x * b.x + a.y * b.y"),
    });
    let p = etdrk4::stage::Params { count: n, first_weight: 2.0, second_weight: -1.0 };
    cases.push(Case {
        kernel: &kernels::etdrk4::STAGE,
        label: label.clone(),
        buffers: vec![
            words(&[p]),
            complex(6 * count, 5),
            complex(count, 11),
            complex(count, 12),
            complex(count, 13),
            dirty(2 * count + 2),
        ],
        workgroups,
        twin: |b| {
            let (h, out) = b.split_at_mut(5);
            let out = view_mut(&mut out[0]);
            etdrk4::stage::stage(&params(h), view(&h[1]), view(&h[2]), view(&h[3]), view(&h[4]), out);
        },
        bound: PRODUCTS,
        fault: Fault("params.second_weight *", "1.01 * params.second_weight *"),
    });
    cases.push(Case {
        kernel: &kernels::etdrk4::COMBINE,
        label,
        buffers: vec![
            words(&[etdrk4::combine::Params { count: n }]),
            complex(6 * count, 5),
            complex(count, 14),
            complex(count, 15),
            complex(count, 16),
            complex(count, 17),
            complex(count + 1, 18),
        ],
        workgroups,
        twin: |b| {
            let (h, out) = b.split_at_mut(6);
            let out = view_mut(&mut out[0]);
            etdrk4::combine::combine(&params(h), view(&h[1]), view(&h[2]), view(&h[3]), view(&h[4]), view(&h[5]), out);
        },
        bound: PRODUCTS,
        fault: Fault("2.0 * complex_multiply", "2.01 * complex_multiply"),
    });
}
