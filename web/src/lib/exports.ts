/** Files of a run: picture, film, numbers, settings. Each function gives bytes and a name; nothing leaves the page. */
import { recordColumns } from '../element/plots';
import type { PaneIndex, ViewPayload } from '../worker/protocol';
import { catalog } from './catalog';
import { npyFromArray, npzFromFiles } from './npy';
import { drawPicture } from './picture';
import type { RunModel } from './run-model';
import { soundsOf, wavOfSounds } from './sound';

export interface Exported {
  name: string;
  blob: Blob;
}

const blobOf = (bytes: Uint8Array, type: string) => new Blob([bytes as Uint8Array<ArrayBuffer>], { type });
const panesOf = (model: RunModel): PaneIndex[] => (model.hasBaseline ? [0, 1] : [0]);
const PANE_NAMES = ['experiment', 'baseline'];

/** Hands a file to the visitor. */
export function save({ name, blob }: Exported): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export async function pngOf(model: RunModel): Promise<Exported> {
  const canvas = await drawPicture(model, 2);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
  if (!blob) throw new Error('The picture is too large for this browser to save.');
  return { name: `${model.experiment.id}.png`, blob };
}

export async function csvOf(model: RunModel): Promise<Exported> {
  const { experiment } = model;
  const keys = experiment.metrics.map((m) => m.key);
  const lines = [`# ${model.permalink}`, `run,${experiment.axis.label},${keys.join(',')}`];
  for (const pane of panesOf(model)) {
    const { x, columns } = recordColumns(await model.readMetrics(pane), keys.length);
    x.forEach((v, row) => lines.push([PANE_NAMES[pane], v, ...columns.map((c) => c[row])].join(',')));
  }
  return { name: `${experiment.id}.csv`, blob: new Blob([`${lines.join('\n')}\n`], { type: 'text/csv' }) };
}

/** Arrays of a view by name: a field as (rows, columns) from the bottom row up, a volume as (layers, rows, columns), with its extent; lines as (2, n); points as (n, 3); a mesh as (n, 3) with its triangles. */
function arraysOfView(name: string, { header, data }: ViewPayload): Record<string, Uint8Array> {
  switch (header.kind) {
    case 'empty':
      return {};
    case 'field':
      return {
        [name]: npyFromArray(data.slice(0, header.nx * header.ny), [header.ny, header.nx]),
        [`${name}.extent`]: npyFromArray(Float64Array.from([...header.x, ...header.y]), [4]),
      };
    case 'volume':
      return {
        [name]: npyFromArray(data.slice(0, header.nx * header.ny * header.nz), [header.nz, header.ny, header.nx]),
        [`${name}.extent`]: npyFromArray(Float64Array.from([...header.x, ...header.y, ...header.z]), [6]),
      };
    case 'mesh':
    case 'points': {
      // Pairs, then values: a row is to be a point with its value.
      const points = new Float32Array(3 * header.count);
      for (let i = 0; i < header.count; i++) points.set([data[2 * i]!, data[2 * i + 1]!, data[2 * header.count + i]!], 3 * i);
      const out = { [name]: npyFromArray(points, [header.count, 3]) };
      if (header.kind === 'mesh') {
        const from = 3 * header.count;
        out[`${name}.triangles`] = npyFromArray(Uint32Array.from(data.subarray(from, from + 3 * header.triangles)), [header.triangles, 3]);
      }
      return out;
    }
    case 'lines': {
      const out: Record<string, Uint8Array> = {};
      let at = 0;
      header.series.forEach((series, i) => {
        out[`${name}.${i}-${series.name.replace(/[^\w]+/g, '-').replace(/^-|-$/g, '') || 'line'}`] = npyFromArray(data.slice(at, at + 2 * series.length), [2, series.length]);
        at += 2 * series.length;
      });
      return out;
    }
  }
}

/** The view on the stage as one array, where it is one. */
export async function npyOf(model: RunModel): Promise<Exported> {
  if (!model.view) throw new Error('This experiment has no picture.');
  const arrays = Object.entries(arraysOfView(model.view.key, await model.readView(model.view.key, 0)));
  if (!arrays.length) throw new Error('There is nothing to save yet: let the run begin.');
  return { name: `${model.experiment.id}-${arrays[0]![0]}.npy`, blob: blobOf(arrays[0]![1], 'application/octet-stream') };
}

