//! Order conditions of Butcher's theory, generated from the rooted trees: the link from the papers' coefficients to the
//! orders that are observed.

use crate::time::imex::{ARK_TABLEAUX, ARK3, ARK4, ArkTableau};
use crate::time::rosenbrock::{RODAS5P, RosenbrockTableau};
use crate::time::runge_kutta::TABLEAUX;

/// A rooted tree; the colour says which part of the right side a vertex stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tree {
    colour: usize,
    children: Vec<Tree>,
}

impl Tree {
    fn size(&self) -> usize {
        1 + self.children.iter().map(Tree::size).sum::<usize>()
    }

    /// γ(t): the product of the sizes of all subtrees.
    fn density(&self) -> f64 {
        self.size() as f64 * self.children.iter().map(Tree::density).product::<f64>()
    }

    /// All trees with one more vertex.
    fn grown(&self, colours: usize) -> Vec<Tree> {
        let mut all = Vec::new();
        for colour in 0..colours {
            let mut tree = self.clone();
            tree.children.push(Tree { colour, children: Vec::new() });
            tree.children.sort();
            all.push(tree);
        }
        for (i, child) in self.children.iter().enumerate() {
            for grown in child.grown(colours) {
                let mut tree = self.clone();
                tree.children[i] = grown;
                tree.children.sort();
                all.push(tree);
            }
        }
        all
    }
}

/// The trees of every size up to `order`.
fn trees(order: usize, colours: usize) -> Vec<Vec<Tree>> {
    let mut levels = vec![(0..colours).map(|colour| Tree { colour, children: Vec::new() }).collect::<Vec<_>>()];
    for _ in 1..order {
        let mut next: Vec<Tree> = levels[levels.len() - 1].iter().flat_map(|t| t.grown(colours)).collect();
        next.sort();
        next.dedup();
        levels.push(next);
    }
    levels
}

type Matrix = Vec<Vec<f64>>;

/// Stage weights of a tree: a vertex with one child uses `single`, one with more uses `several` (they differ for
/// Rosenbrock methods).
fn stage_weights(tree: &Tree, single: &[Matrix], several: &[Matrix]) -> Vec<f64> {
    let n = single[0].len();
    let matrices = if tree.children.len() == 1 { single } else { several };
    let mut weights = vec![1.0; n];
    for child in &tree.children {
        let below = stage_weights(child, single, several);
        for (w, row) in weights.iter_mut().zip(&matrices[child.colour]) {
            *w *= row.iter().zip(&below).map(|(a, b)| a * b).sum::<f64>();
        }
    }
    weights
}

/// Largest violation of the conditions of exactly `order`.
fn violation(order: usize, weights: &[Vec<f64>], single: &[Matrix], several: &[Matrix]) -> f64 {
    trees(order, weights.len())[order - 1]
        .iter()
        .map(|t| {
            let sum: f64 = stage_weights(t, single, several).iter().zip(&weights[t.colour]).map(|(w, b)| w * b).sum();
            (sum - 1.0 / t.density()).abs()
        })
        .fold(0.0, f64::max)
}

fn padded(rows: &[&[f64]]) -> Matrix {
    rows.iter().map(|r| (0..rows.len()).map(|j| r.get(j).copied().unwrap_or(0.0)).collect()).collect()
}

#[test]
fn the_trees_are_complete() {
    let sizes = |colours| trees(5, colours).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(1), [1, 1, 2, 4, 9]);
    assert_eq!(sizes(2), [2, 4, 14, 52, 214]);
}

#[test]
fn explicit_tableaux_meet_their_orders() {
    for t in TABLEAUX.iter().filter(|t| t.order <= 5) {
        let (a, b) = (vec![padded(t.matrix)], vec![t.weights.to_vec()]);
        for order in 1..=t.order as usize {
            assert!(violation(order, &b, &a, &a) < 1e-14, "{} {order}", t.name);
        }
        assert!(violation(t.order as usize + 1, &b, &a, &a) > 1e-4, "{}", t.name);
    }
}

fn additive(t: &ArkTableau) -> (Vec<Vec<f64>>, Vec<Matrix>) {
    (vec![t.explicit_weights.to_vec(), t.implicit_weights.to_vec()], vec![padded(t.explicit), padded(t.implicit)])
}

