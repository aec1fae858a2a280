/**
 * Linear memory stays flat over 10,000 steps of every experiment: at its default settings where that many fit into
 * PATIENCE, else at its smallest ones. Only steps that the run itself counts are counted.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { catalog, expect, openAlone, openExperiment, test, type Experiment } from './fixtures';

const STEPS = 10_000;
/** Milliseconds for the default settings, the baseline beside them. */
const PATIENCE = 3_000;
const PAGE_BYTES = 65_536;
/**
 * Bytes that a run may gain between a quarter and a half of the steps: the records of the metrics still grow to their
 * bound of 2,048 rows, and a vector doubles. More than 100 bytes a step that stay until a restart exceed it.
 */
const RUN_GAIN = 4 * PAGE_BYTES;
/**
 * The same with burn, which makes and drops its tensors in every step: how much of them is alive at once depends on what else is
 * asked of the run, and the highest mark comes early or late (1.1 MB were seen once, and no byte more in the second half).
 */
const BURN_GAIN = 32 * PAGE_BYTES;
/**
 * Bytes that the second half, which repeats the first after a restart, may gain: a hole of the allocator more or less.
 * A leak of 26 bytes a step exceeds it. Where the second half gains more, since what the first left in pieces does not
 * fit, it is repeated: pieces are found in the end, a leak goes on.
 */
const REPEAT_GAIN = PAGE_BYTES;
const REPEATS = 3;

interface Flatness {
  steps: number;
  runs: number;
  /** Bytes at a quarter, at the half, at the end, and at the end of each further repetition where there was one. */
  bytes: number[];
}

/** What the last repetition gained. */
function repeatGain({ bytes }: Flatness): number {
  return bytes.at(-1)! - bytes.at(-2)!;
}

/** Makes `steps` steps, the second half a repetition of the first; gives up at `patience` ms, or, `hasty`, once it foresees that. */
function flatness(element: Locator, steps: number, patience: number, hasty = false): Promise<Flatness> {
  return element.evaluate(
    async (e: any, [steps, patience, gain, hasty, repeats]) => {
      const start = performance.now();
      let deadline = start + patience;
      let [total, runs] = [0, 0];
      /** Goes on to `end` steps in all, from the start again where a run ends. */
      const walk = async (end: number) => {
        let chunk = 1;
        let now = e.model.panes[0].progress.steps;
        while (total < end && performance.now() < deadline) {
          const begun = performance.now();
          const [first] = await e.advanceSteps(Math.min(chunk, end - total));
          total += first.steps - now;
          now = first.steps;
          if (performance.now() - begun < 100) chunk *= 2;
          const spent = performance.now() - start;
          if (hasty && spent > patience / 5 && (total / spent) * patience < steps / 2) deadline = start;
          if (first.outcome.kind !== 'running' && total < end) {
            await e.restart();
            [now, runs] = [0, runs + 1];
          }
        }
      };
      e.pause();
      const bytes: number[] = [];
      const part = async (again: boolean, end: number) => {
        if (again) {
          await e.restart();
          e.model.panes[0].progress.steps = 0;
          runs++;
        }
        await walk(end);
        bytes.push(await e.memoryBytes());
      };
      await part(true, steps / 4);
      await part(false, steps / 2);
      await part(true, steps);
      for (let more = 0; more < repeats && total >= steps && bytes.at(-1)! - bytes.at(-2)! > gain; more++) {
        deadline += patience;
        total = steps / 2;
        await part(true, steps);
      }
      return { steps: total, runs, bytes } as any;
    },
    [steps, patience, REPEAT_GAIN, hasty, REPEATS] as const,
  );
}

/** Parameters that say how large a run is: the smaller, the cheaper a step. */
const SIZES = ['points', 'times', 'cells', 'particles', 'width', 'layers', 'waves', 'count', 'samples', 'batch', 'modes', 'channels'];

/** What else makes steps cheap: longer runs between two restarts where a restart costs, coarser adaptive ones. */
const CHEAPER: Record<string, string[]> = {
  'score-sde': ['tolerance=1e-8', 'likelihood_tolerance=1'],
  'nlse-1d': ['tolerance=0.01'],
  pig: ['optimizer=adam'],
  'denoising-mcmc': ['method=plain', 'chains=16', 'heun_steps=1'],
  'dc-solver': ['sampler=unipc-2'],
  'typed-pinn': ['preset=oscillator', 'side_points=4', 'measured=1'],
  'pinn-benchmarks': ['problem=convection-30', 'optimizer=adam', 'share=20'],
  adjointdpm: ['method=euler-t', 'descent=200'],
  featom: ['elements=2', 'states=1'],
  'insr-pde': ['count=1000', 'solver=adam', 'inner=1', 'first=1'],
  'image-model': ['guidance=1'],
  diffeditor: ['drags=off', 'texture=flat'],
  'equation-lab': ['preset=heat', 'x=2*pi, 16', 'dt=0.001', 'end=10'],
};

