/**
 * A setting being run: what the stage, the controls, the plots and the page share. It keeps the user's settings whatever
 * becomes of the engine behind it.
 */
import type { Capabilities, DeviceKind, EngineError, Opened, PaneState, Progress, RunOptions, SetResult } from '../worker/protocol';
import { curveViews, experimentById, type Experiment } from './catalog';
import { EngineClient, EngineFailure, type RequestBody } from './client';
import { linkFromText, plainLink, textFromValues, valuesFromLink, withPicture, withStrokes } from './permalink';
import { RunView } from './run-view';
import { readStored, writeStored } from './theme';

export type { CurveSet, Topic } from './run-view';
export { drawSpec, hasEqualAxes } from './views';

const PRECISION_KEY = 'eddy.precision';
/** Changes of a control within this time of each other are one edit: arrow keys, repeated clicks. */
const SAME_EDIT_MS = 800;
/** Failures of the GPU for which the CPU is the way out. Others (a grid that is no power of two) are for the user to settle. */
const GPU_FAILURES = new Set(['device-lost', 'out-of-memory', 'limit', 'validation', 'canary', 'no-adapter', 'no-webgpu']);

export class RunModel extends RunView {
  /** Text of every parameter, as the user gave it. */
  values: Map<string, string>;
  /** Message at each control that was given what it cannot take. */
  errors = new Map<string, string>();
  /** By the key of an error: a parameter, and the value of it that repairs it. */
  repairs = new Map<string, [string, string]>();
  /** What the settings bring about that they do not say. */
  remarks: EngineError[] = [];
  /** Errors without a control. */
  notices: EngineError[] = [];
  permalink: string;
  /** What is painted on the run, as part of the permalink. */
  strokes: string;
  /** What stands in for the initial values of a field, as part of the permalink. */
  picture: string;
  /** More has been painted than a link can hold. */
  isPaintingLost = false;
  /** The link asked for last, which is the permalink once it has been opened. */
  target: string;
  options: RunOptions = onCpu();
  capabilities: Capabilities | undefined;
  device = '';
  /** Whether the run can be used. */
  status: 'loading' | 'ready' | 'failed' = 'loading';
  /** Why the engine is gone or the run could not start. */
  fault: EngineError | undefined;
  playing = false;
  panes: PaneState[] = [];
  hasBaseline: boolean;
  withBaseline: boolean;
  /** What a second setting has otherwise, where one runs in place of the baseline: texts by key. */
  differences: Map<string, string> | undefined;
  private opening = 0;
  private sending = new Map<string, string>();
  private settingNow = false;
  /** Links on their way to the engine. */
  private openings = 0;
  private idle: (() => void)[] = [];
  private fallingBack = false;
  /** Number of the user's edits so far; changes of one gesture, or of one control in quick succession, are one edit. */
  edit = 0;
  /** Whether settings of the past are being restored, one key after the other. */
  visiting = false;
  private last: { key: string; isOpen: boolean; at: number } | undefined;

  /** Shares its worker with the other runs of the page that say the same: for pages of many figures. */
  sharesWorker = false;

  constructor(experiment: Experiment, permalink: string, withBaseline = true) {
    super(experiment);
    this.permalink = permalink;
    this.target = permalink;
    ({ strokes: this.strokes, picture: this.picture } = linkFromText(permalink));
    this.values = valuesFromLink(experiment, permalink);
    this.withBaseline = withBaseline;
    this.hasBaseline = withBaseline && experiment.baseline !== null;
  }

  static forLink(permalink: string, withBaseline = true): RunModel | undefined {
    const experiment = experimentById(linkFromText(permalink).id);
    return experiment && new RunModel(experiment, permalink, withBaseline);
  }

  /** Starts an engine, a fresh one if there was one, and opens the present setting. */
  async start(play: boolean): Promise<void> {
    this.client?.close();
    this.fault = undefined;
    this.status = 'loading';
    this.onGpu = [];
    const client = new EngineClient(this.sharesWorker, this.options.device === 'gpu');
    this.client = client;
    client.onEvent = (event) => {
      switch (event.type) {
        case 'state':
          this.panes = event.panes;
          if (this.isOver) this.playing = false;
          this.tell('state');
          break;
        case 'fault': {
          const played = this.playing;
          this.playing = false;
          if (this.isGpuFailure(event.error)) void this.fallBack(event.error, played);
          else this.notices = [event.error];
          this.tell('settings', 'state');
          break;
        }
        case 'painted':
          // Of the run before, if another is being opened.
          if (!this.openings) this.adoptStrokes(event.strokes, event.lost);
          break;
        default:
          this.take(event);
      }
    };
    client.onLost = (error) => {
      this.status = 'failed';
      this.fault = error;
      this.playing = false;
      this.tell('engine', 'state', 'settings');
    };
    this.tell('engine');
    this.greet(client);
    await this.open(this.permalink, play);
  }

