/** Lessons and guides: text with live figures, predictions, questions and tasks that are checked in the page. */
import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import '../element/eddy-experiment';
import type { EddyExperiment } from '../element/eddy-experiment';
import { icon } from '../lib/icons';
import { blocksFromMarkdown, isReached, type Block, type Choice, type Figure, type NumberQuestion, type Task } from '../lib/lesson';
import { preloadTexts, setMarkdown } from '../lib/math';
import { experimentHref } from '../lib/router';
import type { RunModel } from '../lib/run-model';
import { metricsOf, stateOf } from '../widget/bridge';

const texts = import.meta.glob<string>('../../../docs/{lessons,guide}/*.md', { query: '?raw', import: 'default' });

interface Entry {
  slug: string;
  title: string;
  line: string;
  kind: 'lesson' | 'guide';
}
/** In the order in which they are to be read. */
export const ENTRIES: readonly Entry[] = [
  { slug: 'stability', kind: 'lesson', title: 'Why a small step can still be too long', line: 'Numerical stability: explicit steps, the diffusive limit, stiffness, and energy that does not leak.' },
  { slug: 'causality', kind: 'lesson', title: 'Why physics-informed networks fail, and what order has to do with it', line: 'A small residual is no solution; causal weights.' },
  { slug: 'samplers', kind: 'lesson', title: 'Ten evaluations: what a sampler does with its budget', line: 'Diffusion samplers as solvers of an ODE; order, memory, guidance, and when cheap is better.' },
  { slug: 'using', kind: 'guide', title: 'Using Eddy', line: 'The stage, controls, links, claims, files, and what to do when something fails.' },
  { slug: 'teaching', kind: 'guide', title: 'Teaching with Eddy', line: 'Presenter view, predictions, links that lock controls, lessons, no network.' },
  { slug: 'embedding', kind: 'guide', title: 'Figures on your own site', line: 'One tag or one frame; calls, events, themes, policies, and each documentation tool.' },
];
export const entryBySlug = (slug: string): Entry | undefined => ENTRIES.find((e) => e.slug === slug);

@customElement('eddy-learn')
export class EddyLearn extends LitElement {
  /** Empty: the list of all. */
  @property() slug = '';
  @state() private blocks: Block[] = [];
  /** What has been answered, by the number of the block: the choice, or the text of the number. */
  @state() private answers = new Map<number, string>();
  @state() private reached = new Set<number>();
  /** The text blocks as elements, by number. */
  private prose = new Map<number, HTMLElement>();
  private off: (() => void)[] = [];

