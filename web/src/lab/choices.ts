/** Choices of fields below the stage of the equation lab. */
import { html, nothing } from 'lit';
import { icon } from '../lib/icons';
import type { FieldFact } from './facts';

/** Buttons of the fields, and of the parts of complex ones. */
export function fieldChips(fields: readonly FieldFact[], shown: (keys: string[]) => string, choose: (key: string) => void) {
  const all = fields.flatMap((f): [string, string][] => (f.complex ? [[f.name, `|${f.name}|`], [`re ${f.name}`, `re ${f.name}`], [`im ${f.name}`, `im ${f.name}`]] : [[f.name, f.name]]));
  if (all.length < 2) return nothing;
  const now = shown(all.map(([key]) => key));
  return html`<div class="chips" role="group" aria-label="Field shown">${all.map(
    ([key, label]) => html`<button class="chip" type="button" aria-pressed=${key === now} @click=${() => choose(key)}>${label}</button>`,
  )}</div>`;
}

/** The field that the brush paints, where another one than that shown can be: a shape, say, that waves run around. */
export function brushChoice(fields: readonly FieldFact[], now: string, choose: (key: string) => void) {
  const names = fields.filter((f) => f.stepped && !f.velocity && !f.complex).map((f) => f.name);
  if (names.length < 2) return nothing;
  return html`<label class="lab-look lab-brush"><b>Brush on</b>
    <span class="select"><select @change=${(e: Event) => choose((e.target as HTMLSelectElement).value)}>
      ${names.map((name) => html`<option value=${name} ?selected=${name === now}>${name}</option>`)}
    </select>${icon('chevronDown')}</span></label>`;
}
