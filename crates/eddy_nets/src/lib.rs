//! Fused dense networks: jets forward, weights backward, optimizer, with the batch in SIMD lanes.
//!
//! A network is described by an [`Architecture`] and held as a [`Network`] (one flat vector of parameters). An [`Engine`]
//! owns all the memory of a training step: it pushes a tile of points through the layers as Taylor jets (value, first
//! derivatives and operators of second order, [`JetSpec`]), hands the outputs to the caller's loss, takes back the
//! adjoint of every jet component, and goes backward once to the parameters. [`Adam`] applies the gradient. [`gpu`] does
//! whole steps on a GPU, for scalar equations in (t, x). [`graph`] has networks of any shape and derivatives to order 4;
//! [`Lbfgs`], [`GaussNewton`], [`Muon`] and [`Soap`] are the other optimizers.
//!
//! ```
//! use eddy_nets::*;
//! // u″ = −u at 64 points, u(0) = 0, u′(0) = 1 through u = t + t² N(t): the residual is t-dependent in N's jet.
//! let architecture = Architecture::dense(1, &[16, 16], 1, Activation::Tanh);
//! let mut network = Network::<f32>::new(architecture, 1)?;
//! let jets = JetSpec::value(1).along(0).second(0, 0);
//! let mut engine = Engine::new(&network, &jets)?;
//! let mut adam = Adam::new(network.parameters.len(), AdamSettings::default());
//! let points: Vec<f32> = (0..64).map(|i| i as f32 / 63.0).collect();
//! let mut gradient = vec![0.0; network.parameters.len()];
//! for _ in 0..300 {
//!     engine.gradient(&network, &points, &mut gradient, |tile| {
//!         let mut loss = 0.0;
//!         for i in 0..tile.len {
//!             let t = tile.input(0)[i];
//!             let [n, n1, n2] = [0, 1, 2].map(|c| tile.jet(0, c)[i]);
//!             let u = t + t * t * n;
//!             let u2 = 2.0 * n + 4.0 * t * n1 + t * t * n2;
//!             let r = (u2 + u) / 64.0;
//!             loss += f64::from(r * (u2 + u));
//!             tile.adjoint(0, 0)[i] = 2.0 * r * (2.0 + t * t);
//!             tile.adjoint(0, 1)[i] = 2.0 * r * 4.0 * t;
//!             tile.adjoint(0, 2)[i] = 2.0 * r * t * t;
//!         }
//!         loss
//!     });
//!     adam.step(&mut network.parameters, &mut gradient);
//! }
//! let mut end = 0.0;
//! engine.evaluate(&network, &[1.0], |tile| end = 1.0 + tile.jet(0, 0)[0]);
//! assert!((end - 1f32.sin()).abs() < 0.01);
//! # Ok::<(), eddy_nets::NetError>(())
//! ```

mod activation;
mod adam;
mod aligned;
pub mod bench;
mod engine;
mod features;
mod first_order;
mod functions;
pub mod fused;
mod gauss_newton;
pub mod gpu;
pub mod graph;
mod jets;
mod lanes;
mod lbfgs;
mod matmul;
mod muon;
mod network;
mod random;
mod real;
mod soap;

pub use activation::Activation;
pub use adam::{Adam, AdamSettings, Schedule, Shape};
pub use engine::{Engine, Tile};
pub use features::{Features, Linear};
pub use first_order::{FirstOrder, Rule};
pub use functions::{sin_cos_all, tanh_all};
pub use gauss_newton::{GaussNewton, GaussNewtonSettings, GaussNewtonStep};
pub use jets::{JetSpec, Operator};
pub use lbfgs::{Lbfgs, LbfgsSettings, LbfgsState, LbfgsStep};
pub use muon::{Muon, MuonSettings, orthogonalized};
pub use network::{Architecture, LayerShape, Named, NetError, Network};
pub use random::{normal, uniform};
pub use real::{Level, Real};
pub use soap::{Soap, SoapSettings};
