/**
 * The figure for notebooks, as anywidget and MyST load it: `export default { render }`. The model's `experiment`,
 * `permalink`, `controls`, `lock`, `hide`, `theme`, `aspect` and `height` are the tag's attributes; `permalink` and `metrics` are written back.
 */
import { EddyFigure, defineEddy } from './door';

interface Model {
  get(name: string): unknown;
  set?(name: string, value: unknown): void;
  save_changes?(): void;
  on?(name: string, listener: () => void): void;
}
const ATTRIBUTES = ['experiment', 'permalink', 'controls', 'lock', 'hide', 'theme', 'aspect', 'height', 'baseline', 'site'];

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  defineEddy();
  const figure = document.createElement('eddy-experiment') as HTMLElement as EddyFigure;
  for (const name of ATTRIBUTES) {
    const apply = () => {
      const value = model.get(name);
      if (value === undefined || value === null || value === '') figure.removeAttribute(name);
      else if (figure.getAttribute(name) !== String(value)) figure.setAttribute(name, String(value));
    };
    apply();
    model.on?.(`change:${name}`, apply);
  }
  figure.toggleAttribute('autoplay', Boolean(model.get('autoplay')));
  const write = (name: string, value: unknown) => {
    if (!model.set || model.get(name) === undefined) return;
    model.set(name, value);
    model.save_changes?.();
  };
  figure.on('settings', ({ permalink }) => write('shown', permalink));
  figure.on('finished', () => write('metrics', figure.metrics));
  el.append(figure);
  return () => figure.remove();
}

export default { render };
