/** Handles on the probe and on the sources of a typed problem, to be dragged over the picture. Loaded when first needed. */
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { pairs, withPair, type Facts } from '../lab/facts';
import { cssom } from '../lib/cssom';
import { numberText } from '../lib/format';
import { ARROWS, placeAt } from '../lib/handles';
import { probeAt, probeText, short, sources, type Coordinate, type Place } from '../lib/places';
import type { RunModel } from '../lib/run-model';
import type { Range } from '../worker/protocol';
import { Watch } from './watch';

/** Of an arrow key, as a part of the picture. */
const NUDGE = 0.01;

@customElement('eddy-places')
export class EddyPlaces extends LitElement {
  static override styles = css`
    :host { position: absolute; pointer-events: none; overflow: hidden; }
    button {
      position: absolute; width: 28px; height: 28px; margin: -14px 0 0 -14px; padding: 0; border: 0; background: none; color: #fff; cursor: grab;
      pointer-events: auto; touch-action: none; filter: drop-shadow(0 0 1px rgb(14 17 22)) drop-shadow(0 0 1px rgb(14 17 22));
    }
    .line { border-left: 1.5px dashed currentColor; position: absolute; top: 0; bottom: 0; color: var(--stage-faint); pointer-events: none; }
    svg { display: block; width: 100%; height: 100%; fill: none; stroke: currentColor; stroke-width: 2; }
    button:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 50%; }
    button:active { cursor: grabbing; }
  `;
  @property({ attribute: false }) model?: RunModel;
  @property({ attribute: false }) x: Range = [0, 1];
  @property({ attribute: false }) y: Range = [0, 1];
  /** Axes of the picture that are coordinates: one for curves over x. */
  @property({ attribute: false }) axes: 1 | 2 = 2;
  /** Parameters of the problem with the values that its own text gives them, and the texts that they were read from. */
  @state() private parameters: Coordinate[] = [];
  private readFrom = '';
  /** The place that is dragged, and where it was seized beside its middle, in pixels. */
  private held: { key: string; dx: number; dy: number } | undefined;

  constructor() {
    super();
    new Watch(this, ['settings']);
  }

  protected override updated(): void {
    void this.read();
  }

  /** The names and ranges of the parameters, asked for when the problem is another. */
  private async read(): Promise<void> {
    const { model } = this;
    if (!model || model.status === 'loading') return;
    const form = Object.fromEntries([...model.values].filter(([key]) => key !== 'parameters'));
    const from = JSON.stringify(['preset', 'equations', 'x', 'y', 'z'].map((key) => form[key]));
    if (from === this.readFrom) return;
    this.readFrom = from;
    const facts = await model.ask<Facts>('analyse', JSON.stringify({ ...form, seed: Number(form.seed) })).catch(() => undefined);
    if (from === this.readFrom) this.parameters = (facts?.parameters ?? []).map(({ name, value, range }) => ({ name, value, range }));
  }

  private get probe(): string {
    return this.model?.values.get('probe') ?? '';
  }
  private get places(): Place[] {
    const { model } = this;
    if (!model) return [];
    const own = pairs(model.values.get('parameters') ?? '');
    const now = this.parameters.map((parameter) => {
      const value = Number(own.get(parameter.name) ?? NaN);
      return Number.isFinite(value) ? { ...parameter, value } : parameter;
    });
    return [
      // One that nobody has put there would be in the way of the brush.
      ...(model.isFixed('probe') || !this.probe.trim() ? [] : [probeAt(this.probe, [this.x, this.y].slice(0, this.axes))]),
      ...(model.isFixed('parameters') ? [] : sources(now, this.axes)),
    ];
  }

  private put(place: Place, to: readonly number[], isDraft: boolean): void {
    const { model } = this;
    if (!model) return;
    const at = to.map((value, i) => {
      const [low, high] = i === 0 ? this.x : this.y;
      const [least, most] = place.bounds[i] ?? [-Infinity, Infinity];
      return short(Math.min(most, Math.max(least, value)), high - low);
    });
    if (!place.key) model.set('probe', probeText(this.probe, at), isDraft);
    else {
      const text = place.names.reduce((all, name, i) => withPair(all, name, at[i]!), model.values.get('parameters') ?? '');
      model.set('parameters', text, isDraft);
    }
  }

  private onDown(event: PointerEvent, place: Place): void {
    if (event.button !== 0) return;
    const grip = event.currentTarget as HTMLElement;
    const box = grip.getBoundingClientRect();
    event.preventDefault();
    event.stopPropagation();
    grip.focus();
    grip.setPointerCapture(event.pointerId);
    this.held = { key: place.key, dx: event.clientX - (box.left + box.width / 2), dy: event.clientY - (box.top + box.height / 2) };
  }
  private onMove(event: PointerEvent, place: Place): void {
    if (this.held?.key !== place.key) return;
    const { dx, dy } = this.held;
    const to = placeAt(this.getBoundingClientRect(), event.clientX - dx, event.clientY - dy, this.x, this.y);
    this.put(place, to.slice(0, this.axes), true);
  }
  private onUp(): void {
    if (!this.held) return;
    this.held = undefined;
    this.model?.endGesture();
  }
  private onKey(event: KeyboardEvent, place: Place): void {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const far = (event.shiftKey ? 5 : 1) * NUDGE;
    this.put(place, place.at.map((value, i) => value + step[i]! * far * (i === 0 ? this.x[1] - this.x[0] : this.y[1] - this.y[0])), false);
  }

  protected override render() {
    const { x, y } = this;
    return this.places.map((place) => {
      const u = (place.at[0]! - x[0]) / (x[1] - x[0]);
      const v = this.axes === 2 ? (place.at[1]! - y[0]) / (y[1] - y[0]) : place.key ? 0.5 : 0.06;
      if (!(u >= 0 && u <= 1 && v >= 0 && v <= 1)) return nothing;
      const name = place.key ? `Source ${place.names.join(', ')}` : 'Probe';
      const where = place.at.map((value) => numberText(value, 3)).join(', ');
      return html`${this.axes === 1 ? html`<span class="line" ${cssom({ left: `${100 * u}%` })}></span>` : nothing}<button
          type="button" data-place=${place.key || 'probe'} title="${name}: drag it" aria-label="${name} at ${where}. Arrow keys move it."
          @pointerdown=${(e: PointerEvent) => this.onDown(e, place)} @pointermove=${(e: PointerEvent) => this.onMove(e, place)}
          @pointerup=${() => this.onUp()} @pointercancel=${() => this.onUp()} @keydown=${(e: KeyboardEvent) => this.onKey(e, place)}
          ${cssom({ left: `${100 * u}%`, top: `${100 * (1 - v)}%` })}
        >${place.key
          ? html`<svg viewBox="0 0 28 28" aria-hidden="true"><circle cx="14" cy="14" r="4" fill="currentColor" /><circle cx="14" cy="14" r="9" /></svg>`
          : html`<svg viewBox="0 0 28 28" aria-hidden="true"><circle cx="14" cy="14" r="7" /><path d="M14 2v8M14 18v8M2 14h8M18 14h8" /></svg>`}</button>`;
    });
  }
}
