/**
 * The engine: one experiment and its baseline on one clock, advanced in slices, drawn, and reported. It runs in a
 * worker, and where none can be had in short slices on the page's thread; the code is the same.
 *
 * All calls into wasm happen inside one loop, one after the other: a session is borrowed while it advances.
 */
import { breathe, checkClaim, refine, renderPoster } from './jobs';
import type { Lens } from '../lib/lens';
import { pictureFromText, type LinkedPicture } from '../lib/picture-code';
import { marksFromText } from '../lib/strokes';
import { Painting, paintDue } from './painting';
import { advanceByTime } from './pace';
import { Pane, Surface } from './pane';
import type { Capabilities, DrawSpec, EngineError, FromEngine, OpenRequest, Pace, PaneIndex, Speed, SetResult, Opened, ToEngine, LinesHeader } from './protocol';
import { errorFromThrown, loadBundle, engineError, type WasmModule } from './wasm';

type Post = (message: FromEngine, transfer?: Transferable[]) => void;

/** Seconds that a short run is stretched to, so that one sees it happen. */
const RUN_SECONDS: Record<Speed, number> = { slow: 16, normal: 5, fast: 0 };
/** Why a picture is left out. */
const NO_PLACE = 'its field is not there, does not step by itself, or is no plane.';
/** Milliseconds between reports of state, and between records of the metrics. */
const STATE_EVERY = 66;
const RECORD_EVERY = 140;

/** The next frame, or soon where none comes: a hidden tab, a worker without them. */
const nextFrame = (): Promise<void> =>
  new Promise((resolve) => {
    const late = setTimeout(resolve, 40);
    if (typeof requestAnimationFrame === 'function') {
      requestAnimationFrame(() => {
        clearTimeout(late);
        resolve();
      });
    }
  });

export class Engine {
  private queue: ToEngine[] = [];
  private wake: (() => void) | undefined;
  private module: WasmModule | undefined;
  private request: OpenRequest | undefined;
  private panes: Pane[] = [];
  private painting = new Painting();
  /** Stands in for the initial values of a field at every start. */
  private picture: LinkedPicture | undefined;
  private surfaces: (Surface | undefined)[] = [];
  private view: DrawSpec | undefined;
  private lens: Lens | undefined;
  private playing = false;
  private visible = true;
  private speed: Speed = 'normal';
  private pace: Pace = 'run';
  /** Number of the metric that is the time spent; negative without one. */
  private clockMetric = -1;
  /** Where the clock of the run should be, as a fraction. */
  private clock = 0;
  private lastFrame = 0;
  private lastDraw = 0;
  private lastState = 0;
  private lastRecord = 0;
  private dirty = { draw: false, state: false, record: false };
  private dead = false;
  /** A touch of the brush has come since the last picture. */
  private isTouched = false;
  /** Request of the refinement study under way; 0 without one. */
  private refining = 0;
  /** Milliseconds of computing per pane and frame. */
  private slice: number;

  constructor(
    readonly post: Post,
    private place: 'worker' | 'shared' | 'page',
  ) {
    this.slice = place === 'page' ? 5 : 12;
    void this.loop();
  }

  handle(message: ToEngine): void {
    if (message.type === 'ping') {
      // At once: it asks whether the thread is alive, not whether the work is done.
      this.post({ type: 'reply', id: message.id, value: null });
      return;
    }
    this.queue.push(message);
    this.wake?.();
  }

  /** Ends the loop; the sessions are freed. */
  close(): void {
    this.dead = true;
    this.wake?.();
  }

  private async loop(): Promise<void> {
    while (!this.dead) {
      let message: ToEngine | undefined;
      let since = performance.now();
      while (!this.dead && (message = this.queue.shift())) {
        // A long queue (an hour of strokes on a slow machine) must not keep the worker from answering that it lives.
        if (performance.now() - since > 100) {
          await breathe();
          since = performance.now();
        }
        try {
          await this.dispatch(message);
        } catch (thrown) {
          this.fail(message, errorFromThrown(thrown));
        }
      }
      if (this.dead) break;
      try {
        if (this.active) await this.frame();
        else {
          await this.report(true);
          // Touches come faster than pictures can be shown: those of one frame share one.
          if (this.isTouched) await nextFrame();
          this.isTouched = false;
        }
      } catch (thrown) {
        this.playing = false;
        const error = errorFromThrown(thrown);
        this.post({ type: 'fault', error });
        if (error.code === 'panic') this.dead = true;
      }
      await this.rest();
    }
    // A worker of one's own ends with all it holds.
    if (this.place !== 'worker') for (const pane of this.panes) pane.session.free();
  }

