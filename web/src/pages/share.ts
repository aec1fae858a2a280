/** Share: the link and its QR code, files of the run, snippets for other sites, the command, the reference. */
import { LitElement, html, nothing, svg, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import encodeQr from 'qr';
import { Watch } from '../element/watch';
import type { Experiment, SourceText } from '../lib/catalog';
import { Film, csvOf, npyOf, npzOf, permalinkFromSettings, pngOf, save, scriptOf, settingsOf, wavOf, weightsOf, type Exported } from '../lib/exports';
import { icon } from '../lib/icons';
import { LINK_LIMIT, linkFromText, plainLink } from '../lib/permalink';
import { experimentHref } from '../lib/router';
import type { RunModel } from '../lib/run-model';
import { SNIPPETS } from '../lib/snippets';
import { searchFromTeaching, type Teaching } from '../lib/teach';

/** More than this the densest code cannot be read off a projector. */
const QR_LIMIT = 1200;

@customElement('eddy-share')
export class EddyShare extends LitElement {
  @property({ attribute: false }) experiment!: Experiment;
  @property({ attribute: false }) model?: RunModel;
  @property({ attribute: false }) source?: SourceText;
  @state() private copied = '';
  @state() private host = 'html';
  @state() private lesson: Teaching = { lock: [], hide: [], present: false, ask: undefined };
  @state() private question = '';
  @state() private busy = '';
  @state() private said = '';
  /** Whether the run trains a network, whether it is written in Python too, and for which settings that was asked. */
  @state() private trains = false;
  @state() private isScripted = false;
  private asked = '';
  @state() private stopFilm: (() => void) | undefined;

  constructor() {
    super();
    new Watch(this, ['settings']);
  }
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has('model')) this.asked = '';
    if (!this.asked) this.ask();
  }

  /**
   * Asks what the run can give: when this is opened, and when somebody reaches for the files of other settings. Weights and
   * a script are long, so not at every move of a control.
   */
  private ask = (): void => {
    const { model } = this;
    if (model?.status !== 'ready' || this.asked === model.permalink) return;
    this.asked = model.permalink;
    model.readWeights().then(
      (weights) => (this.trains = weights !== undefined),
      () => (this.asked = ''),
    );
    // Where one is refused, the button says why.
    model.readScript().then(
      (script) => (this.isScripted = script !== undefined),
      () => (this.isScripted = true),
    );
  };

  private get permalink(): string {
    return this.model?.permalink ?? this.experiment.id;
  }
  private get site(): string {
    return location.href.replace(/[#?].*$/, '').replace(/[^/]*$/, '');
  }

  protected override render() {
    const { site } = this;
    const whole = this.permalink;
    const plain = plainLink(whole);
    const { strokes, picture } = linkFromText(whole);
    const extras = [strokes && 'strokes', picture && 'picture'].filter(Boolean).join(' and ');
    const { length } = `${site}${experimentHref(whole)}`;
    const isCut = plain !== whole && length > LINK_LIMIT;
    const permalink = isCut ? plain : whole;
    const address = `${site}${experimentHref(permalink)}`;
    const snippet = SNIPPETS.find((s) => s.key === this.host) ?? SNIPPETS[0]!;
    const text = snippet.text({ site, permalink, title: this.experiment.title, lock: this.lesson.lock, hide: this.lesson.hide });
    return html`
      <section class="share-link">
        <div class="share-row"><h2 class="heading">Link to these settings</h2><pre class="code" tabindex="0">${address}</pre>${this.copyButton(address, 'Copy link')}
          ${isCut || this.model?.isPaintingLost ? this.tooLong(length, extras) : nothing}
          ${!isCut && extras ? html`<p class="faint">${picture ? 'The link holds the picture that the run began from. ' : ''}${strokes ? 'It paints your strokes again at their moments.' : ''}</p>` : nothing}</div>
        ${this.qr(address)}
      </section>
      <section class="share-row"><h2 class="heading">Files of this run</h2>
        <div class="files" @pointerenter=${this.ask} @focusin=${this.ask}>
          ${this.file('Picture (PNG)', pngOf)}
          ${this.film()}
          ${this.file('Record (CSV)', csvOf)}
          ${this.file('This view (NPY)', npyOf)}
          ${this.file('All numbers (NPZ)', npzOf)}
          ${this.experiment.views.some((v) => v.heard) ? this.file('Sound (WAV)', wavOf) : nothing}
          ${this.file('Settings (JSON)', async (m) => settingsOf(m))}
          ${this.source?.bibtex ? this.file('Reference (BibTeX)', async (m) => ({ name: `${m.experiment.id}.bib`, blob: new Blob([this.source!.bibtex], { type: 'application/x-bibtex' }) })) : nothing}
          <label class="button">Open settings…<input class="visually-hidden" type="file" accept="application/json,.json" @change=${this.openSettings} /></label>
          ${this.trains ? html`${this.file('Weights (safetensors)', weightsOf)}
          <label class="button">Load weights…<input class="visually-hidden" type="file" accept=".safetensors" @change=${this.loadWeights} /></label>` : nothing}
          ${this.isScripted ? this.file('Script (Python, JAX)', scriptOf) : nothing}
        </div>
        <p role="status" class="faint">${this.said}</p>
      </section>
      <section class="share-row"><h2 class="heading">The same run on the command line</h2>
        <pre class="code" tabindex="0">./eddy run "${plain}"</pre>${this.copyButton(`./eddy run "${plain}"`, 'Copy command')}
        ${extras ? html`<p class="faint">Without ${extras}, which are for the page only.</p>` : nothing}</section>
      ${this.classLink(permalink)}
      <section class="share-row"><h2 class="heading">A live figure on another site</h2>
        <label class="select"><span class="visually-hidden">What the site is made with</span>
          <select @change=${(e: Event) => (this.host = (e.target as HTMLSelectElement).value)}>
            ${SNIPPETS.map((s) => html`<option value=${s.key} ?selected=${s.key === this.host}>${s.label}</option>`)}
          </select>${icon('chevronDown')}</label>
        <p class="faint">${snippet.note}${this.lesson.lock.length + this.lesson.hide.length ? ' Controls are locked and hidden as in the link for a class.' : ''}</p>
        <pre class="code snippet" tabindex="0">${text}</pre>${this.copyButton(text, 'Copy snippet')}</section>`;
  }

  /** Why the link is without what was painted or put in, and what holds it. */
  private tooLong(length: number, extras: string) {
    return this.model?.isPaintingLost
      ? html`<p class="missed" role="status">There is more painting here than a link or a settings file keeps; both leave it out. The arrays hold its result.</p>`
      : html`<p class="missed" role="status">With ${extras} the link has ${length.toLocaleString('en')} characters. Many programs cut links over ${LINK_LIMIT.toLocaleString('en')}, so this one leaves that out; the settings file holds it.</p>
          ${this.file(`Settings with ${extras} (JSON)`, async (m) => settingsOf(m))}`;
  }

  /** A teacher's link: controls locked or hidden, a question first. */
  private classLink(permalink: string) {
    const { params } = this.experiment;
    const set = (key: string, what: string) => {
      const without = (list: string[]) => list.filter((k) => k !== key);
      this.lesson = {
        ...this.lesson,
        lock: what === 'lock' ? [...without(this.lesson.lock), key] : without(this.lesson.lock),
        hide: what === 'hide' ? [...without(this.lesson.hide), key] : without(this.lesson.hide),
      };
    };
    const [text = '', ...rest] = this.question.split('\n').map((l) => l.trim()).filter(Boolean);
    const ask = rest.length > 1 ? { text, options: rest.map((o) => ({ text: o.replace(/^\*\s*/, ''), isRight: o.startsWith('*') })) } : undefined;
    const address = `${this.site}${searchFromTeaching({ ...this.lesson, ask })}${experimentHref(permalink)}`;
    return html`<details class="share-row class-link"><summary class="heading">A link for a class</summary>
      <p class="faint">The settings above, with controls locked or hidden and a question before the run.</p>
      <div class="locks">
        ${params.map(
          (p) => html`<label><span>${p.label}</span><select @change=${(e: Event) => set(p.key, (e.target as HTMLSelectElement).value)}>
            <option value="">free</option><option value="lock">locked</option><option value="hide">hidden</option></select></label>`,
        )}
      </div>
      <label class="stacked">Question, then one choice a line; an asterisk marks the right one
        <textarea rows="4" spellcheck="false" placeholder=${'What happens to the front?\nIt moves faster.\n* It becomes thicker.'} @input=${(e: Event) => (this.question = (e.target as HTMLTextAreaElement).value)}></textarea></label>
      <label class="tick"><input type="checkbox" @change=${(e: Event) => (this.lesson = { ...this.lesson, present: (e.target as HTMLInputElement).checked })} /> opens in the presenter view</label>
      <pre class="code" tabindex="0">${address}</pre>${this.copyButton(address, 'Copy link for a class')}
    </details>`;
  }

  /** The link as a code for phones: dark on light in both themes, with the four modules of rim that readers need. */
  private qr(address: string) {
    if (address.length > QR_LIMIT) return html`<p class="faint qr-none">This link is too long for a code that a phone reads.</p>`;
    const rows = encodeQr(address, 'raw', { ecc: address.length > 400 ? 'low' : 'medium', border: 4 });
    const size = rows.length;
    const path = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
    return html`<svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label="QR code of the link" shape-rendering="crispEdges">
      ${svg`<rect width=${size} height=${size} fill="#fff"></rect><path d=${path} fill="#000"></path>`}</svg>`;
  }

  private file(label: string, make: (model: RunModel) => Promise<Exported>) {
    return html`<button class="button" type="button" ?disabled=${this.model?.status !== 'ready' || this.busy !== ''} @click=${() => void this.export(label, make)}>
      ${icon('download')} ${label}</button>`;
  }

  private film() {
    if (!Film.isPossible) return nothing;
    return this.stopFilm
      ? html`<button class="button" type="button" @click=${() => this.stopFilm?.()}>Stop filming</button>`
      : html`<button class="button" type="button" ?disabled=${this.model?.status !== 'ready' || this.busy !== ''} @click=${() => void this.record()}>${icon('download')} Film (WebM)</button>`;
  }

  private async export(label: string, make: (model: RunModel) => Promise<Exported>): Promise<void> {
    const { model } = this;
    if (!model) return;
    this.busy = label;
    try {
      const file = await make(model);
      save(file);
      this.said = `Saved ${file.name}, ${Math.max(1, Math.round(file.blob.size / 1024))} kB.`;
    } catch (thrown) {
      this.said = `Not saved: ${(thrown as Error).message}`;
    }
    this.busy = '';
  }

  /** Films from here on: the run plays, from its start if it was over. */
  private async record(): Promise<void> {
    const { model } = this;
    if (!model) return;
    this.busy = 'film';
    try {
      if (model.ended) await model.restart();
      model.play();
      const { stop, film } = await Film.record(model);
      this.stopFilm = stop;
      this.said = 'Filming until the run ends.';
      const file = await film;
      save(file);
      this.said = `Saved ${file.name}, ${Math.max(1, Math.round(file.blob.size / 1024))} kB.`;
    } catch (thrown) {
      this.said = `No film: ${(thrown as Error).message}`;
    }
    this.stopFilm = undefined;
    this.busy = '';
  }

  private openSettings = async (event: Event): Promise<void> => {
    const input = event.target as HTMLInputElement;
    const chosen = input.files?.[0];
    input.value = '';
    if (!chosen) return;
    try {
      location.hash = experimentHref(permalinkFromSettings(await chosen.text()));
    } catch (thrown) {
      this.said = (thrown as Error).message;
    }
  };

  private loadWeights = async (event: Event): Promise<void> => {
    const input = event.target as HTMLInputElement;
    const chosen = input.files?.[0];
    input.value = '';
    if (!chosen || !this.model) return;
    try {
      await this.model.setWeights(new Uint8Array(await chosen.arrayBuffer()));
      this.said = `Loaded ${chosen.name}: training goes on from it.`;
    } catch (thrown) {
      this.said = `Not loaded: ${(thrown as Error).message}`;
    }
  };

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