/** Every view of every pane, the metrics (rows of axis position and metrics), and the settings. */
export async function npzOf(model: RunModel): Promise<Exported> {
  const files: Record<string, Uint8Array> = {};
  const width = model.experiment.metrics.length + 1;
  for (const pane of panesOf(model)) {
    const name = PANE_NAMES[pane]!;
    for (const view of model.experiment.views) {
      const arrays = arraysOfView(`${name}.${view.key}`, await model.readView(view.key, pane));
      for (const [key, bytes] of Object.entries(arrays)) files[`${key}.npy`] = bytes;
    }
    const rows = await model.readMetrics(pane);
    files[`${name}.metrics.npy`] = npyFromArray(rows, [rows.length / width, width]);
  }
  files['settings.json'] = new TextEncoder().encode(settingsText(model));
  return { name: `${model.experiment.id}.npz`, blob: blobOf(npzFromFiles(files), 'application/zip') };
}

/** The view that can be heard, its curves one after the other. */
export async function wavOf(model: RunModel): Promise<Exported> {
  const view = model.experiment.views.find((v) => v.heard);
  const sounds = view ? soundsOf(await model.readView(view.key, 0)) : [];
  if (!sounds.length) throw new Error('There is nothing to hear yet: let the run begin.');
  return { name: `${model.experiment.id}.wav`, blob: blobOf(wavOfSounds(sounds, view!.heard!), 'audio/wav') };
}

/** What the network has learned so far, under the names and in the layout of PyTorch. */
export async function weightsOf(model: RunModel): Promise<Exported> {
  const bytes = await model.readWeights();
  if (!bytes) throw new Error('This experiment trains no network.');
  return { name: `${model.experiment.id}.safetensors`, blob: blobOf(bytes, 'application/octet-stream') };
}

/** The same training in Python. */
export async function scriptOf(model: RunModel): Promise<Exported> {
  const text = await model.readScript();
  if (text === undefined) throw new Error('This experiment writes no script.');
  return { name: `${model.experiment.id}.py`, blob: new Blob([text], { type: 'text/x-python' }) };
}

export const SETTINGS_FORMAT = 'eddy-settings/1';

export function settingsText(model: RunModel): string {
  return `${JSON.stringify(
    {
      format: SETTINGS_FORMAT,
      version: catalog.version,
      experiment: model.experiment.id,
      permalink: model.permalink,
      values: Object.fromEntries(model.values),
      metrics: ['position', ...model.experiment.metrics.map((m) => m.key)],
      device: model.device,
    },
    null,
    2,
  )}\n`;
}
export const settingsOf = (model: RunModel): Exported => ({
  name: `${model.experiment.id}.json`,
  blob: new Blob([settingsText(model)], { type: 'application/json' }),
});

/** The permalink in a settings file. */
export function permalinkFromSettings(text: string): string {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error('This file is no JSON. Choose a settings file that Eddy has saved.');
  }
  const { format, permalink } = (data ?? {}) as { format?: unknown; permalink?: unknown };
  if (format !== SETTINGS_FORMAT || typeof permalink !== 'string') throw new Error(`This file is not in the format ${SETTINGS_FORMAT}. Choose a settings file that Eddy has saved.`);
  return permalink;
}

/** A film of the run as it is drawn: from the call until `stop`, or until the run ends. */
export class Film {
  private canvas = document.createElement('canvas');
  private isOver = false;
  private constructor(private model: RunModel) {}

  static readonly isPossible: boolean = typeof MediaRecorder === 'function' && 'captureStream' in HTMLCanvasElement.prototype;

  static async record(model: RunModel): Promise<{ stop: () => void; film: Promise<Exported> }> {
    const self = new Film(model);
    model.setFilmed(true);
    return { stop: () => (self.isOver = true), film: self.run().finally(() => model.setFilmed(false)) };
  }

  private async run(): Promise<Exported> {
    await drawPicture(this.model, 1, this.canvas);
    const type = ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm'].find((t) => MediaRecorder.isTypeSupported(t)) ?? '';
    const recorder = new MediaRecorder(this.canvas.captureStream(25), { ...(type ? { mimeType: type } : {}), videoBitsPerSecond: 6_000_000 });
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const ended = new Promise<void>((done, fail) => {
      recorder.onstop = () => done();
      recorder.onerror = () => fail(new Error('This browser could not encode the film.'));
    });
    recorder.start(500);
    let rest = 12;
    while (!this.isOver && rest > 0) {
      const started = performance.now();
      await drawPicture(this.model, 1, this.canvas);
      // The last picture stays for half a second.
      if (!this.model.playing) rest--;
      await new Promise((done) => setTimeout(done, Math.max(0, 40 - (performance.now() - started))));
    }
    recorder.stop();
    await ended;
    const blob = new Blob(parts, { type: 'video/webm' });
    return { name: `${this.model.experiment.id}.webm`, blob };
  }
}
