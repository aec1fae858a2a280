/** Every paper of the list, with its experiment or “not yet”. */
import { LitElement, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import papers from 'virtual:papers';
import type { Paper } from '../lib/catalog';
import { capital } from '../lib/format';
import { experimentHref } from '../lib/router';
import { icon } from '../lib/icons';

@customElement('eddy-papers')
export class EddyPapers extends LitElement {
  @state() private query = '';
  @state() private family = '';
  @state() private liveOnly = false;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  private isShown(p: Paper): boolean {
    if (this.family && p.family !== this.family) return false;
    if (this.liveOnly && !p.experiments.length) return false;
    const text = `${p.number} ${p.id} ${p.title} ${p.line} ${p.family}`.toLowerCase();
    return this.query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  protected override render() {
    const live = papers.filter((p) => p.experiments.length).length;
    const families = [...new Set(papers.map((p) => p.family))].sort();
    const shown = papers.filter((p) => this.isShown(p));
    return html`<section class="papers">
      <h1>Papers</h1>
      <p class="lead">Each paper of this list is to become an experiment that recomputes its central claim beside its baseline.
        <b class="number">${live}</b> of <b class="number">${papers.length}</b> are live.</p>
      <div class="filters">
        <label class="search">${icon('search')}<span class="visually-hidden">Search the papers</span>
          <input type="search" placeholder="Search the papers" .value=${this.query} @input=${(e: Event) => (this.query = (e.target as HTMLInputElement).value)} /></label>
        <label class="select"><span class="visually-hidden">Family</span><select @change=${(e: Event) => (this.family = (e.target as HTMLSelectElement).value)}>
          <option value="">All families</option>${families.map((f) => html`<option value=${f}>${capital(f)}</option>`)}</select>${icon('chevronDown')}</label>
        <label class="tick"><input type="checkbox" .checked=${this.liveOnly} @change=${(e: Event) => (this.liveOnly = (e.target as HTMLInputElement).checked)} /> live only</label>
        <span class="faint number" role="status">${shown.length} shown</span>
      </div>
      <ol class="paper-list">
        ${shown.map(
          (p) => html`<li>
            <span class="faint number n">${p.number}</span>
            <div><h2>${p.title}</h2><p>${p.line}.</p></div>
            <span class="family faint">${p.family}</span>
            <span class="links">${p.experiments.length
              ? p.experiments.map((id) => html`<a class="button" href=${experimentHref(id)}>Live<span class="visually-hidden">: ${id}</span></a>`)
              : html`<span class="faint">not yet</span>`}</span>
          </li>`,
        )}
        ${shown.length ? nothing : html`<li class="none">No paper matches.</li>`}
      </ol>
    </section>`;
  }
}
