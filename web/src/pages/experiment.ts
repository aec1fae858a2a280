/** The page of one experiment: its stage and controls, the claim, plots, and tabs. */
import { LitElement, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import '../element/device-chip';
import '../element/eddy-experiment';
import '../element/plots';
import '../element/verdict-bar';
import './tabs';
import { fullAuthors } from '../lib/authors';
import { experimentById, nearMisses, type Experiment } from '../lib/catalog';
import type { RunModel } from '../lib/run-model';
import { linkFromText, textFromValues, valuesFromLink } from '../lib/permalink';
import { compareHref, experimentHref } from '../lib/router';
import { teaching } from '../lib/teach';

/** What a comparison of `permalink` begins with: the baseline, or the defaults. */
function baselineLink(experiment: Experiment, permalink: string): string {
  const values = valuesFromLink(experiment, permalink);
  for (const [key, text] of linkFromText(`x?${experiment.baseline?.change ?? ''}`).values) values.set(key, text);
  return textFromValues(experiment, values);
}

@customElement('eddy-experiment-page')
export class EddyExperimentPage extends LitElement {
  @property() permalink = '';
  @property({ type: Boolean }) revisit = false;
  @state() private model: RunModel | undefined;
  /** The choice of a visitor whose link asks a question first. */
  @state() private chosen: number | undefined;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has('permalink')) return;
    const before = changed.get('permalink') as string | undefined;
    if (before !== undefined && linkFromText(before).id !== linkFromText(this.permalink).id) this.model = undefined;
    const experiment = experimentById(linkFromText(this.permalink).id);
    document.title = experiment ? `${experiment.title} · Eddy` : 'Not found · Eddy';
  }

  protected override render() {
    const id = linkFromText(this.permalink).id;
    const experiment = experimentById(id);
    if (!experiment) return this.missing(id);
    const { model } = this;
    return html`<article class="experiment">
      <header class="head">
        <div>
          ${this.papers(experiment)}
          <h1>${experiment.title}</h1>
          <p class="lead">${experiment.summary}</p>
        </div>
        <div class="tools"><a class="button" href=${compareHref(this.permalink, baselineLink(experiment, this.permalink))}>Compare…</a>
        <eddy-device .model=${model}></eddy-device></div>
      </header>
      ${this.ask()}
      ${teaching.ask && this.chosen === undefined ? nothing : html`<eddy-experiment layout="page" autoplay .lock=${teaching.lock} .hide=${teaching.hide} .permalink=${this.permalink} .revisit=${this.revisit}
        @eddy-model=${(e: Event) => (this.model = (e as CustomEvent<RunModel>).detail)}>
        <eddy-verdict .experiment=${experiment}></eddy-verdict>
        <eddy-plots .model=${model}></eddy-plots>
        <eddy-tabs .experiment=${experiment} .model=${model}></eddy-tabs>
      </eddy-experiment>`}
    </article>`;
  }

  /** The question of a teacher's link; the run is covered until a choice is made. */
  private ask() {
    const { ask } = teaching;
    if (!ask) return nothing;
    const { chosen } = this;
    const right = chosen !== undefined && ask.options[chosen]?.isRight;
    return html`<fieldset class="ask">
      <legend><b>Predict.</b> ${ask.text}</legend>
      ${ask.options.map(
        (o, i) => html`<label class=${chosen === undefined ? '' : o.isRight ? 'right' : i === chosen ? 'wrong' : ''}><input type="radio" name="ask" .checked=${chosen === i} ?disabled=${chosen !== undefined} @change=${() => (this.chosen = i)} /> <span>${o.text}</span></label>`,
      )}
      <div role="status">${chosen === undefined ? html`<p class="faint">The run opens with your answer.</p>` : html`<p class="verdict ${right ? 'held' : 'missed'}">${right ? 'Yes.' : 'Watch what happens.'}</p>`}</div>
    </fieldset>`;
  }

  private papers(experiment: Experiment) {
    if (!experiment.papers.length) return html`<p class="citation">${experiment.labLabel} lab</p>`;
    return experiment.papers.map(
      (p) => html`<p class="citation">${fullAuthors(p.authors)}, ${p.year} · ${p.url ? html`<a href=${p.url} target="_blank" rel="noopener">${p.title}</a>` : p.title}${p.number
          ? html` · <span class="number">no. ${p.number}</span>`
          : nothing}</p>`,
    );
  }

  private missing(id: string) {
    const near = nearMisses(id);
    return html`<section class="missing">
      <h1>There is no experiment “${id}”</h1>
      ${near.length
        ? html`<p>Did you mean one of these? Its settings are taken from your link.</p>
            <ul>${near.map((e) => html`<li><a href=${experimentHref(e.id + this.permalink.slice(id.length))}>${e.title}</a> <code>${e.id}</code></li>`)}</ul>`
        : html`<p>The name of an experiment is the part of the link before the “?”. Nothing in the catalogue resembles this one.</p>`}
      <p><a class="button" href="#/">All experiments</a></p>
    </section>`;
  }
}
