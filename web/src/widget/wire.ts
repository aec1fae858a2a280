/**
 * What a host page and a frame say to each other. The address of the frame names the host's origin; each side drops
 * whatever comes from another window or another origin.
 */
export const WIRE = 'eddy-widget/1';

/** State of the run that the figure shows. */
export interface WidgetState {
  playing: boolean;
  steps: number;
  /** Value of the run's axis (a time, a number of evaluations). */
  position: number;
  /** Done part in [0, 1]; stays 0 for a run without an end. */
  fraction: number;
  outcome: 'running' | 'finished' | 'diverged' | 'step-limit' | 'cancelled';
}
/** Latest value of each metric, by key; of the experiment, not of its baseline. */
export type WidgetMetrics = Record<string, number>;

export interface WidgetEvents {
  ready: { permalink: string };
  settings: { permalink: string };
  state: WidgetState;
  metric: WidgetMetrics;
  finished: WidgetState;
  error: { code: string; message: string };
}
export type WidgetEventName = keyof WidgetEvents;
export const EVENT_NAMES: readonly WidgetEventName[] = ['ready', 'settings', 'state', 'metric', 'finished', 'error'];

export type Call =
  | { name: 'play' | 'pause' | 'reset' | 'restart' }
  | { name: 'set'; key: string; text: string }
  | { name: 'get'; key: string }
  | { name: 'open'; permalink: string }
  | { name: 'theme'; theme: 'light' | 'dark' }
  | { name: 'visible'; visible: boolean };
export type CallName = Call['name'];

export type ToFrame = { eddy: typeof WIRE; id: number; call: Call };
export type FromFrame =
  | { eddy: typeof WIRE; event: WidgetEventName; detail: unknown }
  | { eddy: typeof WIRE; reply: number; value?: string }
  | { eddy: typeof WIRE; failure: number; message: string };

/** Whether `data` is a message of this protocol; what it holds is checked where it is used. */
export function isWire(data: unknown): data is { eddy: typeof WIRE } & Record<string, unknown> {
  return typeof data === 'object' && data !== null && (data as { eddy?: unknown }).eddy === WIRE;
}

const NAMES: readonly CallName[] = ['play', 'pause', 'reset', 'restart', 'set', 'get', 'open', 'theme', 'visible'];

/** A call that came from outside, with the types that it claims to have; otherwise nothing. */
export function callFromData(data: unknown): { id: number; call: Call } | undefined {
  if (!isWire(data) || typeof data.id !== 'number' || typeof data.call !== 'object' || data.call === null) return undefined;
  const call = data.call as Record<string, unknown>;
  const name = call.name as CallName;
  if (!NAMES.includes(name)) return undefined;
  const isText = (key: string) => typeof call[key] === 'string' && (call[key] as string).length <= 8192;
  if (name === 'set' && !(isText('key') && isText('text'))) return undefined;
  if (name === 'get' && !isText('key')) return undefined;
  if (name === 'open' && !isText('permalink')) return undefined;
  if (name === 'theme' && call.theme !== 'light' && call.theme !== 'dark') return undefined;
  if (name === 'visible' && typeof call.visible !== 'boolean') return undefined;
  return { id: data.id, call: call as unknown as Call };
}

/** Where a message is sent so that only `origin` reads it; an opaque origin has no name to send to. */
export const targetOf = (origin: string): string => (origin === 'null' ? '*' : origin);
