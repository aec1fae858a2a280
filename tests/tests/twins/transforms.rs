//! fft/stockham.

use eddy_kernels::cpu::fft::stockham::{Params, stockham, twiddles};
use eddy_kernels::kernels;

use crate::harness::*;

fn case(label: String, p: Params, numbers: usize) -> Case {
    let fault = if p.points() == 2 {
        // Its only stage is the radix-2 one.
        Fault("2u * p + 1u] = a - b;", "2u * p + 1u] = a + b;")
    } else {
        Fault("let odd = x0 - x2;", "let odd = x0 + x2;")
    };
    Case {
        kernel: &kernels::fft::STOCKHAM,
        label,
        buffers: vec![
            words(&[p]),
            words(&twiddles(p.points())),
            // Four numbers more than the lines hold: they must stay.
            words(&noise(2 * numbers + 8, p.points())),
        ],
        workgroups: [p.workgroups(), 1, 1],
        twin: |b| {
            let (head, data) = b.split_at_mut(2);
            stockham(&params(head), view(&head[1]), view_mut(&mut data[0]));
        },
        bound: Bound::Relative(1e-6, "up to ten stages, of which each may fuse products into additions (6e-8 each)"),
        fault,
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for is_inverse in [false, true] {
        for (nx, rows) in [(2, 1), (2, 700), (4, 3), (8, 1), (16, 70), (32, 33), (64, 5), (128, 9), (256, 2)] {
            let label = format!("{rows} rows of {nx}, inverse {is_inverse}");
            cases.push(case(label, Params::rows(nx, rows, is_inverse), (nx * rows) as usize));
        }
        for (nx, rows) in [(512, 3), (1024, 2)] {
            let label = format!("{rows} rows of {nx}, inverse {is_inverse}");
            cases.push(case(label, Params::rows(nx, rows, is_inverse), (nx * rows) as usize));
        }
        for (nx, ny, planes) in [(4, 8, 3), (8, 2, 1), (8, 16, 2), (32, 64, 1), (16, 512, 1), (4, 1024, 1)] {
            let label = format!("columns of {planes} planes of {nx} × {ny}, inverse {is_inverse}");
            let numbers = (nx * ny * planes) as usize;
            cases.push(case(label, Params::columns(nx, ny, planes, is_inverse), numbers));
        }
    }
    cases
}
