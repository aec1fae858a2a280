//! Simplification by equality saturation (egg: Willsey et al., POPL 2021) under a cost model.
//!
//! The cost of a node is that of its operation ([`Op1::cost`], [`Op2::cost`]); work that depends on parameters and
//! time alone is done once per call and counts a thousandth. Rules hold for all finite complex values up to
//! rounding; none removes a pole or crosses a branch cut. The extraction minimises the cost of the tree; shared
//! parts are counted afterwards and the original is kept where it was no dearer.

use std::{collections::HashMap, fmt, str::FromStr, time::Duration};

use egg::{Analysis, CostFunction, DidMerge, Extractor, Language, RecExpr, Rewrite, Runner, define_language, rewrite};

use crate::ir::{Graph, Id, Leaf, Node, Op1, Op2};

/// Largest expression given to the e-graph, in nodes; larger ones are returned as they are.
pub const MAX_SIMPLIFIED: usize = 250;

/// A real constant with total order and text form, as egg needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Constant(u64);

impl Constant {
    fn new(value: f64) -> Self {
        // One zero, so that 0 and -0 are one constant.
        Self(if value == 0.0 { 0 } else { value.to_bits() })
    }

    fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.value())
    }
}

impl FromStr for Constant {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self::new(value)),
            _ => Err(format!("{text} is no constant")),
        }
    }
}

/// A node that the rules do not look into: its index among the distinct heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Head(u32);

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "head{}", self.0)
    }
}

impl FromStr for Head {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_prefix("head").and_then(|n| n.parse().ok()).map(Self).ok_or_else(|| format!("{text} is no head"))
    }
}

define_language! {
    enum Term {
        "+" = Add([egg::Id; 2]),
        "-" = Sub([egg::Id; 2]),
        "*" = Mul([egg::Id; 2]),
        "/" = Div([egg::Id; 2]),
        "^" = Pow([egg::Id; 2]),
        "neg" = Neg([egg::Id; 1]),
        "exp" = Exp([egg::Id; 1]),
        "sin" = Sin([egg::Id; 1]),
        "cos" = Cos([egg::Id; 1]),
        Constant(Constant),
        Other(Head, Vec<egg::Id>),
    }
}

#[derive(Default)]
struct Facts {
    /// Heads that vary from point to point by themselves.
    varying_heads: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Fact {
    constant: Option<f64>,
    is_uniform: bool,
}

impl Analysis<Term> for Facts {
    type Data = Fact;

    fn make(egraph: &mut egg::EGraph<Term, Self>, node: &Term, _id: egg::Id) -> Fact {
        let value = |id: &egg::Id| egraph[*id].data.constant;
        let constant = match node {
            Term::Constant(constant) => Some(constant.value()),
            Term::Add([a, b]) => value(a).zip(value(b)).map(|(a, b)| a + b),
            Term::Sub([a, b]) => value(a).zip(value(b)).map(|(a, b)| a - b),
            Term::Mul([a, b]) => value(a).zip(value(b)).map(|(a, b)| a * b),
            Term::Div([a, b]) => value(a).zip(value(b)).map(|(a, b)| a / b),
            Term::Neg([a]) => value(a).map(|a| -a),
            _ => None,
        }
        .filter(|value| value.is_finite());
        let varies = match node {
            Term::Other(head, _) => egraph.analysis.varying_heads[head.0 as usize],
            _ => false,
        };
        Fact { constant, is_uniform: !varies && node.children().iter().all(|id| egraph[*id].data.is_uniform) }
    }

    fn merge(&mut self, to: &mut Fact, from: Fact) -> DidMerge {
        let before = *to;
        // Two ways to one constant may round apart; the first found stays.
        to.constant = to.constant.or(from.constant);
        to.is_uniform |= from.is_uniform;
        DidMerge(before != *to, *to != from)
    }

