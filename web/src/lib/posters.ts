/** Posters that the build has not made: the real experiment, run for a moment in one shared worker and kept as a bitmap. */
import type { Experiment } from './catalog';
import { EngineClient } from './client';
import { posterSpec } from './views';

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
  const spec = posterSpec(experiment, POSTER.width, POSTER.height, experiment.cost === 'slow' ? 1600 : 900);
  if (!spec) throw new Error('nothing to draw');
  users++;
  client ??= new EngineClient();
  client.onLost = () => (client = undefined);
  try {
    return await client.request<ImageBitmap>({ type: 'poster', bundle: experiment.bundle, permalink: experiment.id, ...spec });
  } finally {
    // The worker is let go when nobody waits for a poster any more: a gallery left open costs nothing.
    if (--users === 0) {
      client?.close();
      client = undefined;
    }
  }
}