  /** Opens a link of the same experiment in the running engine. */
  async open(permalink: string, play = this.playing): Promise<boolean> {
    const client = this.client;
    if (!client) return false;
    let opened = false;
    const turn = ++this.opening;
    this.target = permalink;
    this.values = valuesFromLink(this.experiment, permalink);
    this.errors.clear();
    this.repairs.clear();
    const { remarks } = this;
    this.remarks = [];
    this.notices = [];
    this.sending.clear();
    this.openings++;
    try {
      const answer = await client.request<Opened>(this.openRequest(permalink));
      if (turn !== this.opening) return true;
      this.adopt(answer);
      opened = true;
      if (play) this.play();
    } catch (thrown) {
      if (turn !== this.opening) return false;
      this.permalink = permalink;
      this.refuse(thrown);
      // The run that is still there is the one they are of.
      if (this.status === 'ready') this.remarks = remarks;
    } finally {
      this.openings--;
    }
    this.tell('settings', 'engine', 'state');
    return opened;
  }

  private openRequest(permalink: string): RequestBody {
    return {
      type: 'open',
      bundle: this.bundle,
      permalink: plainLink(permalink),
      strokes: linkFromText(permalink).strokes,
      picture: linkFromText(permalink).picture,
      options: this.options,
      keys: this.experiment.params.map((p) => p.key),
      curves: curveViews(this.experiment).map((v) => v.key),
      withBaseline: this.withBaseline,
      ...this.otherPart(),
    };
  }

  private adopt(opened: Opened): void {
    this.status = 'ready';
    this.fault = undefined;
    this.strokes = opened.strokes;
    this.picture = opened.picture;
    this.isPaintingLost = false;
    this.permalink = this.onPage(opened.permalink);
    // Where the visitor has gone on meanwhile, that is still the aim.
    if (!this.visiting) this.target = this.permalink;
    this.values = new Map(opened.values);
    this.device = opened.device;
    this.hasBaseline = opened.baseline;
    if (opened.other !== undefined) this.adoptOther(opened.other);
    this.playing = false;
    this.forgetRecord();
    this.remarks = opened.remarks;
    for (const warning of opened.warnings) this.placeError(warning);
  }

  private adoptStrokes(strokes: string, isLost: boolean): void {
    if (strokes === this.strokes && isLost === this.isPaintingLost) return;
    this.strokes = strokes;
    this.isPaintingLost = isLost;
    this.permalink = withStrokes(this.permalink, strokes);
    if (!this.visiting) this.target = this.permalink;
    this.tell('settings');
  }

  /** A run that cannot start: shown where it belongs, with the settings kept. */
  private refuse(thrown: unknown): void {
    const error = errorOf(thrown);
    if (this.fault) return;
    // A run that was there before goes on.
    if (this.status !== 'ready') this.playing = false;
    if (/^(wasm|bundle)-/.test(error.code)) {
      this.status = 'failed';
      this.fault = error;
    } else {
      if (this.status === 'loading') this.status = 'failed';
      this.placeError(error);
    }
  }

  private isGpuFailure(error: EngineError): boolean {
    return this.options.device === 'gpu' && this.supports('cpu') && GPU_FAILURES.has(error.code);
  }

  /**
   * The GPU failed in the middle of a run: the same settings go on on the CPU, from the start, since the state was on the
   * GPU. The message says so. Failures that arrive while this is under way are its echoes.
   */
  private async fallBack(error: EngineError, play: boolean): Promise<void> {
    if (this.fallingBack) return;
    this.fallingBack = true;
    const bundle = this.bundle;
    const link = this.ownLink;
    this.options = onCpu();
    this.onGpu = [];
    let opened: boolean;
    if (this.bundle !== bundle) {
      this.permalink = link;
      await this.start(play);
      opened = this.status === 'ready';
    } else opened = await this.open(link, play);
    this.fallingBack = false;
    // Without the advice to do what has been done now; a reason at the end joins its sentence.
    const happened = error.message
      .replace(/(Restart the run, or run|Run) on the CPU( and report this:)?\.? ?/, '')
      .trim()
      .replace(/\. (\([^()]*\))$/, ' $1.');
    const notice = opened ? { code: 'gpu-fallback', message: `${happened} The run began again on the CPU with the same settings.` } : error;
    this.notices = [notice, ...this.notices];
    this.tell('settings', 'engine', 'state', 'header');
  }