  private get active(): boolean {
    // A diverged experiment ends the run of its baseline too: what is to be seen stands still.
    if (this.panes[0]?.progress.outcome.kind === 'diverged') return false;
    return this.playing && this.visible && this.panes.some((p) => p.running);
  }

  /** Waits for the next frame while playing, for the next message otherwise. */
  private rest(): Promise<void> {
    if (this.queue.length) return Promise.resolve();
    return new Promise((resolve) => {
      let done = false;
      const finish = () => {
        if (done) return;
        done = true;
        this.wake = undefined;
        resolve();
      };
      this.wake = finish;
      if (this.active) {
        // A worker without animation frames (an old Safari) keeps time by itself.
        if (typeof requestAnimationFrame === 'function') requestAnimationFrame(finish);
        else setTimeout(finish, 16);
      }
    });
  }

  private fail(message: ToEngine, error: EngineError): void {
    if ('id' in message) this.post({ type: 'failure', id: message.id, error });
    else this.post({ type: 'fault', error });
    if (error.code === 'panic') {
      // A trapped module keeps its locks and its broken memory: nothing of it may be used again.
      this.post({ type: 'fault', error });
      this.dead = true;
    }
  }

  private async dispatch(m: ToEngine): Promise<void> {
    const reply = (value: unknown, transfer?: Transferable[]) => {
      if ('id' in m) this.post({ type: 'reply', id: m.id, value }, transfer);
    };
    switch (m.type) {
      case 'open':
        return reply(await this.open(m));
      case 'set':
        if (this.request && m.other !== undefined) this.request.other = m.other;
        return reply(await this.set(m.key, m.text));
      case 'other':
        return reply(await this.openOther(m.permalink));
      case 'restart':
        await this.restart();
        return reply(null);
      case 'steps':
        await this.steps(m.count);
        return reply(this.panes.map((p) => p.progress));
      case 'seek':
        await this.seek(m.position);
        return reply(this.panes.map((p) => p.progress));
      case 'load':
        return reply(await this.load(m.picture));
      case 'script':
        return reply(this.pane(0).session.script?.());
      case 'weights':
        return reply(this.pane(0).session.weights?.());
      case 'set-weights': {
        const { session } = this.pane(0);
        if (!session.setWeights) throw engineError('weights', 'This experiment trains no network that could take weights.');
        session.setWeights(m.file);
        this.dirty = { draw: true, state: true, record: true };
        return reply(null);
      }
      case 'read-view': {
        const raw = await this.pane(m.pane).session.view(m.key);
        return reply({ header: JSON.parse(raw.header), data: raw.data }, [raw.data.buffer]);
      }
      case 'read-metrics':
        return reply(this.pane(m.pane).session.metrics());
      case 'memory':
        return reply(this.module?.memoryBytes() ?? 0);
      case 'capabilities':
        return reply(await this.capabilities(m.bundle));
      case 'lose-gpu':
        this.module?.loseGpu?.();
        return reply(null);
      case 'claim':
        return reply(await checkClaim(m, (progress) => this.post({ type: 'claim-progress', id: m.id, progress })));
      case 'ask': {
        const module = await loadBundle(m.bundle);
        const answer = m.what === 'presets' ? module.presets?.() : m.what === 'import' ? module.importLink?.(m.text) : module.analyse?.(m.text);
        if (answer === undefined) throw engineError('bundle-missing', 'This bundle has no equation lab.');
        return reply(JSON.parse(answer));
      }
      case 'refine':
        // Beside the loop, so that its messages are heard; the slices alternate with the frames.
        void refine(m, (report) => this.post({ type: 'refine-progress', report }), () => !this.dead && this.refining === m.id).then(
          reply,
          (thrown) => this.fail(m, errorFromThrown(thrown)),
        );
        this.refining = m.id;
        return;
      case 'refine-stop':
        this.refining = 0;
        return;
      case 'poster': {
        const bitmap = await renderPoster(m);
        return reply(bitmap, [bitmap]);
      }
      case 'ping':
        return;
      case 'canvas':
        this.surfaces[m.pane] = new Surface(m.pane, m.canvas, m.gpu);
        this.dirty.draw = true;
        return;
      case 'size':
        this.surfaces[m.pane]?.resize(m.width, m.height, m.ratio);
        this.dirty.draw = true;
        return;
      case 'show':
        this.view = m.view;
        for (const s of this.surfaces) s?.forget();
        this.dirty.draw = true;
        return;
      case 'lens':
        this.lens = m.lens ?? undefined;
        this.dirty.draw = true;
        return;
      case 'play':
        this.playing = m.playing;
        this.lastFrame = 0;
        this.dirty.state = true;
        return;
      case 'speed':
        this.speed = m.speed;
        return;
      case 'pace':
        this.pace = m.pace;
        this.clockMetric = m.clock;
        return;
      case 'visible':
        this.visible = m.visible;
        this.lastFrame = 0;
        return;
      case 'pointer': {
        this.goOn();
        this.isTouched = true;
        if (await this.painting.paint(this.panes, m)) this.dirty.draw = true;
        if (m.kind === 'up') void this.tellPainted();
        return;
      }
    }
  }

