/** The equation lab: a form whose texts are a problem, checked as one types, above the stage of every other experiment. */
import { LitElement, html, nothing, type TemplateResult } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import '../element/device-chip';
import '../element/eddy-experiment';
import '../element/plots';
import './tabs';
import { sizeOf, withPair, type Facts, type Form, type FormError, type MethodFact, type ParameterFact, type Preset, type RefineReport, type Study } from '../lab/facts';
import { brushChoice, fieldChips } from '../lab/choices';
import type { Editor } from '../lab/editor';
import { experimentById, type Axis, type ColorMapName, type Experiment, type ViewSpec } from '../lib/catalog';
import { numberText, unitText } from '../lib/format';
import { icon } from '../lib/icons';
import { setFormula } from '../lib/math';
import { experimentHref } from '../lib/router';
import { LINK_LIMIT, plainLink, textFromValues, withPicture } from '../lib/permalink';
import type { RunModel } from '../lib/run-model';
import '../styles/lab.css';

/** Texts that the page edits; the others of the table stay as the link has them. */
const AREAS = [
  ['initial', 'Initial values', 'u = exp(-x^2)'],
  ['boundary', 'Sides', 'periodic, or u = dirichlet: 0'],
  ['exact', 'Exact solution, if known', 'u = exp(-t)*sin(x)'],
] as const;
const ENTRIES = [
  ['x', 'x from .. to, points', '0 .. 2*pi, 128'],
  ['y', 'y', 'none'],
  ['z', 'z', 'none'],
  ['end', 'Until t', '10'],
  ['dt', 'Step', 'chosen'],
] as const;
/** Time methods of the choice; the names are those of `eddy solve`. */
const TIME = ['auto', 'euler', 'rk2', 'rk4', 'dopri5', 'dop853', 'verlet', 'etdrk4', 'backward-euler', 'crank-nicolson', 'midpoint', 'rodas', 'rkc', 'euler-maruyama', 'milstein'];
const SPACE = [['auto', 'chosen for you'], ['fourier', 'Fourier'], ['fd2', 'differences, order 2'], ['fd4', 'differences, order 4'], ['fd6', 'differences, order 6'], ['fd8', 'differences, order 8'], ['chebyshev', 'Chebyshev']] as const;
/** Numbers of a state, above which a run waits to be asked for: a grid half typed may keep the engine for long. */
const LARGE = 250_000;
/** Pause in typing after which the form is checked. */
const TYPING_MS = 260;