    fn modify(egraph: &mut egg::EGraph<Term, Self>, id: egg::Id) {
        if let Some(constant) = egraph[id].data.constant {
            let added = egraph.add(Term::Constant(Constant::new(constant)));
            egraph.union(id, added);
        }
    }
}

fn rules() -> Vec<Rewrite<Term, Facts>> {
    vec![
        rewrite!("add-commutes"; "(+ ?a ?b)" => "(+ ?b ?a)"),
        rewrite!("mul-commutes"; "(* ?a ?b)" => "(* ?b ?a)"),
        rewrite!("add-associates"; "(+ (+ ?a ?b) ?c)" => "(+ ?a (+ ?b ?c))"),
        rewrite!("mul-associates"; "(* (* ?a ?b) ?c)" => "(* ?a (* ?b ?c))"),
        rewrite!("add-zero"; "(+ ?a 0)" => "?a"),
        rewrite!("sub-zero"; "(- ?a 0)" => "?a"),
        rewrite!("zero-sub"; "(- 0 ?a)" => "(neg ?a)"),
        rewrite!("mul-one"; "(* ?a 1)" => "?a"),
        rewrite!("mul-zero"; "(* ?a 0)" => "0"),
        rewrite!("mul-minus-one"; "(* ?a -1)" => "(neg ?a)"),
        rewrite!("div-one"; "(/ ?a 1)" => "?a"),
        rewrite!("sub-self"; "(- ?a ?a)" => "0"),
        rewrite!("add-self"; "(+ ?a ?a)" => "(* 2 ?a)"),
        rewrite!("neg-neg"; "(neg (neg ?a))" => "?a"),
        rewrite!("add-neg"; "(+ ?a (neg ?b))" => "(- ?a ?b)"),
        rewrite!("sub-neg"; "(- ?a (neg ?b))" => "(+ ?a ?b)"),
        rewrite!("neg-sub"; "(neg (- ?a ?b))" => "(- ?b ?a)"),
        rewrite!("mul-neg"; "(* ?a (neg ?b))" => "(neg (* ?a ?b))"),
        rewrite!("sub-as-add"; "(- ?a ?b)" => "(+ ?a (neg ?b))"),
        rewrite!("factor"; "(+ (* ?a ?b) (* ?a ?c))" => "(* ?a (+ ?b ?c))"),
        rewrite!("factor-sub"; "(- (* ?a ?b) (* ?a ?c))" => "(* ?a (- ?b ?c))"),
        rewrite!("factor-one"; "(+ (* ?a ?b) ?a)" => "(* ?a (+ ?b 1))"),
        rewrite!("factor-one-sub"; "(- ?a (* ?a ?b))" => "(* ?a (- 1 ?b))"),
        rewrite!("factor-sub-one"; "(- (* ?a ?b) ?a)" => "(* ?a (- ?b 1))"),
        rewrite!("distribute"; "(* ?a (+ ?b ?c))" => "(+ (* ?a ?b) (* ?a ?c))"),
        rewrite!("square"; "(^ ?a 2)" => "(* ?a ?a)"),
        rewrite!("unsquare"; "(* ?a ?a)" => "(^ ?a 2)"),
        rewrite!("cube"; "(* ?a (^ ?a 2))" => "(^ ?a 3)"),
        rewrite!("div-add"; "(+ (/ ?a ?c) (/ ?b ?c))" => "(/ (+ ?a ?b) ?c)"),
        rewrite!("div-sub"; "(- (/ ?a ?c) (/ ?b ?c))" => "(/ (- ?a ?b) ?c)"),
        rewrite!("div-mul"; "(* ?a (/ ?b ?c))" => "(/ (* ?a ?b) ?c)"),
        rewrite!("div-neg"; "(/ (neg ?a) ?b)" => "(neg (/ ?a ?b))"),
        rewrite!("exp-product"; "(* (exp ?a) (exp ?b))" => "(exp (+ ?a ?b))"),
        rewrite!("exp-negative"; "(/ ?a (exp ?b))" => "(* ?a (exp (neg ?b)))"),
        rewrite!("pythagoras"; "(+ (^ (sin ?a) 2) (^ (cos ?a) 2))" => "1"),
        rewrite!("sine-odd"; "(sin (neg ?a))" => "(neg (sin ?a))"),
        rewrite!("cosine-even"; "(cos (neg ?a))" => "(cos ?a)"),
    ]
}

struct Cost<'a> {
    egraph: &'a egg::EGraph<Term, Facts>,
    head_costs: &'a [f64],
}

impl CostFunction<Term> for Cost<'_> {
    type Cost = f64;

    fn cost<C: FnMut(egg::Id) -> f64>(&mut self, node: &Term, mut costs: C) -> f64 {
        let own = match node {
            Term::Add(_) | Term::Sub(_) | Term::Mul(_) | Term::Neg(_) => 1.0,
            Term::Div(_) => 4.0,
            // Whole powers become products; see `program`.
            Term::Pow([_, exponent]) => match self.egraph[*exponent].data.constant {
                Some(n) if n == n.trunc() && (2.0..=8.0).contains(&n) => n.log2().ceil() + 0.01,
                _ => f64::from(Op2::Pow.cost()),
            },
            Term::Exp(_) => f64::from(Op1::Exp.cost()),
            Term::Sin(_) | Term::Cos(_) => f64::from(Op1::Sin.cost()),
            Term::Constant(_) => 0.0,
            Term::Other(head, _) => self.head_costs[head.0 as usize],
        };
        let varies = |id: &egg::Id| !self.egraph[*id].data.is_uniform;
        let leaf = node.children().is_empty();
        let scale = if leaf || node.children().iter().any(varies) { 1.0 } else { 1e-3 };
        // A little for each node keeps the cost growing from child to parent, as extraction needs.
        node.fold(scale * own + 1e-4, |sum, id| sum + costs(id))
    }
}

