//! A typed system on a periodic square, evaluated in any of its forms.

use eddy_expr::ir::{Graph, Id, Leaf, Node};
use eddy_expr::program::{Program, UniformInput};
use eddy_expr::{BlockKernel, Column, Field, Options, Row, System, simplify::simplify};

use super::forms::{HALO, Point, Tree, Uniforms, Walk, canonical, extracted, graph_cost, lower, tree_cost};

/// How rates are worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Tree,
    Walk,
    /// Straight-line code of the typed form, and of the cheapest.
    Typed,
    Kernel,
}

/// Modelled costs of a point in additions.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    pub tree: f64,
    pub consed: f64,
    pub canonical: f64,
    pub extracted: f64,
    /// Nodes of the tree, and distinct ones.
    pub tree_nodes: usize,
    pub consed_nodes: usize,
}

pub struct Rates {
    pub points: usize,
    pub spacing: f64,
    pub names: Vec<String>,
    pub costs: Costs,
    /// The cheapest form, to draw.
    pub best: (Graph, Vec<Id>),
    trees: Vec<Tree>,
    walk: Walk,
    typed: BlockKernel<f64>,
    kernel: BlockKernel<f64>,
    parameters: Vec<f64>,
    xs: Vec<f64>,
    /// Fields with their periodic rims.
    padded: Vec<Vec<f64>>,
}

impl Rates {
    /// Parses and lowers. The error is for the user who typed the text.
    pub fn new(text: &str, points: usize, length: f64) -> Result<Self, String> {
        let mut system = System::parse(text, &Options::new(2)).map_err(|errors| {
            let first: Vec<String> = errors.iter().take(3).map(ToString::to_string).collect();
            format!("The equations cannot be read. {}", first.join(" "))
        })?;
        let names: Vec<String> = system.stepped().map(|v| system.variables[usize::from(v)].name.clone()).collect();
        let mut lowered = lower(&mut system)?;
        let (typed, graph) = (lowered.roots.clone(), &mut lowered.graph);
        let dictionary = canonical(graph, &typed);
        let best = cheapest(graph, &typed);
        let spacing = length / points as f64;
        let stride = points + 2 * HALO;
        let parameters = system.parameter_values();
        let uniforms = Uniforms {
            parameters: parameters.clone(),
            inverse_spacing: [1.0 / spacing, 1.0 / spacing, 0.0],
            strides: [1, stride, 0],
        };
        let too_long = || "The equations are too long to be walked as a tree. Shorten them.".to_owned();
        let trees =
            typed.iter().map(|r| Tree::of(graph, *r, &uniforms)).collect::<Option<Vec<Tree>>>().ok_or_else(too_long)?;
        let walk = Walk::of(graph, &typed, &uniforms).ok_or_else(too_long)?;
        let arrays: Vec<Leaf> = (0..names.len() as u16).map(|slot| Leaf::Array { slot, offset: [0; 3] }).collect();
        let compiled = |roots: &[Id]| {
            Program::compile(graph, roots, &arrays).map(BlockKernel::new).map_err(|e| format!("The equations: {e}."))
        };
        let (typed_kernel, kernel) = (compiled(&typed)?, compiled(&best)?);
        let costs = Costs {
            tree: tree_cost(graph, &typed),
            consed: graph_cost(graph, &typed),
            canonical: graph_cost(graph, &dictionary),
            extracted: graph_cost(graph, &best),
            tree_nodes: trees.iter().map(Tree::nodes).sum(),
            consed_nodes: graph.size(&typed),
        };
        Ok(Self {
            points,
            spacing,
            padded: vec![vec![0.0; stride * stride]; names.len()],
            names,
            costs,
            trees,
            walk,
            typed: typed_kernel,
            kernel,
            parameters,
            xs: (0..points).map(|i| spacing * i as f64).collect(),
            best: (lowered.graph, best),
        })
    }

    /// Takes over the fields, rows of `points` values, with periodic rims.
    pub fn load(&mut self, fields: &[Vec<f64>]) {
        let (n, stride) = (self.points, self.points + 2 * HALO);
        for (padded, field) in self.padded.iter_mut().zip(fields) {
            for j in 0..stride {
                let from = (j + n - HALO) % n * n;
                let row = &field[from..from + n];
                let target = &mut padded[j * stride..(j + 1) * stride];
                target[HALO..HALO + n].copy_from_slice(row);
                for k in 0..HALO {
                    target[k] = row[n - HALO + k];
                    target[HALO + n + k] = row[k];
                }
            }
        }
    }

