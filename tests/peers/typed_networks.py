"""Typed networks against their JAX scripts: with Eddy's trained weights the script must give Eddy's solution, and a loss of
the same size (its points are other random ones).

    pip install jax optax safetensors numpy
    python tests/peers/typed_networks.py            # every preset and kind of network; exit status 1 on a difference
    EDDY=target/release/eddy python tests/peers/typed_networks.py   # another binary than ./eddy

The script is made by `eddy run typed-pinn --script`; derivatives there are JAX's, so this also checks residuals and
conditions of the typed system on a path that shares no code with ours. A planted fault (`--fault`: weights 1 % off) must be seen.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

EDDY = os.environ.get("EDDY") or str(Path(__file__).resolve().parents[2] / "eddy")
PRESETS = (
    "burgers burgers-steepening heat bistable fisher-kpp wave-damped klein-gordon kdv beam nls-soliton "
    "schroedinger-harmonic black-scholes oscillator van-der-pol poisson"
).split()
NETWORKS = ["residual", "modified", "sines", "fourier-features", "gaussians", "parts"]
# Conditions that are terms of the loss and not built in; a curriculum that is over by then; points and weights that follow.
TERMS = ["wave-damped&sides=terms", "beam&sides=terms", "poisson&sides=terms", "burgers&curriculum=nu=0.5&steps=100", "wave-damped&sides=terms&sampling=residual&weights=gradient-norms"]
# Eigenvalues, integrals over the domain, steady equations that are not linear.
STEADY = "harmonic-well condensate drum beam-modes closed-box bratu".split()
# Numbers that are looked for: from measurements, with known and unknown initial values; from an integral in time.
SOUGHT = ["heat&sought=D=0.4", "heat&equations=u_t = dx(D*dx(u))%0AD = 0.1 + 0.05*sin(x)&x=0 .. 2*pi, 64&initial=u = 2 %2B sin(x)&end=1&sought=D=0.2", "heat&sought=D=0.4&begins=unknown", "heat&measured=0&sought=D=0.4&integrals=integral(u^2)=exp(-t)"]
# Fields far from one: at sides, in space and time, by integrals, moved by each other; a small coefficient; joined parts.
SIZES = [
    "heat&equations=u_t = 0.1*dxx(u)&initial=u = 1000*cos(pi*x)&boundary=u.x_min = dirichlet: 1000*cos(t)%0Au.x_max = robin: 2*u %2B u_n = -2000&x=0 .. 1, 32&end=0.5&sides=terms",
    "heat&equations=E_t = -dx(B)%0AB_t = -dx(E)&initial=E = 1000*sin(x)&x=0 .. 2*pi, 32&end=1",
    "heat&equations=u_tt = -4*u&initial=u_t = 100&x=&boundary=&end=2",
    "heat&equations=u_t = dx(D*dx(u))%0AD = 0.01 %2B 0.005*sin(x)&x=0 .. 2*pi, 64&initial=u = 2 %2B sin(x)&end=5&sought=D=0.02",
    "harmonic-well&integrals=integral(psi^2)=1e6",
    "heat&equations=w_t = -dx(phi)%0Adxx(phi) = -w&initial=w = 500*sin(x)&x=0 .. 2*pi, 32&end=1",
]
SMALL = "heat&equations=u_t = 0.1*dxx(u)&initial=u = 1e-4*sin(x)&x=0 .. 2*pi, 32&end=1"
PROBLEMS = [(preset, "plain") for preset in PRESETS + STEADY + SOUGHT + TERMS + SIZES] + [
    (preset, network) for preset, network in [*(("heat", network) for network in NETWORKS), ("wave-damped", "parts"), ("heat", "domains"), ("wave-damped", "domains"), ("nls-soliton", "domains"), (SMALL, "domains")]
]


def compare(preset, network, folder, fault):
    link = f"typed-pinn?preset={preset}&points=512&width=16&layers=2&network={network}&optimizer=adam"
    script, weights, arrays = (str(folder / name) for name in ("script.py", "weights.safetensors", "out.npz"))
    eddy = lambda *more: subprocess.run([EDDY, "run", link, *more], check=True, capture_output=True, text=True).stdout
    eddy("--script", script)
    meta = json.loads(eddy("--steps", "60", "--json", "--save-weights", weights, "--out", arrays))
    ours = numpy.load(arrays)
    theirs = runpy.run_path(script)
    import jax
    import jax.numpy as np

    # Numbers that are looked for are the last entry, and no layer.
    faulty = lambda layer: (layer[0] * (1 + fault), layer[1]) if isinstance(layer, tuple) else layer
    loaded = [faulty(layer) for layer in theirs["load"](weights)]
    loss = float(theirs["loss"](loaded, jax.random.PRNGKey(1)))
    print(f"{preset}, {network}: loss {meta['metrics']['loss']:.4g}, in JAX {loss:.4g}", end="")
    is_near = 0.5 < loss / meta["metrics"]["loss"] < 2
    field = ours["solution"] if "solution" in ours.files else None
    if field is None or field.ndim != 2 or len(theirs["low"]) != 2:
        print()
        return is_near
    x0, x1, y0, y1 = ours["solution_extent"]
    rows, columns = field.shape
    solution = jax.jit(jax.vmap(lambda p: theirs["fields"](loaded)[0](*p)))
    y = numpy.linspace(y0, y1, rows)
    differences = []
    # A periodic axis leaves its upper end out.
    for x in (numpy.linspace(x0, x1, columns), x0 + (x1 - x0) * numpy.arange(columns) / columns):
        points = numpy.stack([axis.ravel() for axis in numpy.meshgrid(x, y)], 1)
        values = numpy.asarray(solution(np.asarray(points))).reshape(rows, columns)
        # A complex field is drawn by its real part or its modulus.
        for drawn in (values.real, numpy.abs(values)):
            differences.append(numpy.max(numpy.abs(drawn - field)) / numpy.max(numpy.abs(field)))
    print(f", largest relative difference {min(differences):.1e}")
    return is_near and min(differences) < 1e-6


# Windows in time, whether the axis is periodic, and how far from the solver the end may be.
WINDOWS = [
    ("preset=heat&windows=3&optimizer=adam&steps=3000", True, 5e-3),
    ("preset=heat&windows=2&network=parts&parts=2&width=10&optimizer=adam&steps=1600", True, 1e-2),
    ("preset=heat&windows=2&integrals=mean(u)=0&optimizer=adam&steps=1000", True, 1e-2),
    ("preset=wave-damped&windows=3&optimizer=adam&steps=2400", False, 5e-2),
]


def march(query, is_periodic, bound, folder, fault):
    """Windows, trained by the script and by Eddy: both must end at the solver's solution. The fault is another end."""
    link, script, arrays = f"typed-pinn?{query}", str(folder / "march.py"), str(folder / "march.npz")
    for more in (["--script", script], ["--out", arrays]):
        subprocess.run([EDDY, "run", link, *more], check=True, capture_output=True)
    # The script takes its own arguments from there.
    own, sys.argv = sys.argv, [script]
    theirs = runpy.run_path(script, run_name="__main__")
    sys.argv = own
    ours = numpy.load(arrays)
    x0, x1, _, end = ours["solution_extent"]
    reference = ours["reference"][-1]
    x = x0 + (x1 - x0) * numpy.arange(reference.size) / (reference.size - (not is_periodic))
    field = theirs["fields"](theirs["weights"])[0]
    values = numpy.array([float(field(place, end * (1 - 10 * fault))) for place in x])
    far = lambda u: numpy.linalg.norm(u - reference) / numpy.linalg.norm(reference)
    print(f"{query}: distance from the solver at the end {far(ours['solution'][-1]):.1e}, in JAX {far(values):.1e}")
    return max(far(values), far(ours["solution"][-1])) < bound