  /** A request failed in the middle of a run: on to the CPU, or say it. */
  private async recover(thrown: unknown): Promise<void> {
    const error = errorOf(thrown);
    // The fault that comes along has begun to handle it.
    if (this.fallingBack) return;
    if (this.isGpuFailure(error)) await this.fallBack(error, this.playing);
    else this.refuse(thrown);
  }

  private placeError(error: EngineError): void {
    if (error.key && this.experiment.params.some((p) => p.key === error.key)) {
      this.errors.set(error.key, error.message);
      if (error.repair) this.repairs.set(error.key, error.repair);
      else this.repairs.delete(error.key);
    } else this.notices = [...this.notices, error];
  }

  /** What was wrong with a parameter, or is repaired by it, is no more. */
  private mend(key: string): void {
    const repaired = [...this.repairs].filter(([, [by]]) => by === key).map(([wrong]) => wrong);
    for (const wrong of [key, ...repaired]) {
      this.errors.delete(wrong);
      this.repairs.delete(wrong);
    }
  }

  /**
   * Sets a parameter at the user's wish. `isDraft`: more of the same gesture follows (a slider under way).
   * While one change is under way only the latest text of each key is kept.
   */
  set(key: string, text: string, isDraft = false): void {
    const now = performance.now();
    const { last } = this;
    if (!(last?.key === key && (last.isOpen || now - last.at < SAME_EDIT_MS))) this.edit++;
    this.last = { key, isOpen: isDraft, at: now };
    this.change(key, text);
  }
  /** What follows is an edit of its own, however soon after another of the same control: a stroke begins. */
  beginGesture(): void {
    this.last = undefined;
  }
  /** The slider was let go: its next movement is another edit. */
  endGesture(): void {
    if (this.last) this.last = { ...this.last, isOpen: false, at: performance.now() };
  }
  private change(key: string, text: string): void {
    this.values.set(key, text);
    this.sending.set(key, text);
    if (!this.settingNow) void this.sendSettings();
    this.tell('settings');
  }

  /**
   * Goes to a setting that this page was at before: only what differs is set, so that live changes are undone in the
   * running run. Other links are opened.
   */
  visit(permalink: string): void {
    const wanted = valuesFromLink(this.experiment, permalink);
    this.last = undefined;
    this.target = permalink;
    // What was painted when cannot be set in a run under way.
    const isPainted = this.onPage('') !== '' || plainLink(permalink) !== permalink;
    if (this.status !== 'ready' || isPainted || textFromValues(this.experiment, wanted) !== permalink) {
      void this.open(permalink);
      return;
    }
    const differing = [...wanted].filter(([key, text]) => this.values.get(key) !== text);
    this.visiting = this.settingNow || differing.length > 0;
    for (const [key, text] of differing) this.change(key, text);
  }

  private async sendSettings(): Promise<void> {
    this.settingNow = true;
    while (this.sending.size) {
      const [key, text] = this.sending.entries().next().value!;
      this.sending.delete(key);
      this.notices = [];
      try {
        if (this.status !== 'ready') {
          // Nothing runs yet: try again with all of the settings.
          this.sending.clear();
          await this.open(this.ownLink, true);
          continue;
        }
        const hadDiverged = this.panes.some((p) => p?.progress.outcome.kind === 'diverged');
        const result = await this.client!.request<SetResult>({ type: 'set', key, text, ...this.otherPart() });
        this.mend(key);
        this.permalink = this.onPage(result.permalink);
        if (!this.visiting) this.target = this.permalink;
        this.device = result.device;
        this.remarks = result.remarks;
        if (!this.sending.has(key)) this.values.set(key, result.value);
        const wasOver = this.isOver;
        if (result.effect === 'restart') {
          this.forgetRecord();
        } else if ((result.over || hadDiverged) && !this.sending.size) {
          // A live change cannot revive a run that has ended; and the last good state of one that diverged may be too far
          // gone for any step.
          await this.restart();
        }
        // A fresh run after a finished or diverged one is there to be seen.
        if (wasOver && !this.playing) this.play();
      } catch (thrown) {
        if (this.isGpuFailure(errorOf(thrown))) {
          // The grid asked for may fit into the memory of the CPU.
          await this.recover(thrown);
          continue;
        }
        this.refuse(thrown);
        if (thrown instanceof EngineFailure && thrown.key === undefined && this.status === 'ready') this.errors.set(key, thrown.message);
      }
      this.tell('settings', 'state');
    }
    this.settingNow = false;
    if (this.visiting) {
      this.visiting = false;
      this.target = this.permalink;
      this.tell('settings');
    }
    for (const done of this.idle.splice(0)) done();
  }

