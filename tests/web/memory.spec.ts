/** Linear memory stays flat while an experiment runs on and on. */
import { catalog, expect, openExperiment, test } from './fixtures';

const STEPS = 10_000;
/** Milliseconds after which a slow experiment has shown enough. */
const PATIENCE = 6_000;

for (const experiment of catalog.experiments.filter((e) => e.bundle === 'core')) {
  test(`${experiment.id}: memory is flat`, async ({ page, url }) => {
    const element = await openExperiment(page, url, experiment.id);
    const result = await element.evaluate(
      async (e: any, [steps, patience]) => {
        const burst = async (count: number, deadline: number) => {
          let done = 0;
          let chunk = 1;
          while (done < count && performance.now() < deadline) {
            const before = performance.now();
            const panes = await e.advanceSteps(Math.min(chunk, count - done));
            done += Math.min(chunk, count - done);
            if (performance.now() - before < 100) chunk *= 2;
            if (panes.every((p: any) => p.outcome.kind !== 'running')) await e.restart();
          }
          return done;
        };
        e.pause();
        const bytes: number[] = [];
        let total = 0;
        // Rounds of the same work: buffers and records grow in the first ones, a leak in every one.
        let round = Infinity;
        for (let i = 0; i < 4; i++) {
          await e.restart();
          round = await burst(Math.min(round, steps / 4), performance.now() + patience / 4);
          total += round;
          bytes.push(await e.memoryBytes());
        }
        return { bytes, total };
      },
      [STEPS, PATIENCE] as const,
    );
    test.info().annotations.push({ type: 'steps', description: `${result.total}, bytes ${result.bytes.join(' ')}` });
    expect(result.total).toBeGreaterThan(3);
    expect(result.bytes[0]).toBeGreaterThan(0);
    const gains = result.bytes.slice(1).map((b, i) => b - result.bytes[i]!);
    expect(Math.min(...gains), `bytes after each round: ${result.bytes.join(' ')}`).toBe(0);
    // The records of two runs grow to their bound of 2,048 rows, which a slow machine reaches late.
    expect(result.bytes.at(-1)! - result.bytes[0]!, 'bytes gained after the first round').toBeLessThanOrEqual(1 << 20);
  });
}

test('a planted leak is found', async ({ page, url }) => {
  // The worker's script, with the module's memory in reach.
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    const planted = `const make = WebAssembly.instantiateStreaming;
      WebAssembly.instantiateStreaming = async (...all) => { const made = await make(...all); globalThis.planted = made.instance.exports.memory; return made; };\n`;
    await route.fulfill({ response: answer, body: planted + (await answer.text()) });
  });
  const experiment = catalog.experiments.find((e) => e.bundle === 'core')!;
  const element = await openExperiment(page, url, experiment.id);
  await element.evaluate((e: any) => e.pause());
  const before = await element.evaluate((e: any) => e.memoryBytes());
  await page.workers().at(-1)!.evaluate(() => (globalThis as any).planted.grow(1));
  expect((await element.evaluate((e: any) => e.memoryBytes())) - before).toBeGreaterThanOrEqual(65536);
});
