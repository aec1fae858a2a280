//! What the equations read at a point, as derivatives of the network's outputs.

use eddy_expr::Read;
use eddy_nets::{NetError, graph::Derivatives};
use eddy_solve::Statement;
use eddy_spec::EddyError;

use super::candidate::Candidate;
use crate::labs::pinn::refused;

/// Output and component of the network's derivatives, by read; none for the time.
pub(super) type Sources = Vec<Option<(usize, usize)>>;

/// The derivatives of the network that are read, and which of them each read is. What initial values add to them is made
/// known to the candidate.
pub(super) fn sources(
    reads: &[Read],
    statement: &Statement,
    candidate: &mut Candidate,
) -> Result<(Derivatives, Sources), EddyError> {
    let (inputs, dimension, has_time) = (candidate.inputs, statement.grid.dimension(), candidate.has_time);
    let orders_of = |read: &Read| match read {
        Read::Time => vec![0; inputs],
        Read::Jet { orders, time, .. } => {
            let mut all: Vec<usize> = orders[..dimension].iter().map(|o| usize::from(*o)).collect();
            all.extend(has_time.then_some(usize::from(*time)));
            all
        }
    };
    let wanted: Vec<Vec<usize>> = reads.iter().map(orders_of).collect();
    let net = |e: NetError| match e {
        NetError::TooManyDerivatives { order, .. } => EddyError::start(format!(
            "The equations differentiate {order} times; networks are differentiated at most {} times here.",
            eddy_nets::graph::MAX_ORDER
        ))
        .at("equations"),
        e => refused(e),
    };
    let derivatives = Derivatives::new(inputs, &wanted.iter().map(Vec::as_slice).collect::<Vec<_>>()).map_err(net)?;
    let mut sources = Vec::with_capacity(reads.len());
    for (read, orders) in reads.iter().zip(&wanted) {
        sources.push(match read {
            Read::Time => None,
            Read::Jet { variable, part, orders: space, .. } => {
                // Algebraic fields are put in, so what is read has an output.
                let output = candidate.output(*variable, *part).unwrap_or(0);
                candidate.need(statement, output, *space)?;
                derivatives.component(orders).map(|component| (output, component))
            }
        });
    }
    Ok((derivatives, sources))
}

/// What is not the network's of everything that is read at `points` [point][input], in a window that begins `offset` after
/// the run: by read.
pub(super) fn bases(
    reads: &[Read],
    sources: &Sources,
    statement: &Statement,
    candidate: &Candidate,
    points: &[f64],
    offset: f64,
) -> Vec<Vec<f64>> {
    let inputs = candidate.inputs;
    let of = |(read, source): (&Read, &Option<(usize, usize)>)| match (read, source) {
        (Read::Jet { orders, time, .. }, Some((output, _))) => candidate.base(*output, *orders, *time, points),
        _ if candidate.has_time => points.iter().skip(inputs - 1).step_by(inputs).map(|t| t + offset).collect(),
        _ => vec![statement.start; points.len() / inputs],
    };
    reads.iter().zip(sources).map(of).collect()
}
