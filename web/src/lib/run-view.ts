/**
 * What is seen of a run: the view on the stage and its canvases, pictures and records as they come, whether anybody looks,
 * and questions that change nothing. `RunModel` adds the settings and what becomes of them.
 */
import type { LinesHeader, PaneIndex, PointerMessage, RunOptions, Pace, Speed, ViewHeader, ViewPayload } from '../worker/protocol';
import { stageViews, type Experiment, type ViewSpec } from './catalog';
import type { EngineClient, Event } from './client';
import type { Lens } from './lens';
import { drawSpec } from './views';

/** What changed: settings and errors; the run's state; its record; axes of a picture; the engine itself. */
export type Topic = 'settings' | 'state' | 'record' | 'header' | 'engine';
export interface CurveSet {
  header: LinesHeader;
  data: Float32Array;
}

export abstract class RunView {
  experiment: Experiment;
  abstract options: RunOptions;
  speed: Speed = 'normal';
  pace: Pace = 'run';
  view: ViewSpec | undefined;
  /** The part of the picture that is seen; the whole without it. */
  lens: Lens | undefined;
  records: (Float64Array | undefined)[] = [];
  headers: (ViewHeader | undefined)[] = [];
  /** Whether a pane's picture stands on the canvas of the GPU. */
  onGpu: boolean[] = [];
  curves = new Map<string, (CurveSet | undefined)[]>();
  protected client: EngineClient | undefined;
  private listeners = new Map<Topic, Set<() => void>>();
  private canvases: (() => void) | undefined;
  /** Who keeps the stage out of sight: its own place on the page, a hidden tab, a host page. */
  private hiddenBy = new Set<string>();
  /** Something but the eye needs the run: a film is being made of it. */
  private isFilmed = false;
  private refineReport: ((progress: unknown) => void) | undefined;

  constructor(experiment: Experiment) {
    this.experiment = experiment;
    this.view = stageViews(experiment)[0];
  }

  on(topic: Topic, listener: () => void): () => void {
    let set = this.listeners.get(topic);
    if (!set) this.listeners.set(topic, (set = new Set()));
    set.add(listener);
    return () => set.delete(listener);
  }
  protected tell(...topics: Topic[]): void {
    for (const topic of topics) for (const listener of [...(this.listeners.get(topic) ?? [])]) listener();
  }

  get bundle(): string {
    return this.experiment.bundle === 'learn' && this.options.device === 'gpu' ? 'learn-gpu' : this.experiment.bundle;
  }

  /** Tells a fresh engine what there is to draw on, what, how fast, and whether anybody looks. */
  protected greet(client: EngineClient): void {
    this.canvases?.();
    this.sendView();
    if (this.lens) client.notify({ type: 'lens', lens: this.lens });
    client.notify({ type: 'speed', speed: this.speed });
    this.sendPace(client);
    client.notify({ type: 'visible', visible: this.isAwake });
  }
  /** Pictures and numbers as they arrive. */
  protected take(event: Event): void {
    switch (event.type) {
      case 'record':
        this.records[event.pane] = event.rows;
        this.tell('record');
        break;
      case 'curves': {
        const sets = this.curves.get(event.key) ?? [];
        sets[event.pane] = { header: event.header, data: event.data };
        this.curves.set(event.key, sets);
        break;
      }
      case 'refine-progress':
        this.refineReport?.(event.report);
        break;
      case 'drawn':
        this.headers[event.pane] = event.header;
        this.onGpu[event.pane] = event.gpu;
        this.tell('header');
        break;
    }
  }
  /** The run begins anew: what was recorded is of another. */
  protected forgetRecord(): void {
    this.records = [];
    this.curves.clear();
  }

