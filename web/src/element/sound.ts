/** Buttons that play the curves of a view. Loaded with the first view that can be heard. */
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { icon } from '../lib/icons';
import { paneLabel } from '../lib/labels';
import type { RunModel } from '../lib/run-model';
import { soundsOf } from '../lib/sound';
import { shared } from '../styles/shared';
import type { PaneIndex } from '../worker/protocol';
import { Watch } from './watch';

@customElement('eddy-sound')
export class EddySound extends LitElement {
  static override styles = [
    shared,
    css`
      :host { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; margin-bottom: 8px; font-size: 13px; color: var(--ink-soft); min-height: 36px; }
      .button { min-height: 32px; padding: 3px 12px; }
      .pane { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; margin-right: 10px; }
    `,
  ];
  @property({ attribute: false }) model?: RunModel;
  /** Pane and name of the curve that is heard. */
  @state() private heard = '';
  @state() private said = '';
  private audio: AudioContext | undefined;
  private source: AudioBufferSourceNode | undefined;

  constructor() {
    super();
    new Watch(this, ['header', 'engine']);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop();
    void this.audio?.close();
    this.audio = undefined;
  }

  private stop(): void {
    const { source } = this;
    this.source = undefined;
    this.heard = '';
    source?.stop();
  }

  private async play(pane: PaneIndex, index: number, key: string): Promise<void> {
    const { model, heard } = this;
    const rate = model?.view?.heard;
    this.stop();
    this.said = '';
    if (!model || !rate || heard === key) return;
    try {
      const sound = soundsOf(await model.readView(model.view!.key, pane))[index];
      if (!sound?.samples.length) return;
      this.audio ??= new AudioContext();
      await this.audio.resume();
      const buffer = this.audio.createBuffer(1, sound.samples.length, rate);
      buffer.copyToChannel(sound.samples, 0);
      const source = new AudioBufferSourceNode(this.audio, { buffer });
      source.connect(this.audio.destination);
      source.onended = () => this.source === source && this.stop();
      source.start();
      this.source = source;
      this.heard = key;
    } catch {
      this.said = 'This browser plays no sound here. Share has it as a file (WAV).';
    }
  }

  protected override render() {
    const { model } = this;
    if (!model) return nothing;
    const panes = (model.hasBaseline ? [0, 1] : [0]) as PaneIndex[];
    return html`${panes.map((pane) => {
      const header = model.headers[pane];
      if (header?.kind !== 'lines') return nothing;
      // What both panes show alike is heard from the first.
      const first = model.headers[0];
      const known = pane === 1 && first?.kind === 'lines' ? first.series.filter((s) => s.role === 'reference').map((s) => s.name) : [];
      return html`<span class="pane" role="group" aria-label=${paneLabel(model, pane)}>${panes.length > 1 ? html`<span>${paneLabel(model, pane)}:</span>` : nothing}${header.series.map(({ name }, i) => {
        const key = `${pane} ${name}`;
        if (known.includes(name)) return nothing;
        return html`<button class="button" type="button" aria-pressed=${this.heard === key} aria-label="Hear ${name}${panes.length > 1 ? `, ${paneLabel(model, pane)}` : ''}" @click=${() => void this.play(pane, i, key)}>
          ${icon(this.heard === key ? 'pause' : 'play')} ${name}</button>`;
      })}</span>`;
    })}<span role="status">${this.said}</span>`;
  }
}
