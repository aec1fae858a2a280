/** The two back ends compute the same: fields after the same number of steps, f64 on the CPU against f32 on the GPU. */
import { catalog, coarse, expect, openAlone, openExperiment, readView, ready, relativeDifference, test } from './fixtures';

/** Single precision over this many steps; a chaotic run has no time to separate. */
const STEPS = 10;
const TOLERANCE = 2e-3;

const both = catalog.experiments.filter((e) => e.lab === 'pde' && e.devices.includes('cpu') && e.devices.includes('gpu'));

/** What an experiment is asked to do on both where its defaults would not be the same scheme. */
const links: Record<string, string> = {
  'equation-lab': `equation-lab?equations=${encodeURIComponent('u_t = 0.1*lap(u) - u^3')}&x=${encodeURIComponent('0 .. 6, 24')}&y=${encodeURIComponent('0 .. 5, 20')}&initial=${encodeURIComponent('u = 1 + 0.5*sin(2*pi*x/6)*cos(2*pi*y/5)')}&end=4&every=4&dt=0.05&space=fd2&time=rk2`,
};

for (const experiment of both) {
  test(`${experiment.id}: CPU and GPU agree after ${STEPS} steps`, async ({ page, url }) => {
    const element = await openAlone(page, url, links[experiment.id] ?? coarse(experiment));
    test.slow(true, 'a software GPU');
    const view = experiment.views.find((v) => v.kind === 'lines' && !links[experiment.id]) ?? experiment.views.find((v) => v.kind === 'field')!;
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

test('the history of a line has rows of the same times on both devices', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  const element = await openAlone(page, url, 'kuramoto-sivashinsky?points=64&length=40&end=40&dt=0.07');
  const rows = async (device: string) => {
    await element.evaluate((e: any, d) => e.model.setOptions({ device: d, precision: d === 'gpu' ? 'f32' : 'f64' }), device);
    await ready(element);
    await element.evaluate((e: any) => e.pause());
    await element.evaluate((e: any) => e.restart());
    await element.evaluate((e: any) => e.advanceSteps(100));
    const { header, data } = await readView(element, 'history');
    return { y: header.y, rows: Array.from({ length: header.ny }, (_, i) => data.slice(i * header.nx, (i + 1) * header.nx)) };
  };
  const cpu = await rows('cpu');
  const gpu = await rows('gpu');
  expect(gpu.y).toEqual(cpu.y);
  // 7 time units in rows of 1/6; then none yet.
  for (let i = 0; i < 42; i++) expect(relativeDifference(cpu.rows[i]!, gpu.rows[i]!), `row ${i}`).toBeLessThan(TOLERANCE);
  expect(relativeDifference(cpu.rows[41]!, gpu.rows[40]!), 'a row of another time is told apart').toBeGreaterThan(TOLERANCE);
});

test('the chip says where and how the run itself computes', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  const chip = page.locator('eddy-device .chip');
  await page.goto(`${url}/#/e/heat-1d`);
  const element = page.locator('eddy-experiment').first();
  await ready(element);
  await expect(chip).toContainText('CPU · SIMD · f64');
  await element.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  await expect(chip).toContainText('WebGPU', { timeout: 30_000 });
  // A scheme without kernels stays on the CPU, and the chip with it.
  await element.evaluate((e: any) => e.set('scheme', 'euler'));
  await expect(chip).toContainText('CPU · SIMD · f32');
  await element.evaluate((e: any) => e.set('scheme', 'etdrk4'));
  await expect(chip).toContainText('WebGPU');
});

test('a network that the GPU does not train is refused at its control, with the way out', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  const element = await openExperiment(page, url, 'pinn-burgers?width=8&times=8');
  await element.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  await ready(element);
  await expect.poll(() => element.evaluate((e: any) => e.model.device)).toContain('WebGPU');
  await element.evaluate((e: any) => e.set('activation', 'gelu'));
  await expect(page.locator('[data-key="activation"] .error')).toContainText('Only tanh and sine networks are trained');
  await element.evaluate((e: any) => e.set('activation', 'sin'));
  await expect(page.locator('[data-key="activation"] .error')).toHaveCount(0);
});

test('a planted difference is found', () => {
  const field = Array.from({ length: 4096 }, (_, i) => Math.sin(i / 50));
  const planted = field.map((v, i) => (i === 1234 ? v + 4 * TOLERANCE : v));
  expect(relativeDifference(field, field)).toBe(0);
  expect(relativeDifference(field, planted)).toBeGreaterThan(TOLERANCE);
  expect(relativeDifference(field, [...field.slice(1), Number.NaN])).toBe(Infinity);
});
