/**
 * `<eddy-experiment>`: the stage of an experiment with its transport and controls. The page is made of it, and so are
 * the frames that other sites embed.
 *
 * Attributes: `experiment` (id) or `permalink`; `controls` (`all`, `none`, or keys separated by commas); `theme`;
 * `lock` and `hide` (keys of controls that are shown but fixed, and not shown); `autoplay`; `aspect` (width by height of a plot); `layout="page"` puts the controls beside and takes what stands below
 * the stage from the slot. Events: `eddy-settings` (detail: permalink), `eddy-finished`.
 */
import { LitElement, css, html, nothing, type PropertyValues } from 'lit';
import { property, state } from 'lit/decorators.js';
import { RunModel } from '../lib/run-model';
import { linkFromText } from '../lib/permalink';
import { nearMisses } from '../lib/catalog';
import { keysFromText } from '../lib/teach';
import { reducedMotion } from '../lib/theme';
import { shared } from '../styles/shared';
import type { PaneIndex, Progress, ViewPayload } from '../worker/protocol';
import './controls';
import './stage';

export class EddyExperiment extends LitElement {
  static override styles = [
    shared,
    css`
      .layout { display: grid; gap: 20px; grid-template-columns: minmax(0, 1fr); }
      .below { display: grid; gap: 16px; min-width: 0; align-content: start; }
      .layout > * { min-width: 0; }
      /* Without controls there is nothing below the stage to keep away from it. */
      .layout.bare { row-gap: 0; }
      .bare ::slotted(*) { margin-top: 16px; }
      :host([layout='page']) .layout { gap: 20px 24px; }
      /* On a phone the controls stand right under the stage. */
      @media (min-width: 960px) {
        :host([layout='page']) .layout { grid-template: 'stage side' auto 'below side' 1fr / minmax(0, 1fr) 320px; }
        :host([layout='page']) .stage { grid-area: stage; }
        :host([layout='page']) .side { grid-area: side; }
        :host([layout='page']) .below { grid-area: below; }
      }
      .missing { padding: 24px; }
      .narrow { max-width: 460px; }
    `,
  ];
  @property() experiment = '';
  @property() permalink = '';
  @property() controls = 'all';
  /** Keys of controls that may be seen but not used (shown whether or not `controls` lists them), and of those that are not shown. */
  @property({ converter: keysFromText }) lock: string[] = [];
  @property({ converter: keysFromText }) hide: string[] = [];
  @property() aspect = '';
  @property() layout = '';
  @property({ type: Boolean, attribute: 'no-baseline' }) noBaseline = false;
  @property({ type: Boolean }) autoplay = false;
  /** Another setting of the same experiment, to run beside it on the same clock. */
  @property() against = '';
  @property() speed: '' | 'slow' | 'normal' | 'fast' = '';
  /** The next link is one of the visitor's own past: what differs is set in the running run. */
  @property({ type: Boolean }) revisit = false;
  /** Its engine shares a worker with those of the other such elements of the page. */
  @property({ type: Boolean }) shared = false;
  @state() model: RunModel | undefined;
  private seen = new IntersectionObserver((entries) => {
    if (entries.some((e) => e.isIntersecting)) this.begin();
  }, { rootMargin: '200px' });
  private begun = false;
  private off: (() => void)[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    this.seen.observe(this);
    document.addEventListener('visibilitychange', this.onTab);
  }
  private onTab = () => this.model?.setVisible(!document.hidden, 'tab');
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.seen.disconnect();
    document.removeEventListener('visibilitychange', this.onTab);
    this.drop();
  }

  private drop(): void {
    this.off.forEach((f) => f());
    this.off = [];
    this.model?.close();
    this.model = undefined;
    this.begun = false;
  }

  private get link(): string {
    return this.permalink || this.experiment;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if ((changed.has('permalink') || changed.has('experiment') || changed.has('against')) && this.link) {
      const id = linkFromText(this.link).id;
      if (this.model?.experiment.id === id && !changed.has('against')) {
        if (this.link !== this.model.target) this.revisit ? this.model.visit(this.link) : void this.model.open(this.link);
      } else {
        this.drop();
        this.model = RunModel.forLink(this.link, !this.noBaseline);
        if (this.model) {
          const model = this.model;
          if (this.speed) model.speed = this.speed;
          model.sharesWorker = this.shared;
          if (this.against) model.compareWith(this.against);
          model.setVisible(!document.hidden, 'tab');
          let reported = model.permalink;
          let ended = false;
          this.off = [
            model.on('settings', () => {
              // The steps on the way back to a setting are nobody's settings.
              if (model.permalink === reported || model.visiting) return;
              reported = model.permalink;
              this.dispatchEvent(new CustomEvent('eddy-settings', { detail: model.permalink, bubbles: true }));
            }),
            model.on('state', () => {
              if (model.ended !== ended && (ended = model.ended)) this.dispatchEvent(new CustomEvent('eddy-finished', { bubbles: true }));
            }),
          ];
          this.dispatchEvent(new CustomEvent('eddy-model', { detail: model }));
        }
        if (this.isConnected) {
          // Observed afresh, so that an element already in sight starts.
          this.seen.unobserve(this);
          this.seen.observe(this);
        }
      }
    }
  }

  /** Loads the engine: only once the element is near the viewport. */
  private begin(): void {
    if (this.begun || !this.model) return;
    this.begun = true;
    void this.model.start(this.autoplay && !reducedMotion());
  }

  play(): void {
    this.model?.play();
  }
  pause(): void {
    this.model?.pause();
  }
  restart(): Promise<void> {
    return this.model?.restart() ?? Promise.resolve();
  }
  async set(key: string, text: string): Promise<void> {
    this.model?.set(key, text);
    await this.model?.settled();
  }
  get(key: string): string | undefined {
    return this.model?.values.get(key);
  }
  /** Pauses and moves every pane by `count` steps. */
  advanceSteps(count: number): Promise<Progress[]> {
    return this.demand().steps(count);
  }
  /** Numbers of a view, as they are drawn. */
  readView(key: string, pane: PaneIndex = 0): Promise<ViewPayload> {
    return this.demand().readView(key, pane);
  }
  memoryBytes(): Promise<number> {
    return this.demand().memoryBytes();
  }
  private demand(): RunModel {
    if (!this.model) throw new Error('There is no experiment here yet.');
    return this.model;
  }

  protected override updated(): void {
    // Keys and buttons of the stage change what a control would; not where the control is not the reader's.
    this.model?.fix([...this.lock, ...this.hide]);
  }

  protected override render() {
    const model = this.model;
    if (!model) {
      if (!this.link) return nothing;
      const near = nearMisses(linkFromText(this.link).id);
      return html`<div class="card missing"><p>There is no experiment “${linkFromText(this.link).id}”.
        ${near.length ? `Did you mean ${near.map((e) => e.id).join(' or ')}?` : ''}</p></div>`;
    }
    const all = this.controls === 'all';
    const only = all ? [] : [...(this.controls === 'none' ? [] : keysFromText(this.controls)), ...this.lock].filter((k) => !this.hide.includes(k));
    const [wide, high] = this.aspect.split(/[/:]/).map(Number);
    const aspect = wide ? wide / (high || 1) : 0;
    return html`<div class="layout ${!all && !only.length ? 'bare' : ''}">
      <eddy-stage class="stage" .model=${model} .aspect=${aspect}></eddy-stage>
      ${!all && !only.length
        ? html`<eddy-controls .model=${model} notices-only></eddy-controls>`
        : html`<div class="side ${only.length ? 'narrow' : ''}"><eddy-controls .model=${model} .only=${only} .lock=${this.lock} .hide=${this.hide} ?plain=${only.length > 0}></eddy-controls></div>`}
      <div class="below"><slot></slot></div>
    </div>`;
  }
}

// A page that embeds two versions of Eddy keeps the first.
if (!customElements.get('eddy-experiment')) customElements.define('eddy-experiment', EddyExperiment);

declare global {
  interface HTMLElementTagNameMap {
    'eddy-experiment': EddyExperiment;
  }
}