  private pane(index: PaneIndex): Pane {
    const pane = this.panes[index];
    if (!pane) throw engineError('no-run', 'There is no run here yet.');
    return pane;
  }

  private async capabilities(bundle: string): Promise<Capabilities> {
    const module = await loadBundle(bundle);
    if (!module.capabilities) return { webgpu: false, adapter: '', reason: 'This build has no GPU back end.' };
    return JSON.parse(await module.capabilities());
  }

  private async open(request: OpenRequest): Promise<Opened> {
    this.module = await loadBundle(request.bundle);
    const options = JSON.stringify(request.options);
    const session = await this.module.Session.open(request.permalink, options);
    const fresh = [new Pane(session)];
    const baseline = request.other ?? (request.withBaseline ? session.baselinePermalink() : undefined);
    if (baseline !== undefined) fresh.push(new Pane(await this.module.Session.open(baseline, options)));
    const warnings = JSON.parse(session.warnings()) as EngineError[];
    const marks = await marksFromText(request.strokes).catch((e: Error) => {
      warnings.push(engineError('strokes', e.message));
      return undefined;
    });
    const picture = await pictureFromText(request.picture).catch((e: Error) => {
      warnings.push(engineError('picture', e.message));
      return undefined;
    });
    // Only now is the old run given up: a failed change of the link leaves it as it was.
    this.playing = false;
    for (const pane of this.panes) pane.session.free();
    this.panes = fresh;
    this.request = request;
    this.painting = new Painting(marks);
    this.picture = picture;
    await this.rewind();
    if (picture && !this.picture) warnings.push(engineError('picture', `The picture of this link stays out: ${NO_PLACE}`));
    return {
      permalink: session.permalink(),
      values: request.keys.map((key) => [key, session.get(key) ?? '']),
      device: session.device(),
      warnings,
      remarks: JSON.parse(session.remarks()),
      baseline: fresh.length > 1,
      strokes: marks ? request.strokes : '',
      picture: this.picture ? request.picture : '',
      ...(request.other === undefined ? {} : { other: fresh[1]!.session.permalink() }),
    };
  }

  /** From the start; `clear`: of something else than what was painted on. */
  private async rewind(clear = false): Promise<void> {
    if (clear ? this.painting.clear(this.panes) : this.painting.rewind(this.panes)) void this.tellPainted();
    this.clock = 0;
    this.lastFrame = 0;
    for (const s of this.surfaces) s?.forget();
    this.dirty = { draw: true, state: true, record: true };
    this.putPicture();
    for (const [i, pane] of this.panes.entries()) await paintDue(pane, i);
  }

  /** Puts the picture in place of its field's values; forgets one that no pane has a field for. */
  private putPicture(): void {
    const { picture } = this;
    if (!picture) return;
    let found = false;
    for (const { session } of this.panes) {
      const shown = session.get('shown') ?? '';
      const isOther = shown !== picture.field;
      try {
        if (isOther) session.set('shown', picture.field);
        found = session.load(this.view?.key ?? '', picture.columns, picture.values) || found;
      } catch {
        // A link made by hand may name a field that is not there.
      } finally {
        if (isOther) session.set('shown', shown);
      }
    }
    if (!found) this.picture = undefined;
  }

  private async set(key: string, text: string): Promise<SetResult> {
    const { session } = this.pane(0);
    const effect = session.set(key, text) as SetResult['effect'];
    if (effect === 'restart') {
      this.panes[0]!.refresh();
      await this.rewind(true);
    }
    await this.followBaseline(key, text, effect);
    this.dirty = { draw: true, state: true, record: true };
    for (const pane of this.panes) pane.progress = JSON.parse(pane.session.progress());
    return { effect, permalink: session.permalink(), value: session.get(key) ?? text, remarks: JSON.parse(session.remarks()), device: session.device(), over: !this.pane(0).running };
  }

