"""Speeds of peers on this machine, printed as JSON lines {"name", "peer", "seconds"}.

Run by `./eddy bench --peers`. Each figure is the fastest of several batches after compilation, since other work on the
machine only ever makes a step slower.
"""

import json
import time

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)


def best_seconds(step, state, steps, batches=5):
    """Seconds per call of `step`, which maps a state to the next."""
    state = jax.block_until_ready(step(state))
    best = float("inf")
    for _ in range(batches):
        begun = time.perf_counter()
        for _ in range(steps):
            state = step(state)
        jax.block_until_ready(state)
        best = min(best, (time.perf_counter() - begun) / steps)
    return best


def report(name, peer, seconds):
    print(json.dumps({"name": name, "peer": peer, "seconds": seconds}), flush=True)


def vorticity(points):
    """One ETDRK4 step of the 2-D vorticity equation in f64, as exponax does it."""
    import exponax as ex

    stepper = ex.stepper.NavierStokesVorticity(2, 2 * jnp.pi, points, 0.005, diffusivity=1e-3, order=4)
    x = jnp.arange(points) * 2 * jnp.pi / points
    w = (jnp.sin(3 * x)[:, None] * jnp.cos(4 * x)[None, :] + 0.3 * jnp.cos(5 * x)[:, None])[None]
    seconds = best_seconds(jax.jit(lambda w: stepper(w)), w, 40 if points <= 128 else 12)
    # The same step is measured twice on our side: written for this equation, and typed.
    for name in (f"navier-stokes-{points}", f"vorticity-{points}-typed"):
        report(name, f"exponax 0.2.0 on JAX {jax.__version__}, CPU", seconds)


def pinn(width, depth, points):
    """One Adam step of a tanh network on a Burgers residual with u, u_t, u_x and u_xx, f32, jitted."""
    f32 = jnp.float32
    sizes = [2] + [width] * depth + [1]
    keys = jax.random.split(jax.random.PRNGKey(0), len(sizes))
    net = [
        (jax.random.normal(k, (a, b), f32) * jnp.sqrt(f32(2.0 / (a + b))), jnp.zeros((b,), f32))
        for k, a, b in zip(keys, sizes[:-1], sizes[1:])
    ]
    xy = jax.random.uniform(keys[-1], (points, 2), f32, -1.0, 1.0)
    nu = f32(0.01 / jnp.pi)

    def value(net, p):
        for w, b in net[:-1]:
            p = jnp.tanh(p @ w + b)
        w, b = net[-1]
        return (p @ w + b)[:, 0]

    ex, et = jnp.zeros_like(xy).at[:, 0].set(1.0), jnp.zeros_like(xy).at[:, 1].set(1.0)

    def loss(net):
        along = lambda d: lambda q: jax.jvp(lambda p: value(net, p), (q,), (d,))[1]
        u, u_t = jax.jvp(lambda p: value(net, p), (xy,), (et,))
        u_x, u_xx = jax.jvp(along(ex), (xy,), (ex,))
        return jnp.mean((u_t + u * u_x - nu * u_xx) ** 2)

    zeros = jax.tree.map(jnp.zeros_like, net)

    @jax.jit
    def step(state):
        net, m, v, n = state
        g = jax.grad(loss)(net)
        n = n + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + f32(0.1) * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + f32(0.001) * g * g, v, g)
        c1, c2 = 1 - f32(0.9) ** n, 1 - f32(0.999) ** n
        net = jax.tree.map(lambda p, m, v: p - f32(1e-3) * (m / c1) / (jnp.sqrt(v / c2) + f32(1e-8)), net, m, v)
        return net, m, v, n

    seconds = best_seconds(step, (net, zeros, zeros, f32(0.0)), 8)
    report(f"pinn-{depth}x{width}-{points}", f"JAX {jax.__version__} jitted, CPU", seconds)


if __name__ == "__main__":
    vorticity(128)
    vorticity(256)
    pinn(64, 4, 2048)
    pinn(128, 4, 4096)
