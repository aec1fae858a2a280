/** The catalogue as the Rust side writes it (crates/eddy_experiments/src/listing.rs). Static facts never cross wasm. */
import catalogData from 'virtual:catalog';
import type { SeriesHeader } from '../worker/protocol';

export type Scale = 'linear' | 'log';
export interface Axis {
  label: string;
  /** LaTeX without `$`. */
  symbol: string;
  unit: string;
  scale: Scale;
}
export interface Metric {
  key: string;
  axis: Axis;
  better: 'lower' | 'higher' | 'neither';
  doc: string;
}
export type ColorMapName = 'viridis' | 'cividis' | 'diverging' | 'cyclic';
export interface ViewSpec {
  key: string;
  label: string;
  kind: 'field' | 'volume' | 'lines' | 'points' | 'mesh' | 'curves';
  x: Axis;
  y: Axis;
  /** Of a volume. */
  z?: Axis;
  value: Axis;
  colors: ColorMapName;
  /** Lines to be listened to: samples per second. */
  heard?: number;
}
interface ParamCommon {
  key: string;
  label: string;
  doc: string;
  default: string;
  symbol: string;
  unit: string;
  group: string;
  live: boolean;
  only_when: [string, string[]] | null;
}
export interface NumberParam extends ParamCommon {
  kind: 'number';
  min: number;
  max: number;
  /** Increment of the control; 0: continuous. */
  step: number;
  scale: Scale;
  integer: boolean;
}
export interface ChoiceParam extends ParamCommon {
  kind: 'choice';
  options: [string, string][];
}
export interface ToggleParam extends ParamCommon {
  kind: 'toggle';
}
export interface SeedParam extends ParamCommon {
  kind: 'seed';
}
export interface TextParam extends ParamCommon {
  kind: 'text';
  max_len: number;
}
/** Its text is what `drawing.ts` reads and writes. */
export interface DrawingParam extends ParamCommon {
  kind: 'drawing';
  columns: number;
  rows: number;
}
export type ParamSpec = NumberParam | ChoiceParam | ToggleParam | SeedParam | TextParam | DrawingParam;

export interface Citation {
  /** Number in the list of papers; 0 for a source outside it. */
  number: number;
  key: string;
  authors: string;
  title: string;
  venue: string;
  year: number;
  url: string;
}
export interface Bound {
  kind: 'at-most' | 'at-least';
  limit: number;
}
export interface Claim {
  sentence: string;
  arms: { name: string; setting: string }[];
  seeds: number[];
  tests: { label: string; bound: Bound; unit: string }[];
  cost: 'cheap' | 'slow';
  counter: { why: string; arms: string[]; change: string };
}
export interface Experiment {
  id: string;
  title: string;
  summary: string;
  lab: string;
  labLabel: string;
  family: string;
  papers: Citation[];
  axis: Axis;
  metrics: Metric[];
  views: ViewSpec[];
  params: ParamSpec[];
  baseline: { label: string; change: string } | null;
  claim: Claim | null;
  devices: ('cpu' | 'gpu')[];
  cost: 'cheap' | 'slow';
  bundle: 'core' | 'pinn' | 'sampler' | 'flow' | 'equations' | 'learn';
  file: string;
  /** Whether the site holds `posters/<id>.jpg`. */
  still: boolean;
  /** Where the site's build could run it. */
  first?: FirstLook;
}
/** What the stage shows of the defaults before the first step: how wide for its height, or the names of its lines. */
export interface FirstLook {
  view: string;
  proportion?: number;
  series?: SeriesHeader[];
}
/** A paper of the list, which is a module of its own (`virtual:papers`). */
export interface Paper {
  number: number;
  id: string;
  title: string;
  family: string;
  line: string;
  experiments: string[];
}
export interface Catalog {
  version: string;
  experiments: Experiment[];
  /** How many papers the list has, and of how many there is an experiment. */
  papers: { all: number; live: number };
}
/** The long texts of an experiment, in a chunk of their own. */
export interface SourceText {
  id: string;
  intro: string;
  code: string;
  bibtex: string;
}

export const catalog: Catalog = catalogData;

export function experimentById(id: string): Experiment | undefined {
  return catalog.experiments.find((e) => e.id === id);
}

/** Views that stand on the stage; the others are plots below it. */
export function stageViews(e: Experiment): ViewSpec[] {
  return e.views.filter((v) => v.kind !== 'curves');
}
export function curveViews(e: Experiment): ViewSpec[] {
  return e.views.filter((v) => v.kind === 'curves');
}

let sources: Promise<SourceText[]> | undefined;
export async function sourceOf(id: string): Promise<SourceText | undefined> {
  sources ??= import('virtual:sources').then((m) => m.default);
  return (await sources).find((s) => s.id === id);
}

/** Experiments whose id resembles `id`: at most two edits away, or one contains the other. */
export function nearMisses(id: string): Experiment[] {
  const wanted = id.slice(0, 64).toLowerCase();
  return catalog.experiments.filter(
    (e) => (wanted.length >= 3 && (e.id.includes(wanted) || wanted.includes(e.id))) || editDistance(e.id, wanted) <= 2,
  );
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[b.length]!;
}
