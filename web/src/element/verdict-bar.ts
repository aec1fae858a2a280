/** The verdict bar: what the paper claims, and a check of it in this browser, in a worker of its own. */
import { LitElement, css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Bound, Experiment } from '../lib/catalog';
import { EngineClient } from '../lib/client';
import { durationText, numberText } from '../lib/format';
import { icon } from '../lib/icons';
import { storeVerdict, storedVerdict } from '../lib/verdicts';
import { shared } from '../styles/shared';
import type { ClaimProgress, RunOptions, TestResult, Verdict } from '../worker/protocol';

@customElement('eddy-verdict')
export class EddyVerdict extends LitElement {
  static override styles = [
    shared,
    css`
      .bar { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 8px 20px; padding: 16px 18px; border-radius: var(--radius-card); border: 1px solid var(--line); background: var(--surface); }
      .bar.held { background: var(--good-soft); border-color: color-mix(in srgb, var(--good) 32%, transparent); }
      .bar.missed { background: var(--warn-soft); border-color: color-mix(in srgb, var(--warn) 32%, transparent); }
      .sentence { font-size: 15px; line-height: 1.5; color: var(--ink); }
      .sentence b { font-weight: 600; }
      .state { font-weight: 620; display: inline-flex; gap: 6px; align-items: center; margin-right: 8px; }
      .held .state { color: var(--good); }
      .missed .state { color: var(--warn); }
      .tests { grid-column: 1 / -1; list-style: none; margin: 2px 0 0; padding: 0; display: grid; gap: 4px; font-size: 14px; color: var(--ink-soft); }
      .tests li { display: flex; flex-wrap: wrap; gap: 2px 10px; }
      .tests b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
      .tests .no { color: var(--warn); }
      .foot { grid-column: 1 / -1; font-size: 13px; color: var(--ink-soft); }
      .progress { grid-column: 1 / -1; display: grid; gap: 6px; font-size: 13px; color: var(--ink-soft); }
      progress { width: 100%; height: 4px; appearance: none; border: 0; border-radius: 2px; overflow: hidden; background: var(--line); }
      progress::-webkit-progress-bar { background: var(--line); }
      progress::-webkit-progress-value { background: var(--accent); }
      progress::-moz-progress-bar { background: var(--accent); }
      .wrong { color: var(--stop); }
      .button { align-self: start; }
      @media (max-width: 620px) { .bar { grid-template-columns: minmax(0, 1fr); } .button { justify-self: start; } }
    `,
  ];
  @property({ attribute: false }) experiment?: Experiment;
  @property({ attribute: false }) options: RunOptions = { device: 'cpu', precision: 'f64' };
  @state() private verdict: Verdict | undefined;
  @state() private earlier = false;
  @state() private progress: ClaimProgress | undefined;
  @state() private error = '';
  private client: EngineClient | undefined;
  private startedAt = 0;

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('experiment')) {
      this.cancel();
      this.verdict = this.experiment && storedVerdict(this.experiment.id);
      this.earlier = this.verdict !== undefined;
    }
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.cancel();
  }

  private cancel = (): void => {
    this.client?.close();
    this.client = undefined;
    this.progress = undefined;
    this.error = '';
  };

  /** Runs every arm at every seed, then the counter-setting. */
  async check(): Promise<void> {
    const { experiment } = this;
    if (!experiment?.claim || this.client) return;
    this.cancel();
    const client = new EngineClient();
    this.client = client;
    this.startedAt = performance.now();
    this.progress = { runs_done: 0, runs: 0, fraction: 0, seconds: 0, doing: '', tests: [] };
    client.onEvent = (event) => {
      if (event.type === 'claim-progress') this.progress = event.progress;
    };
    client.onLost = (error) => (this.error = error.message);
    try {
      const options: RunOptions = { device: 'cpu', precision: 'f64' };
      const verdict = await client.request<Verdict>({ type: 'claim', bundle: experiment.bundle, experiment: experiment.id, options });
      if (this.client !== client) return;
      this.verdict = verdict;
      this.earlier = false;
      storeVerdict(experiment.id, verdict);
      this.dispatchEvent(new CustomEvent('eddy-verdict', { detail: verdict, bubbles: true, composed: true }));
    } catch (thrown) {
      if (this.client !== client) return;
      this.error = (thrown as Error).message;
    }
    client.close();
    this.client = undefined;
    this.progress = undefined;
  }

  protected override render() {
    const claim = this.experiment?.claim;
    if (!claim) return nothing;
    const { verdict, progress } = this;
    const result = progress ? 'running' : verdict ? (verdict.held ? 'held' : 'missed') : 'open';
    return html`<section class="bar ${result}" aria-label="Claim">
      <p class="sentence">
        ${verdict && !progress ? html`<span class="state">${icon(verdict.held ? 'check' : 'x')}${verdict.held ? 'Held' : 'Did not hold'}</span>` : nothing}
        <b>Claim.</b> ${signs(claim.sentence)}
      </p>
      ${progress
        ? html`<button class="button" type="button" @click=${this.cancel}>Cancel</button>`
        : html`<button class="button run-claim" type="button" @click=${() => void this.check()}>${verdict ? 'Check again' : 'Check the claim'}</button>`}
      ${progress ? this.running(progress) : verdict ? this.results(verdict) : this.expected()}
      ${this.error ? html`<p class="foot wrong" role="alert">${this.error} Your settings are kept; try again.</p>` : nothing}
      <p class="visually-hidden" role="status" aria-live="polite">${!progress && verdict && !this.earlier ? `The claim ${verdict.held ? 'held' : 'did not hold'}.` : ''}</p>
    </section>`;
  }

  private expected() {
    const claim = this.experiment!.claim!;
    const seeds = this.experiment!.params.some((p) => p.kind === 'seed') ? claim.seeds.length : 1;
    return html`<ul class="tests">${claim.tests.map((t) => html`<li><span>${t.label}</span><span>must be ${boundText(t.bound, t.unit)}</span></li>`)}</ul>
      <p class="foot">${claim.arms.length} ${claim.arms.length === 1 ? 'run' : 'runs'} at ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}, computed in this tab${claim.cost === 'slow' ? '; takes minutes' : ''}.</p>`;
  }

  private running(p: ClaimProgress) {
    const elapsed = (performance.now() - this.startedAt) / 1000;
    const left = p.fraction > 0.02 ? (elapsed * (1 - p.fraction)) / p.fraction : Number.NaN;
    return html`<div class="progress">
      <progress max="1" .value=${p.fraction} aria-label="Progress of the check"></progress>
      <span class="number">Run ${Math.min(p.runs_done + 1, Math.max(1, p.runs))} of ${p.runs || '…'}${p.doing ? ` · ${p.doing}` : ''}${Number.isFinite(left) ? ` · about ${durationText(left)} left` : ''}</span>
    </div>`;
  }

  private results(verdict: Verdict) {
    const claim = this.experiment!.claim!;
    const { counter_held: counter } = verdict;
    return html`<ul class="tests">${verdict.tests.map((t) => this.test(t))}</ul>
      <p class="foot">
        ${this.experiment!.params.some((p) => p.kind === 'seed') ? `Seeds ${verdict.seeds.join(', ')} · ` : ''}${durationText(verdict.seconds)} · ${verdict.device}${this.earlier ? ' · checked earlier in this browser' : ''}.
        ${counter === null ? nothing : counter
          ? html`<span class="wrong">It also held where it must not (${signs(claim.counter.why)}), so this check proves little.</span>`
          : html`It fails, as it must, in the counter-setting: ${signs(claim.counter.why)}`}
      </p>`;
  }

  private test(t: TestResult) {
    const unit = t.unit ? ` ${t.unit}` : '';
    return html`<li><span>${t.label}</span><span>measured <b>${t.measured === null ? 'nothing (a run diverged)' : `${numberText(t.measured)}${unit}`}</b>,
      must be ${boundText(t.bound, t.unit)}</span>${t.held ? nothing : html`<span class="no">does not hold</span>`}</li>`;
  }
}

/** Signs as they are printed in papers. */
const signs = (text: string): string => text.replaceAll('<=', '≤').replaceAll('>=', '≥');

export function boundText(bound: Bound, unit: string): string {
  return `${bound.kind === 'at-most' ? '≤' : '≥'} ${numberText(bound.limit)} ${unit}`.trim();
}
