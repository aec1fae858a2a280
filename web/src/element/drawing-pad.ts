/** A pad to draw on, the control of a drawing: brush and eraser by pointer or by keys, drawings to begin with, a picture file. Loaded when first needed. */
import { LitElement, css, html, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { live } from 'lit/directives/live.js';
import type { DrawingParam } from '../lib/catalog';
import { colorTable } from '../lib/colormaps';
import { DEEPEST, Stroke, drawingOfPicture, drawingOfText, startingDrawings, textOfDrawing, type Drawing } from '../lib/drawing';
import { ARROWS } from '../lib/handles';
import { icon } from '../lib/icons';
import type { RunModel } from '../lib/run-model';
import { shared } from '../styles/shared';
import { controlStyles } from './control-styles';

/** Pixels along a side of the pad and of the small pictures: twice what they are shown at. */
const PIXELS = 640;
const SMALL = 80;
/** Diameters of the brush, in cells. */
const SIZES = { least: 1, most: 12, first: 3 };
/** Strokes that Undo remembers. */
const MOST_UNDONE = 100;
/** Colours of ink: the light part of the map, as ink of the lowest shade is to be seen on the dark pad. */
const [FAINT, FULL] = [70, 255];

@customElement('eddy-drawing-pad')
export class EddyDrawingPad extends LitElement {
  static override styles = [shared, controlStyles, css`
    :host { columns: auto; margin: 0; }
    .frame { position: relative; }
    canvas { display: block; background: var(--stage); }
    .pad { width: 100%; aspect-ratio: 1; border-radius: var(--radius); border: 1px solid var(--stage-line); }
    .pad[tabindex] { touch-action: none; cursor: crosshair; }
    .pad:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
    :host([wrong]) .pad { border-color: var(--stop); }
    .invite { position: absolute; inset: 0; display: grid; place-items: center; pointer-events: none; color: var(--stage-faint); font-size: 14px; }
    .tools { display: flex; align-items: center; gap: 6px; margin-top: 8px; }
    .tools .segments { flex: 1; }
    .segments .icon { width: 15px; height: 15px; margin-right: 5px; vertical-align: -2.5px; }
    .tools .button { padding: 0; width: 34px; }
    .sliders { display: grid; grid-template-columns: 1fr 1fr; column-gap: 14px; margin-top: 8px; font-size: 13px; color: var(--ink-soft); }
    .sliders label { display: grid; grid-template-columns: 1fr auto; min-width: 0; }
    .sliders input { grid-column: 1 / -1; min-width: 0; }
    .switch { font-size: 13px; color: var(--ink-soft); min-height: 28px; }
    .starts { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 6px; }
    .starts button, .starts label {
      flex: 1 0 34px; max-width: 56px; aspect-ratio: 1; padding: 0; border: 1px solid var(--stage-line); border-radius: var(--radius); background: var(--stage); overflow: hidden; display: grid;
    }
    .starts canvas { width: 100%; }
    .starts button:hover, .starts label:hover { border-color: var(--ink-faint); }
    .starts label { place-items: center; background: var(--surface); border-color: var(--line-strong); color: var(--ink-soft); cursor: pointer; position: relative; }
    .starts label:focus-within { outline: 2px solid var(--accent); outline-offset: 2px; }
    .note { font-size: 13px; line-height: 1.4; color: var(--warn); margin-top: 4px; }
  `];
  @property({ attribute: false }) model?: RunModel;
  @property({ attribute: false }) param?: DrawingParam;
  /** Text of the drawing. */
  @property() value = '';
  /** Shows the drawing and takes no ink. */
  @property({ type: Boolean }) locked = false;
  @property({ type: Boolean, reflect: true }) wrong = false;
  @state() private size = SIZES.first;
  @state() private shade = DEEPEST;
  @state() private soft = false;
  @state() private erasing = false;
  /** What stands under the cursor of the keys, for who does not see it. */
  @state() private said = '';
  /** Why a file was not taken. */
  @state() private note = '';
  /** Drawings before each stroke. */
  @state() private past: string[] = [];
  /** The drawing while a stroke goes on. */
  @state() private draft: Drawing | undefined;
  private stroke: { pointer: number; path: Stroke } | undefined;
  /** Cell of the keys, from the bottom left; shown once a key has moved it. */
  @state() private cell: [number, number] | undefined;
  /** Where the pointer is, in cells. */
  @state() private hover: [number, number] | undefined;

  private get drawing(): Drawing {
    const { columns, rows } = this.param!;
    return this.draft ?? drawingOfText(this.value, columns, rows) ?? { columns, rows, shades: new Uint8Array(columns * rows) };
  }

  /** Puts a drawing in the place of the present one, as an edit of its own. */
  private put(text: string, undoes = false): void {
    if (text === this.value || !this.model || this.locked) return;
    if (!undoes) this.remember();
    this.model.beginGesture();
    this.model.set(this.param!.key, text);
    this.model.endGesture();
  }
  private remember(): void {
    this.past = [...this.past, this.value].slice(-MOST_UNDONE);
  }
  private undo(): void {
    const last = this.past.at(-1);
    if (last === undefined) return;
    this.past = this.past.slice(0, -1);
    this.put(last, true);
  }

  private at(event: PointerEvent): [number, number] {
    const box = this.pad.getBoundingClientRect();
    const { columns, rows } = this.param!;
    return [((event.clientX - box.left) / box.width) * columns, ((box.bottom - event.clientY) / box.height) * rows];
  }
  private get pad(): HTMLCanvasElement {
    return this.renderRoot.querySelector('.pad')!;
  }
  private brush(erases: boolean) {
    return { size: this.size, soft: this.soft, shade: erases ? 0 : this.shade };
  }

  private onDown(event: PointerEvent): void {
    // The right button erases, as does the far end of a pen.
    const erases = event.button === 2 || event.button === 5;
    if (this.stroke || (event.button !== 0 && !erases)) return;
    event.preventDefault();
    this.pad.focus({ preventScroll: true });
    this.pad.setPointerCapture(event.pointerId);
    this.cell = undefined;
    this.model?.beginGesture();
    this.remember();
    this.stroke = { pointer: event.pointerId, path: new Stroke(this.drawing, this.brush(erases || this.erasing !== event.shiftKey)) };
    this.extend([event]);
  }
  private onMove(event: PointerEvent): void {
    this.hover = event.pointerType === 'touch' ? undefined : this.at(event);
    if (this.stroke?.pointer !== event.pointerId) return;
    const between = event.getCoalescedEvents?.() ?? [];
    this.extend(between.length ? between : [event]);
  }
  private extend(events: PointerEvent[]): void {
    for (const event of events) this.draft = this.stroke!.path.to(...this.at(event));
    const text = textOfDrawing(this.draft!);
    if (text !== this.model?.values.get(this.param!.key)) this.model?.set(this.param!.key, text, true);
  }
  private onUp(event: PointerEvent): void {
    if (this.stroke?.pointer !== event.pointerId) return;
    this.stroke = undefined;
    this.draft = undefined;
    this.model?.endGesture();
    // A stroke that changed nothing is nothing to take back.
    if (this.past.at(-1) === this.model?.values.get(this.param!.key)) this.past = this.past.slice(0, -1);
  }

  private onKey(event: KeyboardEvent): void {
    const { columns, rows } = this.param!;
    const [i, j] = this.cell ?? [Math.floor(columns / 2), Math.floor(rows / 2)];
    const step = ARROWS[event.key];
    const far = event.shiftKey ? 4 : 1;
    const inside = (at: number, count: number) => Math.min(count - 1, Math.max(0, at));
    if (step) this.cell = [inside(i + far * step[0], columns), inside(j + far * step[1], rows)];
    else if (event.key === ' ' || event.key === 'Delete' || event.key === 'Backspace') {
      this.cell = [i, j];
      const drawn = new Stroke(this.drawing, this.brush(event.key !== ' ' || this.erasing)).to(i + 0.5, j + 0.5);
      const text = textOfDrawing(drawn);
      if (text !== this.value) {
        this.remember();
        this.model?.set(this.param!.key, text);
        this.value = text;
      }
    } else if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey)) this.undo();
    else return;
    event.preventDefault();
    event.stopPropagation();
    const [x, y] = this.cell ?? [i, j];
    this.said = `Column ${x + 1}, row ${y + 1} from below: shade ${this.drawing.shades[y * columns + x]} of ${DEEPEST}`;
  }

  private async load(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0];
    input.value = '';
    if (!file) return;
    try {
      const { shadesOf } = await import('../lab/picture');
      const text = textOfDrawing(drawingOfPicture(await shadesOf(file), this.param!.columns, this.param!.rows));
      this.note = text ? '' : 'This picture is all of one shade: there is nothing to draw from it.';
      if (text) this.put(text);
    } catch (thrown) {
      this.note = thrown instanceof Error ? thrown.message : String(thrown);
    }
  }

  protected override render() {
    const { param } = this;
    if (!param) return nothing;
    if (this.locked) return html`<canvas class="pad" width=${PIXELS} height=${PIXELS} role="img" aria-label="${param.label}, locked"></canvas>`;
    const leave = () => (this.hover = undefined);
    const stop = (e: Event) => e.preventDefault();
    return html`<div class="frame">
        <canvas class="pad" width=${PIXELS} height=${PIXELS} tabindex="0" role="application" aria-roledescription="drawing pad"
          aria-label="${param.label}, ${param.columns} by ${param.rows} cells. Arrow keys move the brush, Space paints, Delete erases, Control Z takes back."
          @pointerdown=${this.onDown} @pointermove=${this.onMove} @pointerup=${this.onUp} @pointercancel=${this.onUp} @pointerleave=${leave} @contextmenu=${stop} @keydown=${this.onKey}
          @blur=${() => (this.cell = undefined)}></canvas>
        ${this.value || this.draft ? nothing : html`<span class="invite" aria-hidden="true">Draw here</span>`}
      </div>
      <span class="visually-hidden" aria-live="polite">${this.said}</span>
      <div class="tools">
        <div class="segments" role="radiogroup" aria-label="Tool">${[false, true].map((erases) => html`<label title=${erases ? 'Also with the right button, or with Shift' : nothing}>
          <input type="radio" name="tool" .checked=${live(this.erasing === erases)} @change=${() => (this.erasing = erases)} /><span>${icon(erases ? 'eraser' : 'brush')}${erases ? 'Erase' : 'Draw'}</span></label>`)}</div>
        <button class="button" type="button" title="Take back (Ctrl Z)" aria-label="Take back the last stroke" ?disabled=${!this.past.length} @click=${this.undo}>${icon('undo')}</button>
        <button class="button" type="button" title="Clear" aria-label="Clear the pad" ?disabled=${!this.value} @click=${() => this.put('')}>${icon('trash')}</button>
      </div>
      <div class="sliders">
        ${this.slider('Size', this.size, SIZES.least, SIZES.most, `${this.size} cells`, (v) => (this.size = v))}
        ${this.slider('Ink', this.shade, 1, DEEPEST, `${this.shade} of ${DEEPEST}`, (v) => (this.shade = v))}
      </div>
      <label class="row switch">Soft brush<input type="checkbox" role="switch" .checked=${live(this.soft)} @change=${(e: Event) => (this.soft = (e.target as HTMLInputElement).checked)} /></label>
      <div class="starts" role="group" aria-label="Drawings to begin with">
        ${startingDrawings(param.columns, param.rows).map(({ name, text }) => html`<button type="button" title=${name} aria-label=${name} @click=${() => this.put(text)}><canvas width=${SMALL} height=${SMALL} data-text=${text} aria-hidden="true"></canvas></button>`)}
        <label title="A picture from a file; it stays on this machine">${icon('image')}<input class="visually-hidden" type="file" accept="image/*" aria-label="A picture from a file" @change=${(e: Event) => void this.load(e.target as HTMLInputElement)} /></label>
      </div>
      <p class="note" role="status" ?hidden=${!this.note}>${this.note}</p>`;
  }

  private slider(name: string, value: number, min: number, max: number, text: string, set: (value: number) => void) {
    return html`<label>${name}<span class="number">${value}</span>
      <input type="range" min=${min} max=${max} step="1" .value=${live(String(value))} aria-label=${name} aria-valuetext=${text} @input=${(e: Event) => set(Number((e.target as HTMLInputElement).value))} /></label>`;
  }

  protected override updated(changed: PropertyValues): void {
    if (!this.param) return;
    paint(this.pad, this.drawing);
    this.mark(this.pad);
    if (changed.has('param') || changed.has('locked')) {
      const { columns, rows } = this.param;
      for (const small of this.renderRoot.querySelectorAll<HTMLCanvasElement>('.starts canvas')) paint(small, drawingOfText(small.dataset.text!, columns, rows)!);
    }
  }

  /** The outline of the brush where the pointer is, and the cell of the keys. */
  private mark(canvas: HTMLCanvasElement): void {
    const context = canvas.getContext('2d')!;
    const { columns, rows } = this.param!;
    const [wide, high] = [canvas.width / columns, canvas.height / rows];
    const outline = (draw: () => void) => {
      for (const [width, color] of [[5, 'rgb(14 17 22 / 0.7)'], [2, '#fff']] as const) {
        context.beginPath();
        draw();
        Object.assign(context, { lineWidth: width, strokeStyle: color });
        context.stroke();
      }
    };
    const { cell, hover } = this;
    if (hover && !cell) outline(() => context.ellipse(hover[0] * wide, canvas.height - hover[1] * high, (this.size / 2) * wide, (this.size / 2) * high, 0, 0, 2 * Math.PI));
    if (cell) outline(() => context.rect(cell[0] * wide, canvas.height - (cell[1] + 1) * high, wide, high));
  }
}

/** Fills a canvas with a drawing, between the cells smooth. */
function paint(canvas: HTMLCanvasElement, { columns, rows, shades }: Drawing): void {
  const cells = document.createElement('canvas');
  Object.assign(cells, { width: columns, height: rows });
  const small = cells.getContext('2d')!;
  const pixels = small.createImageData(columns, rows);
  const words = new Uint32Array(pixels.data.buffer);
  const table = colorTable('viridis');
  shades.forEach((shade, at) => {
    // A third of full ink is opaque: lighter shades let the pad through.
    const alpha = Math.min(1, (3 * shade) / DEEPEST);
    const color = table[Math.round(FAINT + ((FULL - FAINT) * shade) / DEEPEST)]!;
    words[(rows - 1 - Math.floor(at / columns)) * columns + (at % columns)] = ((color & 0xffffff) | (Math.round(255 * alpha) << 24)) >>> 0;
  });
  small.putImageData(pixels, 0, 0);
  const context = canvas.getContext('2d')!;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(cells, 0, 0, canvas.width, canvas.height);
}
