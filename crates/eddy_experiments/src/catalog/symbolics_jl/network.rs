//! A mass-action network of twenty species: what the e-graph saves, and the sparsity and colouring of the Jacobian.

use eddy_expr::ir::{Graph, Id, Leaf};
use eddy_numerics::rng::{Philox, Stream};

use super::forms::{Point, Tree, Uniforms, canonical, extracted, graph_cost, tree_cost};

pub const SPECIES: usize = 20;

/// What goes in and out, by species, at the rate constant that has the reaction's index.
struct Reaction {
    reactants: Vec<usize>,
    products: Vec<usize>,
}

/// The rates of a random network in its successive forms, made one equation at a time by [`Network::advance`].
pub struct Network {
    graph: Graph,
    uniforms: Uniforms,
    seed: u32,
    typed: Vec<Id>,
    best: Vec<Id>,
    /// What it comes to, when all equations are done.
    pub outcome: Option<Outcome>,
}

/// Modelled costs, and what was checked on the way.
pub struct Outcome {
    /// As code without shared parts: typed, dictionaries, e-graph.
    pub typed: f64,
    pub canonical: f64,
    pub extracted: f64,
    /// Distinct operations: typed, and where the e-graph's form of an equation makes all the code cheaper, that form.
    pub consed: f64,
    pub extracted_consed: f64,
    /// Largest difference between typed and extracted rates over their largest, at random states.
    pub difference: f64,
    /// `jacobian[i * SPECIES + j]`: colour of column j, from 1, where ∂f_i/∂c_j is not zero, else 0.
    pub jacobian: Vec<u8>,
    pub colours: u8,
    /// Largest error of the Jacobian from as many differences as there are colours, against the symbolic one.
    pub jacobian_error: f64,
}

/// `hubs` ≥ 1 bends the choice of species: 1 chooses evenly, with 2 the first quarter takes part in half of all places.
fn reactions(count: usize, hubs: f64, seed: u32) -> Vec<Reaction> {
    let random = Philox::new(seed);
    (0..count)
        .map(|r| {
            let u = random.uniforms(Stream::Data, 0, r as u32, 0);
            let w = random.uniforms(Stream::Data, 0, r as u32, 1);
            let species = |u: f64| (u.powf(hubs) * SPECIES as f64) as usize % SPECIES;
            let (a, b, c, d) = (species(u[0]), species(u[1]), species(u[2]), species(u[3]));
            // Association, exchange, dimerization, decay: bimolecular steps are the most frequent.
            let (reactants, products) = match w[0] {
                w if w < 0.45 => (vec![a, b], vec![c]),
                w if w < 0.7 => (vec![a, b], vec![c, d]),
                w if w < 0.85 => (vec![a, a], vec![c]),
                _ => (vec![a], vec![c, d]),
            };
            Reaction { reactants, products }
        })
        .collect()
}

/// dc_i/dt = Σ_r ν_ir k_r Π c, term by term as one writes it down.
fn rates(graph: &mut Graph, reactions: &[Reaction]) -> Vec<Id> {
    let mut equations: Vec<Option<Id>> = vec![None; SPECIES];
    for (r, reaction) in reactions.iter().enumerate() {
        let mut flux = graph.leaf(Leaf::Parameter(r as u16));
        for s in &reaction.reactants {
            let c = graph.variable(*s as u16);
            flux = graph.mul(flux, c);
        }
        for s in 0..SPECIES {
            let count = |list: &[usize]| list.iter().filter(|k| **k == s).count() as f64;
            let net = count(&reaction.products) - count(&reaction.reactants);
            if net == 0.0 {
                continue;
            }
            let term = if net.abs() == 1.0 { flux } else { graph.scaled(net.abs(), flux) };
            equations[s] = Some(match equations[s] {
                None if net < 0.0 => graph.neg(term),
                None => term,
                Some(sum) if net < 0.0 => graph.sub(sum, term),
                Some(sum) => graph.add(sum, term),
            });
        }
    }
    equations.into_iter().map(|e| e.unwrap_or_else(|| graph.real(0.0))).collect()
}

impl Network {
    /// A network of `count` reactions.
    pub fn new(count: usize, hubs: f64, seed: u32) -> Self {
        let mut graph = Graph::new(0);
        let typed = rates(&mut graph, &reactions(count, hubs, seed));
        let random = Philox::new(seed);
        let parameters = (0..count).map(|r| 0.1 + 2.0 * random.uniforms(Stream::Control, 0, r as u32, 0)[0]).collect();
        let uniforms = Uniforms { parameters, inverse_spacing: [0.0; 3], strides: [0; 3] };
        Self { graph, uniforms, seed, typed, best: Vec::new(), outcome: None }
    }

    /// The next equation through an e-graph of its own (together they would exceed it); after the last one the outcome.
    pub fn advance(&mut self) {
        if self.best.len() < SPECIES {
            self.best.push(extracted(&mut self.graph, self.typed[self.best.len()], tree_cost));
        } else if self.outcome.is_none() {
            self.outcome = Some(self.conclude());
        }
    }

    fn state(&self, k: u32) -> Vec<Vec<f64>> {
        let random = Philox::new(self.seed);
        (0..SPECIES).map(|s| vec![random.uniforms(Stream::Control, k + 1, s as u32, 0)[1] + 0.05]).collect()
    }

