/** Plots below the stage: each metric against the run's axis, and curve views, with the baseline in grey. */
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type uPlot from 'uplot';
import type { Axis, Metric, ViewSpec } from '../lib/catalog';
import { curveViews } from '../lib/catalog';
import { axisText, capital, numberText, plainSymbol } from '../lib/format';
import { paneLabel } from '../lib/labels';
import type { RunModel } from '../lib/run-model';
import { onTheme } from '../lib/theme';
import { shared } from '../styles/shared';
import type { Pace } from '../worker/protocol';
import { segmentStyles } from './control-styles';
import { Watch } from './watch';

type Uplot = typeof uPlot;
let library: Promise<Uplot> | undefined;
const sheet = typeof CSSStyleSheet === 'function' ? new CSSStyleSheet() : undefined;

function loadUplot(): Promise<Uplot> {
  library ??= Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css?inline')]).then(([module, rules]) => {
    sheet?.replaceSync(rules.default);
    return module.default;
  });
  return library;
}

interface Curve {
  name: string;
  color: string;
  dash?: number[];
  width: number;
  dots: boolean;
}
interface PlotData {
  x: number[];
  series: (number | null)[][];
  curves: Curve[];
}

type Role = 'result' | 'reference' | 'second' | 'third' | 'fourth';
const COLORS: Record<Role, string> = { result: '--plot-a', reference: '--plot-b', second: '--plot-c', third: '--plot-d', fourth: '--plot-e' };
/** The baseline has one colour: its curves differ in these. */
const DASHES: Record<Role, number[]> = { result: [], reference: [5, 4], second: [9, 3], third: [2, 3], fourth: [12, 3, 2, 3] };

/** uPlot knows tick distances from 1e-32 to 1e32; beyond them it would never come back. */
const TINY = 1e-25;
const HUGE = 1e25;

/** One plot. */
class Plot {
  private plot: uPlot | undefined;
  private signature = '';
  private xLog = false;
  private yLog = false;

  constructor(
    private Uplot: Uplot,
    private box: HTMLElement,
    private x: Axis,
    private y: Axis,
  ) {}

  update(data: PlotData, color: (name: string) => string): void {
    const positive = (list: (number | null)[]) => list.every((v) => v === null || Number.isNaN(v) || v >= 0) && list.some((v) => v !== null && v > TINY);
    // A logarithmic axis leaves zeros out; data with signs stay linear.
    const xLog = this.x.scale === 'log' && data.x.every((v) => v > TINY && v < HUGE);
    const yLog = this.y.scale === 'log' && data.series.length > 0 && data.series.some(positive);
    const drawable = (v: number | null) => {
      if (v === null || !(Math.abs(v) < HUGE)) return null;
      return Math.abs(v) > TINY ? v : yLog ? null : 0;
    };
    const series = data.series.map((list) => list.map(drawable));
    const signature = JSON.stringify([data.curves, xLog, yLog, color('--ink')]);
    if (!this.plot || signature !== this.signature) {
      this.signature = signature;
      this.xLog = xLog;
      this.yLog = yLog;
      this.plot?.destroy();
      this.plot = new this.Uplot(this.options(data.curves, color), [data.x, ...series], this.box);
    } else this.plot.setData([data.x, ...series] as uPlot.AlignedData);
  }

