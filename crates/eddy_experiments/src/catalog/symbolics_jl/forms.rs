//! One right-hand side in its successive forms: a tree that is walked, a graph of distinct nodes, sums and products in
//! dictionaries, the cheapest form of an e-graph, straight-line code on blocks of points.

use std::collections::{BTreeMap, HashMap};

use eddy_expr::ir::{Graph, Id, Leaf, Node, Op1, Op2, Orders};
use eddy_expr::program::Program;
use eddy_expr::system::Role;
use eddy_expr::{System, simplify::simplify};

/// Points beside the domain that a stencil may read.
pub const HALO: usize = 3;
/// A tree with more nodes is not walked: shared parts are written out in it.
const LARGEST_TREE: usize = 50_000;

/// Rates over arrays at offsets, as typed: nothing but neutral elements and constant subexpressions has been removed.
pub struct Lowered {
    pub graph: Graph,
    pub roots: Vec<Id>,
}

/// Replaces derivatives by central differences of second order. `Err` says what cannot be done and what to do.
pub fn lower(system: &mut System) -> Result<Lowered, String> {
    let is_plain = |v: &eddy_expr::Variable| matches!(v.role, Role::FirstOrder | Role::Algebraic) && !v.is_complex;
    if !system.variables.iter().all(is_plain) || !system.integrals.is_empty() || system.noise_channels > 0 {
        return Err("This experiment takes real equations u_t = … without noise, integrals and elliptic lines. Open \
                    the PDE lab for the others."
            .to_owned());
    }
    let stepped: Vec<u16> = system.stepped().collect();
    let rates: Vec<Id> = stepped.iter().filter_map(|v| system.rate(*v)).collect();
    let inlined = system.inlined(&rates).map_err(|e| e.to_string())?;
    let expanded = system.graph.expand_derivatives(&inlined).map_err(|e| e.to_string())?;
    let source = &system.graph;
    let needed = source.reachable(&expanded);
    let mut target = Graph::new(0);
    let mut image: HashMap<Id, Id> = HashMap::new();
    let slot_of = |variable: u16| stepped.iter().position(|v| *v == variable).unwrap_or(0) as u16;
    for (id, node) in source.nodes().filter(|(id, _)| needed[id.index()]) {
        let lowered = match node {
            Node::Leaf(Leaf::Variable(v)) => target.leaf(Leaf::Array { slot: slot_of(v), offset: [0; 3] }),
            Node::Leaf(leaf) => target.leaf(leaf),
            Node::Derivative(orders, inner) => {
                let Node::Leaf(Leaf::Variable(v)) = source.node(inner) else {
                    return Err("A derivative of a product is left. Write it out.".to_owned());
                };
                difference(&mut target, slot_of(v), orders)?
            }
            Node::Imaginary | Node::Upwind(..) => {
                return Err("This experiment takes neither i nor upwind(…). Remove them.".to_owned());
            }
            _ => target.rebuild(node, |operand| image[&operand]),
        };
        image.insert(id, lowered);
    }
    Ok(Lowered { roots: expanded.iter().map(|id| image[id]).collect(), graph: target })
}

/// Central difference: first derivatives have the weights -½, 0, ½, second ones 1, -2, 1; higher ones are applied in turn.
fn difference(graph: &mut Graph, slot: u16, orders: Orders) -> Result<Id, String> {
    let mut weights: BTreeMap<[i8; 3], f64> = BTreeMap::from([([0; 3], 1.0)]);
    for axis in 0..3 {
        let mut left = orders[axis];
        while left > 0 {
            let stencil: &[(i8, f64)] =
                if left >= 2 { &[(-1, 1.0), (0, -2.0), (1, 1.0)] } else { &[(-1, -0.5), (1, 0.5)] };
            left -= left.min(2);
            let mut next = BTreeMap::new();
            for (offset, weight) in &weights {
                for (shift, factor) in stencil {
                    let mut at = *offset;
                    at[axis] += shift;
                    *next.entry(at).or_insert(0.0) += weight * factor;
                }
            }
            weights = next;
        }
    }
    if weights.keys().flatten().any(|o| usize::from(o.unsigned_abs()) > HALO) {
        return Err("Derivatives beyond the sixth reach too far. Use an algebraic field.".to_owned());
    }
    let mut terms = Vec::new();
    for (offset, weight) in weights.into_iter().filter(|(_, w)| *w != 0.0) {
        let value = graph.leaf(Leaf::Array { slot, offset });
        terms.push(graph.scaled(weight, value));
    }
    let mut value = graph.sum(terms);
    for axis in 0..3u8 {
        for _ in 0..orders[usize::from(axis)] {
            let inverse = graph.leaf(Leaf::InverseSpacing(axis));
            value = graph.mul(value, inverse);
        }
    }
    Ok(value)
}

