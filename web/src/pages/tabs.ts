/** About, Data, Code, Cite, Share. */
import { LitElement, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { Watch } from '../element/watch';
import { sourceOf, type Experiment, type SourceText } from '../lib/catalog';
import { axisText, numberText } from '../lib/format';
import { highlightRust } from '../lib/highlight';
import { icon } from '../lib/icons';
import { paneLabel } from '../lib/labels';
import { setMarkdown } from '../lib/math';
import type { RunModel } from '../lib/run-model';

const TABS = ['About', 'Data', 'Code', 'Cite', 'Share'] as const;
type Tab = (typeof TABS)[number];

@customElement('eddy-tabs')
export class EddyTabs extends LitElement {
  @property({ attribute: false }) experiment!: Experiment;
  @property({ attribute: false }) model?: RunModel;
  @state() private tab: Tab = 'About';
  @state() private source: SourceText | undefined;
  @state() private copied = '';
  private lastState = 0;

  constructor() {
    super();
    new Watch(this, ['state', 'settings', 'header'], () => {
      // The table need not follow every frame.
      if (this.tab !== 'Data' || performance.now() - this.lastState < 300) return;
      this.lastState = performance.now();
      this.requestUpdate();
    });
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('experiment')) {
      this.source = undefined;
      const { id } = this.experiment;
      void sourceOf(id).then((s) => {
        if (this.experiment.id === id) this.source = s;
      });
    }
  }

  protected override updated(changed: Map<string, unknown>): void {
    const about = this.querySelector<HTMLElement>('.prose');
    if (about && this.source && (changed.has('source') || changed.has('tab'))) void setMarkdown(about, this.source.intro);
  }

  private onKey = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    this.tab = TABS[(TABS.indexOf(this.tab) + step + TABS.length) % TABS.length]!;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>('[role=tab][aria-selected=true]')?.focus());
  };

  protected override render() {
    return html`<section class="tabs">
      <div role="tablist" aria-label="About this experiment" @keydown=${this.onKey}>
        ${TABS.map(
          (t) => html`<button type="button" role="tab" id=${`tab-${t}`} aria-selected=${t === this.tab} aria-controls="tab-panel" tabindex=${t === this.tab ? 0 : -1} @click=${() => (this.tab = t)}>${t}</button>`,
        )}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby=${`tab-${this.tab}`} tabindex="0">${this.panel()}</div>
    </section>`;
  }

  private panel() {
    const { source, experiment } = this;
    switch (this.tab) {
      case 'About':
        return html`<div class="prose"></div>`;
      case 'Data':
        return this.data();
      case 'Code':
        return html`<p class="faint">The whole experiment is this file, <code>${experiment.file}</code>.</p>
          ${source ? html`<pre class="code" tabindex="0">${highlightRust(source.code)}</pre>` : html`<p class="faint">Loading…</p>`}`;
      case 'Cite':
        return source?.bibtex
          ? html`<pre class="code" tabindex="0">${source.bibtex}</pre>${this.copyButton(source.bibtex, 'Copy BibTeX')}`
          : html`<p>This is a bench without a paper.</p>`;
      case 'Share':
        return this.share();
    }
  }

  private data() {
    const { model, experiment } = this;
    if (!model) return nothing;
    const panes = model.hasBaseline ? [0, 1] : [0];
    return html`<div class="table-frame" tabindex="0" role="group" aria-label="Latest values"><table>
        <thead><tr><th scope="col">Quantity</th>${panes.map((i) => html`<th scope="col">${paneLabel(model, i)}</th>`)}<th scope="col">What it is</th></tr></thead>
        <tbody>
          <tr><th scope="row">${axisText(experiment.axis)}</th>${panes.map((i) => html`<td class="number">${numberText(model.panes[i]?.progress.position ?? Number.NaN, 6)}</td>`)}<td></td></tr>
          ${experiment.metrics.map(
            (m, j) => html`<tr><th scope="row">${axisText(m.axis)}</th>${panes.map((i) => html`<td class="number">${numberText(model.panes[i]?.latest[j + 1] ?? Number.NaN, 6)}</td>`)}<td class="faint">${m.doc}</td></tr>`,
          )}
        </tbody>
      </table></div>
      <p><button class="button" type="button" @click=${() => void this.download()}>${icon('download')} Record as CSV</button></p>`;
  }

  private async download(): Promise<void> {
    if (!this.model) return;
    const { csvOf, save } = await import('../lib/exports');
    save(await csvOf(this.model));
  }

  private share() {
    void import('./share');
    return html`<eddy-share .experiment=${this.experiment} .model=${this.model} .source=${this.source}></eddy-share>`;
  }

  private copyButton(text: string, label: string) {
    return html`<button class="button" type="button" @click=${() => void this.copy(text)}>${icon(this.copied === text ? 'check' : 'copy')} ${this.copied === text ? 'Copied' : label}</button>`;
  }

  private async copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.copied = text;
      setTimeout(() => (this.copied = ''), 1600);
    } catch {
      // Not allowed here; the text can be selected.
    }
  }
}
