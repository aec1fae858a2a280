/** The controls, derived from the parameter table of the experiment. */
import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import type { ChoiceParam, DrawingParam, NumberParam, ParamSpec, SeedParam, TextParam, ToggleParam } from '../lib/catalog';
import { capital } from '../lib/format';
import { icon } from '../lib/icons';
import { math } from '../lib/math';
import type { RunModel } from '../lib/run-model';
import type { EngineError } from '../worker/protocol';
import { shared } from '../styles/shared';
import { controlStyles } from './control-styles';
import { repairButton } from './repair';
import { Watch } from './watch';

/** Positions of a slider; fine enough that one is less than a pixel. */
const SLIDER_STEPS = 1000;
/** Up to this many options, with short enough labels, stand side by side. */
const SEGMENTS = 5;
/** Texts that may be this long are edited as lines. */
const LINES_FROM = 400;

@customElement('eddy-controls')
export class EddyControls extends LitElement {
  static override styles = [shared, controlStyles];
  @property({ attribute: false }) model?: RunModel;
  /** Keys to show; all if empty. */
  @property({ attribute: false }) only: string[] = [];
  @property({ type: Boolean }) plain = false;
  /** Keys of controls that show their value and take none. */
  @property({ attribute: false }) lock: string[] = [];
  /** Keys of controls that are not shown. */
  @property({ attribute: false }) hide: string[] = [];
  /** Shows what went wrong, and no controls. */
  @property({ type: Boolean, attribute: 'notices-only' }) noticesOnly = false;
  /** The entry being edited shows all its digits. */
  @state() private focused = '';
  /** What is being typed, and not set yet: another setting's answer may come meanwhile and draws everything anew. */
  private typed: { key: string; text: string } | undefined;
  /** Texts that stand in for empty ones, and the preset that they are of. */
  @state() private stand: Record<string, string> = {};
  private standsFor = '';

  constructor() {
    super();
    new Watch(this, ['settings']);
  }

  protected override render() {
    const model = this.model;
    if (!model) return nothing;
    if (this.noticesOnly) return this.notices(model);
    const shown = model.experiment.params.filter((p) => (this.only.length ? this.only.includes(p.key) : true) && !this.hide.includes(p.key) && this.applies(p));
    const groups = new Map<string, ParamSpec[]>();
    for (const p of shown) {
      const name = capital(p.group) || (p.kind === 'seed' ? 'Run' : 'Parameters');
      groups.set(name, [...(groups.get(name) ?? []), p]);
    }
    const elsewhere = this.only.length ? [] : model.remarks.filter((r) => !shown.some((p) => p.key === r.key));
    const changed = model.experiment.params.some((p) => model.values.get(p.key) !== p.default);
    return html`${this.notices(model)}${elsewhere.map(remark)}
      ${[...groups].map(
        ([name, params]) => html`<section role="group" class=${this.plain ? 'group' : 'card group'} aria-label=${name}>
          ${this.plain && groups.size === 1 ? nothing : html`<h2 class="heading">${name}</h2>`}${params.map((p) => this.control(p))}
        </section>`,
      )}
      ${this.plain || !shown.length || this.lock.length || this.hide.length
        ? nothing
        : html`<button class="button reset" type="button" ?disabled=${!changed && !model.errors.size} @click=${() => model.reset()}>${icon('undo')} Back to the defaults</button>`}
    `;
  }

  protected override updated(): void {
    void this.showPreset();
  }

  /** The problem of a preset stands greyed in the boxes that it fills. */
  private async showPreset(): Promise<void> {
    const { model } = this;
    if (!model || model.status === 'loading' || model.experiment.bundle !== 'equations' || !model.experiment.params.some((p) => p.key === 'preset')) return;
    const preset = model.values.get('equations')?.trim() ? '' : (model.values.get('preset') ?? '');
    if (preset === this.standsFor) return;
    this.standsFor = preset;
    const facts = preset ? await model.ask<{ texts: Record<string, string | number>; network_end?: string }>('analyse', JSON.stringify({ preset })).catch(() => undefined) : undefined;
    if (preset !== this.standsFor) return;
    // Networks are given shorter times than the solver.
    const end = model.experiment.id === 'typed-pinn' && facts?.network_end;
    this.stand = Object.fromEntries(Object.entries({ ...facts?.texts, ...(end && { end }) }).map(([key, text]) => [key, String(text)]));
  }

