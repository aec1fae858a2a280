//! reduce/* and random/philox.

use eddy_kernels::cpu::random::philox::{self, philox};
use eddy_kernels::cpu::reduce::{partial, total};
use eddy_kernels::kernels;

use crate::harness::*;

/// Whole numbers, so that sums are exact in any order and the comparison can be bit for bit.
fn whole_numbers(count: usize) -> Vec<f32> {
    let mut values: Vec<f32> = noise(count, 3).iter().map(|v| (v * 100.0).round()).collect();
    // Zeros of both signs would make min and max ambiguous.
    values.iter_mut().filter(|v| **v == 0.0).for_each(|v| *v = 7.0);
    if count > 300 {
        (values[5], values[77], values[299]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    }
    values
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (count, offset, stride) in [(1, 0, 1), (64, 3, 1), (255, 0, 2), (1000, 10, 1), (4096, 1, 2), (70001, 0, 1)] {
        let p = partial::Params::new(count, offset, stride);
        cases.push(Case {
            kernel: &kernels::reduce::PARTIAL,
            label: format!("{count} values from {offset}, stride {stride}"),
            buffers: vec![
                words(&[p]),
                words(&whole_numbers((offset + count * stride) as usize)),
                dirty(4 * (p.groups + 1) as usize),
            ],
            workgroups: [p.groups, 1, 1],
            twin: |b| {
                let (head, out) = b.split_at_mut(2);
                partial::partial(&params(head), view(&head[1]), view_mut(&mut out[0]));
            },
            bound: Bound::Bits,
            fault: Fault("a.z + b.z", "a.z"),
        });
    }
    for groups in [1, 2, 69, 256] {
        let summaries: Vec<[f32; 4]> =
            whole_numbers(4 * groups as usize).chunks(4).map(|c| [c[0], c[1], c[2], 2.0]).collect();
        let finite: Vec<[f32; 4]> = summaries.iter().map(|s| s.map(|v| if v.is_finite() { v } else { 11.0 })).collect();
        cases.push(Case {
            kernel: &kernels::reduce::TOTAL,
            label: format!("{groups} summaries"),
            buffers: vec![words(&[total::Params { groups }]), words(&finite), dirty(8)],
            workgroups: [1, 1, 1],
            twin: |b| {
                let (head, out) = b.split_at_mut(2);
                total::total(&params(head), view(&head[1]), view_mut(&mut out[0]));
            },
            bound: Bound::Bits,
            fault: Fault("thread < params.groups", "thread + 1u < params.groups"),
        });
    }
    cases
}

pub fn random_cases() -> Vec<Case> {
    // The second counter overflows into its next word within the first dispatch.
    [(1, [0; 4], [0; 2]), (513, [u32::MAX - 255, 9, 8, 7], [0xa409_3822, 0x299f_31d0])]
        .into_iter()
        .map(|(blocks, [counter_0, counter_1, counter_2, counter_3], [key_0, key_1])| Case {
            kernel: &kernels::random::PHILOX,
            label: format!("{blocks} blocks"),
            buffers: vec![
                words(&[philox::Params { counter_0, counter_1, counter_2, counter_3, key_0, key_1, blocks }]),
                dirty(4 * blocks as usize + 4),
            ],
            workgroups: [blocks.div_ceil(256), 1, 1],
            twin: |b| {
                let (head, out) = b.split_at_mut(1);
                philox(&params(head), view_mut(&mut out[0]));
            },
            bound: Bound::Bits,
            fault: Fault("round < 10u", "round < 9u"),
        })
        .collect()
}