/** A link to the cheapest steps of an experiment, and many of them. */
function smallest(experiment: Experiment): string {
  const parts = experiment.params.flatMap((p) => {
    // None at all would be another run.
    if (p.kind === 'number' && SIZES.includes(p.key)) return [`${p.key}=${p.min > 0 ? p.min : p.step || 1}`];
    if (p.key === 'grid' && p.options && /^\d+$/.test(p.options[0]![0])) return [`grid=${p.options[0]![0]}`];
    // A sweep beside the run is drawn after every restart.
    if (p.key === 'curve') return ['curve=off'];
    if (p.key === 'steps') return [`steps=${Math.min(p.max, STEPS)}`];
    if (p.key === 'evaluations') return [`evaluations=${Math.min(p.max, 250)}`];
    return [];
  });
  const cheaper = CHEAPER[experiment.id] ?? [];
  const keyOf = (part: string) => part.split('=')[0];
  const others = parts.filter((part) => !cheaper.some((own) => keyOf(own) === keyOf(part)));
  parts.splice(0, parts.length, ...others, ...cheaper);
  return parts.length ? `${experiment.id}?${parts.join('&')}` : experiment.id;
}

for (const experiment of catalog.experiments) {
  test(`${experiment.id}: memory is flat over ${STEPS} steps`, async ({ page, url }) => {
    test.skip(!existsSync(join(__dirname, '../../pkg/dist', experiment.bundle, 'eddy.js')), `the bundle ${experiment.bundle} is not built (EDDY_BUNDLES)`);
    test.slow(true, 'ten thousand steps');
    // Each step is an evaluation of a network on burn.
    const patience = experiment.id === 'image-model' ? 200_000 : 60_000;
    if (patience > 60_000) test.setTimeout(2 * patience);
    let element = await openExperiment(page, url, experiment.id);
    let result = await flatness(element, STEPS, PATIENCE, true);
    let settings = 'default settings, with the baseline';
    if (result.steps < STEPS) {
      settings = smallest(experiment);
      element = await openAlone(page, url, settings);
      expect(await element.evaluate((e: any) => [...e.model.errors, ...e.model.notices])).toEqual([]);
      result = await flatness(element, STEPS, patience);
    }
    const [quarter, half] = result.bytes as [number, number];
    const story = `${result.steps} steps in ${result.runs} runs, ${settings}: ${result.bytes.join(', ')} bytes`;
    test.info().annotations.push({ type: 'memory', description: story });
    if (process.env.EDDY_TEST_VERBOSE) console.log(`${experiment.id}: ${story}`);
    expect(result.steps, story).toBe(STEPS);
    expect(quarter, story).toBeGreaterThan(0);
    expect(half - quarter, story).toBeLessThanOrEqual(experiment.bundle === 'learn' ? BURN_GAIN : RUN_GAIN);
    expect(repeatGain(result), story).toBeLessThanOrEqual(REPEAT_GAIN);
  });
}

/** Puts the module's memory and a tap on its steps in reach of the worker's script. */
async function tapModule(page: Page, onStep: string): Promise<void> {
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    const planted = `const make = WebAssembly.instantiateStreaming;
      WebAssembly.instantiateStreaming = async (...all) => {
        const { instance, module } = await make(...all);
        const { exports } = instance;
        const advance = (session, budget, steps) => { ${onStep}; return exports.session_advance(session, budget, steps); };
        return { instance: { exports: { ...exports, session_advance: advance } }, module };
      };\n`;
    await route.fulfill({ response: answer, body: planted + (await answer.text()) });
  });
}

for (const [what, leak] of [
  ['of the whole run', '26'],
  ['that a restart would end', '120'],
] as const) {
  test(`a planted leak ${what} is found`, async ({ page, url }) => {
    // Memory that is allocated and never freed, as many bytes as the steps asked for would lose.
    await tapModule(page, `if (steps > 0) exports.__wbindgen_malloc(Math.ceil(${leak} * steps), 1)`);
    const experiment = catalog.experiments.find((e) => e.id === 'heat-1d')!;
    const element = await openAlone(page, url, smallest(experiment));
    const result = await flatness(element, STEPS, 40_000);
    expect(result.steps).toBe(STEPS);
    const [quarter, half] = result.bytes as [number, number];
    if (leak === '26') expect(repeatGain(result)).toBeGreaterThan(REPEAT_GAIN);
    else expect(half - quarter).toBeGreaterThan(RUN_GAIN);
  });
}
