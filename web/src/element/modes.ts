/** Handles on the modes of a distribution of one's own: to be dragged, added by drawing, and removed. Loaded when first needed. */
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { cssom } from '../lib/cssom';
import { numberText } from '../lib/format';
import { ARROWS, placeAt } from '../lib/handles';
import { KEY, MOST_MODES, modesOf, textOfModes, type Mode } from '../lib/modes';
import type { RunModel } from '../lib/run-model';
import type { Range } from '../worker/protocol';
import { Watch } from './watch';

/** Distance of modes on a drawn line, as a part of the picture's width. */
const STRIDE = 0.045;
/** Of an arrow key. */
const NUDGE = 0.01;

@customElement('eddy-modes')
export class EddyModes extends LitElement {
  static override styles = css`
    :host { position: absolute; touch-action: none; cursor: crosshair; overflow: hidden; }
    button {
      position: absolute; width: 26px; height: 26px; margin: -13px 0 0 -13px; padding: 0; border-radius: 50%; border: 2px solid #fff; background: rgb(255 255 255 / 0.16);
      box-shadow: 0 0 0 1px rgb(14 17 22 / 0.8); cursor: grab;
    }
    button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
    button:active { cursor: grabbing; }
  `;
  @property({ attribute: false }) model?: RunModel;
  @property({ attribute: false }) x: Range = [0, 1];
  @property({ attribute: false }) y: Range = [0, 1];
  /** Where modes are while they are moved. */
  @state() private moving: Mode[] | undefined;
  /** The one that is dragged; -1 while a line is drawn. */
  private held: number | undefined;

  constructor() {
    super();
    new Watch(this, ['settings']);
  }

  private get modes(): Mode[] {
    return this.moving ?? modesOf(this.model?.values.get(KEY) ?? '');
  }
  private put(modes: Mode[], isDraft: boolean): void {
    this.moving = isDraft ? modes : undefined;
    this.model?.set(KEY, textOfModes(modes), isDraft);
  }
  private at(event: PointerEvent): Mode {
    const [x, y] = placeAt(this.getBoundingClientRect(), event.clientX, event.clientY, this.x, this.y);
    return { x, y, rest: '' };
  }

  private onDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    event.preventDefault();
    const index = Number((event.composedPath()[0] as HTMLElement).dataset?.index ?? -1);
    this.held = index;
    this.setPointerCapture(event.pointerId);
    if (index >= 0) {
      this.renderRoot.querySelectorAll('button')[index]?.focus();
      this.moving = this.modes;
    } else if (this.modes.length < MOST_MODES) this.put([...this.modes, this.at(event)], true);
  };
  private onMove = (event: PointerEvent): void => {
    if (this.held === undefined) return;
    const modes = [...this.modes];
    const place = this.at(event);
    if (this.held >= 0) modes[this.held] = { ...modes[this.held]!, x: place.x, y: place.y };
    else {
      const last = modes.at(-1);
      const stride = STRIDE * (this.x[1] - this.x[0]);
      if (modes.length >= MOST_MODES || (last && Math.hypot(place.x - last.x, place.y - last.y) < stride)) return;
      modes.push(place);
    }
    this.put(modes, true);
  };
  private onUp = (): void => {
    if (this.held === undefined) return;
    this.held = undefined;
    this.put(this.modes, false);
    this.model?.endGesture();
  };
  private onKey(event: KeyboardEvent, index: number): void {
    const modes = [...this.modes];
    const step = ARROWS[event.key];
    if (step) {
      const far = event.shiftKey ? 5 * NUDGE : NUDGE;
      const old = modes[index]!;
      modes[index] = { ...old, x: old.x + step[0] * far * (this.x[1] - this.x[0]), y: old.y + step[1] * far * (this.y[1] - this.y[0]) };
    } else if ((event.key === 'Delete' || event.key === 'Backspace') && modes.length > 1) modes.splice(index, 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.put(modes, false);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    for (const [type, listener] of this.listening) this.addEventListener(type, listener as EventListener);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const [type, listener] of this.listening) this.removeEventListener(type, listener as EventListener);
  }
  private get listening(): [string, (event: PointerEvent) => void][] {
    return [['pointerdown', this.onDown], ['pointermove', this.onMove], ['pointerup', this.onUp], ['pointercancel', this.onUp]];
  }

  protected override render() {
    const { x, y } = this;
    return this.modes.map((mode, i) => {
      const [u, v] = [(mode.x - x[0]) / (x[1] - x[0]), (mode.y - y[0]) / (y[1] - y[0])];
      if (!(u >= 0 && u <= 1 && v >= 0 && v <= 1)) return nothing;
      return html`<button
        type="button" data-index=${i} title="Drag it; Delete removes it" aria-label="Mode ${i + 1} at ${numberText(mode.x, 3)}, ${numberText(mode.y, 3)}. Arrow keys move it, Delete removes it."
        @keydown=${(e: KeyboardEvent) => this.onKey(e, i)} ${cssom({ left: `${100 * u}%`, top: `${100 * (1 - v)}%` })}
      ></button>`;
    });
  }
}
