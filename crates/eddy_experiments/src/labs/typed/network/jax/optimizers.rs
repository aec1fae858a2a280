//! What moves the weights in a script.

use eddy_nets::{LbfgsSettings, Rule};

use super::number;
use crate::labs::pinn::{Descent, Fall, Gradient, Method, REDRAWN, RENEWED};

/// Steps, what they need, and `descend`, which takes them; of so many windows each has its share.
pub fn descent(descent: &Descent, windows: u64, held: Option<(u64, usize)>) -> String {
    let mut out = format!("steps = {}\n", descent.steps);
    let of_window = Descent { steps: descent.steps.div_ceil(windows.max(1)), ..*descent };
    if let Some((first, gradient)) = of_window.first_order() {
        // Where L-BFGS follows, the rate falls until then.
        let span = if first < of_window.steps { first.to_string() } else { "steps".into() };
        out.push_str(&rate(gradient, &span));
        let (functions, rule) = by_the_gradient(gradient);
        out.push_str(&functions);
        out.push_str(if functions.is_empty() { "" } else { "\n\n" });
        out.push_str(&format!("adam = {rule}\n"));
        out.push_str(TRAIN);
    }
    let lbfgs = LBFGS.replace("PAIRS", &LbfgsSettings::default().memory.to_string());
    match descent.method {
        Method::FirstOrder(_) => out.push_str(DESCEND),
        Method::Lbfgs => {
            out.push_str(&lbfgs);
            out.push_str(DESCEND_LBFGS);
        }
        Method::ThenLbfgs { first, .. } => {
            out.push_str(&lbfgs);
            let first = first.min(of_window.steps).to_string();
            out.push_str(&DESCEND_THEN.replace("FIRST", &first).replace("RENEWED", &RENEWED.to_string()));
        }
        Method::GaussNewton => {
            let hold = match held {
                Some((hold, numbers)) => {
                    HOLD.replace("HOLD", &hold.to_string()).replace("NUMBERS", &numbers.to_string())
                }
                None => String::new(),
            };
            let (argument, free) = if held.is_some() { (", free", " * free") } else { ("", "") };
            let script =
                GAUSS_NEWTON.replace("HELD_STEPS", &hold).replace("FREE_ARGUMENT", argument).replace("FREE", free);
            out.push_str(&script.replace("REDRAWN", &REDRAWN.to_string()));
        }
    }
    out
}

fn rate(gradient: Gradient, steps: &str) -> String {
    let rate = number(gradient.rate);
    let schedule = match gradient.fall {
        Fall::Constant => format!("optax.constant_schedule({rate})"),
        Fall::Cosine => format!("optax.cosine_decay_schedule({rate}, {steps}, 0.01)"),
        Fall::Exponential => format!("optax.exponential_decay({rate}, {steps}, 0.01)"),
    };
    let warm_up = gradient.warm_up;
    let full = format!("rate = {schedule}\n");
    match warm_up {
        0 => full,
        _ => format!("{full}full, rate = rate, lambda step: full(step) * np.minimum(1, (step + 1) / {warm_up})\n"),
    }
}

/// The functions that are needed beside Optax, and the rule.
fn by_the_gradient(gradient: Gradient) -> (String, String) {
    let by_layer = |rule: &str, which: &str| format!("by_layer({rule}(rate), {which}, rate)");
    match gradient.rule {
        Rule::Adam => (String::new(), "optax.adam(rate)".into()),
        Rule::AdamW { decay } => (String::new(), format!("optax.adamw(rate, weight_decay={})", number(decay))),
        // The first layer and the last are no maps between hidden units.
        Rule::Muon => (format!("{BY_LAYER}{MUON}"), by_layer("muon", "range(1, len(layers) - 1)")),
        Rule::Soap => (format!("{BY_LAYER}{SOAP}"), by_layer("soap", "range(len(layers))")),
    }
}

const TRAIN: &str = "

@jax.jit
def train(weights, state, key@DONE=1.0):
    value, gradient = jax.value_and_grad(loss)(weights, key@DONE)
    updates, state = adam.update(gradient, state, weights)
    return optax.apply_updates(weights, updates), state, value
";

const DESCEND: &str = "

