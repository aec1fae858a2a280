/**
 * The theme of the host page. Documentation sites switch it with a class or an attribute of `<html>` or `<body>`
 * (Docusaurus, MyST, Sphinx, mdBook, Quarto, Jupyter); others say it with their background; the rest follow the system.
 */
export type Theme = 'light' | 'dark';

const ATTRIBUTES = ['data-theme', 'data-bs-theme', 'data-color-mode', 'data-md-color-scheme', 'data-jp-theme-light'];
const DARK = new Set(['dark', 'coal', 'navy', 'ayu', 'slate', 'quarto-dark', 'theme-dark', 'vp-dark']);
const LIGHT = new Set(['light', 'rust', 'default', 'quarto-light', 'theme-light']);

const system = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : undefined;
const systemTheme = (): Theme => (system?.matches ? 'dark' : 'light');

export function hostTheme(): Theme {
  for (const element of [document.documentElement, document.body]) {
    if (!element) continue;
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      if (name === 'data-jp-theme-light') return value === 'false' ? 'dark' : 'light';
      if (DARK.has(value)) return 'dark';
      if (LIGHT.has(value)) return 'light';
    }
    for (const name of element.classList) {
      if (DARK.has(name)) return 'dark';
      if (LIGHT.has(name)) return 'light';
    }
  }
  for (const element of [document.body, document.documentElement]) {
    const lightness = element && lightnessOf(getComputedStyle(element).backgroundColor);
    if (lightness !== undefined && lightness !== null) return lightness < 0.4 ? 'dark' : 'light';
  }
  return systemTheme();
}

/** Brightness in [0, 1] of an opaque `rgb(…)`; nothing for a see-through one. */
function lightnessOf(color: string): number | undefined {
  const parts = color.match(/[\d.]+/g)?.map(Number);
  if (!color.startsWith('rgb') || !parts || parts.length < 3 || (parts[3] ?? 1) < 0.5) return undefined;
  return (0.2126 * parts[0]! + 0.7152 * parts[1]! + 0.0722 * parts[2]!) / 255;
}

const listeners = new Set<() => void>();
let watching: MutationObserver | undefined;

/** Calls `listener` whenever the host may have changed its theme; the answer stops it. */
export function onHostTheme(listener: () => void): () => void {
  listeners.add(listener);
  if (!watching) {
    const tell = () => listeners.forEach((f) => f());
    watching = new MutationObserver(tell);
    const options = { attributes: true, attributeFilter: ['class', ...ATTRIBUTES] };
    watching.observe(document.documentElement, options);
    if (document.body) watching.observe(document.body, options);
    system?.addEventListener('change', tell);
  }
  return () => listeners.delete(listener);
}