/// Cheaper forms of the roots, in the same graph.
pub fn simplify(graph: &mut Graph, roots: &[Id]) -> Vec<Id> {
    if roots.is_empty() || graph.size(roots) > MAX_SIMPLIFIED {
        return roots.to_vec();
    }
    let before = dag_cost(graph, roots);
    let (recexpr_roots, heads, egraph) = saturate(graph, roots);
    let head_costs: Vec<f64> = heads.iter().map(|node| own_cost(*node)).collect();
    let extractor = Extractor::new(&egraph, Cost { egraph: &egraph, head_costs: &head_costs });
    let mut simplified = Vec::with_capacity(roots.len());
    for root in recexpr_roots {
        let (_, best) = extractor.find_best(root);
        simplified.push(into_graph(graph, &best, &heads));
    }
    if dag_cost(graph, &simplified) < before { simplified } else { roots.to_vec() }
}

/// Cost of the distinct nodes that vary from point to point.
fn dag_cost(graph: &Graph, roots: &[Id]) -> f64 {
    let needed = graph.reachable(roots);
    let varies = graph.depends(varies_by_itself);
    graph
        .nodes()
        .filter(|(id, _)| needed[id.index()])
        .map(|(id, node)| {
            let cost = match node {
                Node::Binary(Op2::Pow, _, b) => match graph.real_value(b) {
                    Some(n) if n == n.trunc() && (2.0..=8.0).contains(&n) => n.log2().ceil(),
                    _ => own_cost(node),
                },
                _ => own_cost(node),
            };
            if varies[id.index()] { cost } else { 1e-3 * cost }
        })
        .sum()
}

fn varies_by_itself(node: Node) -> bool {
    matches!(
        node,
        Node::Leaf(leaf) if !matches!(leaf, Leaf::Parameter(_) | Leaf::Time | Leaf::Integral(_) | Leaf::InverseSpacing(_))
    )
}

fn own_cost(node: Node) -> f64 {
    match node {
        Node::Real(_) | Node::Imaginary | Node::Leaf(_) => 0.0,
        Node::Unary(op, _) => f64::from(op.cost()),
        Node::Binary(op, ..) => f64::from(op.cost()),
        Node::Select(..) => 1.0,
        // A derivative costs a transform or a stencil; never make more of them.
        Node::Derivative(..) | Node::Upwind(..) => 100.0,
    }
}

/// A node with its operands blanked, to compare heads.
fn head_of(node: Node) -> Node {
    let blank = Id(0);
    match node {
        Node::Real(_) | Node::Imaginary | Node::Leaf(_) => node,
        Node::Unary(op, _) => Node::Unary(op, blank),
        Node::Binary(op, ..) => Node::Binary(op, blank, blank),
        Node::Select(..) => Node::Select(blank, blank, blank),
        Node::Derivative(orders, _) => Node::Derivative(orders, blank),
        Node::Upwind(axis, ..) => Node::Upwind(axis, blank, blank),
    }
}

fn saturate(graph: &Graph, roots: &[Id]) -> (Vec<egg::Id>, Vec<Node>, egg::EGraph<Term, Facts>) {
    let needed = graph.reachable(roots);
    let mut heads: Vec<Node> = Vec::new();
    let mut head_index: HashMap<Node, u32> = HashMap::new();
    let mut expr: RecExpr<Term> = RecExpr::default();
    let mut image: Vec<egg::Id> = vec![egg::Id::from(0); needed.len()];
    for (id, node) in graph.nodes() {
        if !needed[id.index()] {
            continue;
        }
        let at = |operand: Id| image[operand.index()];
        let term = match node {
            Node::Real(bits) => Term::Constant(Constant::new(f64::from_bits(bits))),
            Node::Binary(Op2::Add, a, b) => Term::Add([at(a), at(b)]),
            Node::Binary(Op2::Sub, a, b) => Term::Sub([at(a), at(b)]),
            Node::Binary(Op2::Mul, a, b) => Term::Mul([at(a), at(b)]),
            Node::Binary(Op2::Div, a, b) => Term::Div([at(a), at(b)]),
            Node::Binary(Op2::Pow, a, b) => Term::Pow([at(a), at(b)]),
            Node::Unary(Op1::Neg, a) => Term::Neg([at(a)]),
            Node::Unary(Op1::Exp, a) => Term::Exp([at(a)]),
            Node::Unary(Op1::Sin, a) => Term::Sin([at(a)]),
            Node::Unary(Op1::Cos, a) => Term::Cos([at(a)]),
            _ => {
                let head = *head_index.entry(head_of(node)).or_insert_with(|| {
                    heads.push(head_of(node));
                    heads.len() as u32 - 1
                });
                Term::Other(Head(head), Graph::operands(node).map(at).collect())
            }
        };
        image[id.index()] = expr.add(term);
    }
    let facts = Facts { varying_heads: heads.iter().map(|head| varies_by_itself(*head)).collect() };
    let mut egraph = egg::EGraph::new(facts);
    let ids = {
        let mut added: Vec<egg::Id> = Vec::with_capacity(expr.as_ref().len());
        for term in expr.as_ref() {
            let term = term.clone().map_children(|child| added[usize::from(child)]);
            added.push(egraph.add(term));
        }
        added
    };
    let root_ids: Vec<egg::Id> = roots.iter().map(|root| ids[usize::from(image[root.index()])]).collect();
    egraph.rebuild();
    // Bounded by iterations and nodes, not by time, so that the result is the same on every machine.
    let runner = Runner::default()
        .with_egraph(egraph)
        .with_iter_limit(7)
        .with_node_limit(4_000)
        .with_time_limit(Duration::from_secs(3_600))
        .run(&rules());
    let root_ids = root_ids.into_iter().map(|id| runner.egraph.find(id)).collect();
    (root_ids, heads, runner.egraph)
}