# What moves the weights, and how far apart two trainings on other points may end.
METHODS = {"gauss-newton&steps=40": 10, "adam-lbfgs&steps=600&first=300": 5, "adam-lbfgs&steps=600&first=300&sampling=residual": 10, "soap&steps=600": 3, "muon&steps=600": 3, "adamw&steps=600": 3}


def train(method, folder, fault):
    """The script must train as well as Eddy by the same method. The fault is a tenth of the steps."""
    link, script = f"typed-pinn?preset=heat&points=512&width=16&optimizer={method}", str(folder / "train.py")
    subprocess.run([EDDY, "run", link, "--script", script], check=True, capture_output=True)
    meta = json.loads(subprocess.run([EDDY, "run", link, "--json"], check=True, capture_output=True, text=True).stdout)
    theirs = runpy.run_path(script)
    if fault:
        theirs["descend"].__globals__["steps"] //= 10
    import jax

    weights = theirs["descend"](theirs["begin"](theirs["key"]))
    # L-BFGS fits the points that it has: those of its last draw.
    points = jax.random.fold_in(theirs["key"], 500) if "lbfgs" in method else jax.random.PRNGKey(1)
    loss, ours = float(theirs["loss"](weights, points)), meta["metrics"]["loss"]
    print(f"heat by {method}: loss {ours:.2g}, in JAX {loss:.2g}")
    return 1 / METHODS[method] < loss / ours < METHODS[method]


if __name__ == "__main__":
    fault = 0.01 if "--fault" in sys.argv else 0.0
    with tempfile.TemporaryDirectory() as name:
        bad = [f"{preset}/{network}" for preset, network in PROBLEMS if not compare(preset, network, Path(name), fault)]
        bad += [method for method in METHODS if not train(method, Path(name), fault)]
        bad += [query for query, *how in WINDOWS if not march(query, *how, Path(name), fault)]
    print("differ:", " ".join(bad) if bad else "none")
    sys.exit(bool(bad))