  private notices(model: RunModel) {
    return model.notices.map(
      (n) => html`<div class="notice" role="alert">${icon('alert')}<span>${n.message}</span>
        ${/gpu|adapter|device/.test(n.code) && model.options.device === 'gpu'
          ? html`<button class="button" type="button" @click=${() => void model.setOptions({ ...model.options, device: 'cpu' })}>Run on the CPU</button>`
          : nothing}
        ${n.retry ? repairButton(model, n.repair, () => void model.retry(n)) : nothing}
      </div>`,
    );
  }

  private applies(p: ParamSpec): boolean {
    if (!p.only_when) return true;
    const [key, values] = p.only_when;
    return values.includes(this.model!.values.get(key) ?? '');
  }

  private set(p: ParamSpec, text: string, isDraft = false): void {
    this.model!.set(p.key, text, isDraft);
  }

  private hear(p: ParamSpec, event: Event): void {
    this.typed = { key: p.key, text: (event.target as HTMLInputElement | HTMLTextAreaElement).value };
  }
  private setTyped(p: ParamSpec, text: string): void {
    this.typed = undefined;
    this.set(p, text);
  }
  /** A browser may take what was drawn anew for what was there all along, and tells of no change. */
  private leave(p: ParamSpec): void {
    const { typed } = this;
    this.typed = undefined;
    if (typed?.key === p.key && typed.text.trim() !== this.model!.values.get(p.key)) this.set(p, p.kind === 'text' ? typed.text : typed.text.trim());
  }
  private textIn(p: ParamSpec, otherwise: string): string {
    return this.typed?.key === p.key ? this.typed.text : otherwise;
  }

  private control(p: ParamSpec): TemplateResult {
    const model = this.model!;
    const error = model.errors.get(p.key);
    const remarks = model.remarks.filter((r) => r.key === p.key);
    const value = model.values.get(p.key) ?? p.default;
    const body =
      p.kind === 'number' ? this.number(p, value, error)
      : p.kind === 'choice' ? this.choice(p, value)
      : p.kind === 'toggle' ? this.toggle(p, value)
      : p.kind === 'seed' ? this.seed(p, value, error)
      : p.kind === 'drawing' ? this.drawing(p, value, error)
      : this.text(p, value, error);
    if (this.lock.includes(p.key)) return html`<fieldset class="control locked kind-${p.kind}" data-key=${p.key} disabled>${body}${remarks.map(remark)}</fieldset>`;
    return html`<div class="control ${error ? 'wrong' : ''} kind-${p.kind}" data-key=${p.key}>
      ${body}${p.kind === 'number' || p.kind === 'seed' ? nothing : this.back(p, value)}
      ${error ? html`<p class="error" id=${`error-${p.key}`} role="alert">${error} ${repairButton(model, model.repairs.get(p.key))}</p>` : nothing}
      ${error ? nothing : remarks.map(remark)}
    </div>`;
  }

  /** The way back to the default. A switch has none: it is one itself. */
  private back(p: ParamSpec, value: string) {
    if (value === p.default || p.kind === 'toggle' || this.lock.includes(p.key)) return nothing;
    const meant = p.kind === 'choice' ? (p.options.find(([key]) => key === p.default)?.[1] ?? p.default) : p.kind === 'drawing' || p.default.length > 24 ? '' : p.default;
    const title = `Back to ${meant || 'the default'}`;
    return html`<button class="back" type="button" title=${title} aria-label="${p.label}: ${title.toLowerCase()}" @click=${() => this.setTyped(p, p.default)}>${icon('undo')}</button>`;
  }