  private async openOther(permalink: string): Promise<string> {
    const pane = this.panes[1];
    if (!pane || !this.module || !this.request) throw engineError('no-run', 'There is no second run here.');
    const session = await this.module.Session.open(permalink, JSON.stringify(this.request.options));
    const [refused] = JSON.parse(session.warnings()) as EngineError[];
    if (refused) {
      session.free();
      throw engineError(refused.code, refused.message, refused.key);
    }
    pane.session.free();
    pane.session = session;
    this.request.other = session.permalink();
    await this.restart();
    return session.permalink();
  }

  /** Gives the baseline the change too, except for what makes it the baseline. */
  private async followBaseline(key: string, text: string, effect: string): Promise<void> {
    const pane = this.panes[1];
    if (!pane || !this.module || !this.request) return;
    const wanted = this.request.other ?? this.pane(0).session.baselinePermalink();
    if (wanted === undefined) return;
    if (wanted !== pane.session.permalink()) {
      try {
        pane.session.set(key, text);
      } catch {
        // Not settable alone: opened afresh below, where a real error is reported.
      }
      if (pane.session.permalink() !== wanted) {
        const session = await this.module.Session.open(wanted, JSON.stringify(this.request.options));
        pane.session.free();
        pane.session = session;
      }
    } else if (effect === 'restart') {
      pane.session.restart();
    }
    if (effect === 'restart') pane.refresh();
  }

  private async restart(clear = false): Promise<void> {
    for (const pane of this.panes) {
      pane.session.restart();
      pane.refresh();
    }
    await this.rewind(clear);
  }

  /** Moves a pane on, but not past the next stroke of the link, which is painted when its step is reached. */
  private async move(pane: Pane, budgetMs: number, maxSteps: number): Promise<void> {
    this.goOn();
    const index = this.panes.indexOf(pane);
    const next = pane.pending[0];
    const room = next ? next.at[index]! - pane.progress.steps : 0;
    await pane.advance(budgetMs, room > 0 && (maxSteps === 0 || room < maxSteps) ? room : maxSteps);
    await paintDue(pane, index);
  }

  /** The run goes on from here, wherever it was taken back to. */
  private goOn(): void {
    if (this.panes[0] && this.painting.goOn(this.panes[0])) void this.tellPainted();
  }

  private async tellPainted(): Promise<void> {
    const { painting } = this;
    const strokes = await painting.text();
    if (strokes !== undefined && painting === this.painting) this.post({ type: 'painted', strokes, lost: painting.isLost });
  }

  /** Moves every pane by exactly `count` steps (fewer if it ends). */
  private async steps(count: number): Promise<void> {
    for (const pane of this.panes) {
      const end = pane.progress.steps + count;
      while (pane.running && pane.progress.steps < end) {
        const before = pane.progress.steps;
        await this.move(pane, 50, end - before);
        await breathe();
      }
    }
    this.clock = this.panes[0]?.progress.fraction ?? 0;
    this.dirty = { draw: true, state: true, record: true };
    await this.report(true);
  }

  /** Shows what was at a position of the run; going on starts from there. */
  private async seek(position: number): Promise<void> {
    this.playing = false;
    for (const pane of this.panes) {
      if (pane.session.seek(position)) pane.refresh();
    }
    this.painting.seek(this.panes);
    this.clock = this.panes[0]?.progress.fraction ?? 0;
    this.dirty = { draw: true, state: true, record: true };
    await this.report(true);
  }

  /** Starts anew with a picture in place of its field's initial values; without a place for it, with what was there before. */
  private async load(text: string): Promise<boolean> {
    const before = this.picture;
    this.picture = await pictureFromText(text);
    const isWanted = this.picture !== undefined;
    await this.restart(true);
    if (!isWanted || this.picture) return true;
    this.picture = before;
    if (before) await this.restart(true);
    return false;
  }

