//! Twin of spectral/project.wgsl.

use crate::Complex;
use crate::cpu::shared::modes::{is_kept, signed_mode};

crate::layout::uniform! {
    pub struct Params {
        nx: u32,
        ny: u32,
        fields: u32,
        /// 1: modes beyond the 2/3 rule become 0.
        truncates: u32,
        /// 1: mode 0 becomes 0.
        removes_mean: u32,
    }
}

/// In place: the part of each spectrum that belongs to a real field, ½ (ŵ(k) + conj ŵ(-k)).
pub fn project(params: &Params, spectrum: &mut [Complex]) {
    let (nx, ny) = (params.nx, params.ny);
    let modes = (nx * ny) as usize;
    for plane in spectrum.chunks_exact_mut(modes).take(params.fields as usize) {
        for mode in 0..modes {
            let (ix, iy) = (mode as u32 % nx, mode as u32 / nx);
            let partner = (((ny - iy) % ny) * nx + (nx - ix) % nx) as usize;
            if partner < mode {
                continue;
            }
            let is_cut =
                params.truncates != 0 && !(is_kept(signed_mode(ix, nx), nx) && is_kept(signed_mode(iy, ny), ny));
            let (a, b) = (plane[mode], plane[partner]);
            let value = if is_cut || (params.removes_mean != 0 && mode == 0) {
                [0.0; 2]
            } else {
                [0.5 * (a[0] + b[0]), 0.5 * (a[1] - b[1])]
            };
            plane[partner] = [value[0], -value[1]];
            plane[mode] = value;
        }
    }
}