/// Where a value is wanted: the arrays, the index of the point in them, its coordinates and the time.
pub struct Point<'a> {
    pub arrays: &'a [Vec<f64>],
    pub at: usize,
    pub coordinates: [f64; 3],
    pub time: f64,
}

/// An expression as a tree of boxes, the form that a calculator walks. Numbers that do not vary are filled in and whole
/// powers are products, so that the walk is slow for what it is and not for what it omits.
pub enum Tree {
    Number(f64),
    Coordinate(usize),
    Time,
    Load { slot: usize, shift: isize },
    One(Op1, Box<Tree>),
    Two(Op2, Box<Tree>, Box<Tree>),
    Power(Box<Tree>, i32),
    Select(Box<Tree>, Box<Tree>, Box<Tree>),
}

/// What is the same at all points.
pub struct Uniforms {
    pub parameters: Vec<f64>,
    pub inverse_spacing: [f64; 3],
    /// Distance in an array of neighbours along x, y, z.
    pub strides: [usize; 3],
}

impl Tree {
    /// Unfolds a node. `None` beyond 50,000 nodes or for what no point can evaluate.
    pub fn of(graph: &Graph, root: Id, uniforms: &Uniforms) -> Option<Self> {
        let mut left = LARGEST_TREE;
        Self::unfold(graph, root, uniforms, &mut left)
    }

    fn unfold(graph: &Graph, id: Id, u: &Uniforms, left: &mut usize) -> Option<Self> {
        *left = left.checked_sub(1)?;
        let mut sub = |id: Id| Self::unfold(graph, id, u, left).map(Box::new);
        Some(match graph.node(id) {
            Node::Real(bits) => Self::Number(f64::from_bits(bits)),
            Node::Leaf(Leaf::Parameter(i)) => Self::Number(*u.parameters.get(usize::from(i))?),
            Node::Leaf(Leaf::InverseSpacing(axis)) => Self::Number(u.inverse_spacing[usize::from(axis)]),
            Node::Leaf(Leaf::Coordinate(axis)) => Self::Coordinate(usize::from(axis)),
            Node::Leaf(Leaf::Time) => Self::Time,
            Node::Leaf(Leaf::Array { slot, offset }) => {
                let shift = (0..3).map(|a| isize::from(offset[a]) * u.strides[a] as isize).sum();
                Self::Load { slot: usize::from(slot), shift }
            }
            Node::Leaf(Leaf::Variable(v)) => Self::Load { slot: usize::from(v), shift: 0 },
            Node::Unary(op, a) => Self::One(op, sub(a)?),
            Node::Binary(Op2::Pow, a, b) => match graph.real_value(b) {
                Some(n) if n == n.trunc() && n.abs() <= 8.0 => Self::Power(sub(a)?, n as i32),
                _ => Self::Two(Op2::Pow, sub(a)?, sub(b)?),
            },
            Node::Binary(op, a, b) => Self::Two(op, sub(a)?, sub(b)?),
            Node::Select(c, a, b) => Self::Select(sub(c)?, sub(a)?, sub(b)?),
            _ => return None,
        })
    }

    pub fn value(&self, p: &Point) -> f64 {
        match self {
            Self::Number(v) => *v,
            Self::Coordinate(axis) => p.coordinates[*axis],
            Self::Time => p.time,
            Self::Load { slot, shift } => p.arrays[*slot][p.at.wrapping_add_signed(*shift)],
            Self::One(op, a) => op.eval(a.value(p)),
            Self::Two(op, a, b) => op.eval(a.value(p), b.value(p)),
            Self::Power(a, n) => a.value(p).powi(*n),
            Self::Select(c, a, b) => {
                if c.value(p) != 0.0 {
                    a.value(p)
                } else {
                    b.value(p)
                }
            }
        }
    }

    /// Operations and leaves.
    pub fn nodes(&self) -> usize {
        1 + match self {
            Self::One(_, a) | Self::Power(a, _) => a.nodes(),
            Self::Two(_, a, b) => a.nodes() + b.nodes(),
            Self::Select(c, a, b) => c.nodes() + a.nodes() + b.nodes(),
            _ => 0,
        }
    }
}