  /** The link of the values as they stand here, and of what is painted. */
  private get ownLink(): string {
    return this.onPage(textFromValues(this.experiment, this.values));
  }
  /** A link of settings with what the page adds to them. */
  private onPage(link: string): string {
    return withStrokes(withPicture(link, this.picture), this.strokes);
  }

  /** Before it starts: what runs beside it, another setting of the same experiment. */
  compareWith(permalink: string): void {
    this.adoptOther(permalink);
    this.hasBaseline = true;
  }
  /** Link of the second setting: this one's values with the differences. */
  get other(): string | undefined {
    return this.differences && textFromValues(this.experiment, new Map([...this.values, ...this.differences]));
  }
  private otherPart(): { other?: string } {
    const { other } = this;
    return other === undefined ? {} : { other };
  }
  private adoptOther(permalink: string): void {
    const values = valuesFromLink(this.experiment, permalink);
    this.differences = new Map([...values].filter(([key, text]) => text !== this.values.get(key)));
  }
  /** Gives the second setting other differences; both begin again. Rejects where it cannot be run so, and keeps what was. */
  async setDifferences(differences: Map<string, string>): Promise<void> {
    const before = this.differences;
    const { playing } = this;
    this.differences = differences;
    try {
      this.adoptOther(await this.client!.request<string>({ type: 'other', permalink: this.other! }));
    } catch (thrown) {
      this.differences = before;
      throw thrown;
    }
    this.forgetRecord();
    if (playing) this.play();
    this.tell('settings', 'state', 'record');
  }

  /** Resolves when every change asked for has been tried. */
  settled(): Promise<void> {
    return this.settingNow ? new Promise((resolve) => this.idle.push(resolve)) : Promise.resolve();
  }

