/** The two back ends compute the same: fields after the same number of steps, f64 on the CPU against f32 on the GPU. */
import { catalog, coarse, expect, openAlone, readView, ready, relativeDifference, test, type Experiment } from './fixtures';

/** Single precision over this many steps; a chaotic run has no time to separate. */
const STEPS = 10;
const TOLERANCE = 2e-3;

/** The stencils of the GPU step with Runge-Kutta 4, whatever the CPU may be set to. */
function withRungeKutta(experiment: Experiment): string {
  const link = coarse(experiment);
  const method = experiment.params.find((p) => p.key === 'method' && p.options?.some(([key]) => key === 'rk4'));
  return method ? `${link}${link.includes('?') ? '&' : '?'}method=rk4` : link;
}

const both = catalog.experiments.filter((e) => e.lab === 'pde' && e.devices.includes('cpu') && e.devices.includes('gpu'));

for (const experiment of both) {
  test(`${experiment.id}: CPU and GPU agree after ${STEPS} steps`, async ({ page, url }) => {
    const element = await openAlone(page, url, withRungeKutta(experiment));
    test.slow(true, 'a software GPU');
    // The state itself, not a history whose rows are taken when there is time.
    const view = experiment.views.find((v) => v.kind === 'lines') ?? experiment.views.find((v) => v.kind === 'field')!;
    const run = async (device: string) => {
      await element.evaluate((e: any, d) => e.model.setOptions({ device: d, precision: d === 'gpu' ? 'f32' : 'f64' }), device);
      await ready(element);
      expect(await element.evaluate((e: any) => e.model.options.device)).toBe(device);
      await element.evaluate((e: any) => e.pause());
      await element.evaluate((e: any) => e.restart());
      const start = await readView(element, view.key);
      const progress = await element.evaluate((e: any, n) => e.advanceSteps(n), STEPS);
      expect(progress[0].steps).toBe(STEPS);
      return { start, end: await readView(element, view.key) };
    };
    const cpu = await run('cpu');
    const gpu = await run('gpu');
    expect(relativeDifference(cpu.start.data, gpu.start.data), 'the same start').toBeLessThan(1e-5);
    expect(relativeDifference(cpu.end.data, gpu.end.data)).toBeLessThan(TOLERANCE);
    // The comparison tells things apart: against the start it must fail, or the run did not move.
    expect(relativeDifference(cpu.end.data, cpu.start.data), 'the run moved').toBeGreaterThan(0);
  });
}

test('a planted difference is found', () => {
  const field = Array.from({ length: 4096 }, (_, i) => Math.sin(i / 50));
  const planted = field.map((v, i) => (i === 1234 ? v + 4 * TOLERANCE : v));
  expect(relativeDifference(field, field)).toBe(0);
  expect(relativeDifference(field, planted)).toBeGreaterThan(TOLERANCE);
  expect(relativeDifference(field, [...field.slice(1), Number.NaN])).toBe(Infinity);
});
