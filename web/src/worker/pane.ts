/** One pane of the stage: a session, its canvas, and what was last drawn. */
import { colorTable } from '../lib/colormaps';
import { FieldBitmap, drawView, type Context2d } from './draw';
import type { Lens } from '../lib/lens';
import type { Mark } from '../lib/strokes';
import type { DrawSpec, PaneIndex, PaneState, PointerMessage, Progress, ViewHeader, ViewPayload } from './protocol';
import type { WasmSession } from './wasm';

export class Pane {
  session: WasmSession;
  progress: Progress;
  /** Milliseconds of computing, and the work done in them, since the rate was last read. */
  private busyMs = 0;
  private rateWork: number;
  private rate = 0;
  /** Fraction of the run that one step is; 0 while unknown. */
  fractionPerStep = 0;
  msPerStep = 0;
  /** Milliseconds of computing since the run began. */
  private spentMs = 0;
  /** What the run's own clock said last, and what had been spent by then. */
  private told = { clock: 0, spent: 0 };
  /** Strokes of the link that are still to be painted, in the order of this pane's steps. */
  pending: Mark[] = [];
  /** The session that holds the canvas of the GPU. */
  attached: WasmSession | undefined;

  constructor(session: WasmSession) {
    this.session = session;
    this.progress = JSON.parse(session.progress());
    this.rateWork = this.progress.work;
  }

  get running(): boolean {
    return this.progress.outcome.kind === 'running';
  }

  /** Advances; `maxSteps` 0 means no limit but the time. */
  async advance(budgetMs: number, maxSteps: number): Promise<void> {
    const before = this.progress;
    const started = performance.now();
    this.progress = JSON.parse(await this.session.advance(budgetMs, maxSteps));
    const spent = performance.now() - started;
    this.busyMs += spent;
    this.spentMs += spent;
    const steps = this.progress.steps - before.steps;
    if (steps > 0) {
      this.fractionPerStep = Math.max(0, (this.progress.fraction - before.fraction) / steps);
      this.msPerStep = spent / steps;
    }
  }

  /**
   * Paints; tells whether anything changed. A stroke pulls a curve towards the pointer, by how far it is from there: the
   * curve is brought up to date first, so that the same strokes do the same however often it was drawn.
   */
  async touch(kind: PointerMessage['kind'], { view, x, y, radius, secondary }: Omit<PointerMessage, 'kind'>): Promise<boolean> {
    const known = this.kinds.get(view);
    if (known === undefined || known === 'lines') this.kinds.set(view, JSON.parse((await this.session.view(view)).header).kind);
    return this.session.pointer(view, kind, x, y, radius, secondary);
  }
  private kinds = new Map<string, string>();

  /** After a restart or a change of the session from outside. */
  refresh(): void {
    this.progress = JSON.parse(this.session.progress());
    this.busyMs = 0;
    this.rateWork = this.progress.work;
    this.rate = 0;
    this.fractionPerStep = 0;
    this.msPerStep = 0;
    this.spentMs = 0;
    this.told = { clock: 0, spent: 0 };
  }

  /** Milliseconds on the run's own clock, metric number `metric`, with all that was computed since it was last told. */
  clockMs(metric: number): number {
    const clock = 1000 * (this.session.latest()[metric + 1] ?? NaN);
    if (metric >= 0 && Number.isFinite(clock) && clock !== this.told.clock) this.told = { clock, spent: this.spentMs };
    return this.told.clock + this.spentMs - this.told.spent;
  }

  state(): PaneState {
    // A rate over less than this is noise of the clock.
    if (this.busyMs > 150) {
      this.rate = ((this.progress.work - this.rateWork) / this.busyMs) * 1000;
      this.busyMs = 0;
      this.rateWork = this.progress.work;
    }
    return { progress: this.progress, latest: Array.from(this.session.latest()), rate: this.rate };
  }
}

/** The canvas of a pane. It outlives the pane's sessions. */
export class Surface {
  private context: Context2d | null;
  private bitmap = new FieldBitmap();
  private ratio = 1;
  private lastHeader = '';

  constructor(
    readonly index: PaneIndex,
    private canvas: OffscreenCanvas | HTMLCanvasElement,
    private gpu: OffscreenCanvas | null,
  ) {
    this.context = canvas.getContext('2d', { alpha: false }) as Context2d | null;
  }

  resize(width: number, height: number, ratio: number): void {
    const w = Math.max(1, Math.round(width * ratio));
    const h = Math.max(1, Math.round(height * ratio));
    this.ratio = ratio;
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
  }

  /** Lets `pane`'s session draw on the canvas of the GPU, if it computes there. */
  async attach(pane: Pane): Promise<void> {
    if (!this.gpu || pane.attached === pane.session || !pane.session.attachCanvas) return;
    pane.attached = pane.session;
    await pane.session.attachCanvas(this.gpu);
  }

  /** Draws the view; returns its header and where it was drawn when either differs from before. */
  async draw(pane: Pane, spec: DrawSpec, lens?: Lens): Promise<{ header: ViewHeader; gpu: boolean } | undefined> {
    const { session } = pane;
    // The GPU draws the whole; a part of it is drawn here.
    if (this.gpu && !lens && pane.attached === session) {
      const text = session.drawGpu(spec.key, new Uint8Array(colorTable(spec.colors).buffer), this.canvas.width, this.canvas.height);
      if (text !== undefined) return this.note(text, true);
    }
    const raw = await session.view(spec.key);
    const noted = this.note(raw.header, false);
    this.paint({ header: this.header!, data: raw.data }, spec, lens);
    return noted;
  }

  private note(text: string, gpu: boolean): { header: ViewHeader; gpu: boolean } | undefined {
    if (text === this.lastHeader && this.header && gpu === this.onGpu) return undefined;
    this.lastHeader = text;
    this.onGpu = gpu;
    this.header = JSON.parse(text) as ViewHeader;
    return { header: this.header, gpu };
  }
  private onGpu = false;
  private header: ViewHeader | undefined;

  private paint(payload: ViewPayload, spec: DrawSpec, lens?: Lens): void {
    if (!this.context) return;
    const { width, height } = this.canvas;
    drawView({ context: this.context, width, height, ratio: this.ratio, baseline: this.index === 1, lens }, payload, spec, this.bitmap);
  }

  forget(): void {
    this.lastHeader = '';
  }
}