    fn conclude(&mut self) -> Outcome {
        let dictionary = canonical(&mut self.graph, &self.typed);
        // Shared fluxes may make the typed form of an equation the cheaper one: each is changed only if all the code gains.
        let mut shared = self.typed.clone();
        for i in 0..SPECIES {
            let kept = shared[i];
            let before = graph_cost(&self.graph, &shared);
            shared[i] = self.best[i];
            if graph_cost(&self.graph, &shared) >= before {
                shared[i] = kept;
            }
        }
        let values = |roots: &[Id], state: &[Vec<f64>]| -> Vec<f64> {
            let p = Point { arrays: state, at: 0, coordinates: [0.0; 3], time: 0.0 };
            let value = |r: &Id| Tree::of(&self.graph, *r, &self.uniforms).map_or(f64::NAN, |t| t.value(&p));
            roots.iter().map(value).collect()
        };
        let mut difference = 0.0_f64;
        for k in 0..10 {
            let state = self.state(k);
            let a = values(&self.typed, &state);
            let size = a.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for form in [&self.best, &shared] {
                let b = values(form, &state);
                let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, larger);
                difference = larger(difference, worst / size);
            }
        }
        let at = self.state(99);
        let (jacobian, colours, jacobian_error) = coloured_jacobian(&mut self.graph, &self.typed, &self.uniforms, &at);
        let graph = &self.graph;
        Outcome {
            typed: tree_cost(graph, &self.typed),
            canonical: tree_cost(graph, &dictionary),
            extracted: tree_cost(graph, &self.best),
            consed: graph_cost(graph, &self.typed),
            extracted_consed: graph_cost(graph, &shared),
            difference,
            jacobian,
            colours,
            jacobian_error,
        }
    }
}

/// The larger; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Columns without a common row share a colour (greedy, Curtis, Powell and Reid 1974), so that one difference along their sum gives
/// them all.
fn coloured_jacobian(graph: &mut Graph, roots: &[Id], u: &Uniforms, state: &[Vec<f64>]) -> (Vec<u8>, u8, f64) {
    let n = roots.len();
    let value = |graph: &Graph, root: Id, state: &[Vec<f64>]| {
        let p = Point { arrays: state, at: 0, coordinates: [0.0; 3], time: 0.0 };
        Tree::of(graph, root, u).map_or(f64::NAN, |t| t.value(&p))
    };
    let mut exact = vec![0.0; n * n];
    let mut is_entry = vec![false; n * n];
    for (i, root) in roots.iter().enumerate() {
        for j in 0..n {
            let c = graph.variable(j as u16);
            let Ok(entry) = graph.differentiate(*root, c) else { continue };
            if graph.real_value(entry) != Some(0.0) {
                is_entry[i * n + j] = true;
                exact[i * n + j] = value(graph, entry, state);
            }
        }
    }
    let mut colour = vec![0u8; n];
    for j in 0..n {
        let meets = |k: usize| (0..n).any(|i| is_entry[i * n + j] && is_entry[i * n + k]);
        let taken: Vec<u8> = (0..j).filter(|k| meets(*k)).map(|k| colour[k]).collect();
        colour[j] = (1..=n as u8).find(|c| !taken.contains(c)).unwrap_or(n as u8);
    }
    let colours = colour.iter().copied().max().unwrap_or(0);
    // Rates are at most quadratic, so central differences are exact but for rounding.
    let h = 1e-3;
    let mut error = 0.0;
    for c in 1..=colours {
        let moved = |sign: f64| -> Vec<Vec<f64>> {
            (0..n).map(|j| vec![state[j][0] + if colour[j] == c { sign * h } else { 0.0 }]).collect()
        };
        let (up, down) = (moved(1.0), moved(-1.0));
        for (i, root) in roots.iter().enumerate() {
            let slope = (value(graph, *root, &up) - value(graph, *root, &down)) / (2.0 * h);
            if let Some(j) = (0..n).find(|j| colour[*j] == c && is_entry[i * n + j]) {
                error = larger(error, (slope - exact[i * n + j]).abs());
            }
        }
    }
    let pattern = (0..n * n).map(|k| if is_entry[k] { colour[k % n] } else { 0 }).collect();
    (pattern, colours, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_agree_and_colours_recover_the_jacobian() {
        for seed in 1..4 {
            let mut network = Network::new(40, 2.0, seed);
            while network.outcome.is_none() {
                network.advance();
            }
            let n = network.outcome.unwrap();
            assert!(n.difference < 1e-13, "{}", n.difference);
            assert!(n.jacobian_error < 1e-9, "{}", n.jacobian_error);
            assert!((2..SPECIES as u8).contains(&n.colours), "{} colours", n.colours);
            assert!(n.extracted < n.typed && n.consed < n.typed && n.extracted_consed <= n.consed);
            // Two columns of one colour never meet in a row.
            for row in n.jacobian.chunks(SPECIES) {
                for c in 1..=n.colours {
                    assert!(row.iter().filter(|v| **v == c).count() <= 1);
                }
            }
        }
    }

    #[test]
    fn mass_is_counted() {
        // A + A → B: c_A' = -2 k A², c_B' = k A².
        let mut graph = Graph::new(0);
        let list = [Reaction { reactants: vec![0, 0], products: vec![1] }];
        let roots = rates(&mut graph, &list);
        let uniforms = Uniforms { parameters: vec![0.5], inverse_spacing: [0.0; 3], strides: [0; 3] };
        let state: Vec<Vec<f64>> = (0..SPECIES).map(|_| vec![3.0]).collect();
        let p = Point { arrays: &state, at: 0, coordinates: [0.0; 3], time: 0.0 };
        let value = |i: usize| Tree::of(&graph, roots[i], &uniforms).unwrap().value(&p);
        assert_eq!((value(0), value(1), value(2)), (-9.0, 4.5, 0.0));
        // Products 2 + 1 + 1 (neg) for A, and 2 for B.
        assert_eq!(tree_cost(&graph, &roots), 6.0);
    }
}
