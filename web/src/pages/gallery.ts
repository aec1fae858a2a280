/** The gallery: a live hero, the labs, and every experiment as a card. */
import { LitElement, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import '../element/eddy-experiment';
import type { EddyExperiment } from '../element/eddy-experiment';
import { shortAuthors } from '../lib/authors';
import { catalog, type Experiment } from '../lib/catalog';
import { capital, numberText } from '../lib/format';
import { icon } from '../lib/icons';
import { POSTER, poster } from '../lib/posters';
import { experimentHref } from '../lib/router';
import { storedVerdict } from '../lib/verdicts';

/** Further filters of the cards. */
const NEEDS: readonly { key: string; label: string; test: (e: Experiment) => boolean }[] = [
  { key: 'seconds', label: 'Done in seconds', test: (e) => e.cost === 'cheap' },
  { key: 'minutes', label: 'Takes minutes', test: (e) => e.cost === 'slow' },
  { key: 'gpu', label: 'Runs on the GPU', test: (e) => e.devices.includes('gpu') },
  { key: 'claim', label: 'Checks a claim', test: (e) => e.claim !== null },
  { key: 'paper', label: 'From a paper of the list', test: (e) => e.papers.some((p) => p.number > 0) },
];

/** What the visitor meets first: a field to touch. */
const HERO_ORDER = ['gray-scott', 'navier-stokes-2d', 'wave-2d', 'kuramoto-sivashinsky'];

function heroExperiment(): Experiment | undefined {
  const named = HERO_ORDER.map((id) => catalog.experiments.find((e) => e.id === id)).find(Boolean);
  return named ?? catalog.experiments.find((e) => e.views[0]?.kind === 'field') ?? catalog.experiments[0];
}

@customElement('eddy-gallery')
export class EddyGallery extends LitElement {
  @state() private query = '';
  @state() private lab = '';
  @state() private family = '';
  @state() private needs = '';

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  private isShown(e: Experiment): boolean {
    if (this.lab && e.lab !== this.lab) return false;
    if (this.family && e.family !== this.family) return false;
    if (this.needs && !NEEDS.find((n) => n.key === this.needs)!.test(e)) return false;
    const text = `${e.id} ${e.title} ${e.summary} ${e.labLabel} ${e.family} ${e.papers.map((p) => `${p.authors} ${p.title} ${p.year}`).join(' ')}`.toLowerCase();
    return this.query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  protected override render() {
    const { experiments, papers } = catalog;
    const labs = [...new Map(experiments.map((e) => [e.lab, e.labLabel]))];
    const hero = heroExperiment();
    const families = [...new Set(experiments.map((e) => e.family))].sort();
    const shown = experiments.filter((e) => this.isShown(e));
    return html`<div class="gallery">
      <section class="hero">
        <div class="pitch">
          <h1>Differential equations, running in front of you</h1>
          <p class="lead">Roll out a PDE, train a network to solve it, sample a diffusion model, and check what the papers claim. In this tab, on your own machine, nothing recorded.</p>
          <p class="facts number">
            <span><b>${experiments.length}</b> ${experiments.length === 1 ? 'experiment' : 'experiments'}</span><span><b>${papers.live}</b> of ${papers.all} papers live</span><span><b>${experiments.filter((e) => e.claim).length}</b> claims to check</span>
          </p>
        </div>
        ${hero
          ? html`<div class="hero-stage">
              <eddy-experiment experiment=${hero.id} controls="none" no-baseline autoplay speed="slow" @eddy-finished=${this.again}></eddy-experiment>
              <p class="hero-caption"><a href=${experimentHref(hero.id)}>${hero.title}</a>: ${hero.summary}</p>
            </div>`
          : nothing}
      </section>
      <div class="filters">
        <div class="chips" role="group" aria-label="Lab">
          <button class="chip" type="button" aria-pressed=${this.lab === ''} @click=${() => (this.lab = '')}>All</button>
          ${labs.map(([key, label]) => html`<button class="chip" type="button" aria-pressed=${this.lab === key} @click=${() => (this.lab = key)}>${label}</button>`)}
        </div>
        <label class="select"><span class="visually-hidden">Family</span><select @change=${(e: Event) => (this.family = (e.target as HTMLSelectElement).value)}>
          <option value="">All families</option>${families.map((f) => html`<option value=${f} ?selected=${f === this.family}>${capital(f)}</option>`)}</select>${icon('chevronDown')}</label>
        <label class="select"><span class="visually-hidden">What it needs or has</span><select @change=${(e: Event) => (this.needs = (e.target as HTMLSelectElement).value)}>
          <option value="">All kinds</option>${NEEDS.map((n) => html`<option value=${n.key} ?selected=${n.key === this.needs}>${n.label}</option>`)}</select>${icon('chevronDown')}</label>
        <label class="search">${icon('search')}<span class="visually-hidden">Search experiments</span>
          <input type="search" placeholder="Search experiments" .value=${this.query} @input=${(e: Event) => (this.query = (e.target as HTMLInputElement).value)} /></label>
      </div>
      <ul class="cards">
        ${shown.map((e) => html`<li><eddy-card .experiment=${e}></eddy-card></li>`)}
      </ul>
      ${shown.length ? nothing : html`<p class="none">No experiment matches. <button class="button" type="button" @click=${() => { this.query = this.lab = this.family = this.needs = ''; }}>Show all</button></p>`}
    </div>`;
  }

  /** The hero starts again a little after its end. */
  private again = (event: Event): void => {
    const element = event.target as EddyExperiment;
    setTimeout(() => {
      if (element.isConnected && element.model?.ended) void element.restart().then(() => element.play());
    }, 2500);
  };
}

@customElement('eddy-card')
export class EddyCard extends LitElement {
  @property({ attribute: false }) experiment!: Experiment;
  private sight = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    this.sight.disconnect();
    void this.paint();
  }, { rootMargin: '120px' });

  protected override createRenderRoot(): HTMLElement {
    return this;
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.sight.disconnect();
  }
  protected override firstUpdated(): void {
    this.sight.observe(this);
  }
  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has('experiment') && changed.get('experiment')) void this.paint();
  }

  private async paint(): Promise<void> {
    const { experiment } = this;
    if (experiment.still) return;
    const canvas = this.querySelector('canvas');
    if (!canvas) return;
    try {
      const bitmap = await poster(experiment);
      if (this.experiment === experiment) canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
    } catch {
      // A card without a picture still says what it leads to.
    }
  }

  protected override render() {
    const e = this.experiment;
    const verdict = storedVerdict(e.id);
    const first = verdict?.tests[0];
    const paper = e.papers[0];
    return html`<a class="card experiment-card" href=${experimentHref(e.id)}>
      ${e.still
        ? html`<img class="still" src="./posters/${e.id}.jpg" alt="" width="960" height="600" loading="lazy" decoding="async" />`
        : html`<canvas class="still" width=${POSTER.width} height=${POSTER.height} aria-hidden="true"></canvas>`}
      <div class="body">
        <h2>${e.title}</h2>
        <p>${e.summary}</p>
        <p class="foot number">
          <span>${e.labLabel}</span>
          ${paper ? html`<span>${shortAuthors(paper.authors)} ${paper.year}</span>` : nothing}
          ${e.devices.includes('gpu') ? html`<span>GPU</span>` : nothing}
          ${e.cost === 'slow' ? html`<span>minutes</span>` : nothing}
          ${verdict
            ? html`<span class=${verdict.held ? 'held' : 'missed'}>${verdict.held ? 'held' : 'did not hold'}${first && first.measured !== null ? ` · ${numberText(first.measured)} ${first.unit}` : ''}</span>`
            : e.claim ? html`<span>claim to check</span>` : nothing}
        </p>
      </div>
    </a>`;
  }
}
