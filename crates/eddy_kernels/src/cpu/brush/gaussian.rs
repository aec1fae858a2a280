//! Twin of brush/gaussian.wgsl.

crate::layout::uniform! {
    pub struct Params {
        nx: u32,
        ny: u32,
        /// Index of the field's first point.
        offset: u32,
        is_periodic: u32,
        /// Centre and radius in grid points.
        x: f32,
        y: f32,
        radius: f32,
        amplitude: f32,
    }
}

/// Adds amplitude · exp(-r²/(2 radius²)).
pub fn gaussian(params: &Params, field: &mut [f32]) {
    let along = |index: u32, centre: f32, points: u32| {
        let d = (index as f32 - centre).abs();
        if params.is_periodic != 0 { d.min(points as f32 - d) } else { d }
    };
    for y in 0..params.ny {
        for x in 0..params.nx {
            let (dx, dy) = (along(x, params.x, params.nx), along(y, params.y, params.ny));
            let bump = (-(dx * dx + dy * dy) / (2.0 * params.radius * params.radius)).exp();
            field[(params.offset + y * params.nx + x) as usize] += params.amplitude * bump;
        }
    }
}
