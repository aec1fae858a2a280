/**
 * A drawing as a parameter: its text as `crates/eddy_spec/src/drawing.rs` states and checks it, the brush, and a few
 * drawings to begin with. Shades are 0 (blank) to 15, row by row from the bottom left.
 */
export interface Drawing {
  columns: number;
  rows: number;
  shades: Uint8Array;
}

/** The shade of full ink. */
export const DEEPEST = 15;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VERSION = '1';
const SHADES = DEEPEST + 1;
/** Letters beyond the shades are digits of a run's further cells. */
const BASE = LETTERS.length - SHADES;

export function textOfDrawing({ columns, rows, shades }: Drawing): string {
  if (shades.every((s) => s === 0)) return '';
  let out = VERSION + LETTERS[columns - 1]! + LETTERS[rows - 1]!;
  for (let i = 0; i < shades.length; ) {
    let end = i + 1;
    while (end < shades.length && shades[end] === shades[i]) end++;
    let digits = '';
    for (let more = end - i - 1; more > 0; more = Math.floor(more / BASE)) digits = LETTERS[SHADES + (more % BASE)]! + digits;
    out += LETTERS[shades[i]!]! + digits;
    i = end;
  }
  return out;
}

/** Undefined where the text is no drawing of this size; '' is a blank one. */
export function drawingOfText(text: string, columns: number, rows: number): Drawing | undefined {
  const shades = new Uint8Array(columns * rows);
  const drawing = { columns, rows, shades };
  if (text === '') return drawing;
  if (!text.startsWith(VERSION + LETTERS[columns - 1]! + LETTERS[rows - 1]!)) return undefined;
  let end = 0;
  for (let i = 3; i < text.length; ) {
    const shade = LETTERS.indexOf(text[i++]!);
    if (shade < 0 || shade >= SHADES) return undefined;
    let more = 0;
    for (let digit; i < text.length && (digit = LETTERS.indexOf(text[i]!) - SHADES) >= 0 && more < shades.length; i++) more = more * BASE + digit;
    if (end + 1 + more > shades.length) return undefined;
    shades.fill(shade, end, (end += 1 + more));
  }
  return end === shades.length && textOfDrawing(drawing) === text ? drawing : undefined;
}

/** A brush: diameter in cells, whether it fades toward its edge, and the shade it leaves (0 erases). */
export interface Brush {
  size: number;
  soft: boolean;
  shade: number;
}

/** One stroke over a drawing: how much of the brush has covered each cell. Going over a cell again adds no more. */
export class Stroke {
  private cover: Float32Array;
  private last: [number, number] | undefined;
  constructor(private base: Drawing, private brush: Brush) {
    this.cover = new Float32Array(base.shades.length);
  }

  /** Goes on to a place in cells from the bottom left; the drawing as it is then. */
  to(x: number, y: number): Drawing {
    const { columns, rows, shades } = this.base;
    const [fromX, fromY] = this.last ?? [x, y];
    this.last = [x, y];
    const reach = this.brush.size / 2 + 1;
    const [left, right] = [Math.min(x, fromX) - reach, Math.max(x, fromX) + reach];
    const [low, high] = [Math.min(y, fromY) - reach, Math.max(y, fromY) + reach];
    for (let j = Math.max(0, Math.floor(low)); j < Math.min(rows, high); j++) {
      for (let i = Math.max(0, Math.floor(left)); i < Math.min(columns, right); i++) {
        const at = j * columns + i;
        this.cover[at] = Math.max(this.cover[at]!, this.part(toSegment(i + 0.5, j + 0.5, fromX, fromY, x, y)));
      }
    }
    const { shade } = this.brush;
    return { columns, rows, shades: shades.map((s, at) => Math.round(s + (shade - s) * this.cover[at]!)) };
  }

  /** Of a cell at a distance from the brush's way. */
  private part(distance: number): number {
    const radius = this.brush.size / 2;
    if (!this.brush.soft) return Math.min(1, Math.max(0, radius + 0.5 - distance));
    const far = distance / (radius + 1);
    return far < 1 ? Math.cos((Math.PI / 2) * far) ** 2 : 0;
  }
}

function toSegment(x: number, y: number, ax: number, ay: number, bx: number, by: number): number {
  const [dx, dy] = [bx - ax, by - ay];
  const along = dx || dy ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy))) : 0;
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

