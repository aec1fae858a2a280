/** Draws a view with a 2-D context: fields, lines, points, meshes. Only the plot area; axes and legends belong to the page. */
import { colorTable, cssColor } from '../lib/colormaps';
import type { Lens } from '../lib/lens';
import { drawMesh } from './mesh';
import type { DrawSpec, FieldHeader, LinesHeader, PointsHeader, Range, SeriesHeader, ViewPayload, VolumeHeader } from './protocol';

export type Context2d = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D;

/** Background of the stage in both themes; the data carries the colour. */
export const STAGE = '#0e1116';
const ROLE_COLORS = { result: '#8fb4ff', reference: '#c6cbd4', second: '#ffab73', third: '#5fd6a8', fourth: '#d2a8ff' };
const BASELINE_COLOR = '#b9c0cb';
/** Several results in one picture, told apart also by the colour-blind (after Okabe and Ito, lightened). */
const RESULT_COLORS = ['#8fb4ff', '#ffab73', '#5fd6a8', '#e8a0d8', '#f0e06a', '#7fd3f0'];

/** Colour of each series of a picture; the legend uses the same. */
export function seriesColors(series: readonly SeriesHeader[], baseline: boolean): string[] {
  const several = series.filter((s) => s.role === 'result').length > 1;
  let result = 0;
  return series.map((s) => {
    if (s.role !== 'result') return ROLE_COLORS[s.role];
    if (several) return RESULT_COLORS[result++ % RESULT_COLORS.length]!;
    return baseline ? BASELINE_COLOR : ROLE_COLORS.result;
  });
}

export interface Target {
  context: Context2d;
  /** Device pixels. */
  width: number;
  height: number;
  /** Device pixels per CSS pixel. */
  ratio: number;
  baseline: boolean;
  /** The part that is drawn; the whole without it. */
  lens?: Lens | undefined;
  /** Where the canvas lies on the whole picture, in device pixels. */
  frame?: { left: number; top: number; width: number; height: number };
}

/** Off-screen bitmap of a field at its own resolution, reused from frame to frame. */
export class FieldBitmap {
  private canvas: OffscreenCanvas | HTMLCanvasElement | undefined;
  private context: Context2d | null = null;
  private image: ImageData | undefined;

  private prepare(nx: number, ny: number): ImageData {
    if (!this.image || this.image.width !== nx || this.image.height !== ny) {
      if (typeof OffscreenCanvas === 'function') {
        this.canvas = new OffscreenCanvas(nx, ny);
      } else {
        this.canvas = document.createElement('canvas');
        this.canvas.width = nx;
        this.canvas.height = ny;
      }
      this.context = this.canvas.getContext('2d') as Context2d | null;
      this.image = new ImageData(nx, ny);
    }
    return this.image;
  }

  /** Fills `target` with the field; `data` starts at the field's first value. */
  paint(target: Target, header: Omit<FieldHeader, 'kind'>, data: Float32Array, colors: DrawSpec['colors'], box?: [number, number, number, number]): void {
    const { nx, ny } = header;
    const image = this.prepare(nx, ny);
    const pixels = new Uint32Array(image.data.buffer);
    const table = colorTable(colors);
    const [low, high] = header.range;
    const scale = high > low ? 255 / (high - low) : 0;
    for (let j = 0; j < ny; j++) {
      // Row 0 of the data is the bottom of the picture.
      const row = (ny - 1 - j) * nx;
      for (let i = 0; i < nx; i++) {
        const index = (data[row + i]! - low) * scale;
        pixels[j * nx + i] = table[index <= 0 ? 0 : index >= 255 ? 255 : (index + 0.5) | 0]!;
      }
    }
    if (!this.context || !this.canvas) return;
    this.context.putImageData(image, 0, 0);
    const [x, y, w, h] = box ?? [0, 0, target.width, target.height];
    target.context.imageSmoothingEnabled = true;
    target.context.imageSmoothingQuality = 'high';
    target.context.drawImage(this.canvas, x, y, w, h);
  }
}

export function drawView(target: Target, payload: ViewPayload, spec: DrawSpec, bitmap: FieldBitmap): void {
  const { lens, context } = target;
  if (!lens) return drawWhole(target, payload, spec, bitmap);
  // The whole picture as large as it would be, of which the canvas shows a part.
  const width = target.width / (lens.x[1] - lens.x[0]);
  const height = target.height / (lens.y[1] - lens.y[0]);
  const frame = { left: lens.x[0] * width, top: (1 - lens.y[1]) * height, width: target.width, height: target.height };
  context.save();
  context.translate(-frame.left, -frame.top);
  drawWhole({ ...target, width, height, frame }, payload, spec, bitmap);
  context.restore();
}

function drawWhole(target: Target, payload: ViewPayload, spec: DrawSpec, bitmap: FieldBitmap): void {
  const { header, data } = payload;
  if (header.kind === 'field') {
    bitmap.paint(target, header, data, spec.colors);
    return;
  }
  if (header.kind === 'volume') {
    bitmap.paint(target, header, projected(header, data, spec.colors), spec.colors);
    return;
  }
  target.context.fillStyle = STAGE;
  target.context.fillRect(0, 0, target.width, target.height);
  if (header.kind === 'lines') drawLines(target, header, data, spec);
  else if (header.kind === 'points') drawPoints(target, header, data, spec, bitmap);
  else if (header.kind === 'mesh') drawMesh(target, header, data, spec);
}

