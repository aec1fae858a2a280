import { css } from 'lit';

/** A choice of few, side by side. */
export const segmentStyles = css`
  .segments { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; border: 1px solid var(--line-strong); border-radius: var(--radius); overflow: hidden; font-size: 13px; }
  .segments label { position: relative; border-right: 1px solid var(--line-strong); display: grid; cursor: pointer; }
  .segments label:last-child { border-right: 0; }
  .segments input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
  .segments span { padding: 6px 4px; text-align: center; color: var(--ink-soft); line-height: 1.25; align-self: center; }
  .segments label:has(:checked) { background: var(--ink); }
  .segments :checked + span { color: var(--paper); }
  .segments label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: -3px; }
`;

export const controlStyles = css`
  /* Columns of even height: groups differ in length, and a row of them would leave gaps. */
  :host { display: block; columns: auto 290px; column-gap: 16px; margin-bottom: -16px; }
  .notice, .group, .reset { break-inside: avoid; margin-bottom: 16px; }
  .notice { column-span: all; }
  :host([notices-only]) { margin-bottom: 0; }
  :host([notices-only]) .notice { margin: 16px 0 0; }
  .group { padding: 16px 18px 4px; }
  .group:not(.card) { padding: 0; }
  .group .heading { margin-bottom: 12px; }
  .control { margin-bottom: 14px; position: relative; }
  /* In a row before the entry; of others in the corner, in the line of the name. */
  .back { width: 26px; height: 24px; padding: 0; border: 0; border-radius: 4px; background: none; color: var(--ink-faint); display: grid; place-items: center; flex: none; }
  .control > .back { position: absolute; top: -3px; right: 0; }
  .row > .back { margin-left: auto; }
  .back:hover { color: var(--ink); background: var(--line); }
  .back .icon { width: 14px; height: 14px; }
  .locked { margin-bottom: 14px; }
  .locked input[type='range'], .locked button { display: none; }
  .locked .entry { border-color: transparent; color: inherit; }
  .locked select, .locked .expression { border-style: dotted; background: none; color: inherit; opacity: 1; }
  .locked .select .icon { display: none; }
  .locked label:not(:has(:checked)) span { color: var(--ink-faint); }
  .locked :is(label, input, select) { cursor: default; }
  .locked label .name, .locked label .name span { color: inherit; }
  .fixed { margin-left: 8px; color: var(--ink-faint); }
  .fixed .icon { width: 13px; height: 13px; vertical-align: -1.5px; }
  .row { display: flex; justify-content: space-between; align-items: center; gap: 10px; min-height: 28px; }
  .name { font-size: 14px; line-height: 1.3; min-width: 0; }
  .name em { font-style: normal; margin-left: 7px; color: var(--ink-soft); }
  .name em .katex { font-size: 1.02em; }
  .unit { margin-left: 6px; color: var(--ink-faint); font-size: 12.5px; }
  .live { margin-left: 8px; color: var(--good); font-size: 11.5px; }
  .entry {
    width: 84px; text-align: right; border: 1px solid transparent; border-bottom: 1px dotted var(--line-strong); background: none; padding: 2px 4px; font-size: 14px;
    border-radius: 3px 3px 0 0;
  }
  .entry:hover, .entry:focus { border-color: var(--line-strong); border-style: solid; border-radius: 4px; background: var(--surface); }
  .wrong .entry, .wrong .expression { border: 1px solid var(--stop); border-radius: 4px; }
  .error .button { display: block; margin-top: 6px; min-height: 30px; padding: 0 10px; font-size: 13px; white-space: normal; }
  .error { color: var(--stop); font-size: 13px; line-height: 1.4; margin-top: 4px; }
  .remark { display: flex; gap: 6px; background: var(--warn-soft); border-radius: var(--radius); padding: 6px 8px; font-size: 13px; line-height: 1.4; margin-top: 6px; }
  .remark .icon { flex: none; color: var(--warn); margin-top: 2px; }
  input[type='range'] { appearance: none; width: 100%; height: 24px; background: none; margin: 0; display: block; cursor: pointer; }
  input[type='range']::-webkit-slider-runnable-track { height: 3px; border-radius: 2px; background: var(--line-strong); }
  input[type='range']::-moz-range-track { height: 3px; border-radius: 2px; background: var(--line-strong); }
  input[type='range']::-webkit-slider-thumb {
    appearance: none; width: 16px; height: 16px; border-radius: 50%; background: var(--surface); border: 1.5px solid var(--ink); margin-top: -6.5px;
  }
  input[type='range']::-moz-range-thumb { width: 14px; height: 14px; border-radius: 50%; background: var(--surface); border: 1.5px solid var(--ink); }
  @media (pointer: coarse) {
    input[type='range'] { height: 36px; }
    input[type='range']::-webkit-slider-thumb { width: 22px; height: 22px; margin-top: -9.5px; }
  }
  fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
  legend { padding: 0; margin-bottom: 5px; }
  ${segmentStyles}
  .stacked { display: grid; gap: 5px; }
  .select { position: relative; display: grid; align-items: center; }
  .select .icon { position: absolute; right: 9px; pointer-events: none; color: var(--ink-faint); }
  select, .expression {
    width: 100%; min-height: 34px; border: 1px solid var(--line-strong); border-radius: var(--radius); background: var(--surface); padding: 4px 10px; font-size: 14px;
    appearance: none;
  }
  textarea.expression { resize: vertical; line-height: 1.45; font-size: 13px; padding: 7px 10px; }
  /* Room for the pad until it is loaded. */
  eddy-drawing-pad:not(:defined) { display: block; aspect-ratio: 1; border-radius: var(--radius); background: var(--stage); }
  .switch { cursor: pointer; }
  .switch input { appearance: none; width: 36px; height: 20px; border-radius: 99px; background: var(--line-strong); position: relative; margin: 0; cursor: pointer; flex: none; }
  .switch input::after { content: ''; position: absolute; left: 2px; top: 2px; width: 16px; height: 16px; border-radius: 50%; background: var(--surface); transition: translate 0.12s; }
  .switch input:checked { background: var(--ink); }
  .switch input:checked::after { translate: 16px 0; }
  .stepper { display: inline-flex; align-items: center; gap: 2px; }
  .stepper button { width: 28px; height: 28px; border: 1px solid var(--line-strong); border-radius: var(--radius); background: var(--surface); line-height: 1; }
  .stepper .entry { width: 44px; text-align: center; }
  .seed { display: inline-flex; gap: 6px; align-items: center; }
  .seed .button { min-height: 30px; padding: 0 10px; font-size: 13px; }
  .notice {
    display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start; padding: 10px 14px; border-radius: var(--radius-card); background: var(--warn-soft); color: var(--ink);
    border: 1px solid color-mix(in srgb, var(--warn) 35%, transparent); font-size: 14px; overflow-wrap: anywhere;
  }
  .notice > span { flex: 1; min-width: 180px; }
  .notice .icon { color: var(--warn); margin-top: 3px; }
  @media (prefers-reduced-motion: reduce) { .switch input::after { transition: none; } }
`;
