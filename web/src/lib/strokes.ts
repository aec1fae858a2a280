/**
 * Painted strokes as the text of a link. A mark is one touch of the brush: where, how wide, of which sign, on which field,
 * and after how many steps. Positions and radii are rounded before they are painted, so that a link loses nothing.
 *
 * The text is `1`, the version, and base64url of deflated columns of variable-length integers: steps and positions as
 * differences from the mark before, which the compression then finds small and alike. A drag takes two to three characters
 * a mark.
 */
import type { PointerMessage } from '../worker/protocol';
import { Reader, Writer, bytesOf, canPack, lettersOf } from './packed';

export interface Mark {
  view: string;
  /** Value of the control `shown`, where the experiment has one: it says which field the view is of. `brush ` and a name: that field. */
  field: string;
  secondary: boolean;
  x: number;
  y: number;
  radius: number;
  /** Steps made before it by the experiment and by what runs beside it. */
  at: [number, number];
}

/** More is kept neither in a link nor in a file. */
export const MOST_MARKS = 20_000;
const VERSION = '1';
/** Bits of a radius; a position is a multiple of 1/16 to 1/32 of it. */
const BITS = 8;
const LATTICE = 2 ** 3;
const BIAS = 1100;
/** A lattice index stays exact in a double, and its difference too. */
const FAR = 2 ** 45;

/** The message with its numbers rounded; undefined where they do not fit. */
export function rounded(message: PointerMessage): { x: number; y: number; radius: number } | undefined {
  const size = Math.abs(message.radius);
  if (!(size > 1e-300 && size < 1e300)) return undefined;
  const unit = unitOf(size);
  const radius = Math.round(size / unit) * unit;
  const step = LATTICE * unitOf(radius);
  const [i, j] = [Math.round(message.x / step), Math.round(message.y / step)];
  if (!(Math.abs(i) < FAR && Math.abs(j) < FAR)) return undefined;
  return { x: i * step, y: j * step, radius };
}

/** The power of two that a radius is 128 to 255 times. */
const exponentOf = (radius: number): number => Math.floor(Math.log2(radius)) - (BITS - 1);
const unitOf = (radius: number): number => 2 ** exponentOf(radius);

const toolOf = (m: Mark): string => JSON.stringify([m.view, m.field, m.secondary]);

/** Numbers of each mark, column by column; `last` is the mark before. */
interface Column {
  write(out: Writer, mark: Mark, last: Mark | undefined): void;
  read(from: Reader, mark: Mark, last: Mark | undefined): void;
}
const mantissa = (m: Mark): number => m.radius / unitOf(m.radius);
const lattice = (m: Mark): number => LATTICE * unitOf(m.radius);
const place = (axis: 'x' | 'y'): Column => {
  const guess = (mark: Mark, last: Mark | undefined) => (last ? Math.round(last[axis] / lattice(mark)) : 0);
  return {
    write: (out, mark, last) => out.signed(mark[axis] / lattice(mark) - guess(mark, last)),
    read: (from, mark, last) => (mark[axis] = (guess(mark, last) + from.signed()) * lattice(mark)),
  };
};
const COLUMNS: Column[] = [
  { write: (out, m, last) => out.count(m.at[0] - (last?.at[0] ?? 0)), read: (from, m, last) => (m.at[0] = (last?.at[0] ?? 0) + from.count()) },
  { write: (out, m) => out.signed(m.at[1] - m.at[0]), read: (from, m) => (m.at[1] = m.at[0] + from.signed()) },
  {
    write: (out, m, last) => out.signed(exponentOf(m.radius) - (last ? exponentOf(last.radius) : -BIAS)),
    read: (from, m, last) => (m.radius = 2 ** (BITS - 1 + (last ? exponentOf(last.radius) : -BIAS) + from.signed())),
  },
  {
    write: (out, m, last) => out.signed(mantissa(m) - (last ? mantissa(last) : 0)),
    read: (from, m, last) => (m.radius = unitOf(m.radius) * ((last ? mantissa(last) : 0) + from.signed())),
  },
  place('x'),
  place('y'),
];

/** The text of marks in the order of their steps; '' for none, or where this browser cannot compress. */
export async function textFromMarks(marks: readonly Mark[]): Promise<string> {
  if (!marks.length || !canPack) return '';
  const out = new Writer();
  const tools = [...new Set(marks.map(toolOf))];
  out.count(tools.length);
  for (const tool of tools) {
    const [view, field, secondary] = JSON.parse(tool) as [string, string, boolean];
    out.text(view);
    out.text(field);
    out.count(secondary ? 1 : 0);
  }
  // Which brush, as runs of the same; a run of none ends the list.
  for (let i = 0; i < marks.length; ) {
    const tool = toolOf(marks[i]!);
    let end = i;
    while (end < marks.length && toolOf(marks[end]!) === tool) end++;
    out.count(end - i);
    out.count(tools.indexOf(tool));
    i = end;
  }
  out.count(0);
  for (const column of COLUMNS) marks.forEach((mark, i) => column.write(out, mark, marks[i - 1]));
  return VERSION + (await lettersOf(out.done()));
}

/** The marks of a text; rejects with a sentence where it cannot be read. */
export async function marksFromText(text: string): Promise<Mark[]> {
  if (!text) return [];
  if (!text.startsWith(VERSION)) throw new Error('The painted strokes of this link were made by a later version of Eddy. Reload the page.');
  if (!canPack) throw new Error('This browser is too old to read the painted strokes of the link.');
  try {
    // A mark has at most 6 numbers of 8 bytes.
    const from = new Reader(await bytesOf(text.slice(1), 48 * MOST_MARKS + 4096));
    const tools = Array.from({ length: Math.min(from.count(), MOST_MARKS) }, () => ({ view: from.text(), field: from.text(), secondary: from.count() === 1 }));
    const marks: Mark[] = [];
    for (let length = from.count(); length > 0; length = from.count()) {
      const tool = tools[from.count()];
      if (!tool || marks.length + length > MOST_MARKS) throw new Error('no such brush, or too many marks');
      for (let i = 0; i < length; i++) marks.push({ ...tool, x: 0, y: 0, radius: 1, at: [0, 0] });
    }
    for (const column of COLUMNS) marks.forEach((mark, i) => column.read(from, mark, marks[i - 1]));
    if (!from.isAtEnd || !marks.every((m) => [m.x, m.y, m.radius, ...m.at].every(Number.isFinite) && m.radius > 0)) throw new Error('not marks');
    return marks;
  } catch {
    throw new Error('The painted strokes of this link cannot be read: part of it is missing or changed. The rest of the link stands.');
  }
}
