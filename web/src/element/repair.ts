/** The button that sets a parameter to what repairs an error, or does more. */
import { html, nothing, type TemplateResult } from 'lit';
import { numberText } from '../lib/format';
import type { RunModel } from '../lib/run-model';

export function repairButton(model: RunModel, repair: readonly [string, string] | null | undefined, press?: () => void): TemplateResult | typeof nothing {
  const spec = repair && model.experiment.params.find((p) => p.key === repair[0]);
  if (!repair || !spec || model.isFixed(repair[0])) return nothing;
  const [key, value] = repair;
  // Without what a longer label explains.
  const name = spec.label.split(/[,(]/)[0]!.trim().toLowerCase();
  const choice = spec.kind === 'choice' ? spec.options.find(([option]) => option === value)?.[1] : undefined;
  const number = numberText(Number(value));
  const now = model.values.get(key) ?? '';
  const text =
    value === ''
      ? `Clear ${name}`
      : spec.kind === 'text' && now && number === '–'
        ? `Use “${whatIsNew(now, value)}”`
        : `Set ${name} to ${choice ?? (number === '–' ? value : number)}`;
  return html`<button class="button repair" type="button" @click=${press ?? (() => model.set(key, value))}>${text}</button>`;
}

/** The words of `after` that are not in `before`, where one passage differs. */
function whatIsNew(before: string, after: string): string {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const isWord = (at: number) => /[\p{L}\p{N}_]/u.test(after[at] ?? '');
  let [from, to] = [start, after.length - end];
  while (from > 0 && isWord(from - 1)) from--;
  while (to < after.length && isWord(to)) to++;
  return after.slice(from, to).trim() || after;
}
