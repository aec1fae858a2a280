/** Axes, ticks and legends of a pane, drawn over the canvas by the page: sharp at any zoom, readable by machines. */
import { html, svg, nothing, type TemplateResult } from 'lit';
import type { ViewSpec } from '../lib/catalog';
import { cssom } from '../lib/cssom';
import { colorTable, cssColor } from '../lib/colormaps';
import { axisText, numberText, plainSymbol, rangeTexts, tickText, ticks } from '../lib/format';
import { seriesColors } from '../worker/draw';
import type { Range, ViewHeader } from '../worker/protocol';

/** Where the plot area lies in its pane, in CSS pixels. */
export interface PlotRect {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Tick {
  at: number;
  text: string;
}

/** Ticks of an axis of `pixels` length, about one `every` pixels. */
export function axisTicks(range: Range, log: boolean, pixels: number, every: number): Tick[] {
  if (log && range[0] > 0) {
    const [low, high] = [Math.log10(range[0]), Math.log10(range[1])];
    const stride = Math.max(1, Math.ceil((high - low) / Math.max(1, pixels / every)));
    const out: Tick[] = [];
    for (let e = Math.ceil(low - 1e-9); e <= high + 1e-9; e += stride) {
      out.push({ at: (e - low) / (high - low), text: numberText(10 ** e, 1) });
    }
    return out;
  }
  const list = ticks(range[0], range[1], pixels / every);
  return list.map((v) => ({ at: (v - range[0]) / (range[1] - range[0]), text: tickText(v, list) }));
}

/** Ticks and labels of both axes; `paneWidth` × `paneHeight` is the drawing's size. */
export function axesOverlay(view: ViewSpec, header: ViewHeader | undefined, rect: PlotRect, paneWidth: number, paneHeight: number): TemplateResult {
  const { left, top, width, height } = rect;
  const bottom = top + height;
  const lines = view.kind === 'lines' || view.kind === 'curves';
  const known = header && header.kind !== 'empty';
  const xs = known ? axisTicks(header.x, lines && view.x.scale === 'log', width, 76) : [];
  const ys = known ? axisTicks(header.y, lines && view.y.scale === 'log', height, 56) : [];
  const middle = top + height / 2;
  return html`<svg class="axes" width=${paneWidth} height=${paneHeight} aria-hidden="true">
    ${xs.map((t) => {
      const x = left + t.at * width;
      return svg`<line x1=${x} x2=${x} y1=${bottom} y2=${bottom + 4}></line>
        <text x=${x} y=${bottom + 17} text-anchor=${t.at > 0.96 ? 'end' : t.at < 0.04 ? 'start' : 'middle'}>${t.text}</text>`;
    })}
    ${ys.map((t) => {
      const y = bottom - t.at * height;
      return svg`<line x1=${left - 4} x2=${left} y1=${y} y2=${y}></line>
        <text x=${left - 7} y=${y + 4} text-anchor="end">${t.text}</text>`;
    })}
    <rect x=${left - 0.5} y=${top - 0.5} width=${width + 1} height=${height + 1}></rect>
    <text class="name" x=${left + width / 2} y=${bottom + 34} text-anchor="middle">${axisText(view.x)}</text>
    <text class="name" transform="translate(${left - 46} ${middle}) rotate(-90)" text-anchor="middle">${axisText(view.y)}</text>
  </svg>`;
}

/** More names than this do not fit in a row: the references are then named once. */
const MOST_NAMES = 4;

/** Colour bar of a field or of points, names of lines. */
export function legend(view: ViewSpec, header: ViewHeader | undefined, baseline: boolean): TemplateResult | typeof nothing {
  if (!header || header.kind === 'empty') return nothing;
  if (header.kind === 'lines') {
    const colors = seriesColors(header.series, baseline);
    const short = header.series.length > MOST_NAMES;
    const references = header.series.filter((s) => s.role === 'reference').length;
    let named = false;
    const names = header.series.map((s, i) => {
      if (short && references > 1 && s.role === 'reference') {
        if (named) return nothing;
        named = true;
        // Their own error is the same of all.
        const known = /\(to [^()]*\)$/.exec(s.name)?.[0] ?? '';
        return html`<span class="series reference"><i ${cssom({ 'border-color': colors[i]! })}></i>references ${known}</span>`;
      }
      return html`<span class="series ${s.role}" title=${s.name}><i ${cssom({ 'border-color': colors[i]! })}></i>${s.name}</span>`;
    });
    return html`<span class="legend">${names}</span>`;
  }
  const [low, high] = header.range;
  if (!(high > low)) return nothing;
  const table = colorTable(view.colors);
  const [from, to] = header.kind === 'points' && header.count > 0 ? [90, 255] : [0, 255];
  const stops = Array.from({ length: 13 }, (_, i) => cssColor(table[Math.round(from + ((to - from) * i) / 12)]!));
  const symbol = plainSymbol(view.value.symbol) || view.value.label;
  const unit = view.value.unit ? ` (${view.value.unit})` : '';
  const [least, most] = rangeTexts(low, high);
  return html`<span class="legend bar" role="img" aria-label="Colours: ${view.value.label} from ${numberText(low)} to ${numberText(high)}${unit}">
    <em>${symbol}${unit}</em><span>${least}</span>
    <i ${cssom({ background: `linear-gradient(90deg, ${stops.join(',')})` })}></i><span>${most}</span>
  </span>`;
}
