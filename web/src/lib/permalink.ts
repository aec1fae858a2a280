/**
 * The permalink on the page: `id` or `id?key=value&…`. The codec that counts is the Rust one (eddy_spec::Setting); this
 * reads links before wasm is there and keeps the user's texts when wasm refuses them.
 */
import type { Experiment } from './catalog';

/** A link as written: values are texts, not yet checked. */
export interface Link {
  id: string;
  values: Map<string, string>;
  /** What is painted on the run, as `strokes.ts` writes it; '' for nothing. */
  strokes: string;
  /** What stands in for the initial values of a field, as `picture-code.ts` writes it; '' for nothing. */
  picture: string;
}

/** Many programs cut longer addresses, and hardly any shorter ones. */
export const LINK_LIMIT = 2000;

export function linkFromText(text: string): Link {
  const cut = text.indexOf('?');
  const id = cut < 0 ? text : text.slice(0, cut);
  const values = new Map<string, string>();
  if (cut >= 0) {
    for (const part of text.slice(cut + 1).split('&')) {
      const at = part.indexOf('=');
      if (at <= 0) continue;
      try {
        values.set(decodeURIComponent(part.slice(0, at)), decodeURIComponent(part.slice(at + 1)));
      } catch {
        // Broken percent-encoding: the Rust codec reports it.
      }
    }
  }
  const [strokes = '', picture = ''] = [STROKES, PICTURE].map((key) => values.get(key));
  for (const key of ['v', STROKES, PICTURE]) values.delete(key);
  return { id, values, strokes, picture };
}

/** Keys of what only the page reads: the Rust codec never sees them. */
const STROKES = 'strokes';
const PICTURE = 'picture';

/** The link with `value` in the place of what it has under a key of the page. */
function withPart(text: string, key: string, value: string): string {
  const cut = text.indexOf('?');
  const parts = cut < 0 ? [] : text.slice(cut + 1).split('&').filter((part) => part && !part.startsWith(`${key}=`));
  if (value) parts.push(`${key}=${value}`);
  const id = cut < 0 ? text : text.slice(0, cut);
  return parts.length ? `${id}?${parts.join('&')}` : id;
}
/** The link with these strokes in the place of its own; they come last. */
export const withStrokes = (text: string, strokes: string): string => withPart(text, STROKES, strokes);
/** The link with this picture in the place of its own, before the strokes. */
export const withPicture = (text: string, picture: string): string => withStrokes(withPart(text, PICTURE, picture), linkFromText(text).strokes);
/** The settings alone: without strokes and picture. */
export const plainLink = (text: string): string => (/[?&](strokes|picture)=/.test(text) ? withPart(withPart(text, STROKES, ''), PICTURE, '') : text);

/** `encodeURIComponent`, with the characters common in formulas left readable, as the Rust codec leaves them. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/%(2F|3A|2C|3B|40)/g, (code) => decodeURIComponent(code));
}

/** The link of `values` that differ from the defaults, in the order of the table. */
export function textFromValues(experiment: Experiment, values: Map<string, string>): string {
  const parts = experiment.params
    .filter((p) => values.has(p.key) && values.get(p.key) !== p.default)
    .map((p) => `${encode(p.key)}=${encode(values.get(p.key)!)}`);
  return parts.length ? `${experiment.id}?${parts.join('&')}` : experiment.id;
}

/** Text of every parameter: the link's where it has one, else the default. */
export function valuesFromLink(experiment: Experiment, text: string): Map<string, string> {
  const given = linkFromText(text).values;
  return new Map(experiment.params.map((p) => [p.key, given.get(p.key) ?? p.default]));
}