#[test]
fn additive_methods_meet_all_coupling_conditions() {
    for t in ARK_TABLEAUX {
        let (b, a) = additive(t);
        for (i, node) in t.nodes.iter().enumerate() {
            for part in &a {
                assert!((part[i].iter().sum::<f64>() - node).abs() < 1e-13, "{} row {i}", t.name);
            }
        }
        for order in 1..=t.order as usize {
            assert!(violation(order, &b, &a, &a) < 2e-14, "{} {order}: {:e}", t.name, violation(order, &b, &a, &a));
        }
        assert!(violation(t.order as usize + 1, &b, &a, &a) > 1e-4, "{}", t.name);
        // Stiffly accurate: the implicit part ends in its last stage.
        assert_eq!(t.implicit[t.nodes.len() - 1], t.implicit_weights, "{}", t.name);
    }
    for t in [&ARK3, &ARK4] {
        let (_, a) = additive(t);
        let embedded = vec![t.embedded.to_vec(), t.embedded.to_vec()];
        for order in 1..t.order as usize {
            assert!(violation(order, &embedded, &a, &a) < 2e-14, "{} embedded {order}", t.name);
        }
        assert!(violation(t.order as usize, &embedded, &a, &a) > 1e-4, "{} embedded", t.name);
    }
    // One digit changed in one coefficient is seen.
    let (b, mut a) = additive(&ARK4);
    a[0][3][1] += 1e-9;
    a[0][3][0] -= 1e-9;
    assert!((1..=4).any(|order| violation(order, &b, &a, &a) > 1e-11));
}

/// (b, β with its diagonal, α, sums of rows of Γ) from the form without products.
fn classical(t: &RosenbrockTableau, weights: &[f64]) -> (Vec<f64>, Matrix, Matrix, Vec<f64>) {
    let s = t.nodes.len();
    // Γ⁻¹ = 1/γ - C, lower triangular; its inverse by forward substitution.
    let inverse = |i: usize, j: usize| {
        if i == j { 1.0 / t.gamma } else { -t.couplings[i].get(j).copied().unwrap_or(0.0) }
    };
    let mut gamma = vec![vec![0.0; s]; s];
    for j in 0..s {
        for i in j..s {
            let known: f64 = (j..i).map(|k| inverse(i, k) * gamma[k][j]).sum();
            gamma[i][j] = (if i == j { 1.0 } else { 0.0 } - known) * t.gamma;
        }
    }
    let times_gamma = |row: &[f64]| -> Vec<f64> {
        (0..s).map(|j| row.iter().enumerate().map(|(k, a)| a * gamma[k][j]).sum()).collect()
    };
    let alpha: Matrix = t.stages.iter().map(|r| times_gamma(r)).collect();
    let beta: Matrix = alpha.iter().zip(&gamma).map(|(a, g)| a.iter().zip(g).map(|(x, y)| x + y).collect()).collect();
    let sums = gamma.iter().map(|r| r.iter().sum()).collect();
    (times_gamma(weights), beta, alpha, sums)
}

#[test]
fn rodas_meets_its_order_conditions() {
    let t = &RODAS5P;
    let (b, beta, alpha, sums) = classical(t, t.weights);
    for i in 0..t.nodes.len() {
        assert!((alpha[i].iter().sum::<f64>() - t.nodes[i]).abs() < 1e-12, "node {i}");
        assert!((sums[i] - t.time[i]).abs() < 1e-12, "time {i}: {} {}", sums[i], t.time[i]);
    }
    for order in 1..=5 {
        let v = violation(order, &[b.clone()], &[beta.clone()], &[alpha.clone()]);
        assert!(v < 1e-11, "{order}: {v:e}");
    }
    assert!(violation(6, &[b.clone()], &[beta.clone()], &[alpha.clone()]) > 1e-6);
    // The embedded method has order 4 and not 5.
    let embedded: Vec<f64> = t.weights.iter().zip(t.error).map(|(m, e)| m - e).collect();
    let (e, ..) = classical(t, &embedded);
    for order in 1..=4 {
        assert!(violation(order, &[e.clone()], &[beta.clone()], &[alpha.clone()]) < 1e-11, "embedded {order}");
    }
    assert!(violation(5, &[e], &[beta.clone()], &[alpha.clone()]) > 1e-6);
    // A Rosenbrock method is not judged by the conditions of Runge-Kutta methods.
    assert!(violation(5, &[b], &[beta.clone()], &[beta]) > 1e-6);
}
