/**
 * `<eddy-experiment>` for any page: a live figure of Eddy.
 *
 *     <script type="module" src="https://your.site/eddy/widget.js"></script>
 *     <eddy-experiment experiment="gray-scott" controls="feed,kill" autoplay>
 *       <img slot="poster" src="https://your.site/eddy/posters/gray-scott.jpg" alt="Spots on a square" height="520">
 *       <p>Spots that divide. <a href="https://your.site/eddy/#/e/gray-scott">Open in Eddy</a></p>
 *     </eddy-experiment>
 *
 * The figure stands in a frame of its own, or with `inline` in the page. It loads near the viewport; off the screen and in
 * a hidden tab it rests; of all figures of a page at most two run and four hold an engine.
 */
import { budget, type Member } from './budget';
import { frameFigure, type Figure, type FigureOptions } from './figures';
import { hostTheme, onHostTheme, type Theme } from './host-theme';
import { EVENT_NAMES, type Call, type WidgetEventName, type WidgetEvents, type WidgetMetrics, type WidgetState } from './wire';

export type { WidgetEventName, WidgetEvents, WidgetMetrics, WidgetState };
export { budget };

/** The folder this module was loaded from (its code may stand in `assets/`): each version of Eddy brings its own frames. */
const HOME = import.meta.url.replace(/(?:assets\/)?[^/]*$/, '');

const STYLES = `
  :host { display: block; margin: 0; }
  :host([hidden]) { display: none; }
  .box { position: relative; height: 520px; overflow: hidden; contain: strict; }
  .box.inline { height: auto; min-height: 520px; contain: none; overflow: visible; }
  iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; display: block; color-scheme: normal; }
  .still { position: absolute; inset: 0; background: #0e1116; border-radius: 10px; overflow: hidden; }
  .still ::slotted(*), .still img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; margin: 0; }
  .still[hidden] { display: none; }
  button {
    position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%); min-height: 44px; padding: 0 20px; border-radius: 6px;
    border: 1px solid #4a5361; background: #16191e; color: #e9ebee; font: 550 15px/1.2 system-ui, sans-serif; cursor: pointer;
  }
  button:hover { border-color: #929aa7; }
  button:focus-visible { outline: 2px solid #93abff; outline-offset: 2px; }
  .said { position: absolute; inset: auto 0 0 0; margin: 0; padding: 12px 16px; background: #16191e; color: #e9ebee; font: 14px/1.45 system-ui, sans-serif; }
  .said:empty { display: none; }
  .rest { display: block; }
  @media print { .live, button { display: none; } .box { height: auto; min-height: 0; contain: none; } .still, .still[hidden] { display: block; position: static; background: none; }
    .still ::slotted(*), .still img { position: static; height: auto; max-width: 100%; } }
`;
let sheet: CSSStyleSheet | undefined;

type Listener<N extends WidgetEventName> = (detail: WidgetEvents[N]) => void;

export class EddyFigure extends HTMLElement implements Member {
  static readonly observedAttributes = ['experiment', 'permalink', 'controls', 'lock', 'hide', 'theme', 'aspect', 'baseline', 'inline', 'height', 'label', 'site'];

  private root = this.attachShadow({ mode: 'open' });
  private box = document.createElement('div');
  private live = document.createElement('div');
  private still = document.createElement('div');
  private said = document.createElement('p');
  private button = document.createElement('button');
  /** The site's own still, where the author gave none. */
  private ownStill = document.createElement('img');
  private figure: Figure | undefined;
  private loading: Promise<Figure> | undefined;
  private generation = 0;
  private near = false;
  private shown = false;
  private lastState: WidgetState | undefined;
  private lastMetrics: WidgetMetrics = {};
  /** The settings that the reader has made; they outlive an engine that was given back. */
  private link = '';
  /** It was running when it had to rest. */
  private resumes = false;
  private started = false;
  private isReady = false;
  private listeners = new Map<WidgetEventName, Set<Listener<never>>>();
  private stopTheme: (() => void) | undefined;
  private nearby = new IntersectionObserver((entries) => {
    this.near = entries.at(-1)!.isIntersecting;
    if (this.near) this.approach();
  }, { rootMargin: '300px' });
  private sight = new IntersectionObserver((entries) => {
    this.shown = entries.at(-1)!.isIntersecting;
    this.followSight();
  });