/// The same values by one pass over the distinct nodes, a point at a time.
pub struct Walk {
    steps: Vec<Step>,
    values: Vec<f64>,
    outputs: Vec<usize>,
}

enum Step {
    Leaf(Tree),
    One(Op1, usize),
    Two(Op2, usize, usize),
    Power(usize, i32),
    Select(usize, usize, usize),
}

impl Walk {
    pub fn of(graph: &Graph, roots: &[Id], uniforms: &Uniforms) -> Option<Self> {
        let needed = graph.reachable(roots);
        let mut place = vec![0; needed.len()];
        let mut steps = Vec::new();
        for (id, node) in graph.nodes().filter(|(id, _)| needed[id.index()]) {
            let at = |id: Id| place[id.index()];
            let step = match node {
                Node::Unary(op, a) => Step::One(op, at(a)),
                Node::Binary(Op2::Pow, a, b) => match graph.real_value(b) {
                    Some(n) if n == n.trunc() && n.abs() <= 8.0 => Step::Power(at(a), n as i32),
                    _ => Step::Two(Op2::Pow, at(a), at(b)),
                },
                Node::Binary(op, a, b) => Step::Two(op, at(a), at(b)),
                Node::Select(c, a, b) => Step::Select(at(c), at(a), at(b)),
                _ => Step::Leaf(Tree::of(graph, id, uniforms)?),
            };
            place[id.index()] = steps.len();
            steps.push(step);
        }
        let outputs = roots.iter().map(|r| place[r.index()]).collect();
        Some(Self { values: vec![0.0; steps.len()], steps, outputs })
    }

    /// Values of the roots at a point.
    pub fn values(&mut self, p: &Point, mut out: impl FnMut(usize, f64)) {
        for i in 0..self.steps.len() {
            let v = &self.values;
            self.values[i] = match &self.steps[i] {
                Step::Leaf(leaf) => leaf.value(p),
                Step::One(op, a) => op.eval(v[*a]),
                Step::Two(op, a, b) => op.eval(v[*a], v[*b]),
                Step::Power(a, n) => v[*a].powi(*n),
                Step::Select(c, a, b) => {
                    if v[*c] != 0.0 {
                        v[*a]
                    } else {
                        v[*b]
                    }
                }
            };
        }
        for (k, at) in self.outputs.iter().enumerate() {
            out(k, self.values[*at]);
        }
    }
}

/// Modelled cost of a point in additions, each distinct operation once; whatever does not vary from point to point is free.
pub fn graph_cost(graph: &Graph, roots: &[Id]) -> f64 {
    Program::compile(graph, roots, &[]).map_or(f64::NAN, |p| f64::from(p.cost()))
}

/// The same for trees: every occurrence of an operation counts, that is, the roots are compiled in graphs of their own where
/// nothing is shared, within one of them neither. Costs add up over the tree.
pub fn tree_cost(graph: &Graph, roots: &[Id]) -> f64 {
    let varies = graph.depends(|node| {
        matches!(node, Node::Leaf(leaf) if !matches!(leaf, Leaf::Parameter(_) | Leaf::Time | Leaf::InverseSpacing(_)))
    });
    let mut costs = vec![0.0; graph.len()];
    for (id, node) in graph.nodes() {
        if !varies[id.index()] {
            continue;
        }
        let own = match node {
            Node::Unary(op, _) => f64::from(op.cost()),
            Node::Binary(Op2::Pow, _, b) => match graph.real_value(b) {
                // As many products as the compiler makes of it.
                Some(n) if n == n.trunc() && (2.0..=64.0).contains(&n) => {
                    f64::from((n as u32).ilog2() + (n as u32).count_ones() - 1)
                }
                _ => f64::from(Op2::Pow.cost()),
            },
            Node::Binary(op, ..) => f64::from(op.cost()),
            Node::Select(..) => 1.0,
            _ => 0.0,
        };
        costs[id.index()] = Graph::operands(node).map(|a| costs[a.index()]).sum::<f64>() + own;
    }
    roots.iter().map(|r| costs[r.index()]).sum()
}

/// A product of powers of nodes, and its coefficient: a sum is a dictionary of them.
type Terms = BTreeMap<Vec<(Id, u32)>, f64>;
/// Products are multiplied out up to this many terms.
const MOST_TERMS: usize = 48;