  private options(curves: Curve[], color: (name: string) => string): uPlot.Options {
    const axis = (a: Axis, log: boolean, vertical: boolean): uPlot.Axis => ({
      // The heading of the plot says the whole name.
      label: vertical && axisText(a).length > 24 && a.symbol ? `${plainSymbol(a.symbol)}${a.unit ? ` (${a.unit})` : ''}` : axisText(a),
      labelSize: 22,
      labelFont: '12px "Inter Variable", system-ui, sans-serif',
      font: '12px "Inter Variable", system-ui, sans-serif',
      stroke: color('--ink-faint'),
      grid: { stroke: color('--line'), width: 1, ...(log ? { filter: readable } : {}) },
      ticks: { stroke: color('--line-strong'), width: 1, size: 4, ...(log ? { filter: readable } : {}) },
      ...(log ? { splits: (_u: uPlot, _axis: number, low: number, high: number) => logSplits(low, high) } : {}),
      size: vertical ? 58 : 34,
      space: vertical ? 36 : 64,
      gap: 4,
      values: (_u, splits) => {
        const shown = log ? readable(_u, splits) : splits;
        return shown.map((v) => (v === null ? '' : numberText(v, 3)));
      },
    });
    return {
      width: this.box.clientWidth || 300,
      height: 220,
      padding: [10, 12, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      legend: { show: false },
      scales: { x: { time: false, distr: this.xLog ? 3 : 1, range: this.xLog ? spread : around }, y: { distr: this.yLog ? 3 : 1, range: this.yLog ? decades : padded } },
      axes: [axis(this.x, this.xLog, false), axis(this.y, this.yLog, true)],
      series: [
        {},
        ...curves.map((c): uPlot.Series => ({
          label: c.name,
          stroke: c.color,
          width: c.width,
          ...(c.dash ? { dash: c.dash } : {}),
          spanGaps: true,
          points: { show: c.dots, size: 6, fill: c.color, stroke: c.color },
        })),
      ],
    };
  }

  resize(): void {
    this.plot?.setSize({ width: this.box.clientWidth, height: 220 });
  }
  destroy(): void {
    this.plot?.destroy();
  }
}

const isPower = (...values: number[]): boolean => values.some((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9);

/** One to nine times each power of ten. The library's own steps lose their way where the range starts between powers of ten. */
function logSplits(low: number, high: number): number[] {
  const splits: number[] = [];
  if (!(low > 0) || !(high < Infinity)) return splits;
  const last = Math.floor(Math.log10(high));
  for (let power = Math.max(Math.floor(Math.log10(low)), last - 60); power <= last; power++) {
    for (let digit = 1; digit < 10; digit++) {
      const value = Number(`${digit}e${power}`);
      if (value >= low * (1 - 1e-12) && value <= high * (1 + 1e-12)) splits.push(value);
    }
  }
  return splits;
}

/** Lines of a logarithmic axis: at most seven powers of ten; where it has hardly any, their doubles and halves too. */
function readable(_u: uPlot, splits: (number | null)[]): (number | null)[] {
  const powers = splits.filter((v) => v !== null && isPower(v)).map((v) => Math.round(Math.log10(v!)));
  const stride = Math.ceil(powers.length / 7);
  return splits.map((v) => {
    if (v === null) return null;
    if (isPower(v)) return (Math.round(Math.log10(v)) - (powers[0] ?? 0)) % stride === 0 ? v : null;
    return powers.length <= 2 && isPower(v / 2, v / 5) ? v : null;
  });
}

/** A constant gets room around it. */
function padded(_u: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  // Digits beyond the sixth of a number that hardly changes are noise, and ticks between them would never end.
  const size = Math.max(Math.abs(low), Math.abs(high));
  const span = high - low > 1e-6 * size ? high - low : size || 1;
  return [low - 0.06 * span, high + 0.06 * span];
}

/** Whole decades around the data, at most twelve of them below its top. */
function decades(_u: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0) || !Number.isFinite(high)) return [0.1, 1];
  const top = Math.ceil(Math.log10(high) + 1e-9);
  return [10 ** Math.max(Math.floor(Math.log10(low) + 1e-9), top - 12), 10 ** top];
}

/** The data of a logarithmic axis across the plot. */
function spread(_u: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0) || !Number.isFinite(high)) return [0.1, 1];
  return high > low * 1.001 ? [low, high] : [low / 2, high * 2];
}

/** The run so far; a single point gets room. */
function around(_u: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  return high - low > 1e-9 * size ? [low, high] : [low - 0.5 * (size || 1), high + 0.5 * (size || 1)];
}

/** Columns of a record: `rows` holds [x, metric…] one after another. */
export function recordColumns(rows: Float64Array | undefined, width: number): { x: number[]; columns: number[][] } {
  const columns: number[][] = Array.from({ length: width }, () => []);
  const x: number[] = [];
  if (rows) {
    for (let i = 0; i + width < rows.length; i += width + 1) {
      x.push(rows[i]!);
      for (let m = 0; m < width; m++) columns[m]!.push(rows[i + 1 + m]!);
    }
  }
  return { x, columns };
}

/** Several curves on one sorted axis; where a curve has no point there is a null. */
function aligned(lists: { xs: ArrayLike<number>; ys: ArrayLike<number> }[]): { x: number[]; series: (number | null)[][] } {
  const x = [...new Set(lists.flatMap((l) => Array.from(l.xs)))].filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  const at = new Map(x.map((v, i) => [v, i]));
  const series = lists.map((l) => {
    const out: (number | null)[] = new Array(x.length).fill(null);
    for (let i = 0; i < l.xs.length; i++) {
      const index = at.get(l.xs[i]!);
      const y = l.ys[i]!;
      if (index !== undefined && Number.isFinite(y)) out[index] = y;
    }
    return out;
  });
  return { x, series };
}

