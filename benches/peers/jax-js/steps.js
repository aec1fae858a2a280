// The training steps of `eddy bench` through jax-js on its WebAssembly back end, jitted: f32, Adam.
// Arrays are owned: a function takes what it is given, and `.ref` keeps it.
import { blockUntilReady, defaultDevice, grad, init, jit, jvp, numpy as np, tree } from '@jax-js/jax';

await init('wasm');
defaultDevice('wasm');

const spread = (i) => (((i + 1) * 0.618033988749895) % 1) - 0.5;
const filled = (shape, scale) => np.array(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => scale * spread(i))).reshape(shape);

function network(widths) {
  return widths.slice(1).map((width, k) => [filled([widths[k], width], 2 * Math.sqrt(6 / (widths[k] + width))), np.zeros([width])]);
}

/** Values of a tanh network at points, [point]. */
function value(net, points) {
  let h = points;
  net.forEach(([w, b], k) => {
    h = np.matmul(h, w).add(b);
    if (k + 1 < net.length) h = np.tanh(h);
  });
  return h.reshape([-1]);
}

/** Seconds per step of Adam on `loss(net, points)`, the fastest of some batches. */
async function seconds(widths, points, loss, steps, batches = 4) {
  const slope = grad(loss);
  const step = jit((state, xy) => {
    const [net, m, v, rates] = state;
    const g = slope(tree.ref(net), xy);
    const m1 = tree.map((m, g) => m.mul(0.9).add(g.mul(0.1)), m, tree.ref(g));
    const v1 = tree.map((v, g) => v.mul(0.999).add(g.ref.mul(g).mul(0.001)), v, g);
    const [first, second] = rates;
    const [first1, second1] = [first.mul(0.9), second.mul(0.999)];
    const c = [np.subtract(1, first1.ref), np.subtract(1, second1.ref)];
    const moved = tree.map((p, m, v) => p.sub(m.div(c[0].ref).div(np.sqrt(v.div(c[1].ref)).add(1e-8)).mul(1e-3)), net, tree.ref(m1), tree.ref(v1));
    c.forEach((one) => one.dispose());
    return [moved, m1, v1, [first1, second1]];
  });
  const net = network(widths);
  const zeros = () => tree.map((p) => np.zeros(p.shape), net);
  let state = [net, zeros(), zeros(), [np.array(1), np.array(1)]];
  const xy = filled([points, 2], 2);
  const run = async (count) => {
    for (let i = 0; i < count; i++) state = step(state, xy.ref);
    await blockUntilReady(state);
  };
  await run(2);
  let best = Infinity;
  for (let batch = 0; batch < batches; batch++) {
    const begun = performance.now();
    await run(steps);
    best = Math.min(best, (performance.now() - begun) / steps);
  }
  const weights = await state[0][0][0].ref.data();
  if (!weights.every(Number.isFinite)) return Number.NaN;
  return best / 1000;
}

const NU = 0.01 / Math.PI;

/** u_t + u u_x - nu u_xx with nested forward derivatives, as the library's documentation takes them. */
function burgers(net, xy) {
  const count = xy.shape[0];
  const along = (axis) => np.array(Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === axis ? 1 : 0))).reshape([count, 2]);
  const at = (p) => value(tree.ref(net), p);
  const slope = (p) => jvp(at, [p], [along(0)])[1];
  const [u, ut] = jvp(at, [xy.ref], [along(1)]);
  const [ux, uxx] = jvp(slope, [xy], [along(0)]);
  tree.dispose(net);
  return np.mean(np.square(ut.add(u.mul(ux)).sub(uxx.mul(NU))));
}

function product(net, xy) {
  const target = xy.ref.slice([], 0).mul(xy.ref.slice([], 1));
  return np.mean(np.square(value(net, xy).sub(target)));
}

export const measurements = [
  ['pinn-4x64-2048-jax-js', 'the same PINN step through jax-js 0.1.25, WebAssembly', () => seconds([2, 64, 64, 64, 64, 1], 2048, burgers, 4)],
  ['value-2x64-256-jax-js', 'the same value-only step through jax-js, batch 256', () => seconds([2, 64, 64, 1], 256, product, 20)],
  ['value-2x64-2048-jax-js', 'the same value-only step through jax-js, batch 2048', () => seconds([2, 64, 64, 1], 2048, product, 8)],
];