  setSpeed(speed: Speed): void {
    this.speed = speed;
    this.client?.notify({ type: 'speed', speed });
    this.tell('state');
  }
  /** What the panes have as much of while both run. */
  setPace(pace: Pace): void {
    this.pace = pace;
    if (this.client) this.sendPace(this.client);
    this.tell('state');
  }
  private sendPace(client: EngineClient): void {
    client.notify({ type: 'pace', pace: this.pace, clock: this.experiment.metrics.findIndex((m) => m.key === 'seconds') });
  }
  showView(key: string): void {
    this.view = this.experiment.views.find((v) => v.key === key) ?? this.view;
    this.headers = [];
    this.setLens(undefined);
    this.sendView();
    this.tell('header', 'settings');
  }
  setLens(lens: Lens | undefined): void {
    if (lens === this.lens) return;
    this.lens = lens;
    this.client?.notify({ type: 'lens', lens: lens ?? null });
    this.tell('header');
  }
  protected sendView(): void {
    if (this.view) this.client?.notify({ type: 'show', view: drawSpec(this.view) });
  }
  pointer(message: PointerMessage): void {
    this.client?.notify({ type: 'pointer', ...message });
  }
  /** `by` names who says so; only what nobody hides is computed. */
  setVisible(visible: boolean, by = 'place'): void {
    const before = this.isAwake;
    if (visible) this.hiddenBy.delete(by);
    else this.hiddenBy.add(by);
    this.tellAwake(before);
  }
  /** While it is filmed a run goes on also where nobody sees it. */
  setFilmed(filmed: boolean): void {
    const before = this.isAwake;
    this.isFilmed = filmed;
    this.tellAwake(before);
  }
  protected get isAwake(): boolean {
    return this.isFilmed || this.hiddenBy.size === 0;
  }
  private tellAwake(before: boolean): void {
    if (this.isAwake !== before) this.client?.notify({ type: 'visible', visible: this.isAwake });
  }

  /** `attach` hands canvases to the engine; called now and for each new engine. */
  withCanvases(attach: () => void): void {
    this.canvases = attach;
    if (this.client) attach();
  }
  /** `canvas` gets a 2-D context, `gpuCanvas` one of the GPU. */
  async giveCanvas(pane: PaneIndex, canvas: HTMLCanvasElement, gpuCanvas: HTMLCanvasElement): Promise<void> {
    const client = this.client;
    if (!client) return;
    const inWorker = await client.inWorker;
    const gpu = 'transferControlToOffscreen' in gpuCanvas ? gpuCanvas.transferControlToOffscreen() : null;
    if (inWorker) {
      const offscreen = canvas.transferControlToOffscreen();
      client.notify({ type: 'canvas', pane, canvas: offscreen, gpu }, gpu ? [offscreen, gpu] : [offscreen]);
    } else client.notify({ type: 'canvas', pane, canvas, gpu });
  }
  async sizeCanvas(pane: PaneIndex, width: number, height: number, ratio: number): Promise<void> {
    const client = this.client;
    await client?.inWorker;
    client?.notify({ type: 'size', pane, width, height, ratio });
  }

  readView(key: string, pane: PaneIndex = 0): Promise<ViewPayload> {
    return this.client!.request<ViewPayload>({ type: 'read-view', key, pane });
  }
  /** Questions of the equation lab, which need no run. */
  ask<T>(what: 'analyse' | 'presets' | 'import', text = ''): Promise<T> {
    return this.client!.request<T>({ type: 'ask', bundle: this.bundle, what, text });
  }
  /** A refinement study; `report` is told how it goes. */
  refine<T>(form: string, dt: number, report: (progress: T) => void): Promise<T> {
    this.refineReport = report as (progress: unknown) => void;
    return this.client!.request<T>({ type: 'refine', bundle: this.bundle, form, dt });
  }
  stopRefining(): void {
    this.client?.notify({ type: 'refine-stop' });
  }
  readMetrics(pane: PaneIndex = 0): Promise<Float64Array> {
    return this.client!.request<Float64Array>({ type: 'read-metrics', pane });
  }
  /** A Python program that makes the same run; undefined where there is none. */
  readScript(): Promise<string | undefined> {
    return this.client!.request<string | undefined>({ type: 'script' });
  }
  /** The trained parameters as a safetensors file; undefined where nothing is trained. */
  readWeights(): Promise<Uint8Array | undefined> {
    return this.client!.request<Uint8Array | undefined>({ type: 'weights' });
  }
  memoryBytes(): Promise<number> {
    return this.client!.request<number>({ type: 'memory' });
  }
  /** Destroys the device of the GPU, as a driver reset would: for tests of what then happens. */
  loseGpu(): Promise<void> {
    return this.client!.request<void>({ type: 'lose-gpu' });
  }

  close(): void {
    this.client?.close();
    this.client = undefined;
    this.canvases = undefined;
    this.listeners.clear();
  }
}
