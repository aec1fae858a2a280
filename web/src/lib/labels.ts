/** Names of the two panes, derived from what makes them differ. */
import { capital } from './format';
import { linkFromText } from './permalink';
import type { RunModel } from './run-model';

export function paneLabel(model: RunModel, index: number): string {
  const { baseline, params } = model.experiment;
  if (index === 1) return capital(baseline?.label ?? 'Baseline');
  if (!model.hasBaseline || !baseline) return capital(model.view?.label ?? model.experiment.title);
  const parts = [...linkFromText(`x?${baseline.change}`).values.keys()].flatMap((key) => {
    const spec = params.find((p) => p.key === key);
    const text = model.values.get(key);
    if (!spec || text === undefined) return [];
    if (spec.kind === 'choice') return [spec.options.find(([k]) => k === text)?.[1] ?? text];
    if (spec.kind === 'toggle') return text === 'on' ? [spec.label] : [];
    return [`${spec.label} ${text}`];
  });
  const label = parts.join(', ');
  // With the baseline's own choice on both sides only the words can tell the panes apart.
  return label && label !== baseline.label ? capital(label) : 'This setting';
}
