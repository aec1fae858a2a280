//! The parts of a script that are the same for all trainings.

pub const HEAD: &str =
    "# Made by Eddy. Needs JAX and Optax; with a file of weights (safetensors) as argument it starts from those.
import sys

import jax
import jax.numpy as np
import optax
from jax.scipy import special

jax.config.update(\"jax_enable_x64\", True)

";

pub const GLOROT: &str = "bounds = [(6 / (n + m)) ** 0.5 for n, m in layers]
bias = 0


";

pub const PLAIN: &str = "    for w, b in weights[:-1]:
        h = np.tanh(w @ h + b)
";
pub const RESIDUAL: &str = "    w, b = weights[0]
    h = np.tanh(w @ h + b)
    for w, b in weights[1:-1]:
        h = h + np.tanh(w @ h + b)
";
pub const MODIFIED: &str = "    u, v = [np.tanh(w @ h + b) for w, b in weights[:2]]
    for w, b in weights[2:-1]:
        z = np.tanh(w @ h + b)
        h = (1 - z) * u + z * v
";
pub const SINES: &str = "    for w, b in weights[:-1]:
        h = np.sin(w @ h + b)
";

pub const DERIVATIVE: &str = "

def d(f, *orders):
    \"\"\"The derivative of f of the given order in each coordinate, as a function.\"\"\"

    def along(f, i):
        return lambda *p: jax.jvp(lambda s: f(*p[:i], s, *p[i + 1 :]), (p[i],), (np.ones_like(p[i]),))[1]

    for i, order in enumerate(orders):
        for _ in range(order):
            f = along(f, i)
    return f

";

pub const SIDE_ERROR: &str = "]


def side_error(weights, side, point):
    field, axis, place, factors, value = side
    point = list(point)
    point[axis] = place + 0 * point[axis]
    f = fields(weights)[field]
    error = -value(*point)
    for order, factor in enumerate(factors):
        if factor:
            orders = [order if i == axis else 0 for i in range(len(point))]
            error = error + factor * d(f, *orders)(*point)
    return error


";

pub const LOSS: &str = "

def real(errors):
    \"\"\"Real numbers: of a complex one both parts.\"\"\"
    return np.stack([part for e in errors for part in ([np.real(e), np.imag(e)] if np.iscomplexobj(e) else [e])])


def terms(weights, key@DONE=1.0, strict=None, chosen=None):
    \"\"\"Of the loss: the errors at a point, the points, and what their squares count there.\"\"\"
    inside, beside = jax.random.split(key)
    rest = lambda weights, p: real(residuals(weights@DONE, *p))
    share = jax.random.uniform(inside, (slices * drawn, low.size))
";

pub const STRATIFIED: &str =
    "    share = share.at[:, -1].set((np.repeat(np.arange(slices), drawn) + share[:, -1]) / slices)
";

pub const LOSS_FOLLOWED: &str = "    points = low + (high - low) * share
    judge = weights if chosen is None else chosen  # by whose residuals points are chosen
    sizes = jax.vmap(lambda p: np.sum(rest(judge, p) ** 2) ** 0.5)(points).reshape(slices, drawn)
    density = jax.lax.stop_gradient(sizes / sizes.mean(1, keepdims=True) + 1)
    pick = lambda key, w: jax.random.choice(key, drawn, (each,), p=w / w.sum())
    picks = jax.vmap(pick)(jax.random.split(jax.random.fold_in(key, 4), slices), density)
    share = np.take_along_axis(share.reshape(slices, drawn, -1), picks[..., None], 1).reshape(slices * each, -1)
";

pub const LOSS_INSIDE: &str = "    points = low + (high - low) * share
    counts = np.full(slices * each, 1 / (slices * each))
    strict = causality if strict is None else strict
    if strict:
        squares = jax.vmap(lambda p: np.sum(rest(weights, p) ** 2))(points).reshape(slices, each).mean(1)
        before = jax.lax.stop_gradient(np.cumsum(squares) - squares) / slices
        counts = counts * np.repeat(np.exp(-strict * before), each)
    found = [(rest, points, counts)]
";

pub const LOSS_SIDES: &str = "    points = low + (high - low) * jax.random.uniform(beside, (side_points, low.size))
    for side in SIDES:
        error = lambda weights, p, side=side: real([side_error(weights, side, p)])
        found.append((error, points, np.full(side_points, side_weight / side_points / HELD)))
";

pub const PLACES: &str = "]
places = np.stack([axis.ravel() for axis in np.meshgrid(*[rule[0] for rule in rules], indexing=\"ij\")], 1)
cells = np.prod(np.stack([axis.ravel() for axis in np.meshgrid(*[rule[1] for rule in rules], indexing=\"ij\")]), 0)


";

pub const INTEGRAL: &str = "
    def integral(f):
        return np.sum(cells * jax.vmap(lambda p: f(*pTIME) + 0 * p[0])(places))

    def mean(f):
        return integral(f) / np.sum(cells)

";

pub const GAUSS: &str = "
def gauss(low, high, count):
    from numpy.polynomial.legendre import leggauss

    points, weights = leggauss(count)
    return low + (high - low) * (1 + np.asarray(points)) / 2, (high - low) * np.asarray(weights) / 2


";

pub const LOSS_INTEGRALS: &str = "    error = lambda weights, p: np.stack(conditions(weights))
    found.append((error, np.zeros((1, 1)), np.full(1, integral_weight / COUNT)))
";

pub const LOSS_INTEGRALS_IN_TIME: &str = "    share = jax.random.uniform(jax.random.fold_in(key, 2), (moments, 1))
    times = low[-1] + length * (np.arange(moments)[:, None] + share) / moments
    error = lambda weights, p: np.stack(conditions(weights, p[0]))
    found.append((error, times, np.full(moments, integral_weight / moments / COUNT)))
";

pub const LOSS_DATA: &str = "    found.append((misses, DATA, np.ones(len(DATA))))
";

pub const LOSS_END: &str = "    return found


def loss(weights, key@DONE=1.0, strict=None, chosen=None):
    each = lambda error, points, counts: counts @ np.sum(jax.vmap(lambda p: error(weights, p))(points) ** 2, 1)
    return sum(each(*term) for term in terms(weights, key@DONE, strict=strict, chosen=chosen))


";

pub const LAYERS_LOADED: &str =
    "[tuple(np.asarray(file[f\"layers.{i}.{part}\"]) for part in [\"weight\", \"bias\"]) for i in range(len(layers))]";
pub const NUMBERS_LOADED: &str = " + [
        np.concatenate([np.asarray(file[f\"scalars.{i}\"]) for i in range(len(SOUGHT))])
    ]";
pub const NUMBERS_SHOWN: &str = "    for name, value in zip(SOUGHT, numbers(weights)):
        print(f\"{name} = {value:.6g}\")
";

/// How the candidate begins.
pub const CALLED: &str =
    "def fields(weights):\n    \"\"\"The candidate: initial values and periods hold exactly.\"\"\"\n";

pub const BEGIN: &str = "def begin(key):
    weights = []
    for (n, m), bound in zip(layers, bounds):
        key, one, two = jax.random.split(key, 3)
        w, b = jax.random.uniform(one, (m, n), minval=-1), jax.random.uniform(two, (m,), minval=-1)
        weights.append((bound * w, bias * bound * b))
    return weights


def load(path):
    from safetensors.numpy import load_file

    file = load_file(path)
    return [tuple(np.asarray(file[f\"layers.{i}.{part}\"]) for part in [\"weight\", \"bias\"]) for i in range(len(layers))]


def say(step, value):
    if (step + 1) % max(1, steps // 20) == 0:
        print(f\"step {step + 1}: loss {value:.3e}\")
";

/// What is run: FIELD_NAMES are to be put in.
pub const MAIN: &str = "

if __name__ == \"__main__\":
    weights = load(sys.argv[1]) if len(sys.argv) > 1 else begin(key)
    weights = descend(weights)
    centre = (low + high) / 2
    for name, field in zip([FIELD_NAMES], fields(weights)):
        print(f\"{name} in the middle of the domain, at half of the time: {field(*centre):.6g}\")
";

pub const GAUSSIANS: &str = "    h = np.exp(-sum((w[:, 0] * z + b) ** 2 for (w, b), z in zip(weights[:COUNT], h)) / 2)
    for w, b in weights[COUNT:-1]:
        h = np.tanh(w @ h + b)
";
pub const GAUSSIANS_BEGUN: &str = "    for i in range(COUNT):
        key, one = jax.random.split(key)
        m = layers[i][1]
        weights[i] = (np.full((m, 1), 1 / spread), jax.random.uniform(one, (m,), minval=-1) / spread)
    return weights


def load";
pub const PARTS: &str = "    around = []
    for k in range(COUNT):
        g = LOCAL
        for w, b in weights[k * LAYERS : (k + 1) * LAYERS]:
            g = np.tanh(w @ g + b)
        around.append(window(k, PLACE) * g)
    h = np.concatenate(around)
";
pub const RING_WINDOW: &str = "def window(k, x):
    \"\"\"Of part k: they add up to one.\"\"\"
    middle = LOW + (k + 0.5) * LENGTH / COUNT
    return SHARE * ((1 + np.cos(2 * np.pi * (x - middle) / LENGTH)) / 2) ** (COUNT - 1)


";
pub const LOCAL: &str = "def local(k, x):
    \"\"\"From -1 to 1 within part k.\"\"\"
    return 2 * COUNT / LENGTH * (x - LOW) - 2 * k - 1


";
pub const WALL_WINDOW: &str = "def window(k, x):
    \"\"\"Of part k: they add up to one.\"\"\"
    rising = 0.5 + 0.5 * np.tanh(2 * (local(k, x) + 1)) if k > 0 else 1.0
    falling = 0.5 + 0.5 * np.tanh(2 * (local(k, x) - 1)) if k + 1 < COUNT else 0.0
    return rising - falling


";
pub const WALL_DOMAIN: &str = "def window(k, x):
    \"\"\"One in part k, zero elsewhere.\"\"\"
    after = True if k == 0 else x >= LOW + k * LENGTH / COUNT
    before = True if k + 1 == COUNT else x < LOW + (k + 1) * LENGTH / COUNT
    return np.where(np.logical_and(after, before), 1.0, 0.0)


";
pub const RING_DOMAIN: &str = "def window(k, x):
    \"\"\"One in part k, zero elsewhere.\"\"\"
    share = jax.lax.stop_gradient(x - LOW) / LENGTH
    share = (share - np.floor(share)) * COUNT
    return np.where(np.logical_and(share >= k, share < k + 1), 1.0, 0.0)


";
pub const JUMP: &str = "
def jump(weights, place, point, field, order):
    \"\"\"Of a derivative along the axis, from the low side of a joint to the high one.\"\"\"
    f = d(fields(weights)[field], *[order if i == AXIS else 0 for i in range(len(point))])
    at = lambda side: f(*[place + side + 0 * p if i == AXIS else p for i, p in enumerate(point)])
    return at(BESIDE) - at(-BESIDE)


";
pub const LOSS_JOINTS: &str =
    "    points = low + (high - low) * jax.random.uniform(jax.random.fold_in(key, 3), (joint_points, low.size))
    for place in JOINTS:
        for field, order, factor in CONTINUED:
            one = (place, field, order, factor)
            error = lambda weights, p, one=one: real([one[3] * jump(weights, one[0], list(p), one[1], one[2])])
            count = joint_weight / joint_points / (len(JOINTS) * SHARES)
            found.append((error, points, np.full(joint_points, count)))
";