/// Dictionaries of the roots.
fn dictionaries(graph: &mut Graph, roots: &[Id]) -> Vec<Terms> {
    let mut memo: HashMap<Id, Terms> = HashMap::new();
    let needed = graph.reachable(roots);
    let nodes: Vec<(Id, Node)> = graph.nodes().filter(|(id, _)| needed[id.index()]).collect();
    for (id, node) in nodes {
        let constant = |value: f64| Terms::from([(Vec::new(), value)]);
        let terms = match node {
            Node::Real(bits) => constant(f64::from_bits(bits)),
            Node::Binary(Op2::Add, a, b) => sum(&memo[&a], &memo[&b], 1.0),
            Node::Binary(Op2::Sub, a, b) => sum(&memo[&a], &memo[&b], -1.0),
            Node::Unary(Op1::Neg, a) => sum(&Terms::new(), &memo[&a], -1.0),
            Node::Binary(Op2::Mul, a, b) => match product(&memo[&a], &memo[&b]) {
                Some(terms) => terms,
                None => atom(graph, node, &memo),
            },
            Node::Binary(Op2::Pow, a, b) => match graph.real_value(b) {
                Some(n) if (2.0..=4.0).contains(&n) && n == n.trunc() => {
                    let mut power = Some(constant(1.0));
                    for _ in 0..n as u32 {
                        power = power.and_then(|p| product(&p, &memo[&a]));
                    }
                    power.unwrap_or_else(|| atom(graph, node, &memo))
                }
                _ => atom(graph, node, &memo),
            },
            _ => atom(graph, node, &memo),
        };
        memo.insert(id, terms);
    }
    roots.iter().map(|r| memo[r].clone()).collect()
}

/// Sums and products in dictionaries: like terms and like factors are collected, products of sums multiplied out, in an order
/// that does not depend on how they were typed.
pub fn canonical(graph: &mut Graph, roots: &[Id]) -> Vec<Id> {
    let terms = dictionaries(graph, roots);
    terms.iter().map(|t| from_terms(graph, t)).collect()
}

fn sum(a: &Terms, b: &Terms, sign: f64) -> Terms {
    let mut out = a.clone();
    for (key, value) in b {
        *out.entry(key.clone()).or_insert(0.0) += sign * value;
    }
    out.retain(|_, v| *v != 0.0);
    out
}

fn product(a: &Terms, b: &Terms) -> Option<Terms> {
    let mut out = Terms::new();
    for (left, x) in a {
        for (right, y) in b {
            let mut factors: BTreeMap<Id, u32> = BTreeMap::new();
            for (id, n) in left.iter().chain(right) {
                *factors.entry(*id).or_insert(0) += n;
            }
            *out.entry(factors.into_iter().collect()).or_insert(0.0) += x * y;
        }
        if out.len() > MOST_TERMS {
            return None;
        }
    }
    out.retain(|_, v| *v != 0.0);
    Some(out)
}

/// A node that dictionaries do not look into, over canonical operands.
fn atom(graph: &mut Graph, node: Node, memo: &HashMap<Id, Terms>) -> Terms {
    let operands: Vec<(Id, Id)> =
        Graph::operands(node).map(|a| (a, memo[&a].clone())).map(|(a, t)| (a, from_terms(graph, &t))).collect();
    let id = graph.rebuild(node, |a| operands.iter().find(|(old, _)| *old == a).map_or(a, |(_, new)| *new));
    match graph.real_value(id) {
        Some(v) => Terms::from([(Vec::new(), v)]),
        None => Terms::from([(vec![(id, 1)], 1.0)]),
    }
}

fn from_terms(graph: &mut Graph, terms: &Terms) -> Id {
    let mut total: Option<Id> = None;
    for (factors, coefficient) in terms {
        let mut value: Option<Id> = None;
        for (id, n) in factors {
            let power = if *n == 1 { *id } else { graph.powi(*id, *n as i32) };
            value = Some(value.map_or(power, |v| graph.mul(v, power)));
        }
        let size = coefficient.abs();
        let value = match value {
            None => graph.real(size),
            Some(v) if size == 1.0 => v,
            Some(v) => graph.scaled(size, v),
        };
        total = Some(match total {
            None if *coefficient < 0.0 => graph.neg(value),
            None => value,
            Some(sum) if *coefficient < 0.0 => graph.sub(sum, value),
            Some(sum) => graph.add(sum, value),
        });
    }
    total.unwrap_or_else(|| graph.real(0.0))
}

/// Terms that go through an e-graph together: a sum of m terms has more than m! forms, and the graph is bounded.
const TOGETHER: usize = 4;

