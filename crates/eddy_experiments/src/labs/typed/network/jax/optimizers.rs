//! What moves the weights in a script.

use eddy_nets::Rule;

use super::number;
use crate::labs::pinn::{Descent, Gradient};

/// The functions that are needed beside Optax, and what moves the weights.
pub fn optimizer(descent: &Descent) -> (String, String) {
    let by_layer = |rule: &str, which: &str| format!("by_layer({rule}(rate), {which}, rate)");
    match descent.first_order() {
        Some((_, Gradient { rule: Rule::AdamW { decay }, .. })) => {
            (String::new(), format!("optax.adamw(rate, weight_decay={})", number(decay)))
        }
        // The first layer and the last are no maps between hidden units.
        Some((_, Gradient { rule: Rule::Muon, .. })) => {
            (format!("{BY_LAYER}{MUON}"), by_layer("muon", "range(1, len(layers) - 1)"))
        }
        Some((_, Gradient { rule: Rule::Soap, .. })) => {
            (format!("{BY_LAYER}{SOAP}"), by_layer("soap", "range(len(layers))"))
        }
        _ => (String::new(), "optax.adam(rate)".into()),
    }
}

const BY_LAYER: &str = "

def by_layer(of_matrices, which, rate):
    \"\"\"One rule for the matrices of these layers, Adam for all else.\"\"\"

    def labels(weights):
        name = lambda i, part: \"matrix\" if part == 0 and i in which else \"rest\"
        return [(name(i, 0), name(i, 1)) if isinstance(layer, tuple) else \"rest\" for i, layer in enumerate(weights)]

    return optax.multi_transform({\"matrix\": of_matrices, \"rest\": optax.adam(rate)}, labels)
";

const MUON: &str = "

def muon(rate, momentum=0.95):
    \"\"\"Momentum made orthogonal (Jordan et al. 2024), at the size of Adam's steps (Liu et al. 2025).\"\"\"

    def update(gradients, state, _):
        step, means = state
        means = jax.tree.map(lambda m, g: momentum * m + g, means, gradients)

        def orthogonal(m, g):
            x = g + momentum * m
            x = x / (np.linalg.norm(x) + 1e-300)
            for _ in range(5):
                a = x @ x.T
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            return -0.2 * rate(step) * max(x.shape) ** 0.5 * x

        return jax.tree.map(orthogonal, means, gradients), (step + 1, means)

    begin = lambda weights: (np.zeros([], int), jax.tree.map(np.zeros_like, weights))
    return optax.GradientTransformation(begin, update)
";

const SOAP: &str = "

def soap(rate, beta=0.95, epsilon=1e-8, every=2):
    \"\"\"Adam along the eigenvectors of Shampoo's preconditioners (Vyas et al. 2024, algorithm 3).\"\"\"

    def begin(weights):
        zero, square = lambda w: np.zeros_like(w), lambda n: np.zeros((n, n))
        one = lambda w: (zero(w), zero(w), *map(square, w.shape), *map(np.eye, w.shape))
        return np.zeros([], int), jax.tree.map(one, weights)

    def update(gradients, state, _):
        step, state = state
        kept = np.where(step == 0, 0.0, beta)
        rounds = np.where(step == 0, 30, np.where(step % every == 0, 1, 0))

        def one(g, state):
            mean, square, left, right, ql, qr = state
            # The first gradient only begins the averages.
            moved = np.where(step == 0, 0.0, 1 - beta)
            mean = (1 - moved) * mean + moved * g
            square = (1 - moved) * square + moved * (ql.T @ g @ qr) ** 2
            bias = np.where(step == 0, 1.0, 1 - beta**step)
            ahead = (ql.T @ mean @ qr) / bias / (np.sqrt(square / bias) + epsilon)
            left = kept * left + (1 - kept) * g @ g.T
            right = kept * right + (1 - kept) * g.T @ g
            turn = lambda a, q: jax.lax.fori_loop(0, rounds, lambda _, q: np.linalg.qr(a @ q)[0], q)
            return -rate(step) * ql @ ahead @ qr.T, (mean, square, left, right, turn(left, ql), turn(right, qr))

        both = jax.tree.map(one, gradients, state)
        pick = lambda k: jax.tree.map(lambda _, pair: pair[k], gradients, both)
        return pick(0), (step + 1, pick(1))

    return optax.GradientTransformation(begin, update)
";