fn into_graph(graph: &mut Graph, expr: &RecExpr<Term>, heads: &[Node]) -> Id {
    let mut image: Vec<Id> = Vec::with_capacity(expr.as_ref().len());
    for term in expr.as_ref() {
        let at = |id: &egg::Id| image[usize::from(*id)];
        let id = match term {
            Term::Constant(constant) => graph.real(constant.value()),
            Term::Add([a, b]) => graph.add(at(a), at(b)),
            Term::Sub([a, b]) => graph.sub(at(a), at(b)),
            Term::Mul([a, b]) => graph.mul(at(a), at(b)),
            Term::Div([a, b]) => graph.div(at(a), at(b)),
            Term::Pow([a, b]) => graph.pow(at(a), at(b)),
            Term::Neg([a]) => graph.neg(at(a)),
            Term::Exp([a]) => graph.unary(Op1::Exp, at(a)),
            Term::Sin([a]) => graph.unary(Op1::Sin, at(a)),
            Term::Cos([a]) => graph.unary(Op1::Cos, at(a)),
            Term::Other(head, children) => {
                let mut children = children.iter();
                let node = heads[head.0 as usize];
                graph.rebuild(node, |blank| children.next().map_or(blank, at))
            }
        };
        image.push(id);
    }
    image.last().copied().unwrap_or_else(|| graph.real(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost_after(build: impl Fn(&mut Graph) -> Id) -> (f64, f64, String) {
        let mut graph = Graph::new(0);
        let root = build(&mut graph);
        let before = dag_cost(&graph, &[root]);
        let best = simplify(&mut graph, &[root])[0];
        (before, dag_cost(&graph, &[best]), format!("{:?}", graph.node(best)))
    }

    #[test]
    fn sine_and_cosine_squared_are_one() {
        let (_, after, node) = cost_after(|g| {
            let x = g.leaf(Leaf::Coordinate(0));
            let (s, c) = (g.unary(Op1::Sin, x), g.unary(Op1::Cos, x));
            let (s, c) = (g.powi(s, 2), g.powi(c, 2));
            g.add(c, s)
        });
        assert_eq!((after, node), (0.0, format!("{:?}", Node::Real(1f64.to_bits()))));
    }

    #[test]
    fn factors_are_found() {
        // a*u*v + b*u*v - u*v: one product less each.
        let (before, after, _) = cost_after(|g| {
            let (u, v) = (g.variable(0), g.variable(1));
            let (a, b) = (g.leaf(Leaf::Parameter(0)), g.leaf(Leaf::Parameter(1)));
            let (au, bu) = (g.mul(a, u), g.mul(b, u));
            let (auv, buv, uv) = (g.mul(au, v), g.mul(bu, v), g.mul(u, v));
            let sum = g.add(auv, buv);
            g.sub(sum, uv)
        });
        assert!(before >= 7.0 && (2.0..2.1).contains(&after), "{before} {after}");
    }

    #[test]
    fn poles_stay() {
        // x/x is not 1 at 0, sqrt(x)^2 is not x below 0.
        for build in [
            |g: &mut Graph| {
                let x = g.leaf(Leaf::Coordinate(0));
                g.div(x, x)
            },
            |g: &mut Graph| {
                let x = g.leaf(Leaf::Coordinate(0));
                let root = g.unary(Op1::Sqrt, x);
                g.powi(root, 2)
            },
        ] {
            let (before, after, _) = cost_after(build);
            assert_eq!(before, after);
        }
    }
}
