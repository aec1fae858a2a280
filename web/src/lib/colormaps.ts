/** Colour maps as 256-entry tables, sampled from d3-scale-chromatic; perceptually uniform and colour-blind safe. */
import { interpolateCividis, interpolateViridis } from 'd3-scale-chromatic';
import type { ColorMapName } from './catalog';

type Rgb = [number, number, number];

function rgbFromText(text: string): Rgb {
  if (text.startsWith('#')) {
    const n = parseInt(text.slice(1), 16);
    return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
  }
  const parts = text.match(/[\d.]+/g) ?? [];
  return [Number(parts[0]), Number(parts[1]), Number(parts[2])];
}

/** OKLab to sRGB (Ottosson 2020), clipped to the gamut: equal steps look equal. */
function rgbFromOklab(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channels = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return channels.map((c) => {
    const clipped = Math.min(1, Math.max(0, c));
    return 255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055);
  }) as Rgb;
}

/** Signed values: dark in the middle, like the stage; blue for negative and orange for positive, equally bright. */
function diverging(t: number): Rgb {
  const v = 2 * t - 1;
  const size = Math.abs(v);
  const lightness = 0.2 + 0.71 * size ** 0.72;
  // No colour at zero, so that the two halves meet without a seam.
  const chroma = 0.16 * Math.sin(Math.PI * 0.86 * size ** 0.72);
  const hue = (v < 0 ? 248 : 58) * (Math.PI / 180);
  return rgbFromOklab(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

/** Phases: a circle of equal lightness whose ends meet. */
function cyclic(t: number): Rgb {
  const hue = 2 * Math.PI * t;
  return rgbFromOklab(0.72, 0.115 * Math.cos(hue), 0.115 * Math.sin(hue));
}

const FUNCTIONS: Record<ColorMapName, (t: number) => Rgb> = {
  viridis: (t) => rgbFromText(interpolateViridis(t)),
  cividis: (t) => rgbFromText(interpolateCividis(t)),
  diverging,
  cyclic,
};

const tables = new Map<ColorMapName, Uint32Array>();

/** 256 opaque colours as ABGR words, the order of ImageData on little-endian machines (all that run browsers today). */
export function colorTable(name: ColorMapName): Uint32Array {
  let table = tables.get(name);
  if (!table) {
    table = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const [r, g, b] = FUNCTIONS[name](i / 255);
      table[i] = ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
    }
    tables.set(name, table);
  }
  return table;
}

export function cssColor(word: number, alpha = 1): string {
  return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255} / ${alpha})`;
}