  private label(p: ParamSpec): TemplateResult {
    return html`<span class="name" title=${p.doc || nothing}>${p.label}${p.symbol ? html`<em ${math(p.symbol)}></em>` : nothing}${p.unit
        ? html`<span class="unit">${p.unit}</span>`
        : nothing}${p.live && !this.lock.includes(p.key) ? html`<span class="live" title="Applies while it runs">live</span>` : nothing}${this.lock.includes(p.key)
        ? html`<span class="fixed" title="Locked by the author of this page">${icon('lock')}<span class="visually-hidden">locked</span></span>`
        : nothing}</span>`;
  }

  private entry(p: NumberParam | SeedParam, value: string, error: string | undefined): TemplateResult {
    return html`<input
      class="entry number" id=${`entry-${p.key}`} type="text" inputmode=${p.kind === 'seed' || p.integer ? 'numeric' : 'decimal'} autocomplete="off" spellcheck="false"
      aria-label=${p.label} aria-invalid=${error ? 'true' : 'false'} aria-describedby=${error ? `error-${p.key}` : nothing}
      .value=${live(this.textIn(p, this.focused === p.key ? value : shortText(value)))}
      @focus=${(e: Event) => this.edit(e.target as HTMLInputElement, p.key, value)} @blur=${() => (this.leave(p), (this.focused = ''))}
      @input=${(e: Event) => this.hear(p, e)} @change=${(e: Event) => this.setTyped(p, (e.target as HTMLInputElement).value.trim())}
    />`;
  }

  /** All digits, selected: at once, since whoever focused the entry may type in the same moment. */
  private edit(entry: HTMLInputElement, key: string, value: string): void {
    this.focused = key;
    if (entry.value !== value) entry.value = value;
    entry.select();
  }

  private number(p: NumberParam, value: string, error: string | undefined): TemplateResult {
    const position = sliderFromValue(p, Number(value));
    const move = (e: Event) => this.set(p, valueFromSlider(p, Number((e.target as HTMLInputElement).value)), true);
    const few = p.integer && p.max - p.min <= 12;
    return html`<div class="row">${this.label(p)}${this.back(p, value)}
        ${few
          ? html`<span class="stepper">
              <button type="button" aria-label="${p.label}: less" ?disabled=${Number(value) <= p.min} @click=${() => this.set(p, String(Number(value) - 1))}>−</button>
              ${this.entry(p, value, error)}
              <button type="button" aria-label="${p.label}: more" ?disabled=${Number(value) >= p.max} @click=${() => this.set(p, String(Number(value) + 1))}>+</button>
            </span>`
          : this.entry(p, value, error)}
      </div>
      ${few
        ? nothing
        : html`<input type="range" min="0" max=${sliderMax(p)} step="1" .value=${live(String(position))} aria-label="${p.label}, slider"
            aria-valuetext=${`${value} ${p.unit}`.trim()} @input=${move} @change=${() => this.model!.endGesture()} />`}`;
  }

  private choice(p: ChoiceParam, value: string): TemplateResult {
    const letters = p.options.reduce((n, [, label]) => n + label.length, 0);
    if (p.options.length <= SEGMENTS && letters <= 34) {
      return html`<fieldset><legend>${this.label(p)}</legend><div class="segments">
        ${p.options.map(
          ([key, label]) => html`<label><input type="radio" name=${`${p.key}`} value=${key} .checked=${live(key === value)} @change=${() => this.set(p, key)} /><span>${label}</span></label>`,
        )}</div></fieldset>`;
    }
    return html`<label class="stacked">${this.label(p)}
      <span class="select"><select @change=${(e: Event) => this.set(p, (e.target as HTMLSelectElement).value)}>
        ${p.options.map(([key, label]) => html`<option value=${key} .selected=${live(key === value)}>${label}</option>`)}
      </select>${icon('chevronDown')}</span></label>`;
  }

  private toggle(p: ToggleParam, value: string): TemplateResult {
    return html`<label class="row switch">${this.label(p)}
      <input type="checkbox" role="switch" .checked=${live(value === 'on')} @change=${(e: Event) => this.set(p, (e.target as HTMLInputElement).checked ? 'on' : 'off')} /></label>`;
  }

