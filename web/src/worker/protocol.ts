/** Messages between the page and the engine (a worker, or the same thread where no worker can be had). */
import type { ColorMapName } from '../lib/catalog';
import type { Lens } from '../lib/lens';

export type DeviceKind = 'cpu' | 'gpu';
export interface RunOptions {
  device: DeviceKind;
  precision: 'f32' | 'f64';
}
/** Something the user can fix; `key` names the parameter it belongs to. */
export interface EngineError {
  code: string;
  message: string;
  key?: string;
  /** A parameter and the value of it that repairs this. */
  repair?: [string, string];
  /** Where the run is to be tried again after that. */
  retry?: RunOptions;
}
export type Outcome =
  | { kind: 'running' }
  | { kind: 'finished' }
  | { kind: 'diverged'; step: number; cause: string; advice: string; repair: [string, string] | null }
  | { kind: 'step-limit'; steps: number }
  | { kind: 'cancelled' };
export interface Progress {
  steps: number;
  position: number;
  /** Done part in [0, 1]; stays 0 for a run without an end. */
  fraction: number;
  work: number;
  workUnit: string;
  outcome: Outcome;
  /** First and last position that the run can be taken back to, and their number; null where it keeps no states. */
  kept: [number, number, number] | null;
}
export type Range = [number, number];
export interface FieldHeader {
  kind: 'field';
  nx: number;
  ny: number;
  x: Range;
  y: Range;
  range: Range;
}
export interface VolumeHeader {
  kind: 'volume';
  nx: number;
  ny: number;
  nz: number;
  x: Range;
  y: Range;
  z: Range;
  range: Range;
}
export interface SeriesHeader {
  name: string;
  role: 'result' | 'reference' | 'second' | 'third' | 'fourth';
  marker: 'line' | 'line-and-dots' | 'dots';
  length: number;
}
export interface LinesHeader {
  kind: 'lines';
  x: Range;
  y: Range;
  series: SeriesHeader[];
}
export interface PointsHeader {
  kind: 'points';
  count: number;
  x: Range;
  y: Range;
  range: Range;
  trails: number;
  trailLength: number;
  backdrop: Omit<FieldHeader, 'kind'> | null;
}
export interface MeshHeader {
  kind: 'mesh';
  count: number;
  triangles: number;
  x: Range;
  y: Range;
  range: Range;
}
export type ViewHeader = FieldHeader | VolumeHeader | LinesHeader | PointsHeader | MeshHeader | { kind: 'empty' };
export interface ViewPayload {
  header: ViewHeader;
  data: Float32Array;
}

/** 0: the experiment; 1: its baseline. */
export type PaneIndex = 0 | 1;
export type Speed = 'slow' | 'normal' | 'fast';
/** What an experiment and its baseline have had as much of while both run: their part of the run, or time on their own clocks. */
export type Pace = 'run' | 'time';

/** How a view is drawn: what the engine needs of its specification. */
export interface DrawSpec {
  key: string;
  colors: ColorMapName;
  /** Logarithmic axes of lines. */
  xLog: boolean;
  yLog: boolean;
}
export interface OpenRequest {
  bundle: string;
  permalink: string;
  options: RunOptions;
  /** Keys of all parameters, whose texts are sent back. */
  keys: string[];
  /** Keys of the curve views. */
  curves: string[];
  withBaseline: boolean;
  /** Runs beside the experiment in place of its baseline: another setting of the same experiment. */
  other?: string;
  /** What the link has painted (`lib/strokes.ts`); '' for nothing. */
  strokes: string;
  /** What the link has in place of the initial values (`lib/picture-code.ts`); '' for nothing. */
  picture: string;
}
export interface PointerMessage {
  view: string;
  kind: 'down' | 'move' | 'up';
  x: number;
  y: number;
  radius: number;
  secondary: boolean;
}

