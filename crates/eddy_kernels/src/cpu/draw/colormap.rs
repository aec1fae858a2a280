//! Twin of draw/colormap.wgsl.

crate::layout::uniform! {
    pub struct Params {
        nx: u32,
        ny: u32,
        /// Index of the field's first point.
        offset: u32,
        /// 1: row 0 at the bottom.
        is_flipped: u32,
        /// 1: bilinear between points.
        is_smooth: u32,
        /// Values of the first and the last colour; they must differ.
        low: f32,
        high: f32,
        /// Size of the target in pixels.
        width: f32,
        height: f32,
    }
}

/// Fills `pixels` (width × height, rows from the top) with packed RGBA, red in the low byte.
pub fn colormap(params: &Params, field: &[f32], colours: &[u32], pixels: &mut [u32]) {
    let (width, height) = (params.width as usize, params.height as usize);
    let value_at = |x: i32, y: i32| {
        let (x, y) = (x.clamp(0, params.nx as i32 - 1) as u32, y.clamp(0, params.ny as i32 - 1) as u32);
        field[(params.offset + y * params.nx + x) as usize]
    };
    let mix = |a: f32, b: f32, t: f32| a * (1.0 - t) + b * t;
    for row in 0..height {
        for column in 0..width {
            let u = (column as f32 + 0.5) / params.width;
            let v = (row as f32 + 0.5) / params.height;
            let v = if params.is_flipped != 0 { 1.0 - v } else { v };
            let (x, y) = (u * params.nx as f32, v * params.ny as f32);
            let value = if params.is_smooth != 0 {
                let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
                let (tx, ty) = (x - 0.5 - left, y - 0.5 - top);
                let (left, top) = (left as i32, top as i32);
                let lower = mix(value_at(left, top), value_at(left + 1, top), tx);
                let upper = mix(value_at(left, top + 1), value_at(left + 1, top + 1), tx);
                mix(lower, upper, ty)
            } else {
                value_at(x.floor() as i32, y.floor() as i32)
            };
            pixels[row * width + column] = if value.is_finite() {
                let t = ((value - params.low) / (params.high - params.low)).clamp(0.0, 1.0);
                colours[(t * 255.0 + 0.5).floor() as usize]
            } else {
                0
            };
        }
    }
}