/** Shades of a picture, 0 to 1 from the bottom left, put into the middle of the pad. Paper is blank, whether light or dark. */
export function drawingOfPicture(picture: { columns: number; values: Float32Array }, columns: number, rows: number): Drawing {
  const [wide, high] = [picture.columns, picture.values.length / picture.columns];
  const scale = Math.max(wide / columns, high / rows);
  let [sum, count] = [0, 0];
  picture.values.forEach((v, at) => {
    const [i, j] = [at % wide, Math.floor(at / wide)];
    if (i === 0 || j === 0 || i === wide - 1 || j === high - 1) [sum, count] = [sum + v, count + 1];
  });
  const isLight = sum / count > 0.5;
  const shades = new Uint8Array(columns * rows);
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) {
      // The mean over the cell, at four by four points of it.
      let ink = 0;
      for (let k = 0; k < 16; k++) {
        const x = Math.floor((i + ((k % 4) + 0.5) / 4 - columns / 2) * scale + wide / 2);
        const y = Math.floor((j + (Math.floor(k / 4) + 0.5) / 4 - rows / 2) * scale + high / 2);
        if (x < 0 || y < 0 || x >= wide || y >= high) continue;
        const value = picture.values[y * wide + x]!;
        ink += isLight ? 1 - value : value;
      }
      shades[j * columns + i] = Math.round((DEEPEST * ink) / 16);
    }
  }
  return { columns, rows, shades };
}

/** Drawings to begin with: their names, and how each is drawn in a square from −1 to 1 with a brush of some width. */
const STARTS: [string, (draw: (points: [number, number][], size: number, shade?: number) => void) => void][] = [
  ['Letter e', (draw) => draw([[-0.46, 0.02], [0.5, 0.02], ...arc(0, 0, 0.54, 0.04, 5.5)], 0.185)],
  ['Heart', (draw) => draw(heart(), 0.18)],
  ['Ring', (draw) => draw(arc(0, 0, 0.62, 0, 2 * Math.PI), 0.2)],
  ['Two bars', (draw) => {
    draw([[-0.42, -0.6], [-0.42, 0.6]], 0.34);
    draw([[0.42, -0.6], [0.42, 0.6]], 0.34, 6);
  }],
  ['Smile', (draw) => {
    draw(arc(0, 0, 0.5, 1.18 * Math.PI, 1.82 * Math.PI), 0.2);
    draw([[-0.24, 0.3], [-0.24, 0.4]], 0.27);
    draw([[0.24, 0.3], [0.24, 0.4]], 0.27);
  }],
];

function arc(x: number, y: number, radius: number, from: number, to: number): [number, number][] {
  return Array.from({ length: 49 }, (_, k) => {
    const angle = from + ((to - from) * k) / 48;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}
/** The curve 16 sin³ t, 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t. */
function heart(): [number, number][] {
  return Array.from({ length: 65 }, (_, k) => {
    const t = (2 * Math.PI * k) / 64;
    return [0.68 * Math.sin(t) ** 3, 0.0425 * (13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t)) + 0.06];
  });
}

interface Start {
  name: string;
  text: string;
}
const started = new Map<string, Start[]>();

/** The drawings to begin with, drawn once for a size: a pad asks for them at each movement of the pointer. */
export function startingDrawings(columns: number, rows: number): Start[] {
  const size = `${columns}x${rows}`;
  const known = started.get(size);
  if (known) return known;
  const half = Math.min(columns, rows) / 2;
  const all = STARTS.map(([name, make]) => {
    let drawing: Drawing = { columns, rows, shades: new Uint8Array(columns * rows) };
    make((points, size, shade = DEEPEST) => {
      const stroke = new Stroke(drawing, { size: size * half, soft: false, shade });
      for (const [x, y] of points) drawing = stroke.to(columns / 2 + half * x, rows / 2 + half * y);
    });
    return { name, text: textOfDrawing(drawing) };
  });
  started.set(size, all);
  return all;
}

/** What to call a drawing where there is no room for it. */
export function drawingName({ columns, rows }: { columns: number; rows: number }, text: string): string {
  return startingDrawings(columns, rows).find((start) => start.text === text)?.name ?? (text ? 'A drawing' : 'Nothing drawn');
}
