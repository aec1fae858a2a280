/**
 * Places in a typed problem that a hand can move over the picture: the probe, and parameters that are coordinates by their
 * names: `x1` and `y1`, `xs` and `ys`, `x_lamp` and `y_lamp`; along a line `x1` alone.
 */
export interface Coordinate {
  name: string;
  value: number;
  range: [number, number] | null;
}
export interface Place {
  /** What tells it from the others: the end of its parameters' names, '' for the probe. */
  key: string;
  /** One per axis of the picture. */
  at: number[];
  /** The parameters, in the order of the axes; none of the probe. */
  names: string[];
  /** Where it may be, by axis. */
  bounds: ([number, number] | null)[];
}
const COORDINATE = /^([xy])(_\w+|\d+|s)$/;

/** Places of the parameters on a picture with this many axes. */
export function sources(parameters: readonly Coordinate[], axes: 1 | 2): Place[] {
  const found = new Map<string, (Coordinate | undefined)[]>();
  for (const parameter of parameters) {
    const [, axis, key] = COORDINATE.exec(parameter.name) ?? [];
    if (!key || (axis === 'y' && axes === 1)) continue;
    const parts = found.get(key) ?? [];
    parts[axis === 'x' ? 0 : 1] = parameter;
    found.set(key, parts);
  }
  return [...found].flatMap(([key, parts]) => {
    const whole = Array.from({ length: axes }, (_, i) => parts[i]);
    return whole.every((part) => part !== undefined)
      ? [{ key, at: whole.map((part) => part.value), names: whole.map((part) => part.name), bounds: whole.map((part) => part.range) }]
      : [];
  });
}

/** The probe by its text, such as `3.1, 2`; in the middle of the ranges where it is none. */
export function probeAt(text: string, ranges: readonly (readonly [number, number])[]): Place {
  const given = text.split(',');
  const at = ranges.map(([low, high], i) => {
    const value = given[i]?.trim() ? Number(given[i]) : NaN;
    return Number.isFinite(value) ? value : 0.5 * (low + high);
  });
  return { key: '', at, names: [], bounds: ranges.map(() => null) };
}
/** The text of the probe at these coordinates; those of further axes stay. */
export function probeText(text: string, at: readonly string[]): string {
  return [...at, ...text.split(',').slice(at.length).map((part) => part.trim())].filter(Boolean).join(', ');
}

/** As many digits as a picture of this extent can show. */
export function short(value: number, extent: number): string {
  const digits = Math.max(0, 3 - Math.floor(Math.log10(extent || 1)));
  return String(Number(value.toFixed(Math.min(12, digits))));
}