  private async frame(): Promise<void> {
    const now = performance.now();
    const elapsed = this.lastFrame ? Math.min(now - this.lastFrame, 100) / 1000 : 1 / 60;
    this.lastFrame = now;
    const duration = RUN_SECONDS[this.speed];
    const [first, second] = this.panes;
    if (!first) return;
    if (duration > 0) {
      this.clock += elapsed / duration;
      // A run slower than the clock is not chased; an ended one no longer leads.
      const reached = first.running ? first.progress.fraction : 1;
      this.clock = Math.min(this.clock, reached + elapsed / duration + 1.5 * first.fractionPerStep);
    }
    let target = duration > 0 ? this.clock : Infinity;
    if (second && this.pace === 'time') {
      const left = () => 2 * this.slice - (performance.now() - now);
      await advanceByTime(first, second, this.clockMetric, target, left, (pane, ms) => this.move(pane, ms, 0));
      this.dirty.draw = true;
      await this.report(!this.active);
      return;
    }
    if (second && first.running && second.running && first.fractionPerStep > 0 && second.fractionPerStep > 0) {
      // No further in one frame than both panes get within it.
      const costs = first.msPerStep / first.fractionPerStep + second.msPerStep / second.fractionPerStep;
      const reach = Math.max((2 * this.slice) / costs, first.fractionPerStep);
      target = Math.min(target, first.progress.fraction + reach);
    }
    // The experiment waits for a baseline that lags behind, so that both show the same moment.
    if (!this.isBehind(first, second)) await this.advanceTo(first, target, now);
    if (second) {
      if (!first.running || first.progress.fraction > 0) {
        const follow = first.running ? Math.min(target, first.progress.fraction) : target;
        await this.advanceTo(second, follow, performance.now());
      } else if (second.running && second.progress.steps < first.progress.steps) {
        // Runs without an end keep together by their steps.
        await this.move(second, this.slice, first.progress.steps - second.progress.steps);
      }
    }
    if (!this.isBehind(first, second) || now - this.lastDraw > 250) {
      this.dirty.draw = true;
      this.lastDraw = now;
    }
    await this.report(false);
    if (!this.active) await this.report(true);
  }

  /** Whether the baseline is more than a step behind the experiment. */
  private isBehind(first: Pane, second: Pane | undefined): boolean {
    if (!second?.running || !first.running) return false;
    return second.progress.fraction + 1.01 * Math.max(first.fractionPerStep, second.fractionPerStep) < first.progress.fraction;
  }

  /** Advances `pane` until its fraction reaches `target` or the slice is spent. */
  private async advanceTo(pane: Pane, target: number, started: number): Promise<void> {
    while (pane.running) {
      const left = this.slice - (performance.now() - started);
      if (left <= 0) return;
      const gap = target - pane.progress.fraction;
      let steps = 0;
      if (Number.isFinite(gap) && pane.progress.fraction >= 0) {
        if (pane.fractionPerStep > 0) {
          if (gap < pane.fractionPerStep * 0.5) return;
          steps = Math.max(1, Math.floor(gap / pane.fractionPerStep + 0.5));
        } else if (pane.progress.steps === 0) {
          // How much of the run a step is, is not known before the first.
          steps = 1;
        }
      }
      const before = pane.progress;
      await this.move(pane, left, steps);
      if (pane.progress.steps === before.steps && pane.running) return;
    }
  }

  private async report(final: boolean): Promise<void> {
    const now = performance.now();
    if (this.dirty.draw && this.view) {
      this.dirty.draw = false;
      for (let i = 0; i < this.panes.length; i++) {
        const pane = this.panes[i]!;
        if (this.request?.options.device === 'gpu') await this.surfaces[i]?.attach(pane);
        const drawn = await this.surfaces[i]?.draw(pane, this.view, this.lens);
        if (drawn) this.post({ type: 'drawn', pane: i as PaneIndex, ...drawn });
      }
      this.dirty.state = true;
    }
    if (this.dirty.state && (final || now - this.lastState >= STATE_EVERY) && this.panes.length) {
      this.lastState = now;
      this.dirty.state = false;
      this.dirty.record = true;
      this.post({ type: 'state', playing: this.playing, panes: this.panes.map((p) => p.state()) });
    }
    if (this.dirty.record && (final || now - this.lastRecord >= RECORD_EVERY)) {
      this.lastRecord = now;
      this.dirty.record = false;
      for (let i = 0; i < this.panes.length; i++) await this.sendRecord(i as PaneIndex);
    }
  }

  private async sendRecord(index: PaneIndex): Promise<void> {
    const { session } = this.pane(index);
    const rows = session.metrics();
    this.post({ type: 'record', pane: index, rows }, [rows.buffer]);
    for (const key of this.request?.curves ?? []) {
      const raw = await session.view(key);
      const header = JSON.parse(raw.header) as LinesHeader | { kind: 'empty' };
      if (header.kind === 'lines') this.post({ type: 'curves', pane: index, key, header, data: raw.data }, [raw.data.buffer]);
    }
  }
}
