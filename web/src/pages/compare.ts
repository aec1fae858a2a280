/** Any two settings of an experiment side by side on one clock; or two experiments, each on its own. */
import { LitElement, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import '../element/device-chip';
import '../element/eddy-experiment';
import '../element/plots';
import type { EddyExperiment } from '../element/eddy-experiment';
import { Watch } from '../element/watch';
import { catalog, experimentById, type Experiment, type ParamSpec } from '../lib/catalog';
import { drawingName, startingDrawings } from '../lib/drawing';
import { icon } from '../lib/icons';
import { linkFromText } from '../lib/permalink';
import { experimentHref } from '../lib/router';
import type { RunModel } from '../lib/run-model';
import { teaching } from '../lib/teach';

@customElement('eddy-compare')
export class EddyCompare extends LitElement {
  @property() a = '';
  @property() b = '';
  @state() model?: RunModel;
  @state() private said = '';
  /** What this page has put into the address itself. */
  private reported = '';

  constructor() {
    super();
    new Watch(this, ['settings', 'engine'], () => {
      this.requestUpdate();
      this.report();
    });
  }
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    // A link followed or typed: from the start. Our own reports are not.
    if ((changed.has('a') || changed.has('b')) && `${this.a} ${this.b}` !== this.reported) {
      this.model = undefined;
      this.opened = { a: this.a, b: this.b };
    }
  }
  private opened = { a: '', b: '' };

  private report(): void {
    const { model } = this;
    if (!model?.differences || model.status !== 'ready') return;
    const [a, b] = [model.permalink, model.other!];
    if (`${a} ${b}` === `${this.a} ${this.b}`) return;
    this.reported = `${a} ${b}`;
    this.dispatchEvent(new CustomEvent('eddy-compare', { detail: { a, b } }));
  }

  protected override render() {
    const first = experimentById(linkFromText(this.opened.a).id);
    const second = experimentById(linkFromText(this.opened.b).id);
    if (!first || !second) return this.choose();
    return html`<article class="experiment compare">
      <header class="head"><div>
        <p class="citation">Compare</p>
        <h1>${first === second ? first.title : `${first.title}, and ${second.title}`}</h1>
        <p class="lead">${first === second ? 'Two settings on one clock, with the same seed unless it is what differs.' : 'Two experiments, each on its own clock.'}</p>
      </div>${first === second ? html`<eddy-device .model=${this.model}></eddy-device>` : nothing}</header>
      ${first === second ? this.one(first) : this.two()}
    </article>`;
  }

  private one(experiment: Experiment) {
    const { a, b } = this.opened;
    return html`<eddy-experiment layout="page" autoplay .lock=${teaching.lock} .hide=${teaching.hide} .against=${b} .permalink=${a}
        @eddy-model=${(e: Event) => (this.model = (e as CustomEvent<RunModel>).detail)}>
        ${this.differences(experiment)}
        <eddy-plots .model=${this.model}></eddy-plots>
      </eddy-experiment>`;
  }

  private differences(experiment: Experiment) {
    const { model } = this;
    if (!model?.differences) return nothing;
    const rows = [...model.differences].flatMap(([key, text]) => {
      const spec = experiment.params.find((p) => p.key === key);
      return spec && !teaching.hide.includes(key) ? [{ spec, text }] : [];
    });
    const rest = experiment.params.filter((p) => !model.differences!.has(p.key) && !isKept(p.key));
    return html`<section class="card differences" aria-label="What differs">
      <h2 class="heading">What differs</h2>
      ${!rows.length && model.differences.size
        ? html`<p class="faint">What differs is hidden by the link.</p>`
        : rows.length
        ? html`<div class="table-frame" tabindex="0" role="group" aria-label="Controls that differ"><table>
            <thead><tr><th scope="col">Control</th><th scope="col">A</th><th scope="col">B</th><td></td></tr></thead>
            <tbody>${rows.map(({ spec, text }) => html`<tr><th scope="row">${spec.label}</th><td class="number">${valueText(spec, model.values.get(spec.key) ?? '')}</td>
              <td>${isKept(spec.key) ? html`<span class="number">${valueText(spec, text)}</span>` : this.entry(spec, text)}</td>
              <td>${isKept(spec.key) ? nothing : html`<button class="button quiet" type="button" aria-label=${`${spec.label}: the same in both`} @click=${() => this.change(spec.key, undefined)}>${icon('x')}</button>`}</td></tr>`)}</tbody>
          </table></div>`
        : html`<p class="faint">Nothing: A and B are the same. Choose a control that B is to have otherwise.</p>`}
      <p><label class="select"><span class="visually-hidden">Another control that B has otherwise</span><select .value=${''} @change=${(e: Event) => this.add(e.target as HTMLSelectElement)}>
        <option value="">Let B differ in…</option>${rest.map((p) => html`<option value=${p.key}>${p.label}</option>`)}</select>${icon('chevronDown')}</label>
        <a class="button quiet" href=${experimentHref(model.other ?? '')}>Open B alone</a></p>
      <p role="status" class="missed">${this.said}</p>
      <p class="faint">The controls at the side change A, and B with it, except for what differs.</p>
    </section>`;
  }

  private entry(spec: ParamSpec, text: string) {
    const label = `${spec.label} of B`;
    const set = (value: string) => this.change(spec.key, value);
    if (spec.kind === 'choice') {
      return html`<select aria-label=${label} @change=${(e: Event) => set((e.target as HTMLSelectElement).value)}>${spec.options.map(([key, name]) => html`<option value=${key} ?selected=${key === text}>${name}</option>`)}</select>`;
    }
    if (spec.kind === 'toggle') {
      return html`<input type="checkbox" role="switch" aria-label=${label} .checked=${text === 'on'} @change=${(e: Event) => set((e.target as HTMLInputElement).checked ? 'on' : 'off')} />`;
    }
    if (spec.kind === 'drawing') {
      const starts = startingDrawings(spec.columns, spec.rows);
      const own = starts.some((s) => s.text === text) ? [] : [{ name: drawingName(spec, text), text }];
      return html`<select aria-label=${label} @change=${(e: Event) => set((e.target as HTMLSelectElement).value)}>${[...own, ...starts].map((s) => html`<option value=${s.text} ?selected=${s.text === text}>${s.name}</option>`)}</select>`;
    }
    return html`<input class="number" type="text" autocomplete="off" spellcheck="false" aria-label=${label} .value=${text} @change=${(e: Event) => set((e.target as HTMLInputElement).value.trim())} />`;
  }

  private add(select: HTMLSelectElement): void {
    const spec = this.model?.experiment.params.find((p) => p.key === select.value);
    select.value = '';
    if (!spec || !this.model) return;
    const now = this.model.values.get(spec.key) ?? spec.default;
    // Something that differs, to begin with: the default, else a neighbour.
    let other = spec.default;
    if (other === now) {
      if (spec.kind === 'choice') other = spec.options.find(([key]) => key !== now)?.[0] ?? now;
      else if (spec.kind === 'toggle') other = now === 'on' ? 'off' : 'on';
      else if (spec.kind === 'seed') other = String(Number(now) + 1);
      else if (spec.kind === 'number') {
        const up = spec.integer ? Number(now) + Math.max(1, spec.step) : Number(now) * 1.5 || spec.max / 2;
        other = String(up <= spec.max ? Number(up.toPrecision(4)) : spec.min);
      } else if (spec.kind === 'drawing') other = startingDrawings(spec.columns, spec.rows).find(({ text }) => text !== now)!.text;
    }
    this.change(spec.key, other);
  }

  private change(key: string, text: string | undefined): void {
    const { model } = this;
    if (!model?.differences) return;
    const next = new Map(model.differences);
    if (text === undefined) next.delete(key);
    else next.set(key, text);
    this.said = '';
    model.setDifferences(next).catch((thrown: Error) => {
      this.said = thrown.message;
      this.requestUpdate();
    });
  }

  /** Two experiments have no clock in common; they start and stop together. */
  private two() {
    const all = () => [...this.querySelectorAll<EddyExperiment>('eddy-experiment')];
    const both = (act: (e: EddyExperiment) => unknown) => () => all().forEach(act);
    return html`<p class="both"><button class="button primary" type="button" @click=${both((e) => e.play())}>${icon('play')} Play both</button>
        <button class="button" type="button" @click=${both((e) => e.pause())}>${icon('pause')} Pause both</button>
        <button class="button" type="button" @click=${both((e) => void e.restart().then(() => e.play()))}>${icon('replay')} Restart both</button></p>
      <div class="pair">${[this.opened.a, this.opened.b].map((link, i) => html`<section aria-label=${i ? 'B' : 'A'}><h2 class="heading">${i ? 'B' : 'A'}: <a href=${experimentHref(link)}>${experimentById(linkFromText(link).id)!.title}</a></h2>
        <eddy-experiment no-baseline .permalink=${link} .controls=${'none'} .hide=${[...teaching.lock, ...teaching.hide]}></eddy-experiment></section>`)}</div>`;
  }

  private choose() {
    const { experiments } = catalog;
    const missing = [this.opened.a, this.opened.b].map((l) => linkFromText(l).id).filter((id) => id && !experimentById(id));
    const go = (e: Event) => {
      e.preventDefault();
      const data = new FormData(e.target as HTMLFormElement);
      const link = (name: string) => String(data.get(name) ?? '').trim().replace(/^.*#\/e\//, '');
      location.hash = `#/compare?a=${encodeURIComponent(link('a'))}&b=${encodeURIComponent(link('b'))}`;
    };
    const field = (name: 'a' | 'b', value: string) => html`<label>${name.toUpperCase()}<input class="mono" name=${name} list="eddy-ids" required autocomplete="off" spellcheck="false" .value=${value} placeholder="gray-scott?feed=0.03" /></label>`;
    return html`<section class="missing"><h1>Compare two settings</h1>
      ${missing.length ? html`<p role="alert">There is no experiment “${missing.join('” and no “')}”.</p>` : nothing}
      <p>Links or permalinks of two settings: of one experiment, to run on one clock; or of two.</p>
      <form class="choose" @submit=${go}>${field('a', this.opened.a)}${field('b', this.opened.b)}<button class="button primary" type="submit">Compare</button></form>
      <datalist id="eddy-ids">${experiments.map((e) => html`<option value=${e.id}>${e.title}</option>`)}</datalist></section>`;
  }
}

/** Locked or hidden by a teacher's link: in A as in B. */
const isKept = (key: string): boolean => teaching.lock.includes(key) || teaching.hide.includes(key);

function valueText(spec: ParamSpec, text: string): string {
  if (spec.kind === 'drawing') return drawingName(spec, text);
  return spec.kind === 'choice' ? (spec.options.find(([key]) => key === text)?.[1] ?? text) : text;
}