  private seed(p: SeedParam, value: string, error: string | undefined): TemplateResult {
    return html`<div class="row">${this.label(p)}${this.back(p, value)}<span class="seed">${this.entry(p, value, error)}
      <button class="button" type="button" @click=${() => this.model!.newSeed()}>${icon('dices')} New</button></span></div>`;
  }

  private drawing(p: DrawingParam, value: string, error: string | undefined): TemplateResult {
    void import('./drawing-pad');
    return html`<div class="stacked">${this.label(p)}<eddy-drawing-pad .model=${this.model} .param=${p} .value=${value} ?locked=${this.lock.includes(p.key)} ?wrong=${!!error}></eddy-drawing-pad></div>`;
  }

  private text(p: TextParam, value: string, error: string | undefined): TemplateResult {
    const stand = this.stand[p.key] ?? '';
    const lines = value.split('\n').length;
    const change = (e: Event) => this.setTyped(p, (e.target as HTMLInputElement | HTMLTextAreaElement).value);
    const hear = (e: Event) => this.hear(p, e);
    // Long texts have lines, which an input would join.
    if (p.max_len >= LINES_FROM) {
      return html`<label class="stacked">${this.label(p)}
        <textarea class="expression mono" rows=${Math.min(Math.max(lines + 1, 3), 8)} placeholder=${stand} maxlength=${p.max_len} autocomplete="off" autocapitalize="off" spellcheck="false"
          aria-invalid=${error ? 'true' : 'false'} aria-describedby=${error ? `error-${p.key}` : nothing} .value=${live(this.textIn(p, value))} @input=${hear} @blur=${() => this.leave(p)} @change=${change}></textarea></label>`;
    }
    return html`<label class="stacked">${this.label(p)}
      <input class="expression mono" type="text" placeholder=${stand} maxlength=${p.max_len} autocomplete="off" autocapitalize="off" spellcheck="false" aria-invalid=${error ? 'true' : 'false'}
        aria-describedby=${error ? `error-${p.key}` : nothing} .value=${live(this.textIn(p, value))} @input=${hear} @blur=${() => this.leave(p)} @change=${change} /></label>`;
  }
}

/** At most five significant digits of a long number; other texts as they are. */
function shortText(text: string): string {
  const value = Number(text);
  return text.length > 8 && Number.isFinite(value) ? String(Number(value.toPrecision(5))) : text;
}

function remark({ message }: EngineError): TemplateResult {
  return html`<p class="remark" role="status">${icon('alert')} <span>${message}</span></p>`;
}

function sliderMax(p: NumberParam): number {
  if (p.scale === 'linear') {
    if (p.integer) return Math.min(p.max - p.min, 4000);
    if (p.step > 0) return Math.min(Math.round((p.max - p.min) / p.step), 4000);
  }
  return SLIDER_STEPS;
}

function sliderFromValue(p: NumberParam, value: number): number {
  if (Number.isNaN(value)) return 0;
  const part =
    p.scale === 'log' && p.min > 0
      ? Math.log(Math.max(value, p.min) / p.min) / Math.log(p.max / p.min)
      : (value - p.min) / (p.max - p.min);
  return Math.round(Math.min(1, Math.max(0, part)) * sliderMax(p));
}

/** The ends give the ends exactly; in between, three or four significant digits. */
function valueFromSlider(p: NumberParam, position: number): string {
  const count = sliderMax(p);
  if (position <= 0) return String(p.min);
  if (position >= count) return String(p.max);
  const part = position / count;
  let value = p.scale === 'log' && p.min > 0 ? p.min * (p.max / p.min) ** part : p.min + (p.max - p.min) * part;
  if (p.integer) value = Math.round(value);
  else if (p.step > 0) value = p.min + Math.round((value - p.min) / p.step) * p.step;
  const text = String(Number(value.toPrecision(p.integer ? 12 : p.scale === 'log' ? 3 : 4)));
  // Rounding must not step over an end.
  return String(Math.min(p.max, Math.max(p.min, Number(text))));
}