/// The cheapest form of one root that equality saturation finds: of the typed form, of the dictionary, and of the dictionary in
/// parts. Whole, a long sum exhausts the e-graph before its factors meet; in parts of terms with a common factor, and then parts of
/// parts, they do.
pub fn extracted(graph: &mut Graph, root: Id, cost: fn(&Graph, &[Id]) -> f64) -> Id {
    let canonical = canonical(graph, &[root])[0];
    let candidates = [root, simplify(graph, &[root])[0], simplify(graph, &[canonical])[0], in_parts(graph, root)];
    let cheapest =
        candidates.into_iter().map(|id| (cost(graph, &[id]), id)).reduce(|a, b| if b.0 < a.0 { b } else { a });
    cheapest.map_or(root, |(_, id)| id)
}

fn in_parts(graph: &mut Graph, root: Id) -> Id {
    let Some(mut terms) = dictionaries(graph, &[root]).pop() else { return root };
    // Gains and losses apart, so that the rules need not carry signs about.
    let (mut gains, mut losses): (Vec<Id>, Vec<Id>) = (Vec::new(), Vec::new());
    while !terms.is_empty() {
        let mut uses: BTreeMap<Id, usize> = BTreeMap::new();
        for id in terms.keys().flatten().map(|(id, _)| *id) {
            let is_uniform = matches!(graph.node(id), Node::Leaf(Leaf::Parameter(_)));
            *uses.entry(id).or_insert(0) += usize::from(!is_uniform);
        }
        let common = uses.into_iter().filter(|(_, n)| *n > 1).max_by_key(|(_, n)| *n).map(|(id, _)| id);
        // Terms with the most frequent factor; without one, what is left.
        let has = |key: &[(Id, u32)]| common.is_none_or(|c| key.iter().any(|(id, _)| *id == c));
        let group: Vec<_> = terms.iter().filter(|(key, _)| has(key)).map(|(k, v)| (k.clone(), *v)).collect();
        terms.retain(|key, _| !has(key));
        let half = |positive: bool| -> Vec<Terms> {
            let signed: Vec<_> = group.iter().filter(|(_, v)| (*v > 0.0) == positive).cloned().collect();
            signed.chunks(TOGETHER).map(|c| c.iter().map(|(k, v)| (k.clone(), v.abs())).collect()).collect()
        };
        let (gain, loss) = (joined(graph, &half(true), common), joined(graph, &half(false), common));
        match (gain, loss, common) {
            (Some(gain), Some(loss), Some(_)) => {
                let difference = graph.sub(gain, loss);
                gains.push(simplify(graph, &[difference])[0]);
            }
            (gain, loss, _) => {
                gains.extend(gain);
                losses.extend(loss);
            }
        }
    }
    let (gain, loss) = (graph.sum(gains), graph.sum(losses));
    graph.sub(gain, loss)
}

/// The sum of all parts, each through an e-graph, then the parts in pairs while they have a common factor.
fn joined(graph: &mut Graph, parts: &[Terms], common: Option<Id>) -> Option<Id> {
    let mut level: Vec<Id> = parts.iter().map(|p| with_factor(graph, p, common)).collect();
    level.iter_mut().for_each(|id| *id = simplify(graph, &[*id])[0]);
    if common.is_none() && !level.is_empty() {
        return Some(graph.sum(level));
    }
    while level.len() > 1 {
        let pairs: Vec<Vec<Id>> = level.chunks(2).map(<[Id]>::to_vec).collect();
        let sums: Vec<Id> = pairs.into_iter().map(|pair| graph.sum(pair)).collect();
        level = sums.into_iter().map(|id| simplify(graph, &[id])[0]).collect();
    }
    level.pop()
}

