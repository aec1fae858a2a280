/** Styles that every element of Eddy adopts: type, buttons, focus, fields. */
import { css } from 'lit';

export const shared = css`
  :host { display: block; font: 15px/1.5 var(--font-ui); color: var(--ink); -webkit-font-smoothing: antialiased; }
  :host([hidden]), [hidden] { display: none !important; }
  *, *::before, *::after { box-sizing: border-box; }
  button, input, select, textarea { font: inherit; color: inherit; }
  button { cursor: pointer; }
  button:disabled { cursor: default; opacity: 0.5; }
  a { color: inherit; }
  .icon { flex: none; vertical-align: -3px; }
  .number { font-variant-numeric: tabular-nums; }
  .mono { font-family: var(--font-mono); font-size: 13px; }
  .faint { color: var(--ink-faint); }
  h1, h2, h3, p { margin: 0; }
  h2 { font-size: 17px; font-weight: 600; line-height: 1.35; }
  .heading { font-size: 13px; font-weight: 600; color: var(--ink-soft); }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .button {
    min-height: 34px; padding: 0 14px; border-radius: var(--radius); border: 1px solid var(--line-strong); background: var(--surface);
    font-size: 14px; font-weight: 520; display: inline-flex; align-items: center; justify-content: center; gap: 8px; white-space: nowrap;
    text-decoration: none; color: var(--ink);
  }
  .button:hover:not(:disabled) { border-color: var(--ink-faint); }
  .button.primary { background: var(--ink); border-color: var(--ink); color: var(--paper); }
  .button.quiet { border-color: transparent; background: none; color: var(--ink-soft); padding: 0 8px; }
  .button.quiet:hover:not(:disabled) { color: var(--ink); background: var(--sunk); }
  .card { background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius-card); }
  .visually-hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  @media (pointer: coarse) { .button { min-height: 42px; } }
`;
