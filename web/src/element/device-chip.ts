/** The chip that says where the run computes and how fast; a click lists the devices. */
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { rateText } from '../lib/format';
import { icon } from '../lib/icons';
import type { RunModel } from '../lib/run-model';
import { shared } from '../styles/shared';
import type { RunOptions } from '../worker/protocol';
import { Watch } from './watch';

@customElement('eddy-device')
export class EddyDevice extends LitElement {
  static override styles = [
    shared,
    css`
      :host { position: relative; display: inline-block; }
      .chip {
        display: inline-flex; align-items: center; gap: 8px; min-height: 32px; padding: 0 12px; border: 1px solid var(--line-strong); border-radius: 99px; font-size: 13px;
        color: var(--ink-soft); background: var(--surface); font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 100%; max-width: 100%; overflow: hidden;
      }
      .chip > .icon { margin-left: auto; flex: none; }
      .dot { width: 7px; height: 7px; border-radius: 50%; background: var(--good); flex: none; }
      .dot.off { background: var(--ink-faint); }
      .menu { position: absolute; z-index: 5; right: 0; top: calc(100% + 6px); width: min(320px, 90vw); padding: 8px; background: var(--surface); border: 1px solid var(--line-strong); border-radius: var(--radius-card); display: grid; gap: 2px; }
      .menu button { text-align: left; border: 0; background: none; border-radius: var(--radius); padding: 8px 10px; display: grid; gap: 1px; }
      .menu button:hover:not(:disabled) { background: var(--sunk); }
      .menu button[aria-checked='true'] { background: var(--accent-soft); }
      .menu button:disabled { opacity: 1; color: var(--ink-faint); }
      .menu small { color: var(--ink-faint); font-size: 12.5px; line-height: 1.4; }
      @media (max-width: 720px) { :host(:not([wide])) .rate { display: none; } .menu { right: auto; left: 0; } }
    `,
  ];
  @property({ attribute: false }) model?: RunModel;
  @state() private open = false;

  constructor() {
    super();
    new Watch(this, ['state', 'settings', 'engine']);
  }
  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener('click', this.onOutside);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('click', this.onOutside);
  }
  private onOutside = (event: Event) => {
    if (!event.composedPath().includes(this)) this.open = false;
  };

  private toggle(): void {
    this.open = !this.open;
    if (this.open) void this.model?.probe();
  }

  private choose(options: RunOptions): void {
    this.open = false;
    void this.model?.setOptions(options);
  }

  protected override render() {
    const model = this.model;
    if (!model) return nothing;
    const first = model.panes[0];
    const name = (model.device || (model.options.device === 'gpu' ? 'WebGPU' : `CPU · ${model.options.precision}`)).replace(/^CPU · /, 'CPU · SIMD · ');
    const rate = first && model.status === 'ready' ? rateText(first.rate, first.progress.workUnit) : '';
    const { device, precision } = model.options;
    const gpu = model.supports('gpu');
    const able = model.capabilities;
    const reason = !gpu ? 'This experiment runs on the CPU only.' : able ? (able.webgpu ? able.adapter || 'WebGPU' : able.reason) : 'Looking for an adapter…';
    const item = (options: RunOptions, label: string, note: string, enabled = true) => html`<button
      type="button" role="menuitemradio" aria-checked=${device === options.device && (device === 'gpu' || precision === options.precision)} ?disabled=${!enabled}
      @click=${() => this.choose(options)}><span>${label}</span><small>${note}</small></button>`;
    return html`<button class="chip" type="button" aria-haspopup="menu" aria-expanded=${this.open} @click=${() => this.toggle()} @keydown=${this.onKey}>
        <i class="dot ${model.status === 'ready' ? '' : 'off'}"></i><span>${name}</span>${rate ? html`<span class="rate">${rate}</span>` : nothing}${icon('chevronDown')}
      </button>
      ${this.open
        ? html`<div class="menu" role="menu" aria-label="Device" @keydown=${this.onKey}>
            ${item({ device: 'cpu', precision: 'f64' }, 'CPU · f64', 'Double precision; what claims are checked in.')}
            ${item({ device: 'cpu', precision: 'f32' }, 'CPU · f32', 'Single precision, SIMD.')}
            ${item({ device: 'gpu', precision: 'f32' }, 'WebGPU · f32', reason, gpu && able?.webgpu === true)}
          </div>`
        : nothing}`;
  }

  private onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && this.open) {
      this.open = false;
      this.renderRoot.querySelector<HTMLElement>('.chip')?.focus();
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const items = [...this.renderRoot.querySelectorAll<HTMLButtonElement>('.menu button:not(:disabled)')];
    if (!items.length) return;
    event.preventDefault();
    const now = items.indexOf((this.renderRoot as ShadowRoot).activeElement as HTMLButtonElement);
    items[(now + (event.key === 'ArrowDown' ? 1 : items.length - 1) + items.length) % items.length]?.focus();
  };
}