@customElement('eddy-plots')
export class EddyPlots extends LitElement {
  static override styles = [
    shared,
    segmentStyles,
    css`
      .choices { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 8px 24px; margin: 0 0 12px; }
      .against { display: flex; align-items: center; gap: 10px; font-size: 13px; color: var(--ink-soft); }
      .against .segments span { padding: 6px 12px; }
      .grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); }
      .card { padding: 14px 16px 8px; min-width: 0; }
      .head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 16px; align-items: baseline; margin-bottom: 4px; }
      .keys { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--ink-soft); }
      .keys i { display: inline-block; width: 16px; border-top: 2.5px solid var(--plot-a); vertical-align: 3px; margin-right: 6px; }
      .keys i.baseline { border-color: var(--plot-b); }
      .keys i.reference { border-color: var(--plot-b); border-top-style: dashed; }
      .keys i.second { border-color: var(--plot-c); }
      .keys i.third { border-color: var(--plot-d); }
      .keys i.fourth { border-color: var(--plot-e); }
      .keys svg { width: 26px; height: 6px; margin: 0 6px 0 -2px; vertical-align: 2px; stroke: var(--plot-b); stroke-width: 2; }
      .frame { position: relative; }
      .frame .keys { position: absolute; z-index: 1; top: 10px; right: 12px; max-width: 70%; padding: 1px 8px; border-radius: 6px; pointer-events: none; background: color-mix(in srgb, var(--surface) 82%, transparent); }
      .box { min-height: 220px; overflow: hidden; }
      .u-legend { display: none; }
    `,
  ];
  @property({ attribute: false }) model?: RunModel;
  /** Metrics against the time spent in place of the run's axis: what two settings reach in equal time. */
  @state() private byTime = false;
  private names = '';
  private plots = new Map<string, Plot>();
  private waiting = false;
  private offTheme: (() => void) | undefined;
  private sizes = new ResizeObserver(() => this.plots.forEach((p) => p.resize()));

  constructor() {
    super();
    new Watch(this, ['record', 'settings'], () => this.schedule());
  }
  override connectedCallback(): void {
    super.connectedCallback();
    this.offTheme = onTheme(() => this.schedule());
    this.sizes.observe(this);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.offTheme?.();
    this.sizes.disconnect();
    this.plots.forEach((p) => p.destroy());
    this.plots.clear();
  }
  protected override updated(): void {
    this.schedule();
  }

