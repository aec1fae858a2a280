/** The button that sets a parameter to what repairs an error. */
import { html, nothing, type TemplateResult } from 'lit';
import { numberText } from '../lib/format';
import type { RunModel } from '../lib/run-model';

export function repairButton(model: RunModel, repair: readonly [string, string] | null | undefined): TemplateResult | typeof nothing {
  const spec = repair && model.experiment.params.find((p) => p.key === repair[0]);
  if (!repair || !spec || model.isFixed(repair[0])) return nothing;
  const [key, value] = repair;
  // Without what a longer label explains.
  const name = spec.label.split(/[,(]/)[0]!.trim().toLowerCase();
  const choice = spec.kind === 'choice' ? spec.options.find(([option]) => option === value)?.[1] : undefined;
  const number = numberText(Number(value));
  const text = value === '' ? `Clear ${name}` : `Set ${name} to ${choice ?? (number === '–' ? value : number)}`;
  return html`<button class="button repair" type="button" @click=${() => model.set(key, value)}>${text}</button>`;
}
