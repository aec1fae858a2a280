//! Twin of reduce/partial.wgsl.

use crate::cpu::shared::summary::{EMPTY, Summary, join_summaries, join_tile, summary_of};

/// Most workgroups of a first pass, so that one workgroup can join them.
pub const MAX_GROUPS: u32 = 256;

crate::layout::uniform! {
    pub struct Params {
        count: u32,
        offset: u32,
        /// 2 reads the real parts of complex numbers.
        stride: u32,
        groups: u32,
    }
}

impl Params {
    /// A summary of `count` values from `offset` on, every `stride`-th.
    pub fn new(count: u32, offset: u32, stride: u32) -> Self {
        Self { count, offset, stride, groups: count.div_ceil(1024).clamp(1, MAX_GROUPS) }
    }
}

/// One summary per workgroup, with the sums in the order in which the workgroup adds.
pub fn partial(params: &Params, values: &[f32], partials: &mut [Summary]) {
    for group in 0..params.groups {
        let mut tile = [EMPTY; 256];
        for thread in 0..256 {
            let mut i = group * 256 + thread;
            while i < params.count {
                let value = values[(params.offset + i * params.stride) as usize];
                tile[thread as usize] = join_summaries(tile[thread as usize], summary_of(value));
                i += params.groups * 256;
            }
        }
        partials[group as usize] = join_tile(&mut tile);
    }
}
