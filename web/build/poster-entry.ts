/** Draws the still of one experiment outside the browser, with the page's own drawing; bundled and called by posters.mjs. */
import type { Experiment } from '../src/lib/catalog';
import { posterSpec } from '../src/lib/views';
import { drawPoster } from '../src/worker/poster';
import type { WasmModule } from '../src/worker/wasm';

export async function stillOf(experiment: Experiment, module: WasmModule, width: number, height: number): Promise<OffscreenCanvas | undefined> {
  const spec = posterSpec(experiment, width, height, experiment.cost === 'slow' ? 12_000 : 4000);
  if (!spec) return undefined;
  const session = await module.Session.open(experiment.id, JSON.stringify({ device: 'cpu', precision: 'f64' }));
  try {
    return await drawPoster(session, spec);
  } finally {
    session.free();
  }
}