/** A volume on its plane of x and y: the largest value along z, or in signed colours the one furthest from their middle. */
export function projected({ nx, ny, nz, range }: VolumeHeader, data: Float32Array, colors: DrawSpec['colors']): Float32Array {
  const out = data.slice(0, nx * ny);
  const middle = colors === 'diverging' ? 0.5 * (range[0] + range[1]) : -Infinity;
  for (let k = 1; k < nz; k++) {
    for (let i = 0, at = k * nx * ny; i < out.length; i++, at++) {
      const value = data[at]!;
      if (middle === -Infinity ? value > out[i]! : Math.abs(value - middle) > Math.abs(out[i]! - middle)) out[i] = value;
    }
  }
  return out;
}

function mapping(range: Range, log: boolean, from: number, to: number): (v: number) => number {
  const [low, high] = log ? [Math.log10(Math.max(range[0], 1e-300)), Math.log10(Math.max(range[1], 1e-300))] : range;
  const scale = high > low ? (to - from) / (high - low) : 0;
  return log ? (v) => (v > 0 ? from + (Math.log10(v) - low) * scale : Number.NaN) : (v) => from + (v - low) * scale;
}

function drawLines(target: Target, header: LinesHeader, data: Float32Array, spec: DrawSpec): void {
  const { context, width, height, ratio } = target;
  const mapX = mapping(header.x, spec.xLog, 0, width);
  const mapY = mapping(header.y, spec.yLog, height, 0);
  context.lineJoin = 'round';
  context.lineCap = 'round';
  // Results on top of what they are compared with.
  const order = header.series.map((s, i) => [s, i] as const);
  const colors = seriesColors(header.series, target.baseline);
  const offsets: number[] = [];
  let offset = 0;
  for (const s of header.series) {
    offsets.push(offset);
    offset += 2 * s.length;
  }
  order.sort((a, b) => Number(a[0].role === 'result') - Number(b[0].role === 'result'));
  for (const [series, index] of order) {
    const start = offsets[index]!;
    const xs = data.subarray(start, start + series.length);
    const ys = data.subarray(start + series.length, start + 2 * series.length);
    context.strokeStyle = colors[index]!;
    context.fillStyle = context.strokeStyle;
    context.lineWidth = (series.role === 'reference' ? 1.4 : 2.2) * ratio;
    context.setLineDash(series.role === 'reference' ? [5 * ratio, 4 * ratio] : []);
    if (series.marker !== 'dots') {
      context.beginPath();
      let drawing = false;
      for (let i = 0; i < series.length; i++) {
        const x = mapX(xs[i]!);
        const y = mapY(ys[i]!);
        // A NaN is a gap: a point not measured yet.
        if (Number.isNaN(x) || Number.isNaN(y)) drawing = false;
        else if (drawing) context.lineTo(x, y);
        else {
          context.moveTo(x, y);
          drawing = true;
        }
      }
      context.stroke();
    }
    context.setLineDash([]);
    if (series.marker !== 'line') {
      const radius = (series.marker === 'dots' ? 2.2 : 3) * ratio;
      context.beginPath();
      for (let i = 0; i < series.length; i++) {
        const x = mapX(xs[i]!);
        const y = mapY(ys[i]!);
        if (Number.isNaN(x) || Number.isNaN(y)) continue;
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      context.fill();
    }
  }
}

function drawPoints(target: Target, header: PointsHeader, data: Float32Array, spec: DrawSpec, bitmap: FieldBitmap): void {
  const { context, width, height, ratio } = target;
  const { count, trails, trailLength, backdrop } = header;
  const mapX = mapping(header.x, false, 0, width);
  const mapY = mapping(header.y, false, height, 0);
  const trailStart = 3 * count;
  const backdropStart = trailStart + 2 * trails * trailLength;
  if (backdrop) {
    const left = mapX(backdrop.x[0]);
    const top = mapY(backdrop.y[1]);
    // Behind points a field is subdued; behind lines alone it is the picture, in the colours of the legend.
    context.globalAlpha = count > 0 ? 0.35 : 0.8;
    bitmap.paint(target, backdrop, data.subarray(backdropStart), count > 0 ? 'cividis' : spec.colors, [left, top, mapX(backdrop.x[1]) - left, mapY(backdrop.y[0]) - top]);
    context.globalAlpha = 1;
  }
  if (trails > 0) {
    context.strokeStyle = count > 0 ? 'rgb(143 180 255 / 0.28)' : 'rgb(255 255 255 / 0.75)';
    context.lineWidth = ratio;
    context.beginPath();
    for (let t = 0; t < trails; t++) {
      for (let i = 0; i < trailLength; i++) {
        const at = trailStart + 2 * (t * trailLength + i);
        const x = mapX(data[at]!);
        const y = mapY(data[at + 1]!);
        if (i === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
    }
    context.stroke();
  }
  const table = colorTable(spec.colors);
  const [low, high] = header.range;
  const scale = high > low ? 15 / (high - low) : 0;
  // Sixteen colour classes, one fill each: a fill per point would cost more than the run.
  const size = Math.max(1.2, Math.min(3.2, 120 / Math.sqrt(Math.max(1, count)))) * ratio;
  const byClass: number[][] = Array.from({ length: 16 }, () => []);
  for (let i = 0; i < count; i++) {
    const c = Math.round((data[2 * count + i]! - low) * scale);
    byClass[c <= 0 || Number.isNaN(c) ? 0 : c >= 15 ? 15 : c]!.push(i);
  }
  byClass.forEach((points, c) => {
    if (points.length === 0) return;
    // The lower end of a dark map would vanish on the stage: start a third up.
    context.fillStyle = cssColor(table[90 + c * 11]!, 0.85);
    for (const i of points) context.fillRect(mapX(data[2 * i]!) - size / 2, mapY(data[2 * i + 1]!) - size / 2, size, size);
  });
}
