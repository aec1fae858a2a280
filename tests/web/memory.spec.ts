/** Linear memory stays flat while an experiment runs on and on. */
import { catalog, expect, openExperiment, test } from './fixtures';

const STEPS = 10_000;
/** Milliseconds after which a slow experiment has shown enough. */
const PATIENCE = 4_000;

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
            const panes = await e.advanceSteps(chunk);
            done += chunk;
            if (performance.now() - before < 100) chunk = Math.min(chunk * 2, count);
            if (panes.every((p: any) => p.outcome.kind !== 'running')) await e.restart();
          }
          return done;
        };
        e.pause();
        // What is allocated once: buffers, the record up to its bound.
        await burst(steps / 4, performance.now() + patience / 3);
        await e.restart();
        await burst(50, performance.now() + patience / 6);
        const before = await e.memoryBytes();
        const done = await burst(steps, performance.now() + patience);
        return { before, after: await e.memoryBytes(), done };
      },
      [STEPS, PATIENCE] as const,
    );
    test.info().annotations.push({ type: 'steps', description: String(result.done) });
    expect(result.done).toBeGreaterThan(10);
    expect(result.before).toBeGreaterThan(0);
    expect(result.after - result.before, `bytes gained over ${result.done} steps`).toBe(0);
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
  const before = await element.evaluate((e: any) => e.memoryBytes());
  await page.workers().at(-1)!.evaluate(() => (globalThis as any).planted.grow(1));
  expect((await element.evaluate((e: any) => e.memoryBytes())) - before).toBe(65536);
});
