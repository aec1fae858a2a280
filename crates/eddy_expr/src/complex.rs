//! Complex values as pairs of real ones. After [`split`] every lowering handles real numbers only.

use crate::ir::{Graph, Id, Leaf, Node, Op1, Op2};

/// Largest whole exponent worked out by products; beyond, powers go through logarithms.
const MAX_WHOLE_POWER: f64 = 16.0;

/// Real and imaginary part of a value, as nodes of a graph without complex nodes.
pub type Pair = (Id, Id);

/// Copies the roots into `target` as pairs. A complex variable becomes [`Leaf::RealPart`] and
/// [`Leaf::ImaginaryPart`]; real variables stay. Branch cuts: `log sqrt arg` and powers with a fractional exponent
/// are cut along the negative real axis, on which the value is the one from above.
pub fn split(graph: &Graph, target: &mut Graph, roots: &[Id]) -> Vec<Pair> {
    let needed = graph.reachable(roots);
    let zero = target.real(0.0);
    let mut pairs: Vec<Pair> = vec![(zero, zero); needed.len()];
    for (id, node) in graph.nodes() {
        if needed[id.index()] {
            pairs[id.index()] = split_node(graph, target, id, node, &pairs);
        }
    }
    roots.iter().map(|root| pairs[root.index()]).collect()
}

fn split_node(graph: &Graph, target: &mut Graph, id: Id, node: Node, pairs: &[Pair]) -> Pair {
    let zero = target.real(0.0);
    let of = |operand: Id| pairs[operand.index()];
    match node {
        Node::Real(_) => (target.intern(node), zero),
        Node::Imaginary => (zero, target.real(1.0)),
        Node::Leaf(Leaf::Variable(index)) if graph.is_complex(id) => {
            (target.leaf(Leaf::RealPart(index)), target.leaf(Leaf::ImaginaryPart(index)))
        }
        Node::Leaf(_) => (target.intern(node), zero),
        Node::Unary(op, a) => {
            if graph.is_complex(a) {
                complex_unary(target, op, of(a))
            } else {
                (target.unary(op, of(a).0), zero)
            }
        }
        Node::Binary(op, a, b) => {
            // |z|^2 without a root.
            if let (Op2::Pow, Node::Unary(Op1::Abs, inner), Some(n)) = (op, graph.node(a), graph.real_value(b))
                && graph.is_complex(inner)
                && n % 2.0 == 0.0
            {
                let square = size_squared(target, of(inner));
                let half = target.real(0.5 * n);
                return (target.pow(square, half), zero);
            }
            if graph.is_complex(a) || graph.is_complex(b) {
                complex_binary(graph, target, op, b, of(a), of(b))
            } else {
                (target.binary(op, of(a).0, of(b).0), zero)
            }
        }
        Node::Select(condition, a, b) => {
            let condition = of(condition).0;
            let (a, b) = (of(a), of(b));
            (target.select(condition, a.0, b.0), target.select(condition, a.1, b.1))
        }
        Node::Derivative(orders, a) => {
            let a = of(a);
            (target.derivative(orders, a.0), target.derivative(orders, a.1))
        }
        Node::Upwind(axis, velocity, value) => {
            let (velocity, value) = (of(velocity).0, of(value));
            let real = target.intern(Node::Upwind(axis, velocity, value.0));
            let imaginary = if value.1 == zero { zero } else { target.intern(Node::Upwind(axis, velocity, value.1)) };
            (real, imaginary)
        }
    }
}

fn size_squared(g: &mut Graph, z: Pair) -> Id {
    let (a, b) = (g.powi(z.0, 2), g.powi(z.1, 2));
    g.add(a, b)
}

fn product(g: &mut Graph, a: Pair, b: Pair) -> Pair {
    let (rr, ii) = (g.mul(a.0, b.0), g.mul(a.1, b.1));
    let (ri, ir) = (g.mul(a.0, b.1), g.mul(a.1, b.0));
    (g.sub(rr, ii), g.add(ri, ir))
}

fn quotient(g: &mut Graph, a: Pair, b: Pair) -> Pair {
    let zero = g.real(0.0);
    if b.1 == zero {
        return (g.div(a.0, b.0), g.div(a.1, b.0));
    }
    let conjugate = (b.0, g.neg(b.1));
    let top = product(g, a, conjugate);
    let bottom = size_squared(g, b);
    (g.div(top.0, bottom), g.div(top.1, bottom))
}

