//! Twin of reduce/total.wgsl.

use crate::cpu::shared::summary::{EMPTY, Summary, join_tile};

crate::layout::uniform! {
    pub struct Params {
        /// At most [`MAX_GROUPS`](crate::cpu::reduce::partial::MAX_GROUPS).
        groups: u32,
    }
}

pub fn total(params: &Params, partials: &[Summary], summary: &mut [Summary]) {
    let mut tile = [EMPTY; 256];
    tile[..params.groups as usize].copy_from_slice(&partials[..params.groups as usize]);
    summary[0] = join_tile(&mut tile);
}
