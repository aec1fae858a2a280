/** The experiment in the host's own page: no frame, so its styles are its own and its engine is shared with others. */
import { css, unsafeCSS } from 'lit';
import { EddyExperiment } from '../element/eddy-experiment';
import { keysFromText } from '../lib/teach';
import tokens from '../styles/tokens.css?inline';
import { perform, tellEvents } from './bridge';
import type { Figure, FigureOptions, Tell } from './figures';

/** Eddy's tokens on the element itself; the host's document is left as it is, so its fonts are the host's to load. */
const tokenRules = tokens
  .replace(/@font-face\s*\{[^}]*\}/g, '')
  .replace(/:root\[data-theme=['"]?dark['"]?\]/g, ":host([theme='dark'])")
  .replace(/:root/g, ':host');

class EddyInline extends EddyExperiment {
  static override styles = [css`${unsafeCSS(tokenRules)}`, ...(EddyExperiment.styles as []), css`:host { background: var(--paper); padding: 8px; }`];
  constructor() {
    super();
    this.shared = true;
  }
}
if (!customElements.get('eddy-inline')) customElements.define('eddy-inline', EddyInline);

export function inlineFigure(options: FigureOptions, tell: Tell): Figure {
  const element = document.createElement('eddy-inline') as EddyInline;
  element.permalink = options.permalink;
  element.controls = options.controls || 'none';
  element.lock = keysFromText(options.lock);
  element.hide = keysFromText(options.hide);
  element.aspect = options.aspect;
  element.noBaseline = !options.baseline;
  element.setAttribute('theme', options.theme);
  element.setAttribute('role', 'group');
  element.setAttribute('aria-label', options.title);
  const stop = tellEvents(element, tell);
  return {
    element,
    async call(call) {
      if (call.name === 'theme') {
        element.setAttribute('theme', call.theme);
        return undefined;
      }
      return perform(element, call);
    },
    close() {
      stop();
      element.remove();
    },
  };
}
