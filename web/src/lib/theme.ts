/** Light and dark: the visitor's choice, else the system's. */
export type Theme = 'light' | 'dark';

const KEY = 'eddy.theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<(theme: Theme) => void>();

function stored(): Theme | null {
  const value = readStored(KEY);
  return value === 'light' || value === 'dark' ? value : null;
}

export function currentTheme(): Theme {
  return document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light';
}

function apply(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  for (const listener of listeners) listener(theme);
}

/** Sets the theme of the document; `wanted` overrides the stored choice. */
export function startTheme(wanted?: string | null): void {
  const choose = () => (wanted === 'light' || wanted === 'dark' ? wanted : (stored() ?? (system.matches ? 'dark' : 'light')));
  apply(choose());
  system.addEventListener('change', () => apply(choose()));
}

/** The theme that a host page asks for; not remembered. */
export function setTheme(theme: Theme): void {
  apply(theme);
}

export function toggleTheme(): void {
  const next: Theme = currentTheme() === 'dark' ? 'light' : 'dark';
  writeStored(KEY, next);
  apply(next);
}

export function onTheme(listener: (theme: Theme) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Storage throws in sandboxed frames; then nothing is remembered. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Not remembered.
  }
}

export const reducedMotion = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;
