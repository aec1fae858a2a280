/** Posters of the gallery's cards: the real experiment, run for a moment in one shared worker and kept as a bitmap. */
import { catalog, stageViews, type Experiment } from './catalog';
import { EngineClient } from './client';
import { drawSpec, hasEqualAxes } from './run-model';

const made = new Map<string, Promise<ImageBitmap>>();
let client: EngineClient | undefined;
let line: Promise<unknown> = Promise.resolve();
let users = 0;

export const POSTER = { width: 640, height: 400 };

/** The poster of an experiment; rejects where it cannot be drawn. Posters are made one after the other. */
export function poster(experiment: Experiment): Promise<ImageBitmap> {
  let wanted = made.get(experiment.id);
  if (!wanted) {
    wanted = line.then(() => make(experiment));
    wanted.catch(() => made.delete(experiment.id));
    line = wanted.catch(() => {});
    made.set(experiment.id, wanted);
  }
  return wanted;
}

async function make(experiment: Experiment): Promise<ImageBitmap> {
  const view = stageViews(experiment)[0];
  if (!view) throw new Error('nothing to draw');
  users++;
  client ??= new EngineClient();
  client.onLost = () => (client = undefined);
  try {
    return await client.request<ImageBitmap>({
      type: 'poster', bundle: experiment.bundle, permalink: experiment.id, view: drawSpec(view), equal: hasEqualAxes(view),
      // A decaying line is worth seeing on its way, a field well developed, a training or a sampler at its end.
      fraction: experiment.lab === 'pde' ? (view.kind === 'lines' ? 0.15 : 0.8) : 1,
      milliseconds: experiment.cost === 'slow' ? 1600 : 900, ...POSTER,
    });
  } finally {
    // The worker is let go when all posters are done: a gallery left open costs nothing.
    if (--users === 0 && made.size === catalog.experiments.length) {
      client?.close();
      client = undefined;
    }
  }
}
