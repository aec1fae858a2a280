/**
 * Painted strokes as the text of a link. A mark is one touch of the brush: where, how wide, of which sign, on which field,
 * and after how many steps. Positions and radii are rounded before they are painted, so that a link loses nothing.
 *
 * The text is `1`, the version, and base64url of deflated columns of variable-length integers: steps and positions as
 * differences from the mark before, which the compression then finds small and alike. A drag takes two to three characters
 * a mark.
 */
import type { PointerMessage } from '../worker/protocol';

export interface Mark {
  view: string;
  /** Value of the control `shown`, where the experiment has one: it says which field the view is of. */
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

class Writer {
  private bytes: number[] = [];
  /** Seven bits a byte, low ones first; the high bit says that more follow. */
  count(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.bytes.push(rest);
  }
  /** Small numbers of either sign stay small. */
  signed(value: number): void {
    this.count(value >= 0 ? 2 * value : -2 * value - 1);
  }
  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.count(bytes.length);
    this.bytes.push(...bytes);
  }
  done(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.bytes);
  }
}

class Reader {
  private next = 0;
  constructor(private bytes: Uint8Array) {}
  count(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.next++];
      if (byte === undefined || scale > 2 ** 49) throw new Error('cut');
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }
  signed(): number {
    const value = this.count();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  text(): string {
    const length = this.count();
    const end = this.next + length;
    if (end > this.bytes.length) throw new Error('cut');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(this.bytes.subarray(this.next, end));
    this.next = end;
    return text;
  }
  get isAtEnd(): boolean {
    return this.next === this.bytes.length;
  }
}

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
  if (!marks.length || typeof CompressionStream !== 'function') return '';
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
  const packed = await through(out.done(), new CompressionStream('deflate-raw'), Infinity);
  const letters = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(''));
  return VERSION + letters.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** The marks of a text; rejects with a sentence where it cannot be read. */
export async function marksFromText(text: string): Promise<Mark[]> {
  if (!text) return [];
  if (!text.startsWith(VERSION)) throw new Error('The painted strokes of this link were made by a later version of Eddy. Reload the page.');
  if (typeof DecompressionStream !== 'function') throw new Error('This browser is too old to read the painted strokes of the link.');
  try {
    const letters = atob(text.slice(1).replace(/-/g, '+').replace(/_/g, '/'));
    const packed = Uint8Array.from(letters, (c) => c.charCodeAt(0));
    // A mark has at most 6 numbers of 8 bytes.
    const from = new Reader(await through(packed, new DecompressionStream('deflate-raw'), 48 * MOST_MARKS + 4096));
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

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = (new Blob([bytes]).stream().pipeThrough(stream) as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (let { done, value } = await reader.read(); !done && value; { done, value } = await reader.read()) {
    parts.push(value);
    if ((size += value.length) > most) {
      await reader.cancel();
      throw new Error('too long');
    }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