@customElement('eddy-lab-page')
export class EddyLabPage extends LitElement {
  @property() permalink = '';
  @property({ type: Boolean }) revisit = false;
  @state() private model: RunModel | undefined;
  @state() private form: Form = {};
  @state() private facts: Facts | undefined;
  @state() private presets: Preset[] = [];
  @state() private refining: RefineReport | undefined;
  @state() private refineError = '';
  @state() private isRefining = false;
  @state() private copied = '';
  @query('.lab-code') private codeBox!: HTMLElement | null;
  @state() private pictureNote = '';
  /** Numbers of the state that the form asks for, while that waits to be confirmed; else 0. */
  @state() private waiting = 0;
  @state() private importNotes: string[] = [];
  @query('.lab-latex') private latexBox!: HTMLElement | null;
  private editor: Editor | undefined;
  private off: (() => void)[] = [];
  /** The link that the form shows. */
  private link = '';
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;
  private shape = '';
  private experiment: Experiment | undefined = experimentById('equation-lab');

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = 'Equation lab · Eddy';
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    this.off.forEach((f) => f());
    this.off = [];
    this.editor?.destroy();
    this.editor = undefined;
  }

  protected override firstUpdated(): void {
    if (!this.codeBox) return;
    const box = this.codeBox;
    void import('../lab/editor').then(({ makeEditor }) => {
      if (!this.isConnected) return;
      this.editor = makeEditor(box, this.textOf('equations'), 'Equations', (text) => this.edit('equations', text));
      this.tellEditor();
    });
  }

  private adopt(model: RunModel): void {
    this.off.forEach((f) => f());
    this.model = model;
    // Which views suit the system is known once it has been read.
    const { experiment } = this;
    if (!this.facts && experiment) model.experiment = { ...experiment, views: experiment.views.filter((v) => v.key === 'field' || v.kind === 'curves') };
    this.off = [model.on('settings', () => this.follow()), model.on('engine', () => this.follow()), model.on('state', () => this.requestUpdate())];
    this.follow();
  }

  /** The run has another setting than the form: a link was opened, or Back pressed. */
  private follow(): void {
    const model = this.model;
    if (!model || model.status === 'loading') return;
    this.requestUpdate();
    if (!this.presets.length) {
      void model.ask<Preset[]>('presets').then((list) => (this.presets = list), () => {});
    }
    // What is painted is no part of the form, whose texts may be half written.
    const link = plainLink(model.permalink);
    if (link === this.link || model.visiting) return;
    this.link = link;
    this.form = Object.fromEntries(model.values);
    void this.check(false);
  }

  /** The text of a key with the preset's in the place of an empty one. */
  private textOf(key: string): string {
    const own = this.form[key] ?? '';
    return own.trim() || !this.facts || this.form.equations?.trim() ? own : String(this.facts.texts[key] ?? '');
  }

  /** A change of a text. The form then stands by itself: what was the preset's becomes its own, the field shown too. */
  private edit(key: string, text: string, wait = TYPING_MS): void {
    const base = this.form.equations?.trim() || !this.facts ? this.form : { ...this.form, ...texts(this.facts), shown: this.form.shown?.trim() || (this.facts.about?.field ?? ''), brush: this.brush };
    this.form = { ...base, [key]: text };
    if (key === 'equations' && !text.trim()) this.form.equations = ' ';
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.check(true), wait);
  }

  /** Asks what the form states; `run` starts it if all is right, from the picture that it began from unless told otherwise. */
  private async check(run: boolean, keepsPicture = true, isConfirmed = false): Promise<void> {
    const model = this.model;
    if (!model) return;
    const turn = ++this.turn;
    let facts: Facts;
    try {
      facts = await model.ask<Facts>('analyse', JSON.stringify(formForRust(this.form)));
    } catch {
      // The engine's failure is shown by the stage.
      return;
    }
    if (turn !== this.turn) return;
    this.facts = facts;
    this.tellEditor();
    this.dress(model, facts);
    const size = facts.errors.length ? 0 : sizeOf(facts);
    this.waiting = run && size > LARGE && !isConfirmed ? size : 0;
    if (run && !facts.errors.length && !this.waiting) {
      const link = textFromValues(model.experiment, new Map(Object.entries(this.form)));
      this.link = link;
      model.edit++;
      await model.open(keepsPicture ? withPicture(link, model.picture) : link, true);
      if (!model.picture) this.pictureNote = '';
      this.link = plainLink(model.permalink);
    }
  }

  private tellEditor(): void {
    const { facts, editor } = this;
    if (!facts || !editor) return;
    editor.setCompletions(facts.completions ?? []);
    editor.setText(this.textOf('equations'));
    editor.setErrors(facts.errors.filter((e) => e.key === 'equations'));
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (!changed.has('facts') || !this.latexBox) return;
    // What is wrong has to be seen; what has been opened is not closed under the hand of whoever types there.
    if (this.facts?.errors.some((e) => e.key !== 'equations' && e.key !== 'preset')) this.renderRoot.querySelector<HTMLDetailsElement>('.lab-more')!.open = true;
    const lines = this.facts?.latex;
    // While something is wrong the last formulas stay.
    if (!lines?.length) return;
    this.latexBox.replaceChildren(
      ...lines.map((latex) => {
        const line = document.createElement('div');
        line.className = 'latex-line';
        line.tabIndex = 0;
        void setFormula(line, latex, true);
        return line;
      }),
    );
  }

  /** Views that suit the system, named after its fields and in the preset's colours. */
  private dress(model: RunModel, facts: Facts): void {
    const { experiment } = this;
    if (!experiment || facts.dimension === undefined || facts.dimension === null) return;
    const names = (facts.fields ?? []).filter((f) => !f.velocity).map((f) => f.name);
    const shown = this.shownField(names);
    const hasExact = this.textOf('exact').trim() !== '';
    const keys = [
      ...(['', 'lines spacetime', 'field contours arrows', 'volume field'][facts.dimension] ?? '').split(' ').filter(Boolean),
      ...(hasExact && facts.dimension === 1 ? ['difference'] : hasExact && facts.dimension === 2 ? ['difference-plane'] : []),
      ...(names.length > 1 || facts.dimension === 0 ? ['phase'] : []),
    ];
    const colors = (facts.about?.colors ?? 'viridis') as ColorMapName;
    const named = (axis: Axis, label: string): Axis => ({ ...axis, label, symbol: label });
    const index = names.indexOf(shown.replace(/^(re|im) /, ''));
    const second = names[(index + 1) % names.length] ?? 'v';
    const views = experiment.views
      .filter((v) => keys.includes(v.key) || v.kind === 'curves')
      .sort((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key))
      .map((v): ViewSpec => {
        if (v.key === 'phase') return { ...v, x: named(v.x, names[index] ?? shown), y: named(v.y, second) };
        if (v.key === 'lines') return { ...v, y: { ...v.y, label: 'value', symbol: names.join(', ') } };
        if (v.key === 'difference-plane') return { ...v, value: named(v.value, `${shown} - exact`) };
        if (v.key === 'field' && facts.dimension === 3) return { ...v, label: 'middle slice', colors, value: named(v.value, shown) };
        return v.kind === 'field' || v.kind === 'volume' || v.kind === 'points' ? { ...v, colors, value: named(v.value, shown) } : v;
      });
    const shape = JSON.stringify([keys, colors, names, shown, facts.texts.preset]);
    if (shape === this.shape) return;
    const before = model.view?.key;
    const first = this.shape === '' || !before || !keys.includes(before);
    this.shape = shape;
    model.experiment = { ...experiment, views };
    // A form of one's own has only the rest of a preset behind it.
    const wanted = this.form.equations?.trim() ? undefined : facts.about?.view;
    model.showView(first ? (wanted && keys.includes(wanted) ? wanted : keys[0]!) : before);
  }

  /** The field on the stage: the one chosen, else the preset's, else the first. */
  private shownField(names: string[]): string {
    const own = this.form.shown?.trim() || (this.form.equations?.trim() ? '' : (this.facts?.about?.field ?? ''));
    return names.includes(own.replace(/^(re|im) /, '')) || names.includes(own) ? own : (names[0] ?? 'u');
  }

  private choosePreset(key: string): void {
    this.shape = '';
    clearTimeout(this.timer);
    this.form = Object.fromEntries(this.experiment!.params.map((p) => [p.key, p.key === 'preset' ? key : p.default]));
    void this.check(true, false);
  }

  private fix(error: FormError): void {
    const text = this.textOf(error.key);
    const next = text.slice(0, error.start) + (error.replacement ?? '') + text.slice(error.end);
    if (error.key === 'equations' && this.editor) this.editor.replace(error.start, error.end, error.replacement ?? '');
    else this.edit(error.key, next, 0);
  }

  private slide(parameter: ParameterFact, text: string, isDraft: boolean): void {
    const parameters = withPair(this.form.parameters ?? '', parameter.name, text);
    this.form = { ...this.form, parameters };
    this.facts = { ...this.facts!, parameters: this.facts!.parameters!.map((p) => (p.name === parameter.name ? { ...p, value: Number(text) } : p)) };
    this.model?.set('parameters', parameters, isDraft);
  }

  private async refine(): Promise<void> {
    const { model } = this;
    if (!model) return;
    this.isRefining = true;
    this.refineError = '';
    this.refining = undefined;
    const dt = model.panes[0]?.latest[model.experiment.metrics.findIndex((m) => m.key === 'dt') + 1] ?? 0;
    try {
      this.refining = await model.refine<RefineReport>(JSON.stringify(formForRust(this.form)), dt, (report) => (this.refining = report));
    } catch (thrown) {
      this.refineError = (thrown as Error).message;
    }
    this.isRefining = false;
  }

  protected override render() {
    const { experiment, facts } = this;
    if (!experiment) return html`<section class="missing"><h1>There is no equation lab in this build</h1><p>Build the bundle “equations” to have it.</p></section>`;
    const about = facts?.about;
    const isOwn = Boolean(this.form.equations?.trim());
    return html`<article class="experiment lab">
      <header class="head">
        <div>
          <p class="citation">Equation lab</p>
          <h1>${isOwn || !about?.title ? 'Type an equation' : about.title}</h1>
          <p class="lead">${isOwn || !about?.summary ? experiment.summary : about.summary}</p>
        </div>
        <div class="tools"><eddy-device .model=${this.model}></eddy-device></div>
      </header>
      <div class="lab-layout">
        <section class="lab-form card" aria-label="The problem">
          ${this.presetPicker()}
          ${this.linkEntry()}
          <div class="lab-field">
            <h2 class="heading">Equations</h2>
            <div class="lab-code"></div>
            ${this.errors('equations')}
          </div>
          <div class="lab-latex" role="group" aria-label="Formulas"></div>
          ${this.sliders()}
          ${this.confirmation()}
          <details class="lab-more">
            <summary>Domain, start and method ${icon('chevronDown')}</summary>
            ${this.more()}
          </details>
        </section>
        <div class="lab-run">
          <eddy-experiment controls="none" autoplay no-baseline .permalink=${this.permalink} .revisit=${this.revisit}
            @eddy-model=${(e: Event) => this.adopt((e as CustomEvent<RunModel>).detail)}></eddy-experiment>
          ${this.fieldChoices()}
          ${this.pictureChoice()}
          ${!isOwn && about?.look_for ? html`<p class="lab-look"><b>Look for</b> ${about.look_for}</p>` : nothing}
          ${!isOwn && about?.question ? html`<p class="lab-look"><b>Try</b> ${about.question}</p>` : nothing}
          ${this.method()}
          ${this.networkLink()}
        </div>
      </div>
      <eddy-plots .model=${this.model}></eddy-plots>
      ${this.exports()}
      <eddy-tabs .experiment=${experiment} .model=${this.model}></eddy-tabs>
    </article>`;
  }

  private presetPicker(): TemplateResult {
    const groups = new Map<string, Preset[]>();
    for (const p of this.presets) groups.set(p.group ?? 'Others', [...(groups.get(p.group ?? 'Others') ?? []), p]);
    const isOwn = Boolean(this.form.equations?.trim());
    return html`<label class="lab-field"><span class="heading">Begin from</span>
      <span class="select"><select class="lab-preset" @change=${(e: Event) => (e.target as HTMLSelectElement).value && this.choosePreset((e.target as HTMLSelectElement).value)}>
        <option value="" .selected=${live(isOwn)}>${isOwn ? 'Your own equations' : 'Choose a preset'}</option>
        ${[...groups].map(
          ([name, list]) => html`<optgroup label=${name}>${list.map((p) => html`<option value=${p.key} .selected=${live(!isOwn && p.key === this.form.preset)}>${p.title ?? p.key}</option>`)}</optgroup>`,
        )}
      </select>${icon('chevronDown')}</span></label>${this.errors('preset')}`;
  }

  /** A link of VisualPDE becomes a form. */
  private linkEntry() {
    return html`<div class="lab-field lab-import">
      <input class="lab-link" type="text" inputmode="url" autocomplete="off" spellcheck="false" aria-label="VisualPDE link" placeholder="or paste a VisualPDE link"
        @change=${(e: Event) => void this.importLink(e.target as HTMLInputElement)} />
      ${this.importNotes.length ? html`<ul class="lab-notes" role="status">${this.importNotes.map((note) => html`<li>${note}</li>`)}</ul>` : nothing}
    </div>`;
  }

  private async importLink(input: HTMLInputElement): Promise<void> {
    const link = input.value.trim();
    if (!link || !this.model) return;
    try {
      const { texts, notes } = await this.model.ask<{ texts: Record<string, string | number>; notes: string[] }>('import', link);
      input.value = '';
      this.importNotes = notes;
      this.shape = '';
      this.form = Object.fromEntries(this.experiment!.params.map((p) => [p.key, p.key in texts ? String(texts[p.key]) : p.default]));
      await this.check(true, false);
    } catch (thrown) {
      this.importNotes = [thrown instanceof Error ? thrown.message : String(thrown)];
    }
  }

  private errors(key: string) {
    const found = (this.facts?.errors ?? []).filter((e) => e.key === key);
    if (!found.length) return nothing;
    return html`<ul class="lab-errors" role="alert">
      ${found.map(
        (e) => html`<li>${icon('alert')}<span>${this.lineOf(e)}<span class="lab-message">${e.message} ${e.hint}</span></span>
          ${e.replacement === null ? nothing : html`<button class="button lab-fix" type="button" @click=${() => this.fix(e)}>Use <code>${e.replacement}</code></button>`}</li>`,
      )}
    </ul>`;
  }

  private lineOf(error: FormError) {
    const text = this.textOf(error.key);
    if (error.key !== 'equations' || !text.includes('\n')) return nothing;
    const before = text.slice(0, error.start);
    const line = before.split('\n').length;
    return html`<button class="lab-line" type="button" @click=${() => this.editor?.select(error.start, error.end)}>Line ${line}, character ${error.start - before.lastIndexOf('\n')}</button> `;
  }

  private sliders() {
    const parameters = this.facts?.parameters ?? [];
    if (!parameters.length) return nothing;
    return html`<div class="lab-sliders" role="group" aria-label="Parameters">
      ${parameters.map((p) => {
        const [low, high] = p.range ?? rangeAround(p.value);
        const step = (high - low) / 400;
        return html`<label class="lab-slider"><span class="mono">${p.name}${p.unit ? html`<span class="unit">${unitText(p.unit)}</span>` : nothing}</span>
          <input type="range" min=${low} max=${high} step=${step} .value=${live(String(p.value))} aria-label=${p.name}
            @input=${(e: Event) => this.slide(p, tidy((e.target as HTMLInputElement).value), true)} @change=${() => this.model?.endGesture()} />
          <input class="entry number" type="text" inputmode="decimal" autocomplete="off" .value=${tidy(String(p.value))} aria-label="${p.name}, number${p.unit ? ` in ${p.unit}` : ''}"
            @change=${(e: Event) => this.enter(p, e.target as HTMLInputElement)} />
        </label>`;
      })}
    </div>`;
  }

  /** A typed value. The entry is not bound live: a running run draws the page anew many times while one types. */
  private enter(p: ParameterFact, input: HTMLInputElement): void {
    const text = input.value.trim();
    if (text && Number.isFinite(Number(text))) this.slide(p, text, false);
    else input.value = tidy(String(p.value));
  }

  private more(): TemplateResult {
    const select = (key: string, label: string, options: readonly (readonly [string, string])[]) => html`<label class="lab-entry"><span>${label}</span>
      <span class="select"><select @change=${(e: Event) => this.edit(key, (e.target as HTMLSelectElement).value, 0)}>
        ${options.map(([value, text]) => html`<option value=${value} .selected=${live(value === (this.textOf(key) || 'auto'))}>${text}</option>`)}
      </select>${icon('chevronDown')}</span></label>`;
    return html`<div class="lab-grid">
        ${ENTRIES.map(
          ([key, label, hint]) => html`<label class="lab-entry"><span>${label}</span>
            <input class="mono" type="text" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder=${hint} .value=${live(this.textOf(key))} data-key=${key}
              aria-invalid=${(this.facts?.errors ?? []).some((e) => e.key === key) ? 'true' : 'false'}
              @input=${(e: Event) => this.edit(key, (e.target as HTMLInputElement).value)} />${this.errors(key)}</label>`,
        )}
        ${select('space', 'Method in space', SPACE)}
        ${select('time', 'Method in time', TIME.map((name) => [name, name === 'auto' ? 'chosen for you' : name] as const))}
        <label class="lab-entry"><span>Seed</span><input class="mono" type="text" inputmode="numeric" autocomplete="off" .value=${this.form.seed ?? '1'} data-key="seed"
          @change=${(e: Event) => this.edit('seed', String(Math.max(0, Math.floor(Number((e.target as HTMLInputElement).value) || 1))), 0)} /></label>
      </div>
      ${AREAS.map(
        ([key, label, hint]) => html`<label class="lab-entry wide"><span>${label}</span>
          <textarea class="mono" rows="2" autocapitalize="off" spellcheck="false" placeholder=${hint} data-key=${key} .value=${live(this.textOf(key))}
            @input=${(e: Event) => this.edit(key, (e.target as HTMLTextAreaElement).value)}></textarea>${this.errors(key)}</label>`,
      )}
      ${this.errors('space')}${this.errors('time')}${this.errors('every')}${this.errors('tolerance')}${this.errors('parameters')}`;
  }

  /** What is large runs when it is asked for. */
  private confirmation() {
    return html`<div role="status">${this.waiting
      ? html`<p class="lab-warning">${icon('alert')} <span>The grid holds ${this.waiting.toLocaleString('en')} numbers: a step may take seconds.</span>
          <button class="button lab-confirm" type="button" @click=${() => void this.check(true, true, true)}>Run it</button></p>`
      : nothing}</div>`;
  }

  /** A picture as the initial values of the field shown. */
  private pictureChoice() {
    if (this.facts?.dimension !== 2) return nothing;
    return html`<div class="lab-picture">
      <label class="button">${icon('image')} Begin from a picture
        <input class="lab-file" type="file" accept="image/*" @change=${(e: Event) => void this.loadPicture(e.target as HTMLInputElement)} /></label>
      ${this.model?.picture ? html`<button class="button quiet" type="button" @click=${() => void this.dropPicture()}>${icon('x')} Without the picture</button>` : nothing}
      <span role="status">${this.pictureNote}</span>
    </div>`;
  }

  private async loadPicture(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0];
    input.value = '';
    if (!file || !this.model) return;
    try {
      const [{ shadesOf }, { textFromPicture }] = await Promise.all([import('../lab/picture'), import('../lib/picture-code')]);
      const shades = await shadesOf(file);
      // What the address holds besides, and some strokes, are to fit too; a longer link says so in Share.
      const rest = `${location.href.replace(/#.*$/, '')}${experimentHref(plainLink(this.model.permalink))}`.length;
      const text = await textFromPicture({ ...shades, field: this.model.values.get('shown') ?? '' }, Math.min(1500, Math.max(400, LINK_LIMIT - 250 - rest)));
      const taken = await this.model.load(text);
      this.pictureNote = taken
        ? `The picture stands in for the initial values, ${shades.columns} × ${shades.values.length / shades.columns} points of it, as the link holds it.`
        : 'The field shown does not step by itself and takes no picture. Choose another field.';
    } catch (thrown) {
      this.pictureNote = thrown instanceof Error ? thrown.message : String(thrown);
    }
  }

  private async dropPicture(): Promise<void> {
    await this.model?.load('');
    this.pictureNote = '';
  }

  private fieldChoices() {
    const fields = this.facts?.fields ?? [];
    const shown = (keys: string[]) => this.shownField(keys);
    const isPlane = this.facts?.dimension === 2 && this.model?.view?.key === 'field';
    return html`${fieldChips(fields, shown, (key) => this.choose('shown', key))}
      ${isPlane ? brushChoice(fields, this.brush || shown(fields.map((f) => f.name)), (key) => this.choose('brush', key)) : nothing}`;
  }
  private choose(key: 'shown' | 'brush', field: string): void {
    this.form = { ...this.form, [key]: field };
    this.model?.set(key, field);
    if (this.facts && this.model) this.dress(this.model, this.facts);
  }
  /** The field that the brush paints, '' for the one shown. */
  private get brush(): string {
    return this.form.brush?.trim() || (this.form.equations?.trim() ? '' : (this.facts?.about?.brush ?? ''));
  }

  /** The same problem for a network; noise it cannot learn. */
  private networkLink() {
    const { facts } = this;
    const network = experimentById('typed-pinn');
    if (!network || !facts || facts.errors.length || facts.hasNoise) return nothing;
    const isOwn = Boolean(this.form.equations?.trim());
    const key = this.form.preset ?? '';
    const preset = network.params.find((p) => p.key === 'preset');
    const known = !isOwn && preset?.kind === 'choice' && preset.options.some(([option]) => option === key);
    // A preset that the network's page knows needs only its name and what was changed; any other goes in full.
    const from = known ? this.form : texts(facts);
    const values = new Map(network.params.filter((p) => p.kind === 'text' && p.key in from).map((p) => [p.key, String(from[p.key]).trim()]));
    if (known) values.set('preset', key);
    return html`<p class="lab-look"><a class="lab-network" href=${experimentHref(textFromValues(network, values))}>Train a network on these equations</a></p>`;
  }

  private method() {
    const method = this.facts?.method;
    if (!method) return nothing;
    const dt = this.model?.panes[0]?.latest[(this.experiment?.metrics.findIndex((m) => m.key === 'dt') ?? -2) + 1];
    const isOnGpu = method.gpu.time !== null && !!this.model?.device && !this.model.device.startsWith('CPU');
    const [space, time] = isOnGpu ? [method.gpu.space, method.gpu.time] : [method.space, method.time];
    return html`<section class="card lab-method" aria-label="Method">
      <h2>${time ? html`<span class="lab-name">${time}</span>${space && space !== 'none' ? html` in time, <span class="lab-name">${space}</span> in space` : ' in time'}` : 'Method'}</h2>
      <ul>${isOnGpu ? nothing : method.reasons.map((r) => html`<li>${r}</li>`)}<li>${method.gpu.text}</li></ul>
      <dl class="number">
        <div><dt>Step now</dt><dd>${dt && Number.isFinite(dt) ? numberText(dt, 3) : 'not yet'}</dd></div>
        ${method.tolerance !== null && !isOnGpu ? html`<div><dt>Error allowed per step</dt><dd>${numberText(method.tolerance, 2)}</dd></div>` : nothing}
        ${limit(method)}
      </dl>
      ${method.warnings.map((w) => html`<p class="lab-warning">${icon('alert')} <span>${w}</span></p>`)}
      ${this.refinement()}
    </section>`;
  }

  private refinement(): TemplateResult {
    const report = this.refining;
    return html`<div class="lab-refine">
      <button class="button" type="button" ?disabled=${this.facts?.hasNoise ?? false} @click=${() => (this.isRefining ? this.model?.stopRefining() : void this.refine())}>
        ${this.isRefining ? html`${icon('x')} Stop, ${Math.round(100 * (report?.fraction ?? 0))} %` : 'Refine: how large is the error?'}</button>
      ${this.refineError ? html`<p class="lab-warning" role="alert">${icon('alert')} <span>${this.refineError}</span></p>` : nothing}
      ${report?.studies
        ? html`<div class="table-frame" tabindex="0" role="group" aria-label="Refinement study"><table>
            <thead><tr><th scope="col"></th><th scope="col">sizes</th><th scope="col">differences</th><th scope="col">order seen</th></tr></thead>
            <tbody>${row('Δt', report.studies.time)}${row('Δx', report.studies.space)}</tbody></table></div>
            ${[report.studies.time, report.studies.space].map((s) => (s ? html`<p class="faint">${s.note}</p>` : nothing))}
            <p class="faint">${report.time} in time, ${report.space} in space, up to t = ${numberText(report.end, 3)}.</p>`
        : nothing}
    </div>`;
  }

  private exports() {
    const toml = this.facts?.toml;
    const numpy = this.facts?.method?.numpy;
    if (!toml) return nothing;
    return html`<details class="lab-more lab-export"><summary>Run it on the command line ${icon('chevronDown')}</summary>
        <p>Save this as <code>problem.toml</code>; <code>eddy solve problem.toml --out result.npz</code> gives the same numbers.</p>
        <pre class="code" tabindex="0">${toml}</pre>
        <p>${this.copyButton(toml, 'Copy problem file')}</p>
      </details>
      ${numpy
        ? html`<details class="lab-more lab-numpy"><summary>As a Python script with NumPy ${icon('chevronDown')}</summary>
            ${numpy.script
              ? html`<p>Fourier derivatives and classical Runge-Kutta steps, on its own.</p><pre class="code" tabindex="0">${numpy.script}</pre><p>${this.copyButton(numpy.script, 'Copy script')}</p>`
              : html`<p>${numpy.text}</p>`}
          </details>`
        : nothing}`;
  }

  private copyButton(text: string, label: string) {
    const isCopied = this.copied === text;
    return html`<button class="button" type="button" @click=${() => void this.copy(text)}>${icon(isCopied ? 'check' : 'copy')} ${isCopied ? 'Copied' : label}</button>`;
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

function limit(method: MethodFact) {
  const first = method.limits[0];
  return first ? html`<div><dt>Explicit steps are limited by</dt><dd>${first.process}, Δt ≤ ${numberText(first.dt, 3)}</dd></div>` : nothing;
}

function row(name: string, study: Study | null) {
  if (!study) return nothing;
  return html`<tr><th scope="row">${name}</th><td class="number">${study.sizes.map((s) => numberText(s, 3)).join(', ')}</td>
    <td class="number">${study.differences.map((d) => (d === null ? 'rounding' : numberText(d, 2))).join(', ')}</td><td class="number lab-order">${study.order === null ? 'none' : study.order.toFixed(2)}</td></tr>`;
}

/** The preset's texts as the form's own. */
function texts(facts: Facts): Form {
  return Object.fromEntries(Object.entries(facts.texts).map(([key, text]) => [key, String(text)]));
}

/** The form as the Rust side reads it: `seed` is a number, and what only the page knows stays here. */
function formForRust(form: Form): Record<string, string | number> {
  const { shown: _shown, probe: _probe, seed, ...rest } = form;
  return { ...rest, seed: Number(seed ?? 1) || 0 };
}

function rangeAround(value: number): [number, number] {
  if (value === 0) return [-1, 1];
  return value > 0 ? [0, 3 * value] : [3 * value, 0];
}

const tidy = (text: string): string => String(Number(Number(text).toPrecision(5)));
