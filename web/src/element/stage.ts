/** The stage: one pane, or two on the same clock; pictures, axes, what went wrong, and the transport below. */
import { LitElement, html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import { stageViews, type FirstLook } from '../lib/catalog';
import { cssom } from '../lib/cssom';
import { capital, numberText, plainSymbol } from '../lib/format';
import { icon } from '../lib/icons';
import { panned, through, zoomed } from '../lib/lens';
import { hasEqualAxes, type RunModel } from '../lib/run-model';
import { paneLabel } from '../lib/labels';
import { short } from '../lib/places';
import { reducedMotion } from '../lib/theme';
import { shared } from '../styles/shared';
import type { PaneIndex, PaneState, ViewHeader } from '../worker/protocol';
import { axesOverlay, legend, type PlotRect } from './axes';
import { Probe } from './probe';
import { repairButton } from './repair';
import { stageStyles } from './stage-styles';
import { Watch } from './watch';

const boxOf = ({ left, top, width, height }: PlotRect) => ({ left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
/** Milliseconds without a first step, after which the page says that something is being prepared. */
const PATIENCE = 700;
const GUTTER = { left: 58, right: 14, top: 8, bottom: 44 };

@customElement('eddy-stage')
export class EddyStage extends LitElement {
  static override styles = [shared, stageStyles];
  @property({ attribute: false }) model?: RunModel;
  /** Width by height of a plot; by default it follows the data. */
  @property({ type: Number }) aspect = 0;
  @state() private width = 0;
  @state() private help = false;
  /** Whether fields are shown as surfaces. */
  @state() private relief = false;
  /** Of each pane: one for the 2-D context, one for the GPU. */
  private canvases: [HTMLCanvasElement, HTMLCanvasElement][] = [];
  private sizes = new ResizeObserver((entries) => {
    const width = Math.floor(entries[0]!.contentRect.width);
    if (width !== this.width) this.width = width;
  });
  private sight = new IntersectionObserver((entries) => this.model?.setVisible(entries.at(-1)!.isIntersecting), { rootMargin: '40px' });
  /** The brush lowers what it otherwise raises: for hands without a right button. */
  @state() private takesAway = false;
  /** What the pointer does: hands on to the run, or moves the picture. */
  private dragging: 'run' | 'picture' | undefined;
  private from: [number, number] = [0, 0];
  private probe = new Probe(this);
  private canvasModel: RunModel | undefined;

  constructor() {
    super();
    new Watch(this, ['state', 'settings', 'header', 'engine']);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // Known before the first drawing, so that nothing moves when the observer reports.
    this.width = Math.floor(this.getBoundingClientRect().width);
    this.sizes.observe(this);
    this.sight.observe(this);
    window.addEventListener('resize', this.onResize);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.sizes.disconnect();
    this.sight.disconnect();
    window.removeEventListener('resize', this.onResize);
  }
  private onResize = () => this.requestUpdate();

  private get paneCount(): number {
    return this.model?.hasBaseline ? 2 : 1;
  }
  /** Panes lie side by side where there is room for both. */
  private get columns(): number {
    return this.paneCount === 2 && this.width >= 560 ? 2 : 1;
  }
  private get paneWidth(): number {
    return Math.floor((this.width - (this.columns - 1)) / this.columns);
  }

  /** Rows of a caption: one where all of it fits side by side, else the legend below; a long name has a row of its own. */
  private get captionRows(): 1 | 2 | 3 {
    const model = this.model!;
    const metric = model.experiment.metrics[0];
    const reading = metric ? 7 * (metric.axis.label.length + metric.axis.unit.length + 10) : 0;
    const names = Array.from({ length: this.paneCount }, (_, i) => 8 * paneLabel(model, i).length);
    const widest = Math.max(...names) + reading + 28;
    return widest > this.paneWidth ? 3 : this.paneWidth >= 640 && widest + 300 <= this.paneWidth ? 1 : 2;
  }

  /** What the view will be like, as the build saw it: nothing is to move when the run has started. */
  private get firstLook(): FirstLook | undefined {
    const { experiment, view } = this.model!;
    return experiment.first?.view === view?.key ? experiment.first : undefined;
  }

  private plotRect(): PlotRect {
    const model = this.model!;
    const view = model.view!;
    const header = model.headers[0];
    const room = Math.max(60, this.paneWidth - GUTTER.left - GUTTER.right);
    const tallest = Math.max(200, Math.min(760, window.innerHeight * (this.columns === 1 && this.paneCount === 2 ? 0.4 : document.documentElement.hasAttribute('data-presenter') ? 0.46 : 0.58)));
    let width = room;
    let height: number;
    if (hasEqualAxes(view)) {
      const known = header && header.kind !== 'empty';
      const proportion = known ? (header.x[1] - header.x[0]) / (header.y[1] - header.y[0]) : (this.firstLook?.proportion ?? 1);
      height = Math.min(room / proportion, tallest);
      width = height * proportion;
    } else {
      height = this.aspect > 0 ? room / this.aspect : Math.min(tallest, Math.max(180, room * (this.columns === 2 ? 0.72 : 0.52)));
    }
    return { left: Math.round(GUTTER.left + (room - width) / 2), top: GUTTER.top, width: Math.round(width), height: Math.round(height) };
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has('model') || this.canvasModel !== this.model) {
      this.canvasModel = this.model;
      this.model?.withCanvases(() => this.renewCanvases());
    }
    if (this.model?.view?.kind === 'volume') void import('./volume');
    if (this.model?.view?.heard) void import('./sound');
    if (this.hasModes) void import('./modes');
    if (this.placeAxes) void import('./places');
    this.placeCanvases();
  }

  /** A canvas can be handed to one worker only: each engine gets fresh ones. */
  private renewCanvases(): void {
    for (const layers of this.canvases) for (const canvas of layers) canvas.remove();
    this.canvases = [];
    this.placeCanvases();
  }

  private placeCanvases(): void {
    const model = this.model;
    if (!model?.view || this.width === 0) return;
    const rect = this.plotRect();
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const boxes = this.renderRoot.querySelectorAll<HTMLElement>('.plot');
    boxes.forEach((box, i) => {
      if (!this.canvases[i]) {
        this.canvases[i] = [this.makeCanvas(), this.makeCanvas()];
        void model.giveCanvas(i as PaneIndex, ...this.canvases[i]);
      }
      const layers = this.canvases[i]!;
      const size = `${rect.left},${rect.top},${rect.width},${rect.height},${ratio}`;
      const isNew = layers[0].dataset.size !== size;
      layers.forEach((canvas, layer) => {
        if (canvas.parentElement !== box) box.prepend(canvas);
        canvas.setAttribute('aria-label', `${paneLabel(model, i)}: ${model.view!.label}`);
        canvas.hidden = (layer === 1) !== (model.onGpu[i] ?? false);
        canvas.dataset.size = size;
        if (isNew) Object.assign(canvas.style, { left: `${rect.left}px`, top: `${rect.top}px`, width: `${rect.width}px`, height: `${rect.height}px` });
      });
      if (isNew) void model.sizeCanvas(i as PaneIndex, rect.width, rect.height, ratio);
    });
  }

  private makeCanvas(): HTMLCanvasElement {
    const canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    for (const type of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel'] as const) canvas.addEventListener(type, this.onPointer);
    canvas.addEventListener('contextmenu', (e) => e.preventDefault());
    canvas.addEventListener('wheel', this.onWheel, { passive: false });
    canvas.addEventListener('pointerleave', () => this.probe.leave());
    return canvas;
  }

  /** The header of a pane's picture, with the axes of the part that is seen. */
  private seen(index: number): ViewHeader | undefined {
    const model = this.model!;
    const header = model.headers[index] ?? model.headers[0];
    return header && model.view ? through(header, model.lens, model.view) : header;
  }
  /** Drawn on a plane, so that a part of it can be looked at. */
  private get isFlat(): boolean {
    return this.model?.view?.kind !== 'volume' && !(this.relief && this.canRise);
  }
  private zoom(factor: number, u?: number, v?: number): void {
    if (this.isFlat) this.model?.setLens(zoomed(this.model.lens, factor, u, v));
  }
  private pan(du: number, dv: number): void {
    const lens = this.model?.lens;
    if (lens) this.model!.setLens(panned(lens, du, dv));
  }
  /** With Ctrl or ⌘, which is also what a pinch on a touchpad says: the wheel alone scrolls the page. */
  private onWheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = (event.target as Element).getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoom(Math.exp(Math.max(-1, Math.min(1, 0.004 * lines * event.deltaY))), (event.clientX - box.left) / box.width, (box.bottom - event.clientY) / box.height);
  };

  /** Pointer positions in data coordinates. */
  private onPointer = (event: PointerEvent): void => {
    const model = this.model;
    const header = model && this.seen(0);
    if (!model?.view || !header || header.kind === 'empty') return;
    const box = (event.target as Element).getBoundingClientRect();
    const [x0, x1] = header.x;
    const [y0, y1] = header.y;
    if (event.type === 'pointerdown') {
      // What the run takes no strokes for is moved by dragging, everything else with the middle button or Alt.
      const moves = model.lens && (event.button === 1 || event.altKey || model.experiment.lab !== 'pde');
      this.dragging = moves ? 'picture' : 'run';
      this.from = [event.clientX, event.clientY];
      (event.target as Element).setPointerCapture(event.pointerId);
    } else if (!this.dragging) {
      if (event.pointerType === 'mouse') this.probe.at(event, this.canvases.findIndex((layers) => layers.includes(event.target as HTMLCanvasElement)) as PaneIndex);
      return;
    }
    const ended = event.type === 'pointerup' || event.type === 'pointercancel';
    const { dragging } = this;
    if (ended) this.dragging = undefined;
    if (dragging === 'picture') {
      this.pan((this.from[0] - event.clientX) / box.width, (event.clientY - this.from[1]) / box.height);
      this.from = [event.clientX, event.clientY];
      return;
    }
    model.pointer({
      view: model.view.key,
      kind: event.type === 'pointerdown' ? 'down' : ended ? 'up' : 'move',
      x: x0 + ((event.clientX - box.left) / box.width) * (x1 - x0),
      y: y1 - ((event.clientY - box.top) / box.height) * (y1 - y0),
      radius: 0.04 * Math.min(Math.abs(x1 - x0), Math.abs(y1 - y0)),
      secondary: event.button === 2 || event.shiftKey || this.takesAway,
    });
  };

  private onKey = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const model = this.model;
    if (!model) return;
    // Buttons inside the stage keep their own space bar.
    const onButton = (event.composedPath()[0] as Element).closest?.('button, input, select, a');
    const actions: Record<string, () => void> = {
      ' ': () => void model.toggle(),
      '.': () => void model.steps(1),
      r: () => void model.restart(),
      n: () => model.newSeed(),
      '?': () => (this.help = !this.help),
      Escape: () => (this.help = false),
      '+': () => this.zoom(0.8), '=': () => this.zoom(0.8), '-': () => this.zoom(1.25), 0: () => model.setLens(undefined),
      ...(model.lens && { ArrowLeft: () => this.pan(-0.1, 0), ArrowRight: () => this.pan(0.1, 0), ArrowUp: () => this.pan(0, 0.1), ArrowDown: () => this.pan(0, -0.1) }),
    };
    const action = actions[event.key];
    if (!action || (onButton && event.key === ' ')) return;
    event.preventDefault();
    action();
  };

  protected override render() {
    const model = this.model;
    if (!model?.view) return nothing;
    const views = stageViews(model.experiment);
    const rect = this.width ? this.plotRect() : { left: 0, top: 0, width: 0, height: 0 };
    return html`
      ${views.length > 1 || this.canRise
        ? html`<div class="views" role="group" aria-label="What the stage shows">
            ${views.map(
              (v) => html`<button type="button" aria-pressed=${v.key === model.view!.key} @click=${() => model.showView(v.key)}>${capital(v.label)}</button>`,
            )}
            ${this.canRise
              ? html`<button class="relief" type="button" aria-pressed=${this.relief} title="Heights instead of a flat picture" @click=${() => void this.rise()}>As a surface</button>`
              : nothing}
          </div>`
        : nothing}
      ${model.view.heard ? html`<eddy-sound .model=${model}></eddy-sound>` : nothing}
      <div
        class="stage columns-${this.columns} rows-${this.captionRows}" tabindex="0" role="group" aria-label="Stage. Space plays and pauses, ? lists the keys."
        aria-keyshortcuts="Space . r n + - 0 ?" @keydown=${this.onKey}
      >
        ${Array.from({ length: this.paneCount }, (_, i) => this.pane(i as PaneIndex, rect))}
        ${this.help ? this.helpCard() : nothing}
      </div>
      ${this.transport()}
    `;
  }

  private pane(index: PaneIndex, rect: PlotRect): TemplateResult {
    const model = this.model!;
    const pane = model.panes[index];
    // Where it is narrow the choices of a volume take three rows.
    const height = rect.top + rect.height + GUTTER.bottom + (model.view!.kind === 'volume' && this.paneWidth < 560 ? 90 : 0);
    const header = this.seen(index);
    const series = this.firstLook?.series;
    const named: ViewHeader | undefined = header ?? (series && { kind: 'lines', x: [0, 1], y: [0, 1], series });
    return html`<div class="pane">
      <div class="caption">
        <span class="tag" title=${paneLabel(model, index)}>${paneLabel(model, index)}</span>${this.reading(pane)}
        ${legend(model.view!, named, index === 1)}
      </div>
      <div class="plot" ${cssom({ height: `${height}px` })}>
        ${this.width ? axesOverlay(model.view!, header, rect, this.paneWidth, height) : nothing}
        ${index === 0 && header && header.kind === 'points' && this.hasModes
          ? html`<eddy-modes .model=${model} .x=${header.x} .y=${header.y} ${cssom(boxOf(rect))}></eddy-modes>`
          : nothing}
        ${index === 0 && header && header.kind !== 'empty' && this.placeAxes
          ? html`<eddy-places .model=${model} .x=${header.x} .y=${header.y} .axes=${this.placeAxes} ${cssom(boxOf(rect))}></eddy-places>`
          : nothing}
        ${this.isFlat ? this.lensButtons(rect) : nothing}
        ${this.probe.reading(index, rect)}
        ${model.view!.kind === 'volume' ? html`<eddy-volume .model=${model} .pane=${index}></eddy-volume>` : nothing}
        ${this.relief && this.canRise ? html`<eddy-surface .model=${model} .pane=${index}></eddy-surface>` : nothing}
        ${model.status === 'loading' ? html`<p class="waiting" role="status">Loading…</p>` : nothing}
        ${index === 0 && model.status === 'failed' && !model.fault ? html`<p class="waiting" role="status">${[...model.errors.values()][0] ?? 'These settings cannot run.'}</p>` : nothing}
        ${this.trouble(pane, index)}
      </div>
    </div>`;
  }

  /** Whether the distribution's modes are the user's own. */
  private get hasModes(): boolean {
    const model = this.model;
    const only = model?.experiment.params.find((p) => p.key === 'modes')?.only_when;
    return !!only && !model!.isFixed('modes') && only[1].includes(model!.values.get(only[0]) ?? '');
  }

  /** Coordinates that the picture of a typed problem has, for its probe and its sources; 0 where there is none of these. */
  private get placeAxes(): 0 | 1 | 2 {
    const model = this.model;
    if (!this.isFlat || !model?.experiment.params.some((p) => p.key === 'probe')) return 0;
    const header = model.headers[0];
    if (model.view?.key === 'lines') return 1;
    return ['field', 'contours', 'arrows'].includes(model.view?.key ?? '') && header && header.kind !== 'empty' ? 2 : 0;
  }

  /** In the middle of what is seen, or back to where it is without being asked for. */
  private putProbe(isWanted: boolean): void {
    const header = this.seen(0);
    if (!header || header.kind === 'empty') return;
    const middle = ([low, high]: readonly [number, number]) => short(0.5 * (low + high), high - low);
    this.model!.set('probe', isWanted ? [header.x, header.y].slice(0, this.placeAxes).map(middle).join(', ') : '');
  }

  private lensButtons(rect: PlotRect): TemplateResult {
    const model = this.model!;
    const { lens } = model;
    const right = this.paneWidth - rect.left - rect.width + 6;
    const probe = this.placeAxes && !model.isFixed('probe') ? (model.values.get('probe') ?? '') : undefined;
    const isPainted = model.experiment.lab === 'pde' && model.view?.kind === 'field';
    return html`<div class="lens ${lens || this.takesAway || probe ? 'near' : ''}" role="group" aria-label="Brush, and part of the picture" ${cssom({ right: `${right}px`, top: `${rect.top + 6}px` })}>
      ${probe !== undefined
        ? html`<button type="button" aria-pressed=${probe !== ''} title="A probe to be dragged: its values are plotted below" aria-label="Probe" @click=${() => this.putProbe(probe === '')}>${icon('crosshair')}</button>`
        : nothing}
      ${isPainted
        ? html`<button type="button" aria-pressed=${this.takesAway} title="The brush takes away (or Shift, or the right button)" aria-label="The brush takes away" @click=${() => (this.takesAway = !this.takesAway)}>${icon('eraser')}</button>`
        : nothing}
      ${lens ? html`<button type="button" title="All of it (0)" aria-label="Show all of it" @click=${() => this.model!.setLens(undefined)}>${icon('maximize')}</button>` : nothing}
      <button type="button" title="Closer (+, or Ctrl and the wheel)" aria-label="Zoom in" @click=${() => this.zoom(0.7)}>${icon('zoomIn')}</button>
      ${lens ? html`<button type="button" title="Further (-)" aria-label="Zoom out" @click=${() => this.zoom(1 / 0.7)}>${icon('zoomOut')}</button>` : nothing}
    </div>`;
  }

  /** Whether the view shown is a field over a plane, as far as is known: the row of buttons is not to come and go. */
  private get canRise(): boolean {
    const header = this.model?.headers[0];
    return this.model?.view?.kind === 'field' && (!header || (header.kind === 'field' && header.ny > 1));
  }

  private async rise(): Promise<void> {
    if (!this.relief) await import('./surface');
    this.relief = !this.relief;
  }

  /** The first metric's latest value. */
  private reading(pane: PaneState | undefined) {
    const metric = this.model!.experiment.metrics[0];
    const value = pane?.latest[1];
    if (!metric || value === undefined || Number.isNaN(value)) return nothing;
    const unit = metric.axis.unit ? ` ${metric.axis.unit}` : '';
    return html`<span class="reading number">${metric.axis.label} <b>${numberText(value)}${unit}</b></span>`;
  }

  private trouble(pane: PaneState | undefined, index: PaneIndex) {
    const model = this.model!;
    if (index === 0 && model.fault) return this.faultPanel();
    const outcome = pane?.progress.outcome;
    if (outcome?.kind !== 'diverged') return nothing;
    const { repair } = outcome;
    return html`<div class="trouble" role="alert">
      <p><strong>Diverged at step ${outcome.step}.</strong> ${outcome.cause}</p>
      <p>${outcome.advice}</p>
      <div class="actions">
        ${index === 0 ? repairButton(model, repair) : nothing}
        ${index === 0 ? html`<button class="button quiet" type="button" @click=${() => void model.restart()}>Restart</button>` : nothing}
      </div>
    </div>`;
  }

  private faultPanel() {
    const model = this.model!;
    const fault = model.fault!;
    const gpu = fault.code.startsWith('gpu') || model.options.device === 'gpu';
    return html`<div class="trouble fault" role="alert">
      <p><strong>${/^(wasm|bundle)/.test(fault.code) ? 'The computation cannot start here.' : 'The computation stopped.'}</strong> ${fault.message}</p>
      <p>Your settings are kept: <code>${model.permalink}</code></p>
      <div class="actions">
        <button class="button" type="button" @click=${() => void model.start(true)}>${icon('replay')} Restart</button>
        ${gpu
          ? html`<button class="button" type="button" @click=${() => void model.setOptions({ ...model.options, device: 'cpu' })}>Run on the CPU</button>`
          : nothing}
      </div>
    </div>`;
  }

  private helpCard() {
    const keys: [string, string][] = [
      ['Space', 'play, pause'], ['.', 'one step'], ['r', 'restart, same seed'], ['n', 'restart, new seed'], ['+ - 0', 'closer, further, all of it'],
      ['← ↑ → ↓', 'move the picture, once closer'], ['?', 'this card'],
    ];
    return html`<div class="help" role="dialog" aria-label="Keys of the stage">
      <dl>${keys.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
      <button class="button quiet" type="button" @click=${() => (this.help = false)}>Close</button>
    </div>`;
  }

  /** The moment of the run that is shown, to be dragged back; the track ends where the run will. */
  private scrubber([start, last, count]: [number, number, number]) {
    const model = this.model!;
    const { position, fraction } = model.panes[0]!.progress;
    const end = fraction > 1e-9 ? Math.max(last, start + (position - start) / fraction) : last;
    const { axis } = model.experiment;
    return html`<input class="scrub" type="range" min=${start} max=${end} step="any" .value=${live(String(position))} aria-label="Moment of the run"
      aria-valuetext=${`${axis.label} ${numberText(position, 4)}`} ?disabled=${model.status !== 'ready'}
      @input=${(e: Event) => void model.seek(Math.min(last, Number((e.target as HTMLInputElement).value)))}
      @keydown=${(e: KeyboardEvent) => this.onScrubKey(e, [start, last], Math.max((end - start) / 100, (last - start) / (count - 1)))} />`;
  }

  /** One kept state by the arrow keys: what the browser takes for a step depends on the width. */
  private onScrubKey(event: KeyboardEvent, [start, last]: [number, number], step: number): void {
    const by: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const model = this.model!;
    const to = event.key === 'Home' ? start : event.key === 'End' ? last : by[event.key] && model.panes[0]!.progress.position + by[event.key]! * step;
    if (to === undefined) return;
    event.preventDefault();
    void model.seek(Math.min(last, Math.max(start, to)));
  }

  /** A run that plays and has made no step for a while: a converged reference or examples come first. */
  private isPreparing(): boolean {
    const model = this.model!;
    const waits = model.playing && model.panes[0]?.progress.steps === 0;
    if (!waits) this.waitsSince = 0;
    else if (!this.waitsSince) {
      this.waitsSince = performance.now();
      setTimeout(() => this.requestUpdate(), PATIENCE + 20);
    }
    return waits && performance.now() - this.waitsSince > PATIENCE;
  }
  private waitsSince = 0;

  private transport() {
    const model = this.model!;
    const first = model.panes[0];
    const ready = model.status === 'ready';
    const over = model.ended && !model.playing;
    const { axis } = model.experiment;
    const symbol = plainSymbol(axis.symbol) || axis.label;
    const unit = axis.unit ? ` ${axis.unit}` : '';
    const fraction = first?.progress.fraction ?? 0;
    return html`<div class="transport ${this.width < 345 ? 'narrow tiny' : this.width < 620 ? 'narrow' : ''}">
      ${model.kept ? this.scrubber(model.kept) : html`<progress max="1" .value=${fraction} aria-label="Part of the run that is done"></progress>`}
      <button class="button primary play" type="button" ?disabled=${!ready} @click=${() => void model.toggle()}>
        ${model.playing ? icon('pause') : over ? icon('replay') : icon('play')}
        <span class="label">${model.playing ? 'Pause' : over ? 'Replay' : reducedMotion() ? 'Run' : 'Play'}</span>
      </button>
      <button class="button step" type="button" ?disabled=${!ready || over} @click=${() => void model.steps(1)}>${icon('stepForward')}<span class="word">Step</span></button>
      <button class="button restart" type="button" ?disabled=${!ready} @click=${() => void model.restart().then(() => model.play())}>${icon('replay')}<span class="word">Restart</span></button>
      <span class="clock number">${this.isPreparing() ? html`<span role="status">preparing…</span>` : first ? html`<em>${symbol}</em> = ${numberText(first.progress.position, 4)}${unit}` : nothing}</span>
      <label class="speed"><span class="word">Speed</span>
        <select @change=${(e: Event) => model.setSpeed((e.target as HTMLSelectElement).value as 'slow')}>
          <option value="slow" ?selected=${model.speed === 'slow'}>slow</option>
          <option value="normal" ?selected=${model.speed === 'normal'}>normal</option>
          <option value="fast" ?selected=${model.speed === 'fast'}>fastest</option>
        </select>
      </label>
    </div>`;
  }
}
