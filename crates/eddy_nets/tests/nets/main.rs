//! Networks, their derivatives and optimizers.

mod adam;
mod chains;
mod first_order;
mod functions;
mod fused;
mod graph;
mod hyper_dual;
mod jets;
mod optimizers;
mod published;
