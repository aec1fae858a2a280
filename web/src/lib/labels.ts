/** Names of the two panes, derived from what makes them differ. */
import { capital } from './format';
import { linkFromText } from './permalink';
import type { RunModel } from './run-model';

/** A or B, and what makes it differ from the other. */
function settingLabel(model: RunModel, index: number): string {
  const parts = [...model.differences!].map(([key, text]) => {
    const spec = model.experiment.params.find((p) => p.key === key);
    // The text of a drawing says nothing to a reader.
    if (spec?.kind === 'drawing') return spec.label.toLowerCase();
    const value = index === 1 ? text : (model.values.get(key) ?? '');
    return `${spec?.label.toLowerCase() ?? key} ${spec?.kind === 'choice' ? (spec.options.find(([k]) => k === value)?.[1] ?? value) : value}`;
  });
  const label = `${index === 1 ? 'B' : 'A'}${parts.length ? `: ${parts.join(', ')}` : ''}`;
  return label.length > 60 ? `${label.slice(0, 59)}…` : label;
}

export function paneLabel(model: RunModel, index: number): string {
  if (model.differences) return settingLabel(model, index);
  const { baseline, params } = model.experiment;
  if (index === 1) return capital(baseline?.label ?? 'Baseline');
  if (!model.hasBaseline || !baseline) return capital(model.view?.label ?? model.experiment.title);
  const parts = [...linkFromText(`x?${baseline.change}`).values.keys()].flatMap((key) => {
    const spec = params.find((p) => p.key === key);
    const text = model.values.get(key);
    if (!spec || text === undefined) return [];
    if (spec.kind === 'choice') {
      const name = spec.options.find(([k]) => k === text)?.[1] ?? text;
      // A number says nothing without what it counts.
      return [/^[\d.]+$/.test(name) ? `${spec.label} ${name}` : name];
    }
    if (spec.kind === 'toggle') return text === 'on' ? [spec.label] : [];
    if (spec.kind === 'drawing') return [spec.label];
    return [`${spec.label} ${text}`];
  });
  const label = parts.join(', ');
  // With the baseline's own choice on both sides only the words can tell the panes apart.
  return label && label !== baseline.label ? capital(label) : 'This setting';
}
