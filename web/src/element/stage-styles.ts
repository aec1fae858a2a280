import { css } from 'lit';

export const stageStyles = css`
  .views { display: flex; flex-wrap: wrap; gap: 4px; margin-bottom: 8px; }
  .views button {
    border: 1px solid transparent; background: none; border-radius: 99px; padding: 3px 12px; font-size: 13px; color: var(--ink-soft); min-height: 28px;
  }
  .views button[aria-pressed='true'] { border-color: var(--line-strong); background: var(--surface); color: var(--ink); font-weight: 550; }
  .stage {
    position: relative; display: grid; grid-template-columns: minmax(0, 1fr); gap: 1px; background: var(--stage-line);
    border-radius: var(--radius-card); overflow: hidden; color: var(--stage-ink);
  }
  .stage.columns-2 { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .stage:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .pane { background: var(--stage); min-width: 0; display: flex; flex-direction: column; }
  /* As many rows as the names need at this width: what arrives or changes while it runs moves nothing, but for the names of many lines. */
  .caption {
    display: grid; align-items: center; align-content: end; column-gap: 14px; padding: 10px 14px 4px; min-height: 42px; font-size: 13px;
    color: var(--stage-faint); white-space: nowrap; flex: 1;
  }
  .rows-1 .caption { grid-template-columns: auto auto minmax(0, 1fr); grid-template-rows: minmax(28px, auto); }
  .rows-2 .caption { grid-template: 22px minmax(22px, auto) / auto minmax(0, 1fr); min-height: 62px; }
  .rows-3 .caption { grid-template: minmax(22px, auto) 22px minmax(22px, auto) / minmax(0, 1fr); min-height: 84px; }
  .rows-3 .tag { white-space: normal; line-height: 1.4; }
  .caption > * { overflow: hidden; text-overflow: ellipsis; min-width: 0; }
  .tag { color: var(--stage-ink); font-weight: 560; font-size: 14px; }
  .reading b { color: var(--stage-ink); font-weight: 560; }
  .legend { grid-column: -2 / -1; justify-self: end; max-width: 100%; display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: center; font-variant-numeric: tabular-nums; }
  .rows-2 .legend, .rows-3 .legend { grid-column: 1 / -1; grid-row: -2 / -1; justify-self: start; }
  .legend.bar { gap: 7px; flex-wrap: nowrap; }
  .legend.bar > span { min-width: 6ch; }
  /* Each number stands at its end of the bar. */
  .legend.bar > span:first-of-type { text-align: end; }
  .series { overflow: hidden; text-overflow: ellipsis; }
  .legend.bar i { flex: none; width: 84px; height: 9px; border-radius: 2px; display: inline-block; }
  .legend em { font-family: var(--font-prose); font-size: 15px; color: var(--stage-ink); }
  .series i { display: inline-block; width: 16px; height: 0; border-top: 2.5px solid; vertical-align: 3px; margin-right: 6px; }
  .series.reference i { border-top-style: dashed; border-top-width: 2px; }
  .plot { position: relative; }
  .plot canvas { position: absolute; display: block; touch-action: pan-y pinch-zoom; }
  .lens { position: absolute; display: flex; gap: 2px; opacity: 0; transition: opacity 0.12s; z-index: 1; }
  .stage:hover .lens, .stage:focus-within .lens, .lens.near { opacity: 1; }
  @media (hover: none) { .lens { opacity: 0.8; } }
  .lens button {
    display: grid; place-items: center; width: 28px; height: 28px; border: 0; border-radius: 5px; padding: 0; color: var(--stage-ink);
    background: color-mix(in srgb, var(--stage) 72%, transparent);
  }
  .lens button:hover { background: var(--stage); }
  .lens [aria-pressed='true'] { background: var(--stage-ink); color: var(--stage); }
  .lens button:focus-visible { outline: 2px solid var(--stage-ink); outline-offset: -2px; }
  .probe {
    position: absolute; margin: 0; padding: 2px 8px; border-radius: 5px; font-size: 12px; line-height: 20px; color: var(--stage-ink); pointer-events: none; white-space: nowrap;
    background: color-mix(in srgb, var(--stage) 82%, transparent);
  }
  .axes { position: absolute; inset: 0; pointer-events: none; overflow: visible; }
  .axes text { font: 11.5px var(--font-ui); fill: var(--stage-faint); font-variant-numeric: tabular-nums; }
  .axes text.name { font-size: 12px; fill: var(--stage-ink); opacity: 0.85; }
  .axes line, .axes rect { stroke: #454e5b; stroke-width: 1; fill: none; shape-rendering: crispEdges; }
  .waiting { position: absolute; inset: 0; display: grid; place-items: center; margin: 0; padding: 16px 22%; text-align: center; text-wrap: balance; color: var(--stage-faint); }
  .trouble {
    position: absolute; left: 12px; right: 12px; bottom: 12px; max-width: 560px; margin: 0 auto; max-height: calc(100% - 24px); overflow: auto;
    background: var(--surface); color: var(--ink); border: 1px solid var(--line-strong); border-radius: var(--radius-card); padding: 14px 16px; font-size: 14px;
    display: grid; gap: 8px;
  }
  .trouble strong { color: var(--stop); }
  .trouble code { font-family: var(--font-mono); font-size: 12.5px; overflow-wrap: anywhere; }
  .actions { display: flex; flex-wrap: wrap; gap: 8px; }
  .repair { background: var(--ink); color: var(--paper); border-color: var(--ink); white-space: normal; }
  .help {
    position: absolute; right: 12px; top: 12px; background: var(--surface); color: var(--ink); border: 1px solid var(--line-strong);
    border-radius: var(--radius-card); padding: 14px 16px; font-size: 14px; display: grid; gap: 8px; justify-items: start;
  }
  .help dl { display: grid; grid-template-columns: auto 1fr; gap: 6px 14px; margin: 0; }
  .help dd { margin: 0; }
  kbd { font: 12.5px var(--font-mono); border: 1px solid var(--line-strong); border-radius: 4px; padding: 1px 6px; background: var(--sunk); }
  .transport { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding-top: 10px; }
  .play { min-width: 98px; }
  .clock { color: var(--ink-faint); font-size: 14px; margin-left: 6px; min-width: 92px; }
  .clock em { font-family: var(--font-prose); font-size: 16px; }
  .scrub { flex: 1 0 100%; height: 16px; margin: -8px 0 -4px; accent-color: var(--ink-faint); cursor: pointer; }
  progress { flex: 1 0 100%; height: 3px; margin: -2px 0 2px; appearance: none; border: 0; border-radius: 2px; overflow: hidden; background: var(--line); }
  progress::-webkit-progress-bar { background: var(--line); }
  progress::-webkit-progress-value { background: var(--ink-faint); }
  progress::-moz-progress-bar { background: var(--ink-faint); }
  .speed { margin-left: auto; font-size: 13px; color: var(--ink-faint); }
  .narrow .word { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .narrow .step, .narrow .restart { padding: 0 11px; }
  .narrow .clock { min-width: 0; margin-left: 2px; }
  .tiny .play { min-width: 0; padding: 0 13px; }
  .tiny .label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  select { border: 1px solid transparent; background: none; border-radius: var(--radius); padding: 4px 6px; font-size: 13px; color: var(--ink-soft); min-height: 32px; }
  select option { background: var(--surface); color: var(--ink); }
  select:hover { border-color: var(--line-strong); }
  @media (max-width: 520px) {
    .legend.bar i { width: 56px; }
    .legend { column-gap: 9px; }
    .series i { width: 12px; margin-right: 4px; }
    /* Two dashes, so that it is seen to be dashed. */
    .series.reference i { width: 19px; }
  }
`;
