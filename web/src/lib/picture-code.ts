/**
 * A picture as the text of a link: cosine coefficients of its shades (Ahmed, Natarajan and Rao 1974; type II, orthonormal), each a
 * multiple of one step, low frequencies first, packed. The step is the finest with which the text has the room given, so
 * that a plain drawing keeps all of its shades and a photograph loses its finest detail. A run takes what the text holds:
 * whoever opens the link sees the same.
 */
import { Reader, Writer, bytesOf, canPack, lettersOf } from './packed';

/** Shades from 0 to 1, row 0 at the bottom. */
export interface Shades {
  columns: number;
  values: Float32Array;
}
/** A picture and the field it stands in for: the value of the control `shown`. */
export interface LinkedPicture extends Shades {
  field: string;
}

/** Most pixels along a side. */
export const SIDE = 96;
const VERSION = '1';
/** Steps of a coefficient, in shades of 256. */
const STEPS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
/** A coefficient below this part of a step is none: small ones cost more than they show. */
const ROUND_UP = 0.4;

const tables = new Map<number, Float64Array>();
/** Row `k` is the cosine of frequency k over n points. */
function cosines(n: number): Float64Array {
  let table = tables.get(n);
  if (!table) {
    table = new Float64Array(n * n);
    for (let k = 0; k < n; k++) for (let i = 0; i < n; i++) table[k * n + i] = Math.sqrt((k ? 2 : 1) / n) * Math.cos((Math.PI * (i + 0.5) * k) / n);
    tables.set(n, table);
  }
  return table;
}

/** Along both sides, to coefficients or back. */
function transformed(values: Float64Array, columns: number, rows: number, isBack: boolean): Float64Array {
  const along = (from: Float64Array, n: number, others: number, stride: number, leap: number): Float64Array => {
    const table = cosines(n);
    const to = new Float64Array(from.length);
    for (let o = 0; o < others; o++) {
      for (let k = 0; k < n; k++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += (isBack ? table[i * n + k]! : table[k * n + i]!) * from[o * leap + i * stride]!;
        to[o * leap + k * stride] = sum;
      }
    }
    return to;
  };
  return along(along(values, columns, rows, 1, columns), rows, columns, columns, 1);
}

/** Places of the coefficients by their frequency as a part of the highest. */
function inOrder(columns: number, rows: number): Uint32Array {
  const frequency = (at: number) => ((at % columns) / columns) ** 2 + (Math.floor(at / columns) / rows) ** 2;
  return Uint32Array.from({ length: columns * rows }, (_, at) => at).sort((a, b) => frequency(a) - frequency(b) || a - b);
}

/** The text of a picture, of at most `room` characters; rejects where not even its mean fits. */
export async function textFromPicture({ field, columns, values }: LinkedPicture, room: number): Promise<string> {
  if (!canPack) throw new Error('This browser is too old to put a picture into a link.');
  const rows = values.length / columns;
  const coefficients = transformed(Float64Array.from(values, (v) => 255 * v), columns, rows, false);
  const order = inOrder(columns, rows);
  const written = async (index: number): Promise<string> => {
    const step = STEPS[index]!;
    const whole = Array.from(order, (at) => Math.sign(coefficients[at]!) * Math.floor(Math.abs(coefficients[at]!) / step + ROUND_UP));
    let count = whole.length;
    while (count > 1 && whole[count - 1] === 0) count--;
    const out = new Writer();
    out.text(field);
    for (const number of [columns, rows, index, count]) out.count(number);
    for (const number of whole.slice(0, count)) out.signed(number);
    return VERSION + (await lettersOf(out.done()));
  };
  for (let index = 0; index < STEPS.length; index++) {
    const text = await written(index);
    if (text.length <= room) return text;
  }
  throw new Error('The rest of the link leaves no room for a picture.');
}

/** The picture of a text; undefined of ''. Rejects with a sentence where it cannot be read. */
export async function pictureFromText(text: string): Promise<LinkedPicture | undefined> {
  if (!text) return undefined;
  if (!text.startsWith(VERSION)) throw new Error('The picture of this link was put in by a later version of Eddy. Reload the page.');
  if (!canPack) throw new Error('This browser is too old to read the picture of the link.');
  try {
    const from = new Reader(await bytesOf(text.slice(1), 4 * SIDE * SIDE + 1024));
    const field = from.text();
    const [columns, rows, index, count] = [from.count(), from.count(), from.count(), from.count()];
    const step = STEPS[index];
    if (!(columns >= 1 && rows >= 1 && columns <= SIDE && rows <= SIDE && count <= columns * rows) || step === undefined) throw new Error('no picture');
    const order = inOrder(columns, rows);
    const coefficients = new Float64Array(columns * rows);
    for (let i = 0; i < count; i++) coefficients[order[i]!] = step * from.signed();
    if (!from.isAtEnd || !coefficients.every(Number.isFinite)) throw new Error('no picture');
    // In whole shades, so that how a machine rounds its cosines does not show.
    const values = Float32Array.from(transformed(coefficients, columns, rows, true), (v) => Math.min(255, Math.max(0, Math.round(v))) / 255);
    return { field, columns, values };
  } catch {
    throw new Error('The picture of this link cannot be read: part of it is missing or changed. The rest of the link stands.');
  }
}
