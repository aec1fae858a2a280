//! The twins: `cpu::<domain>::<kernel>` computes what `shaders/<domain>/<kernel>.wgsl` computes, in the same order of
//! operations where that is free. A difference beyond rounding is an error in one of the two.

pub mod brush {
    pub mod gaussian;
}
pub mod burgers {
    pub mod flux;
    pub mod square;
}
pub mod draw {
    pub mod colormap;
}
pub mod etdrk4 {
    pub mod combine;
    pub mod decay;
    pub mod stage;
}
pub mod fft {
    pub mod stockham;
}
pub mod gray_scott {
    pub mod runge_kutta;
}
pub mod navier_stokes {
    pub mod advection;
    pub mod force;
    pub mod velocity;
}
pub mod nets {
    pub mod adam;
    pub mod advance;
    pub mod backward;
    pub mod forward;
    pub mod line_residual;
    pub mod typed_residual;
}
pub mod random {
    pub mod philox;
}
pub mod reduce {
    pub mod partial;
    pub mod total;
}
pub mod shared {
    pub mod complex;
    pub mod jet;
    pub mod laplacian;
    pub mod modes;
    pub mod summary;
    pub mod wall;
}
pub mod spectral {
    pub mod complex_from_real;
    pub mod project;
    pub mod real_from_complex;
}
pub mod wave {
    pub mod kick;
    pub mod kick_drift;
    pub mod runge_kutta;
}
