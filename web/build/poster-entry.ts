/** Stills and first headers of experiments outside the browser, with the page's own drawing; bundled and called by posters.mjs. */
import type { Experiment, FirstLook } from '../src/lib/catalog';
import { posterSpec } from '../src/lib/views';
import type { ViewHeader } from '../src/worker/protocol';
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

/** What the stage shows before the first step, as far as it decides how much room that takes. */
export async function firstLookOf(experiment: Experiment, module: WasmModule): Promise<FirstLook | undefined> {
  const view = experiment.views.find((v) => v.kind !== 'curves');
  if (!view) return undefined;
  const session = await module.Session.open(experiment.id, JSON.stringify({ device: 'cpu', precision: 'f64' }));
  try {
    const header = JSON.parse((await session.view(view.key)).header) as ViewHeader;
    if (header.kind === 'empty') return undefined;
    if (header.kind === 'lines') return { view: view.key, series: header.series.map(({ name, role }) => ({ name, role, marker: 'line', length: 0 })) };
    return { view: view.key, proportion: Number(((header.x[1] - header.x[0]) / (header.y[1] - header.y[0])).toPrecision(6)) };
  } finally {
    session.free();
  }
}