fn complex_unary(g: &mut Graph, op: Op1, z: Pair) -> Pair {
    let zero = g.real(0.0);
    let (re, im) = z;
    match op {
        Op1::Neg => (g.neg(re), g.neg(im)),
        Op1::Conj => (re, g.neg(im)),
        Op1::Re => (re, zero),
        Op1::Im => (im, zero),
        Op1::Abs => {
            let square = size_squared(g, z);
            (g.unary(Op1::Sqrt, square), zero)
        }
        Op1::Arg => (g.binary(Op2::Atan2, im, re), zero),
        Op1::Exp => {
            let size = g.unary(Op1::Exp, re);
            polar(g, size, im)
        }
        Op1::Log => {
            let square = size_squared(g, z);
            let log = g.unary(Op1::Log, square);
            (g.scaled(0.5, log), g.binary(Op2::Atan2, im, re))
        }
        Op1::Sqrt => complex_sqrt(g, z),
        Op1::Sin => {
            let (s, c) = (g.unary(Op1::Sin, re), g.unary(Op1::Cos, re));
            let (sh, ch) = (g.unary(Op1::Sinh, im), g.unary(Op1::Cosh, im));
            (g.mul(s, ch), g.mul(c, sh))
        }
        Op1::Cos => {
            let (s, c) = (g.unary(Op1::Sin, re), g.unary(Op1::Cos, re));
            let (sh, ch) = (g.unary(Op1::Sinh, im), g.unary(Op1::Cosh, im));
            let product = g.mul(s, sh);
            (g.mul(c, ch), g.neg(product))
        }
        Op1::Tan => {
            let (top, bottom) = (complex_unary(g, Op1::Sin, z), complex_unary(g, Op1::Cos, z));
            quotient(g, top, bottom)
        }
        Op1::Sinh => {
            let (s, c) = (g.unary(Op1::Sin, im), g.unary(Op1::Cos, im));
            let (sh, ch) = (g.unary(Op1::Sinh, re), g.unary(Op1::Cosh, re));
            (g.mul(sh, c), g.mul(ch, s))
        }
        Op1::Cosh => {
            let (s, c) = (g.unary(Op1::Sin, im), g.unary(Op1::Cos, im));
            let (sh, ch) = (g.unary(Op1::Sinh, re), g.unary(Op1::Cosh, re));
            (g.mul(ch, c), g.mul(sh, s))
        }
        Op1::Tanh => {
            let (top, bottom) = (complex_unary(g, Op1::Sinh, z), complex_unary(g, Op1::Cosh, z));
            quotient(g, top, bottom)
        }
        // The checker lets only real values into the others; a derivative may make acosh-like roots, handled above.
        _ => (g.unary(op, re), zero),
    }
}

fn polar(g: &mut Graph, size: Id, angle: Id) -> Pair {
    let (c, s) = (g.unary(Op1::Cos, angle), g.unary(Op1::Sin, angle));
    (g.mul(size, c), g.mul(size, s))
}

/// Principal root without cancellation: the larger part from |z| + |re z|, the other by division.
fn complex_sqrt(g: &mut Graph, z: Pair) -> Pair {
    let zero = g.real(0.0);
    let (re, im) = z;
    let square = size_squared(g, z);
    let size = g.unary(Op1::Sqrt, square);
    let across = g.unary(Op1::Abs, re);
    let sum = g.add(size, across);
    let half = g.scaled(0.5, sum);
    let large = g.unary(Op1::Sqrt, half);
    let one = g.real(1.0);
    let at_zero = g.binary(Op2::Equal, large, zero);
    let safe = g.select(at_zero, one, large);
    let twice = g.scaled(2.0, safe);
    let small = g.div(im, twice);
    let left = g.binary(Op2::Less, re, zero);
    let below = g.binary(Op2::Less, im, zero);
    let negative_large = g.neg(large);
    let signed_large = g.select(below, negative_large, large);
    let small_size = g.unary(Op1::Abs, small);
    (g.select(left, small_size, large), g.select(left, signed_large, small))
}

fn complex_binary(graph: &Graph, g: &mut Graph, op: Op2, exponent: Id, a: Pair, b: Pair) -> Pair {
    let zero = g.real(0.0);
    match op {
        Op2::Add => (g.add(a.0, b.0), g.add(a.1, b.1)),
        Op2::Sub => (g.sub(a.0, b.0), g.sub(a.1, b.1)),
        Op2::Mul => product(g, a, b),
        Op2::Div => quotient(g, a, b),
        Op2::Pow => match graph.real_value(exponent) {
            Some(n) if n == n.trunc() && n.abs() <= MAX_WHOLE_POWER => {
                let one = (g.real(1.0), zero);
                let mut result = one;
                let mut power = a;
                let mut rest = n.abs() as u32;
                while rest > 0 {
                    if rest & 1 == 1 {
                        result = if result == one { power } else { product(g, result, power) };
                    }
                    rest >>= 1;
                    if rest > 0 {
                        power = product(g, power, power);
                    }
                }
                if n < 0.0 { quotient(g, one, result) } else { result }
            }
            Some(0.5) => complex_sqrt(g, a),
            _ => {
                let log = complex_unary(g, Op1::Log, a);
                let scaled = product(g, b, log);
                complex_unary(g, Op1::Exp, scaled)
            }
        },
        // Comparisons, min, max and the rest take real values only; the checker saw to it.
        _ => (g.binary(op, a.0, b.0), zero),
    }
}