  private schedule(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      void this.draw();
    });
  }

  private get namesNow(): string {
    const { model } = this;
    if (!model) return '';
    const panes = (model.hasBaseline ? [0, 1] : [0]).map((i) => paneLabel(model, i));
    const terms = curveViews(model.experiment).map((v) => this.termsOf(v.key).map((t) => t.name).join('\t'));
    return [...panes, '', ...terms].join('\n');
  }

  /** The curves of a view by name, where it or its baseline has several. */
  private termsOf(key: string): { name: string; role: Role }[] {
    const all = this.model?.curves.get(key)?.map((set) => set?.header.series ?? []) ?? [];
    const series = all.reduce((most, one) => (one.length > most.length ? one : most), []);
    return series.length > 1 ? series : [];
  }

  private async draw(): Promise<void> {
    const Uplot = await loadUplot();
    const model = this.model;
    if (!model || !this.isConnected) return;
    const root = this.renderRoot as ShadowRoot;
    if (sheet && root.adoptedStyleSheets && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
    const style = getComputedStyle(this);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const { metrics } = model.experiment;
    const { axis, column } = this.abscissa(model);
    const panes = model.hasBaseline ? [0, 1] : [0];
    const records = panes.map((i) => recordColumns(model.records[i], metrics.length));
    if (this.namesNow !== this.names) this.requestUpdate();
    metrics.forEach((metric, m) => {
      const lists = records.map((r) => ({ xs: column < 0 ? r.x : r.columns[column]!, ys: r.columns[m]! }));
      const curves = panes.map((i): Curve => ({ name: paneLabel(model, i), color: color(i ? '--plot-b' : '--plot-a'), width: i ? 1.6 : 2.2, dots: lists[i]!.xs.length < 30 }));
      // The baseline lies below the experiment.
      // A metric that this setting does not have (an error without a known solution) takes no room.
      const measured = metric.axis.label !== axis.label && (lists.some((l) => l.ys.some(Number.isFinite)) || lists[0]!.xs.length < 3);
      const id = `metric-${metric.key}`;
      this.renderRoot.querySelector(`#${CSS.escape(id)}`)?.closest('section')?.toggleAttribute('hidden', !measured);
      if (measured) this.plotOf(Uplot, id, axis, metric.axis)?.update(orderLast({ ...aligned(lists), curves }), color);
    });
    for (const view of curveViews(model.experiment)) {
      const sets = model.curves.get(view.key) ?? [];
      const lists: { xs: Float32Array; ys: Float32Array }[] = [];
      const curves: Curve[] = [];
      panes.forEach((i) => {
        const set = sets[i];
        if (!set) return;
        let offset = 0;
        for (const s of set.header.series) {
          lists.push({ xs: set.data.subarray(offset, offset + s.length), ys: set.data.subarray(offset + s.length, offset + 2 * s.length) });
          offset += 2 * s.length;
          curves.push({
            name: i ? `${s.name} (${paneLabel(model, 1)})` : s.name,
            color: color(i ? '--plot-b' : COLORS[s.role]),
            width: i ? 1.4 : 2.2,
            dots: s.marker !== 'line',
            ...(s.role === 'reference' || (i && DASHES[s.role].length) ? { dash: DASHES[s.role] } : {}),
          });
        }
      });
      const id = `view-${view.key}`;
      const known = lists.some((l) => l.ys.some(Number.isFinite));
      // Its place is kept until the run has gone on without it.
      const awaited = !known && records[0]!.x.length < 3;
      this.renderRoot.querySelector(`#${CSS.escape(id)}`)?.closest('section')?.toggleAttribute('hidden', !known && !awaited);
      if (known) this.plotOf(Uplot, id, view.x, view.y)?.update(orderLast({ ...aligned(lists), curves }), color);
    }
  }

  /** What metrics are drawn against: the run's axis (−1), or the column of a metric. */
  private abscissa(model: RunModel): { axis: Axis; column: number } {
    const column = this.byTime ? model.experiment.metrics.findIndex((m: Metric) => m.key === 'seconds') : -1;
    return { axis: model.experiment.metrics[column]?.axis ?? model.experiment.axis, column };
  }

  private plotOf(Uplot: Uplot, id: string, x: Axis, y: Axis): Plot | undefined {
    let plot = this.plots.get(id);
    const box = this.renderRoot.querySelector<HTMLElement>(`#${CSS.escape(id)}`);
    if (!box) return undefined;
    if (!plot) this.plots.set(id, (plot = new Plot(Uplot, box, x, y)));
    return plot;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('model') || changed.has('byTime')) {
      this.plots.forEach((p) => p.destroy());
      this.plots.clear();
    }
  }

  protected override render() {
    const model = this.model;
    if (!model) return nothing;
    this.names = this.namesNow;
    const [name = '', baseline] = this.names.split('\n');
    const key = (label: string, color: Role | 'baseline') => html`<span><i class=${color}></i>${label}</span>`;
    // Of a term the baseline's curve too, by its dashes.
    const term = ({ name, role }: { name: string; role: Role }) => html`<span><i class=${role}></i>${baseline
      ? html`<svg viewBox="0 0 26 6" aria-hidden="true"><line x1="0" x2="26" y1="3" y2="3" stroke-dasharray=${DASHES[role].join(' ') || nothing} /></svg>`
      : nothing}${name}</span>`;
    // The names of terms lie on the plot: they come with the run, and nothing is to move for them.
    const card = (id: string, title: string, doc: string, summary: string, terms: { name: string; role: Role }[] = []) => html`<section class="card" aria-label=${title}>
      <div class="head"><h2 class="heading" title=${doc || nothing}>${title}</h2>${baseline
        ? html`<span class="keys">${key(name, 'result')}${key(baseline, 'baseline')}</span>`
        : nothing}</div>
      <div class="frame">${terms.length ? html`<span class="keys">${terms.map(term)}</span>` : nothing}
        <div class="box" id=${id} role="img" aria-label=${summary}></div></div>
    </section>`;
    const { axis, metrics } = model.experiment;
    const clock = metrics.find((m: Metric) => m.key === 'seconds')?.axis;
    const against = `against ${this.abscissa(model).axis.label}`;
    const choices = <T>(name: string, now: T, take: (value: T) => void, values: [string, T][]) => html`<div class="against" role="radiogroup" aria-label=${name}>${name}<div class="segments">${values.map(
      ([label, value]) => html`<label><input type="radio" name=${name} .checked=${now === value} @change=${() => take(value)} /><span>${label}</span></label>`,
    )}</div></div>`;
    const take = (pace: Pace) => (model.setPace(pace), this.requestUpdate());
    return html`${clock
      ? html`<div class="choices">${baseline ? choices('Side by side at', model.pace, take, [['equal part of the run', 'run'], [`equal ${clock.label}`, 'time']]) : nothing}
        ${choices('Plots against', this.byTime, (byTime) => (this.byTime = byTime), [[axis.label, false], [`${clock.label} spent`, true]])}</div>`
      : nothing}<div class="grid">
      ${curveViews(model.experiment).map((v: ViewSpec) => card(`view-${v.key}`, capital(v.label), '', `Plot of ${v.label}; the Data tab has the numbers.`, this.termsOf(v.key)))}
      ${model.experiment.metrics.map((m: Metric) => card(`metric-${m.key}`, `${capital(m.axis.label)} ${against}`, m.doc, `Plot of ${m.axis.label} ${against}; the Data tab has the numbers.`))}
    </div>`;
  }
}

/** Draws the first curve last, on top. */
function orderLast(data: PlotData): PlotData {
  return { x: data.x, series: [...data.series].reverse(), curves: [...data.curves].reverse() };
}
