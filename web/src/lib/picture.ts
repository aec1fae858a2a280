/** A run's present picture with its axes and legend, drawn once on a canvas: for files, where the stage's parts lie apart. */
import { axisTicks } from '../element/axes';
import { FieldBitmap, STAGE, drawView, seriesColors, type Context2d } from '../worker/draw';
import type { PaneIndex, ViewPayload } from '../worker/protocol';
import { colorTable, cssColor } from './colormaps';
import { axisText, numberText, plainSymbol, rangeTexts } from './format';
import { paneLabel } from './labels';
import { drawSpec, hasEqualAxes, type RunModel } from './run-model';

const INK = '#e8ebef';
const FAINT = '#a2abb8';
const FONT = "'Inter Variable', system-ui, sans-serif";
const PANE = 560;
const EDGE = { left: 66, right: 24, top: 64, bottom: 54 };
const FOOT = 30;

/** Draws the view on the stage of every pane; `scale`: device pixels per CSS pixel. Keeps `canvas` where it is given. */
export async function drawPicture(model: RunModel, scale = 2, canvas = document.createElement('canvas')): Promise<HTMLCanvasElement> {
  const view = model.view;
  if (!view) throw new Error('This experiment has no picture.');
  const panes: PaneIndex[] = model.hasBaseline ? [0, 1] : [0];
  const payloads = await Promise.all(panes.map((pane) => model.readView(view.key, pane)));
  const first = payloads[0]!.header;
  const proportion = hasEqualAxes(view) && first.kind !== 'empty' ? (first.x[1] - first.x[0]) / (first.y[1] - first.y[0]) : 1.6;
  const plot = { width: PANE, height: Math.round(PANE / Math.min(4, Math.max(0.4, proportion))) };
  const size = { width: panes.length * (EDGE.left + plot.width + EDGE.right), height: EDGE.top + plot.height + EDGE.bottom + FOOT };
  const wide = Math.round(size.width * scale);
  const high = Math.round(size.height * scale);
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This browser gives no canvas to draw on.');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = STAGE;
  context.fillRect(0, 0, size.width, size.height);
  panes.forEach((pane, i) => drawPane(context, model, pane, payloads[i]!, i * (EDGE.left + plot.width + EDGE.right), plot, scale));
  context.font = `13px ${FONT}`;
  context.fillStyle = FAINT;
  context.textAlign = 'left';
  const position = model.panes[0]?.progress.position;
  const moment = position === undefined ? '' : ` · ${axisText(model.experiment.axis)} = ${numberText(position, 4)}`;
  context.fillText(`${model.experiment.title}${moment} · Eddy ${clip(model.permalink, 90)}`, 20, size.height - 14, size.width - 40);
  return canvas;
}

const clip = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function drawPane(context: CanvasRenderingContext2D, model: RunModel, pane: PaneIndex, payload: ViewPayload, shift: number, plot: { width: number; height: number }, scale: number): void {
  const view = model.view!;
  const { header } = payload;
  const left = shift + EDGE.left;
  const bottom = EDGE.top + plot.height;
  const inner = document.createElement('canvas');
  Object.assign(inner, { width: Math.round(plot.width * scale), height: Math.round(plot.height * scale) });
  const target = { context: inner.getContext('2d') as Context2d, width: inner.width, height: inner.height, ratio: scale, baseline: pane === 1 };
  drawView(target, payload, drawSpec(view), new FieldBitmap());
  context.drawImage(inner, left, EDGE.top, plot.width, plot.height);
  context.strokeStyle = FAINT;
  context.lineWidth = 1;
  context.strokeRect(left - 0.5, EDGE.top - 0.5, plot.width + 1, plot.height + 1);
  context.fillStyle = INK;
  context.font = `600 15px ${FONT}`;
  context.textAlign = 'left';
  context.fillText(paneLabel(model, pane), left, 26, plot.width);
  if (header.kind === 'empty') return;
  drawLegend(context, model, payload, pane === 1, left, plot.width);
  const isLines = view.kind === 'lines' || view.kind === 'curves';
  context.fillStyle = FAINT;
  context.font = `12px ${FONT}`;
  context.textAlign = 'center';
  for (const tick of axisTicks(header.x, isLines && view.x.scale === 'log', plot.width, 76)) {
    const x = left + tick.at * plot.width;
    context.fillRect(x - 0.5, bottom, 1, 4);
    context.fillText(tick.text, x, bottom + 18);
  }
  context.textAlign = 'right';
  for (const tick of axisTicks(header.y, isLines && view.y.scale === 'log', plot.height, 56)) {
    const y = bottom - tick.at * plot.height;
    context.fillRect(left - 4, y - 0.5, 4, 1);
    context.fillText(tick.text, left - 8, y + 4);
  }
  context.textAlign = 'center';
  context.fillStyle = INK;
  context.font = `13px ${FONT}`;
  context.fillText(axisText(view.x), left + plot.width / 2, bottom + 40, plot.width);
  context.save();
  context.translate(left - 50, EDGE.top + plot.height / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(axisText(view.y), 0, 0, plot.height);
  context.restore();
}

function drawLegend(context: CanvasRenderingContext2D, model: RunModel, { header }: ViewPayload, baseline: boolean, left: number, width: number): void {
  const view = model.view!;
  context.font = `12px ${FONT}`;
  if (header.kind === 'lines') {
    const colors = seriesColors(header.series, baseline);
    let x = left;
    header.series.forEach((series, i) => {
      const room = context.measureText(series.name).width + 40;
      if (x + room > left + width) return;
      context.fillStyle = colors[i]!;
      context.fillRect(x, 43, 16, 3);
      context.fillStyle = FAINT;
      context.textAlign = 'left';
      context.fillText(series.name, x + 22, 49);
      x += room;
    });
    return;
  }
  if (header.kind === 'empty' || !(header.range[1] > header.range[0])) return;
  const table = colorTable(view.colors);
  const [from, to] = header.kind === 'points' ? [90, 255] : [0, 255];
  const name = `${plainSymbol(view.value.symbol) || view.value.label}${view.value.unit ? ` (${view.value.unit})` : ''}`;
  context.textAlign = 'left';
  context.fillStyle = FAINT;
  const [least, most] = rangeTexts(...header.range);
  const low = `${name}  ${least}`;
  context.fillText(low, left, 49);
  const start = left + context.measureText(low).width + 10;
  for (let i = 0; i < 120; i++) {
    context.fillStyle = cssColor(table[Math.round(from + ((to - from) * i) / 119)]!);
    context.fillRect(start + i, 40, 1.5, 10);
  }
  context.fillStyle = FAINT;
  context.fillText(most, start + 130, 49);
}