/** Requests are answered by `reply` with the same id; the others are not answered. */
export type ToEngine =
  | ({ type: 'open'; id: number } & OpenRequest)
  /** `other`: what the second pane is to show from now on, where it is not the baseline. */
  | { type: 'set'; id: number; key: string; text: string; other?: string }
  /** Another second pane; both begin again. Answered by its permalink in the short form. */
  | { type: 'other'; id: number; permalink: string }
  | { type: 'restart'; id: number }
  | { type: 'steps'; id: number; count: number }
  /** Pauses and shows the kept state nearest to a position; the answer is the progress of each pane. */
  | { type: 'seek'; id: number; position: number }
  /** Starts anew from a picture in place of its field, or with '' from the initial values; the answer is whether there is such a field. */
  | { type: 'load'; id: number; picture: string }
  /** The trained parameters of the experiment as a file, or undefined; or those of a file in their place. */
  | { type: 'weights'; id: number }
  /** A Python program that makes the same run, or undefined. */
  | { type: 'script'; id: number }
  | { type: 'set-weights'; id: number; file: Uint8Array }
  | { type: 'read-view'; id: number; pane: PaneIndex; key: string }
  | { type: 'read-metrics'; id: number; pane: PaneIndex }
  | { type: 'memory'; id: number }
  | { type: 'capabilities'; id: number; bundle: string }
  | { type: 'claim'; id: number; bundle: string; experiment: string; options: RunOptions }
  /** What the equation lab asks without a run: `analyse` with a form as JSON, `presets`, `import` with a VisualPDE link. */
  | { type: 'ask'; id: number; bundle: string; what: 'analyse' | 'presets' | 'import'; text: string }
  | { type: 'refine'; id: number; bundle: string; form: string; dt: number }
  | { type: 'refine-stop' }
  | { type: 'poster'; id: number; bundle: string; permalink: string; view: DrawSpec; milliseconds: number; fraction: number; width: number; height: number; equal: boolean }
  /** Destroys the device of the GPU, as a driver reset would: for tests of what the page then does. */
  | { type: 'lose-gpu'; id: number }
  | { type: 'ping'; id: number }
  | { type: 'canvas'; pane: PaneIndex; canvas: OffscreenCanvas | HTMLCanvasElement; gpu: OffscreenCanvas | null }
  | { type: 'size'; pane: PaneIndex; width: number; height: number; ratio: number }
  | { type: 'show'; view: DrawSpec }
  /** The part of the picture that is drawn. */
  | { type: 'lens'; lens: Lens | null }
  | { type: 'play'; playing: boolean }
  | { type: 'speed'; speed: Speed }
  | { type: 'pace'; pace: Pace; clock: number }
  | { type: 'visible'; visible: boolean }
  | ({ type: 'pointer' } & PointerMessage);

export interface Opened {
  permalink: string;
  values: [string, string][];
  device: string;
  warnings: EngineError[];
  /** What the settings bring about that they do not say, at their keys. */
  remarks: EngineError[];
  baseline: boolean;
  /** The second setting in its short form, where one was asked for. */
  other?: string;
  /** Of the link; '' where they could not be read. */
  strokes: string;
  picture: string;
}
export interface SetResult {
  effect: 'live' | 'restart';
  permalink: string;
  value: string;
  remarks: EngineError[];
  /** Where the run computes now: a method may have a version for one device only. */
  device: string;
  /** Whether the run is over even so, and only a restart shows the change. */
  over: boolean;
}
export interface PaneState {
  progress: Progress;
  /** `[axis position, metric…]`. */
  latest: number[];
  /** Units of work per second of computing. */
  rate: number;
}
export interface TestResult {
  label: string;
  measured: number | null;
  bound: { kind: 'at-most' | 'at-least'; limit: number };
  unit: string;
  held: boolean;
}
export interface ClaimProgress {
  runs_done: number;
  runs: number;
  fraction: number;
  seconds: number;
  doing: string;
  tests: TestResult[];
}
export interface Verdict {
  held: boolean;
  tests: TestResult[];
  seeds: number[];
  seconds: number;
  device: string;
  counter_held: boolean | null;
}
export interface Capabilities {
  webgpu: boolean;
  adapter: string;
  reason: string;
}

export type FromEngine =
  | { type: 'ready' }
  | { type: 'reply'; id: number; value: unknown }
  | { type: 'failure'; id: number; error: EngineError }
  | { type: 'state'; playing: boolean; panes: PaneState[] }
  | { type: 'record'; pane: PaneIndex; rows: Float64Array }
  | { type: 'curves'; pane: PaneIndex; key: string; header: LinesHeader; data: Float32Array }
  /** `gpu`: the picture stands on the canvas of the GPU, not on that of the 2-D context. */
  | { type: 'drawn'; pane: PaneIndex; header: ViewHeader; gpu: boolean }
  /** What is painted on the run by now, for its link; `lost`: more than a link holds. */
  | { type: 'painted'; strokes: string; lost: boolean }
  | { type: 'claim-progress'; id: number; progress: ClaimProgress }
  | { type: 'refine-progress'; report: unknown }
  /** The engine cannot go on: a panic, or a failed run. */
  | { type: 'fault'; error: EngineError };