def descend(weights):
    state = adam.init(weights)
    for step in range(steps):
        weights, state, value = train(weights, state, jax.random.fold_in(key, step)@NOW)
        say(step, value)
    return weights
";

const LBFGS: &str = "

@jax.jit
def polish(weights, state, key, chosen):
    \"\"\"A step of L-BFGS on the points of the key; all times count alike, as a line search needs it.\"\"\"
    value_of = lambda weights: loss(weights, key, strict=0.0, chosen=chosen)
    value, gradient = optax.value_and_grad_from_state(value_of)(weights, state=state)
    updates, state = lbfgs.update(gradient, state, weights, value=value, grad=gradient, value_fn=value_of)
    return optax.apply_updates(weights, updates), state, value


lbfgs = optax.lbfgs(memory_size=PAIRS)
";

const DESCEND_LBFGS: &str = "

def descend(weights):
    state, chosen = lbfgs.init(weights), weights
    for step in range(steps):
        weights, state, value = polish(weights, state, key, chosen)
        say(step, value)
    return weights
";

const DESCEND_THEN: &str = "

def descend(weights):
    state = adam.init(weights)
    for step in range(steps):
        if step < FIRST:
            weights, state, value = train(weights, state, jax.random.fold_in(key, step)@NOW)
        else:
            if step == FIRST or step % RENEWED == 0:
                # On new points, so that these alone are not fitted.
                state, points, chosen = lbfgs.init(weights), jax.random.fold_in(key, step), weights
            weights, state, value = polish(weights, state, points, chosen)
        say(step, value)
    return weights
";

const HOLD: &str = "        # Eigenvalues stay at their guesses until the state is the one that belongs to them.
        free = np.ones(flat.size).at[-NUMBERS:].set(0.0 if step < HOLD else 1.0)
";

const GAUSS_NEWTON: &str = "
flat, unravel = jax.flatten_util.ravel_pytree(begin(key))


@jax.jit
def normal(flat, keyFREE_ARGUMENT@DONE=1.0):
    \"\"\"The loss as a sum of squares |r|^2: J^T J, J^T r, and itself.\"\"\"
    gram, gradient, value = np.zeros((flat.size, flat.size)), np.zeros(flat.size), 0.0
    for error, points, counts in terms(unravel(flat), key@DONE):
        at = lambda flat, p: error(unravel(flat), p)
        r, j = jax.vmap(lambda p: (at(flat, p), jax.jacrev(at)(flat, p)))(points)
        root = counts[:, None] ** 0.5
        r, j = (root * r).ravel(), (root[..., None] * j).reshape(-1, flat.size)FREE
        gram, gradient, value = gram + j.T @ j, gradient + j.T @ r, value + r @ r
    return gram, gradient, value


@jax.jit
def elsewhere(other, flat, key@DONE=1.0):
    \"\"\"The loss at other weights, with the points and the counts of these.\"\"\"
    each = lambda error, points, counts: counts @ np.sum(jax.vmap(lambda p: error(unravel(other), p))(points) ** 2, 1)
    return sum(each(*term) for term in terms(unravel(flat), key@DONE))


def descend(weights):
    \"\"\"Gauss-Newton with Levenberg's damping; new points every REDRAWN steps, and where it can go no further.\"\"\"
    flat, damping, draws = jax.flatten_util.ravel_pytree(weights)[0], 1e-3, 0
    for step in range(steps):
        draws += step % REDRAWN == 0
        points = jax.random.fold_in(key, draws)
HELD_STEPS        gram, gradient, before = normal(flat, pointsFREE_ARGUMENT@NOW)
        for _ in range(12):
            delta = jax.scipy.linalg.solve(gram + damping * np.eye(flat.size), gradient, assume_a=\"pos\")
            after = elsewhere(flat - delta, flat, points@NOW)
            if after < before:
                flat = flat - delta
                is_near = before - after > 0.25 * delta @ (gradient + damping * delta)
                damping = min(max(damping * (1 / 3 if is_near else 2), 1e-14), 1e8)
                break
            damping = min(damping * 4, 1e8)
        else:
            draws += 1
        say(step, before)
    return unravel(flat)
";

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
