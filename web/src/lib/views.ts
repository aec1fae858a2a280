/** How a view is drawn, and which moment of a run makes its still. */
import type { PosterSpec } from '../worker/poster';
import type { DrawSpec } from '../worker/protocol';
import type { Experiment, ViewSpec } from './catalog';

export function drawSpec(view: ViewSpec): DrawSpec {
  const lines = view.kind === 'lines' || view.kind === 'curves';
  return { key: view.key, colors: view.colors, xLog: lines && view.x.scale === 'log', yLog: lines && view.y.scale === 'log' };
}

/** Whether both axes of a picture measure the same thing, so that it keeps its proportions: neither is a time nor a count of units. */
export function hasEqualAxes(view: ViewSpec): boolean {
  const other = /^t$|time|step|epoch|^unit of/i;
  return (
    view.kind !== 'lines' && view.kind !== 'curves' && view.x.unit === view.y.unit &&
    ![view.x.symbol, view.y.symbol, view.x.label, view.y.label].some((text) => other.test(text))
  );
}

/** The still of an experiment; nothing where there is nothing to draw. */
export function posterSpec(experiment: Experiment, width: number, height: number, milliseconds: number): PosterSpec | undefined {
  const view = experiment.views.find((v) => v.kind !== 'curves');
  if (!view) return undefined;
  const equal = hasEqualAxes(view);
  // A decaying line is worth seeing on its way, a field well developed; a history, a training or a sampler at its end.
  const fraction = experiment.lab !== 'pde' ? 1 : view.kind === 'lines' ? 0.15 : view.kind === 'field' && !equal ? 1 : 0.8;
  return { view: drawSpec(view), milliseconds, fraction, width, height, equal };
}