  /** Resolves when the run can be used; rejects with the reason where it cannot. */
  whenReady(): Promise<void> {
    if (this.status === 'ready') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.status === 'loading') return;
        off.forEach((f) => f());
        if (this.status === 'ready') resolve();
        else reject(new Error(this.fault?.message ?? this.notices[0]?.message ?? 'The run cannot start.'));
      };
      const off = [this.on('engine', look), this.on('state', look)];
    });
  }

  reset(): void {
    this.edit++;
    this.last = undefined;
    void this.open(this.experiment.id, true);
  }

  /** Whether nothing moves any more: all has ended, or the experiment has diverged. */
  private get isOver(): boolean {
    const kinds = this.panes.map((p) => p.progress.outcome.kind);
    return kinds[0] === 'diverged' || (kinds.length > 0 && !kinds.includes('running'));
  }
  /** Whether the experiment's run is over. */
  get ended(): boolean {
    const first = this.panes[0];
    return first !== undefined && first.progress.outcome.kind !== 'running';
  }

  play(): void {
    if (this.status !== 'ready') return;
    this.playing = true;
    this.client?.notify({ type: 'play', playing: true });
    this.tell('state');
  }
  pause(): void {
    this.playing = false;
    this.client?.notify({ type: 'play', playing: false });
    this.tell('state');
  }
  async toggle(): Promise<void> {
    if (this.playing) return this.pause();
    if (this.isOver) await this.restart();
    this.play();
  }
  async restart(): Promise<void> {
    if (this.status !== 'ready') return;
    try {
      await this.client!.request({ type: 'restart' });
      this.forgetRecord();
    } catch (thrown) {
      await this.recover(thrown);
    }
    this.tell('state', 'settings', 'record');
  }
  /** Pauses and moves by `count` steps; the progress of each pane. What fails is said in the page. */
  async steps(count: number): Promise<Progress[]> {
    this.pause();
    try {
      return await this.client!.request<Progress[]>({ type: 'steps', count });
    } catch (thrown) {
      await this.recover(thrown);
      this.tell('state', 'settings');
      return this.panes.map((p) => p.progress);
    }
  }
  /** Starts anew from a picture in place of its field, or from the initial values with ''; tells whether the field takes one. */
  async load(picture: string): Promise<boolean> {
    if (!this.client || this.status !== 'ready') return false;
    const taken = await this.client.request<boolean>({ type: 'load', picture });
    this.forgetRecord();
    if (taken) {
      this.edit++;
      this.picture = picture;
      this.permalink = withPicture(this.permalink, picture);
      this.target = this.permalink;
    }
    this.play();
    this.tell('settings', 'state', 'record');
    return taken;
  }
  /** Puts the parameters of a safetensors file in place of the trained ones; throws what does not fit. */
  async setWeights(file: Uint8Array): Promise<void> {
    if (!this.client) throw new Error('The experiment is not ready yet. Try again in a moment.');
    await this.client.request<null>({ type: 'set-weights', file });
  }
  /** First and last position that the run can be taken back to, and their number. */
  get kept(): [number, number, number] | null {
    return this.panes[0]?.progress.kept ?? null;
  }
  private sought: number | undefined;
  private seeking = false;
  /** Pauses and shows what was at a position; of positions that come faster than they are shown the last one counts. */
  async seek(position: number): Promise<void> {
    this.pause();
    this.sought = position;
    if (this.seeking) return;
    this.seeking = true;
    try {
      while (this.sought !== undefined && this.client) {
        const next: number = this.sought;
        this.sought = undefined;
        await this.client.request<Progress[]>({ type: 'seek', position: next });
      }
    } catch (thrown) {
      await this.recover(thrown);
      this.tell('state', 'settings');
    } finally {
      this.seeking = false;
    }
  }
  /** Keys that the reader may not change, by whatever key or button; whoever embeds the figure still sets them. */
  private fixed = new Set<string>();
  fix(keys: Iterable<string>): void {
    const fixed = new Set(keys);
    if (fixed.size === this.fixed.size && [...fixed].every((k) => this.fixed.has(k))) return;
    this.fixed = fixed;
    this.tell('settings');
  }
  isFixed(key: string): boolean {
    return this.fixed.has(key);
  }
  newSeed(): void {
    const seed = this.experiment.params.find((p) => p.kind === 'seed');
    if (seed && !this.fixed.has(seed.key)) this.set(seed.key, String(Math.floor(Math.random() * 100_000)));
  }
  /** Another device or precision: the same settings, from the start. */
  async setOptions(options: RunOptions): Promise<void> {
    const before = this.options;
    const bundle = this.bundle;
    this.options = options;
    if (options.device === 'cpu') writeStored(PRECISION_KEY, options.precision);
    if (this.sharesWorker && options.device === 'gpu' && before.device !== 'gpu') {
      // To the worker that holds the page's device; back where it was if there is none.
      await this.start(true);
      if (this.status !== 'ready' && !this.fault) {
        const why = this.notices;
        this.options = before;
        await this.start(true);
        this.notices = [...why, ...this.notices];
        this.tell('settings');
      }
    } else if (this.bundle !== bundle || this.status !== 'ready') await this.start(true);
    else if (!(await this.open(this.permalink, true))) {
      // The run on the device before is still there, and the notice says why the other is not: where it runs nothing is wrong.
      this.options = before;
      for (const [key, why] of this.errors) {
        const message = `${why.replace(/ Or switch the device to the CPU\.$/, '')} The run stays where it was.`;
        const repair = this.repairs.get(key);
        this.notices = [...this.notices, { code: 'setting', message, key, ...(repair && { repair, retry: options }) }];
        this.mend(key);
      }
      this.tell('settings');
    }
  }
  /** Repairs what a notice is about, and tries again. */
  async retry(notice: EngineError): Promise<void> {
    const { repair, retry } = notice;
    if (!repair || !retry) return;
    this.notices = this.notices.filter((other) => other !== notice);
    this.set(...repair);
    await this.settled();
    await this.setOptions(retry);
  }
  supports(kind: DeviceKind): boolean {
    return this.experiment.devices.includes(kind);
  }
  async probe(): Promise<Capabilities> {
    try {
      this.capabilities ??= await this.client!.request<Capabilities>({ type: 'capabilities', bundle: this.bundle });
    } catch (thrown) {
      this.capabilities = { webgpu: false, adapter: '', reason: String((thrown as Error).message) };
    }
    this.tell('settings');
    return this.capabilities;
  }
}

function errorOf(thrown: unknown): EngineError {
  return thrown instanceof EngineFailure
    ? { code: thrown.code, message: thrown.message, ...(thrown.key && { key: thrown.key }), ...(thrown.repair && { repair: thrown.repair }) }
    : { code: 'internal', message: String(thrown) };
}

/** The CPU in the precision that the user chose last. */
function onCpu(): RunOptions {
  return { device: 'cpu', precision: readStored(PRECISION_KEY) === 'f32' ? 'f32' : 'f64' };
}
