//! A small diffusion model of pictures: 16 × 16 pixels of drawn shapes and digits, asked for by class and size.
//!
//! All of it is Eddy's own: the pictures are drawn by [`drawing`], the weights are trained on them by `eddy train image`,
//! and so is the classifier whose features compare samples with pictures.

pub mod bench;
mod checkpoint;
pub mod drawing;
mod features;
mod frechet;
mod model;
mod network;
mod parameters;
mod training;

pub use checkpoint::Metadata;
pub use drawing::{CLASSES, Condition, PIXELS, Picture, SIDE, SIZES};
pub use features::{Classifier, FEATURES, Judged};
pub use frechet::Moments;
pub use model::{Guided, Model};
pub use network::{parameter_count, schedule, span};
pub use training::{Options, Training};