    /// Rates of the loaded fields at time `t` into `out`.
    pub fn evaluate(&mut self, form: Form, t: f64, out: &mut [Vec<f64>]) {
        let (n, stride) = (self.points, self.points + 2 * HALO);
        match form {
            Form::Tree => {
                for (tree, out) in self.trees.iter().zip(out) {
                    each_point(&self.padded, &self.xs, t, |k, p| out[k] = tree.value(p));
                }
            }
            Form::Walk => {
                let walk = &mut self.walk;
                each_point(&self.padded, &self.xs, t, |k, p| walk.values(p, |f, v| out[f][k] = v));
            }
            Form::Typed | Form::Kernel => {
                let kernel = if form == Form::Typed { &mut self.typed } else { &mut self.kernel };
                let (parameters, inverse) = (&self.parameters, 1.0 / self.spacing);
                kernel.set_uniforms(|input| match input {
                    UniformInput::Parameter(i) => parameters.get(usize::from(i)).copied().unwrap_or(f64::NAN),
                    UniformInput::Time => t,
                    UniformInput::InverseSpacing(_) => inverse,
                    UniformInput::Integral(_) => f64::NAN,
                });
                for j in 0..n {
                    let start = (j + HALO) * stride + HALO;
                    let fields: Vec<Field<f64>> = self.padded.iter().map(|data| Field { data, start }).collect();
                    let y = Column::Constant(self.spacing * j as f64);
                    let coordinates = [Column::Values(&self.xs), y, Column::Constant(0.0)];
                    let row = Row { fields: &fields, strides: [1, stride, 0], coordinates };
                    let mut rows: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[j * n..(j + 1) * n]).collect();
                    // Arrays and rows have the sizes that the program asks for: rims as wide as any stencil here.
                    if kernel.run(&row, &mut rows).is_err() {
                        rows.iter_mut().for_each(|r| r.fill(f64::NAN));
                    }
                }
            }
        }
    }

    /// Nodes of the cheapest form as (depth, place within it, operation's cost), and its edges by index, to draw.
    pub fn drawing(&self) -> (Vec<[f64; 3]>, Vec<(usize, usize)>) {
        let (graph, roots) = &self.best;
        let needed = graph.reachable(roots);
        let mut depth = vec![0usize; graph.len()];
        let mut index = vec![0; graph.len()];
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        for (id, node) in graph.nodes().filter(|(id, _)| needed[id.index()]) {
            let operands: Vec<Id> = Graph::operands(node).collect();
            depth[id.index()] = operands.iter().map(|a| depth[a.index()] + 1).max().unwrap_or(0);
            let cost = match node {
                Node::Unary(op, _) => f64::from(op.cost()),
                Node::Binary(op, ..) => f64::from(op.cost()),
                _ => 0.0,
            };
            index[id.index()] = nodes.len();
            edges.extend(operands.iter().map(|a| (nodes.len(), index[a.index()])));
            nodes.push([depth[id.index()] as f64, 0.0, cost]);
        }
        let deepest = nodes.iter().map(|n| n[0] as usize).max().unwrap_or(0);
        for level in 0..=deepest {
            let at: Vec<usize> = (0..nodes.len()).filter(|i| nodes[*i][0] as usize == level).collect();
            for (k, i) in at.iter().enumerate() {
                nodes[*i][1] = (k as f64 + 1.0) / (at.len() as f64 + 1.0);
            }
        }
        (nodes, edges)
    }
}

/// The typed roots, all simplified together, or each by itself: whichever costs least as a whole.
fn cheapest(graph: &mut Graph, typed: &[Id]) -> Vec<Id> {
    let together = simplify(graph, typed);
    let apart: Vec<Id> = typed.iter().map(|r| extracted(graph, *r, graph_cost)).collect();
    let forms = [typed.to_vec(), together, apart].into_iter().map(|form| (graph_cost(graph, &form), form));
    forms.reduce(|a, b| if b.0 < a.0 { b } else { a }).map_or_else(|| typed.to_vec(), |(_, form)| form)
}

fn each_point(padded: &[Vec<f64>], xs: &[f64], time: f64, mut f: impl FnMut(usize, &Point)) {
    let (n, stride) = (xs.len(), xs.len() + 2 * HALO);
    for j in 0..n {
        for i in 0..n {
            let at = (j + HALO) * stride + HALO + i;
            let p = Point { arrays: padded, at, coordinates: [xs[i], xs[j], 0.0], time };
            f(j * n + i, &p);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_give_the_same_rates() {
        let text = "u_t = 1 + u^2*v - 4.4*u + lap(u)/8 + x*y*t; v_t = 3.4*u - u^2*v + 0.1*lap(v)";
        let mut rates = Rates::new(text, 24, 12.0).unwrap();
        let field = |k: usize| (0..24 * 24).map(|i| 1.0 + ((i * (k + 3)) as f64 * 0.7).sin()).collect::<Vec<f64>>();
        rates.load(&[field(0), field(1)]);
        let mut of = |form| {
            let mut out = vec![vec![f64::NAN; 24 * 24]; 2];
            rates.evaluate(form, 0.5, &mut out);
            out
        };
        let tree = of(Form::Tree);
        for form in [Form::Walk, Form::Typed, Form::Kernel] {
            for (a, b) in of(form).iter().flatten().zip(tree.iter().flatten()) {
                assert!((a - b).abs() < 1e-12 * b.abs().max(10.0), "{form:?}: {a} {b}");
            }
        }
        // The rim is periodic: u_xx of cos 2πx/L at the first point as in the middle of a row.
        let mut rates = Rates::new("u_t = dxx(u)", 24, 12.0).unwrap();
        let wave: Vec<f64> = (0..24 * 24).map(|k| (std::f64::consts::TAU * (k % 24) as f64 / 24.0).cos()).collect();
        rates.load(std::slice::from_ref(&wave));
        let mut out = vec![vec![0.0; 24 * 24]];
        rates.evaluate(Form::Kernel, 0.0, &mut out);
        let factor = 2.0 * ((std::f64::consts::TAU / 24.0).cos() - 1.0) / 0.25;
        for (k, v) in out[0].iter().enumerate() {
            assert!((v - factor * wave[k]).abs() < 1e-12, "{k}");
        }
    }

    #[test]
    fn what_cannot_run_is_refused_with_advice() {
        for text in ["", "u_t = ", "u_t = w", "u_t = i*u", "lap(u) = 1", "3 + 4", "u_t = u_x)"] {
            let Err(message) = Rates::new(text, 16, 1.0) else { panic!("{text} was taken") };
            assert!(message.len() > 20, "{text}: {message}");
        }
    }
}
