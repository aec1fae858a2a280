/** What the Rust side says of a form (crates/eddy_experiments/src/labs/typed/analyse.rs). */
import type { Completion } from './editor';

/** Texts of the form by key. */
export type Form = Record<string, string>;

export interface FormError {
  key: string;
  /** UTF-16 code units of the text. */
  start: number;
  end: number;
  message: string;
  hint: string;
  replacement: string | null;
}
export interface FieldFact {
  name: string;
  complex: boolean;
  stepped: boolean;
  velocity: boolean;
}
export interface ParameterFact {
  name: string;
  value: number;
  range: [number, number] | null;
  /** As typed; '' where nothing is. */
  unit: string;
}
export interface MethodFact {
  space: string;
  time: string;
  reasons: string[];
  dt: number | null;
  tolerance: number | null;
  limits: { process: string; rate: number; dt: number }[];
  warnings: string[];
  /** What the GPU would do: null where it does nothing, and a sentence that says so or why not. */
  gpu: { space: string | null; time: string | null; text: string };
  /** The same problem as a Python script, or why there is none. */
  numpy?: { script: string | null; text: string };
}
export interface About {
  title?: string;
  group?: string;
  summary?: string;
  look_for?: string;
  question?: string;
  view?: string;
  field?: string;
  brush?: string;
  colors?: string;
}
export interface Facts {
  texts: Record<string, string | number>;
  about: About | null;
  errors: FormError[];
  dimension?: number | null;
  periodic?: boolean;
  hasExact?: boolean;
  hasNoise?: boolean;
  fields?: FieldFact[] | null;
  parameters?: ParameterFact[] | null;
  latex?: string[] | null;
  method?: MethodFact | null;
  toml?: string | null;
  completions?: Completion[];
}
/** Numbers of the state: points of the grid times fields. */
export function sizeOf(facts: Facts): number {
  const domain = (facts.toml ?? '').split(/^(?=\[)/m).filter((part) => part.startsWith('[domain'));
  const points = [...domain.join('').matchAll(/\bpoints = (\d+)/g)].reduce((product, [, count]) => product * Number(count), 1);
  return points * (facts.fields ?? []).reduce((sum, field) => sum + (field.complex ? 2 : 1), 0);
}
export interface Preset extends About {
  key: string;
}
export interface Study {
  sizes: number[];
  differences: (number | null)[];
  order: number | null;
  error: number | null;
  note: string;
}
export interface RefineReport {
  fraction: number;
  done: boolean;
  space: string;
  time: string;
  dt: number;
  end: number;
  studies: { time: Study | null; space: Study | null } | null;
}

/** `name = value` pairs of a text such as `F = 0.037; k = 0.06`. */
export function pairs(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const piece of text.replace(/#.*/g, '').split(/[;\n]/)) {
    const at = piece.indexOf('=');
    if (at > 0) found.set(piece.slice(0, at).trim(), piece.slice(at + 1).trim());
  }
  return found;
}

/** The text with another value of a name, in its place or behind the rest. Remarks stay. */
export function withPair(text: string, name: string, value: string): string {
  let found = false;
  const put = (piece: string): string => {
    const [, before, after] = /^([^=]*=\s*).*?(\s*)$/.exec(piece) ?? [];
    if (before === undefined || before.slice(0, before.indexOf('=')).trim() !== name) return piece;
    found = true;
    return `${before}${value}${after}`;
  };
  const lines = text.split('\n').map((line) => {
    const at = line.indexOf('#');
    const [code, remark] = at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at)];
    return code.split(';').map(put).join(';') + remark;
  });
  if (found) return lines.join('\n');
  const rest = text.trimEnd();
  if (/#.*$/.test(rest)) return `${rest}\n${name} = ${value}`;
  return [rest.replace(/[;\s]+$/, ''), `${name} = ${value}`].filter(Boolean).join('; ');
}