  constructor() {
    super();
    sheet ??= new CSSStyleSheet();
    if (!sheet.cssRules.length) sheet.replaceSync(STYLES);
    this.root.adoptedStyleSheets = [sheet];
    this.box.className = 'box';
    this.live.className = 'live';
    this.still.className = 'still';
    this.said.className = 'said';
    this.said.setAttribute('role', 'status');
    this.button.type = 'button';
    this.button.textContent = 'Run this figure';
    this.button.addEventListener('click', () => void this.play());
    const poster = document.createElement('slot');
    poster.name = 'poster';
    this.ownStill.alt = '';
    this.ownStill.loading = 'lazy';
    poster.append(this.ownStill);
    this.still.append(poster, this.button, this.said);
    this.box.append(this.still, this.live);
    const rest = document.createElement('slot');
    rest.className = 'rest';
    this.root.append(this.box, rest);
  }

  connectedCallback(): void {
    // The still of an author who did not name its slot.
    const picture = this.querySelector(':scope > [slot=poster]') ?? this.querySelector(':scope > img, :scope > picture, :scope > svg');
    picture?.setAttribute('slot', 'poster');
    this.showStill();
    this.applyHeight();
    this.nearby.observe(this.box);
    this.sight.observe(this.box);
    document.addEventListener('visibilitychange', this.followSight);
    this.stopTheme = onHostTheme(() => this.sendTheme());
  }