  protected override createRenderRoot(): HTMLElement {
    return this;
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.forget();
  }
  private forget(): void {
    this.off.forEach((f) => f());
    this.off = [];
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('slug')) return;
    const entry = entryBySlug(this.slug);
    document.title = entry ? `${entry.title} · Eddy` : 'Learn · Eddy';
    this.forget();
    this.blocks = [];
    this.answers = new Map();
    this.reached = new Set();
    if (!entry) return;
    const { slug } = this;
    const load = texts[`../../../docs/${entry.kind === 'lesson' ? 'lessons' : 'guide'}/${slug}.md`];
    // Drawn when all of it can be: text that comes in pieces moves what is being read.
    void Promise.all([load?.() ?? '', preloadTexts()]).then(async ([text]) => {
      const blocks = blocksFromMarkdown(text);
      const prose = new Map<number, HTMLElement>();
      for (const [i, block] of blocks.entries()) {
        if (block.kind !== 'text') continue;
        const element = document.createElement('div');
        element.className = 'prose';
        await setMarkdown(element, block.text);
        prose.set(i, element);
      }
      if (this.slug !== slug) return;
      this.prose = prose;
      this.blocks = blocks;
    });
  }

  protected override render() {
    const entry = entryBySlug(this.slug);
    if (!this.slug) return this.list();
    if (!entry) {
      return html`<section class="missing"><h1>There is no such text</h1><p><code>${this.slug}</code> is neither a lesson nor a guide.</p><p><a class="button" href="#/learn">All lessons and guides</a></p></section>`;
    }
    return html`<article class="lesson">
      <p class="citation"><a href="#/learn">${entry.kind === 'lesson' ? 'Lessons' : 'Guides'}</a></p>
      <h1>${entry.title}</h1>
      <p class="lead">${entry.line}</p>
      ${this.blocks.map((block, i) => this.block(block, i))}
    </article>`;
  }

  private list() {
    const part = (kind: Entry['kind'], title: string) => html`<h2>${title}</h2>
      <ul class="entries">${ENTRIES.filter((e) => e.kind === kind).map((e) => html`<li><a href="#/learn/${e.slug}">${e.title}</a><p>${e.line}</p></li>`)}</ul>`;
    return html`<section class="lesson"><h1>Learn</h1>
      <p class="lead">Three lessons of a quarter of an hour each, with figures that run while you read, and guides to Eddy itself.</p>
      ${part('lesson', 'Lessons')}${part('guide', 'Guides')}</section>`;
  }

  private block(block: Block, index: number): TemplateResult {
    switch (block.kind) {
      case 'text':
        return html`${this.prose.get(index)}`;
      case 'figure':
        return this.figure(block, index);
      case 'predict':
      case 'question':
        return this.choice(block, index);
      case 'number':
        return this.number(block, index);
      case 'task':
        return this.task(block, index);
    }
  }

  /** The prediction that covers the figure at `index`. */
  private coverOf(index: number): number | undefined {
    const at = index - 1;
    return this.blocks[at]?.kind === 'predict' && !this.answers.has(at) ? at : undefined;
  }

  private figure(figure: Figure, index: number) {
    const covered = this.coverOf(index) !== undefined;
    return html`<figure class="card live ${covered ? 'covered' : ''}" data-block=${index}>
      ${covered
        ? html`<p class="cover">Predict first: the figure opens with your answer above.</p>`
        : html`<eddy-experiment .permalink=${figure.permalink} .controls=${figure.controls} .lock=${figure.lock} .hide=${figure.hide} .noBaseline=${!figure.baseline} .shared=${true}
            ?autoplay=${this.blocks[index - 1]?.kind === 'predict'} @eddy-model=${(e: Event) => this.watch((e as CustomEvent<RunModel>).detail, index)}></eddy-experiment>`}
      <figcaption>${figure.caption} <a href=${experimentHref(figure.permalink)}>Open in full</a></figcaption>
    </figure>`;
  }

  /** Tasks after the figure, before the next one, look at its run. */
  private watch(model: RunModel, index: number): void {
    for (let i = index + 1; i < this.blocks.length && this.blocks[i]!.kind !== 'figure'; i++) {
      const task = this.blocks[i]!;
      if (task.kind !== 'task') continue;
      const look = () => {
        if (this.reached.has(i) || !model.panes[0]) return;
        const metrics = metricsOf(model);
        const read = (name: string) => (name === 'outcome' ? stateOf(model).outcome : name in metrics ? metrics[name] : model.values.get(name));
        if (isReached(task.goal, read)) this.reached = new Set(this.reached).add(i);
      };
      this.off.push(model.on('state', look), model.on('settings', look));
    }
  }

  private choice(block: Choice, index: number) {
    const given = this.answers.get(index);
    const right = given !== undefined && block.options[Number(given)]?.isRight;
    return html`<fieldset class="ask" data-block=${index}>
      <legend>${block.kind === 'predict' ? html`<b>Predict.</b> ` : nothing}${block.text}</legend>
      ${block.options.map(
        (o, i) => html`<label class=${given === undefined ? '' : o.isRight ? 'right' : String(i) === given ? 'wrong' : ''}>
          <input type="radio" name=${`ask-${this.slug}-${index}`} .checked=${given === String(i)} ?disabled=${block.kind === 'predict' && given !== undefined} @change=${() => this.answer(index, String(i))} />
          <span>${o.text}</span></label>`,
      )}
      <div role="status">${given === undefined ? nothing : html`<p class="verdict ${right ? 'held' : 'missed'}">${icon(right ? 'check' : 'x')} ${right ? 'Yes.' : 'Not so.'} ${right || block.kind === 'predict' ? html`<span class="then">${block.then}</span>` : 'Look again.'}</p>`}</div>
    </fieldset>`;
  }

  private number(block: NumberQuestion, index: number) {
    const given = this.answers.get(index);
    const value = Number(given?.replace(',', '.'));
    const right = given !== undefined && Math.abs(value - block.value) <= block.tolerance * Math.abs(block.value);
    return html`<form class="ask" data-block=${index} @submit=${(e: Event) => { e.preventDefault(); this.answer(index, String(new FormData(e.target as HTMLFormElement).get('value') ?? '').trim()); }}>
      <label class="stacked">${block.text}<span class="entry-row"><input class="entry number" name="value" inputmode="decimal" autocomplete="off" /><button class="button" type="submit">Check</button></span></label>
      <div role="status">${given === undefined ? nothing : html`<p class="verdict ${right ? 'held' : 'missed'}">${icon(right ? 'check' : 'x')} ${right ? html`Yes. <span class="then">${block.then}</span>` : Number.isFinite(value) && given ? 'Not so. Try it on the figure.' : 'Give a number, such as 0.05.'}</p>`}</div>
    </form>`;
  }

  private task(block: Task, index: number) {
    const done = this.reached.has(index);
    return html`<div class="ask task ${done ? 'done' : ''}" data-block=${index}>
      <p><b>Try.</b> ${block.text}</p>
      <div role="status">${done ? html`<p class="verdict held">${icon('check')} Done. <span class="then">${block.then}</span></p>` : nothing}</div>
    </div>`;
  }

  private answer(index: number, text: string): void {
    this.answers = new Map(this.answers).set(index, text);
  }

  /** The figures that can be seen, for tests. */
  get figures(): EddyExperiment[] {
    return [...this.querySelectorAll('eddy-experiment')];
  }
}