/// The sum with `common` the first factor of each term, where the rules see it at once.
fn with_factor(graph: &mut Graph, terms: &Terms, common: Option<Id>) -> Id {
    let Some(common) = common else { return from_terms(graph, terms) };
    let products: Vec<Id> = terms
        .iter()
        .map(|(factors, coefficient)| {
            let mut rest = factors.clone();
            rest.iter_mut().filter(|(id, _)| *id == common).for_each(|f| f.1 -= 1);
            rest.retain(|f| f.1 > 0);
            let rest = from_terms(graph, &Terms::from([(rest, *coefficient)]));
            graph.mul(common, rest)
        })
        .collect();
    graph.sum(products)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eddy_expr::Options;

    fn lowered(text: &str) -> (Lowered, Uniforms) {
        let mut system = System::parse(text, &Options::new(2)).unwrap();
        let uniforms =
            Uniforms { parameters: system.parameter_values(), inverse_spacing: [2.0, 2.0, 0.0], strides: [1, 20, 0] };
        (lower(&mut system).unwrap(), uniforms)
    }

    fn values(graph: &Graph, roots: &[Id], uniforms: &Uniforms, arrays: &[Vec<f64>]) -> Vec<f64> {
        let point = Point { arrays, at: 210, coordinates: [0.3, 0.4, 0.0], time: 0.7 };
        roots.iter().map(|r| Tree::of(graph, *r, uniforms).unwrap().value(&point)).collect()
    }

    #[test]
    fn every_form_has_the_same_values() {
        let text = "u_t = a*(u + v)^2 - a*u^2 - 2*a*u*v + D*lap(u) + exp(-u*v)*sin(x*t); \
                    v_t = (u - v)*(u + v) + dx(u)*dy(v) + D*bilap(v)/3; a = 1.5; D = 0.25";
        let (mut l, uniforms) = lowered(text);
        let arrays: Vec<Vec<f64>> =
            (0..2).map(|k| (0..400).map(|i| ((i * i + 7 * k) as f64 * 0.37).sin()).collect()).collect();
        let typed = values(&l.graph, &l.roots, &uniforms, &arrays);
        let roots = l.roots.clone();
        let dictionary = canonical(&mut l.graph, &roots);
        let best: Vec<Id> = roots.iter().map(|r| extracted(&mut l.graph, *r, graph_cost)).collect();
        for form in [&dictionary, &best] {
            for (a, b) in values(&l.graph, form, &uniforms, &arrays).iter().zip(&typed) {
                assert!((a - b).abs() < 1e-12 * b.abs().max(1.0), "{a} {b}");
            }
        }
        let mut walk = Walk::of(&l.graph, &roots, &uniforms).unwrap();
        let point = Point { arrays: &arrays, at: 210, coordinates: [0.3, 0.4, 0.0], time: 0.7 };
        walk.values(&point, |k, v| assert_eq!(v, typed[k]));
        // Another point has other values.
        let other = Point { arrays: &arrays, at: 211, coordinates: [0.3, 0.4, 0.0], time: 0.7 };
        walk.values(&other, |k, v| assert!((v - typed[k]).abs() > 1e-6));
    }

    #[test]
    fn like_terms_meet_in_dictionaries() {
        let cost = |text: &str| {
            let (mut l, _) = lowered(text);
            let roots = l.roots.clone();
            let dictionary = canonical(&mut l.graph, &roots);
            let best: Vec<Id> = roots.iter().map(|r| extracted(&mut l.graph, *r, graph_cost)).collect();
            [&roots, &dictionary, &best].map(|r| graph_cost(&l.graph, r))
        };
        // a (u + v)² - a u² - 2 a u v is a v²: two products.
        let [typed, dictionary, best] = cost("u_t = a*(u + v)^2 - a*u^2 - 2*a*u*v; v_t = 0; a = 3");
        assert!(typed > 6.0 && dictionary == 2.0 && best == 2.0, "{typed} {dictionary} {best}");
        // Dictionaries multiply out, which the e-graph takes back.
        let [typed, dictionary, best] = cost("u_t = (u + v)*(u + 2*v + x)*y; v_t = 0");
        assert!(dictionary > typed && best <= typed, "{typed} {dictionary} {best}");
    }

    #[test]
    fn differences_are_those_of_polynomials() {
        // u = x² y + x⁴ on a grid of spacing ½: second-order differences, whose errors are known exactly.
        let (l, uniforms) = lowered("u_t = dx(u) + 10*dyy(u) + 100*dxy(u)");
        let (h, n) = (0.5, 20);
        let u = |i: usize, j: usize| {
            let (x, y) = (h * (i as f64 - 10.0), h * (j as f64 - 10.0));
            x * x * y + x.powi(4)
        };
        let arrays = vec![(0..n * n).map(|k| u(k % n, k / n)).collect::<Vec<f64>>()];
        let (x, y) = (0.0, 0.0);
        // x⁴ has the central difference 4x³ + 4x h².
        let exact = 2.0 * x * y + 4.0 * x * x * x + 4.0 * x * h * h + 100.0 * 2.0 * x;
        let value = values(&l.graph, &l.roots, &uniforms, &arrays)[0];
        assert!((value - exact).abs() < 1e-12, "{value} {exact}");
    }
}