  disconnectedCallback(): void {
    this.nearby.disconnect();
    this.sight.disconnect();
    document.removeEventListener('visibilitychange', this.followSight);
    this.stopTheme?.();
    this.shown = this.near = false;
    budget.forget(this);
    this.unload();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === 'height') this.applyHeight();
    else if (name === 'theme') this.sendTheme();
    else if (name === 'permalink' || name === 'experiment') {
      this.link = '';
      if (this.isConnected) this.showStill();
      if (this.figure) void this.figure.call({ name: 'open', permalink: this.permalink }).catch(() => {});
      else if (this.near && this.isConnected) this.approach();
    } else if (this.loading) {
      // What only a fresh figure can show.
      this.unload();
      if (this.near) this.approach();
    }
  }

  private showStill(): void {
    const id = this.permalink.split('?')[0]!;
    if (/^[\w-]+$/.test(id) && !this.querySelector(':scope > [slot=poster]')) this.ownStill.src = `${this.folder}posters/${id}.jpg`;
    else this.ownStill.removeAttribute('src');
  }

  /** Folder of the site that holds the frames. */
  private get folder(): string {
    const site = this.getAttribute('site');
    return site ? new URL(site.replace(/\/?$/, '/'), document.baseURI).href : HOME;
  }

  private applyHeight(): void {
    const height = Number(this.getAttribute('height'));
    this.box.style.setProperty(this.hasAttribute('inline') ? 'min-height' : 'height', `${height > 0 ? height : 520}px`);
  }

  /** The settings shown: the reader's, else those of the attributes. */
  get permalink(): string {
    return this.link || this.getAttribute('permalink') || this.getAttribute('experiment') || '';
  }
  set permalink(text: string) {
    this.setAttribute('permalink', text);
  }
  get state(): WidgetState | undefined {
    return this.lastState;
  }
  get metrics(): WidgetMetrics {
    return this.lastMetrics;
  }
  get inSight(): boolean {
    return this.shown && !document.hidden;
  }
  get theme(): Theme {
    const wanted = this.getAttribute('theme') ?? 'host';
    if (wanted === 'light' || wanted === 'dark') return wanted;
    if (wanted === 'auto') return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    return hostTheme();
  }
  private sendTheme(): void {
    if (this.figure) void this.figure.call({ name: 'theme', theme: this.theme }).catch(() => {});
  }

  /** Near the viewport: loads if there is room for one more engine. */
  private approach(): void {
    if (!this.permalink) {
      this.said.textContent = 'This figure names no experiment: give its tag the attribute “experiment”.';
      return;
    }
    if (!this.loading && budget.load(this)) void this.load().catch(() => {});
  }

  private load(): Promise<Figure> {
    this.loading ??= this.open();
    return this.loading;
  }

  private async open(): Promise<Figure> {
    const generation = ++this.generation;
    const options: FigureOptions = {
      site: this.folder,
      permalink: this.permalink,
      controls: this.getAttribute('controls') ?? '',
      lock: this.getAttribute('lock') ?? '',
      hide: this.getAttribute('hide') ?? '',
      aspect: this.getAttribute('aspect') ?? '',
      baseline: this.getAttribute('baseline') !== 'off',
      theme: this.theme,
      title: this.getAttribute('label') || `Experiment ${this.permalink.split('?')[0]}`,
    };
    const tell = (name: WidgetEventName, detail: unknown) => {
      if (generation === this.generation) this.hear(name, detail);
    };
    const inline = this.hasAttribute('inline');
    this.box.classList.toggle('inline', inline);
    const figure = inline ? (await import('./inline')).inlineFigure(options, tell) : frameFigure(options, tell);
    if (generation !== this.generation) {
      figure.close();
      throw new Error('The figure was closed.');
    }
    this.figure = figure;
    this.live.replaceChildren(figure.element);
    return figure;
  }

  unload(): void {
    this.generation++;
    if (this.lastState?.playing) {
      this.resumes = true;
      this.lastState = { ...this.lastState, playing: false };
    }
    this.figure?.close();
    this.figure = undefined;
    this.loading = undefined;
    this.isReady = false;
    this.still.hidden = false;
    this.button.textContent = 'Run this figure';
  }

  private hear(name: WidgetEventName, detail: unknown): void {
    switch (name) {
      case 'ready':
        this.isReady = true;
        this.still.hidden = true;
        this.said.textContent = '';
        this.followSight();
        break;
      case 'settings':
        this.link = String((detail as WidgetEvents['settings']).permalink);
        break;
      case 'state': {
        const was = this.lastState?.playing ?? false;
        this.lastState = detail as WidgetState;
        if (this.lastState.playing && !was) {
          this.started = true;
          // Told to play in the moment it left the screen: it waits for its return, and its place is another's.
          if (this.inSight) budget.note(this);
          else this.followSight();
        } else if (!this.lastState.playing && was) budget.release(this);
        break;
      }
      case 'metric':
        this.lastMetrics = detail as WidgetMetrics;
        break;
      case 'error':
        // The frame says it too, with what can be done.
        this.still.hidden = true;
        break;
      case 'finished':
        break;
    }
    this.dispatchEvent(new CustomEvent(`eddy-${name}`, { detail, bubbles: true, composed: true }));
    for (const listener of this.listeners.get(name) ?? []) (listener as Listener<typeof name>)(detail as never);
  }

  /** On the screen it goes on where it was; off it, or in a hidden tab, nothing is computed. */
  private followSight = (): void => {
    if (!this.figure || !this.isReady) return;
    void this.figure.call({ name: 'visible', visible: this.inSight }).catch(() => {});
    if (!this.inSight) {
      if (this.lastState?.playing) {
        this.resumes = true;
        void this.figure.call({ name: 'pause' }).catch(() => {});
      }
      budget.release(this);
      return;
    }
    const moves = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    const wants = this.resumes || (this.hasAttribute('autoplay') && !this.started && moves);
    if (wants && budget.ask(this)) this.proceed();
  };

  /** Another has been started; this one goes on when its reader says so. */
  hold(): void {
    void this.figure?.call({ name: 'pause' }).catch(() => {});
  }
  proceed(): void {
    this.resumes = false;
    this.started = true;
    void this.figure?.call({ name: 'play' }).catch(() => {});
  }

  private async ask(call: Call): Promise<string | undefined> {
    budget.load(this, true);
    return (await this.load()).call(call);
  }
  /** Runs from where it stands, or anew after its end. */
  async play(): Promise<void> {
    budget.note(this);
    this.resumes = false;
    this.started = true;
    this.button.textContent = 'Loading…';
    await this.ask({ name: 'play' });
  }
  async pause(): Promise<void> {
    this.resumes = false;
    await this.ask({ name: 'pause' });
  }
  /** Back to the start of the run, with the same settings and seed. */
  async restart(): Promise<void> {
    await this.ask({ name: 'restart' });
  }
  /** All controls back to the settings of the experiment. */
  async reset(): Promise<void> {
    await this.ask({ name: 'reset' });
  }
  /** Sets a control; rejects with a sentence for the reader where the value is refused. */
  async set(key: string, value: string | number | boolean): Promise<void> {
    await this.ask({ name: 'set', key, text: typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value) });
  }
  /** Text of a control. */
  get(key: string): Promise<string | undefined> {
    return this.ask({ name: 'get', key });
  }
  /** Calls `listener` with the detail of each such event; the answer stops it. */
  on<N extends WidgetEventName>(name: N, listener: Listener<N>): () => void {
    if (!EVENT_NAMES.includes(name)) throw new Error(`There is no event “${name}”. There are: ${EVENT_NAMES.join(', ')}.`);
    let set = this.listeners.get(name);
    if (!set) this.listeners.set(name, (set = new Set()));
    set.add(listener as Listener<never>);
    return () => set.delete(listener as Listener<never>);
  }
}

/** Registers the element; under another name where a page uses two versions of Eddy. */
export function defineEddy(name = 'eddy-experiment'): void {
  if (!customElements.get(name)) customElements.define(name, name === 'eddy-experiment' ? EddyFigure : class extends EddyFigure {});
}
defineEddy();

declare global {
  interface HTMLElementEventMap {
    'eddy-ready': CustomEvent<WidgetEvents['ready']>;
    'eddy-state': CustomEvent<WidgetState>;
    'eddy-metric': CustomEvent<WidgetMetrics>;
    'eddy-error': CustomEvent<WidgetEvents['error']>;
  }
}
