/** A GPU that fails in the middle of a run: the run goes on on the CPU with the same settings, and the page says why. */
import { catalog, expect, openAlone, openExperiment, ready, readView, test, widget } from './fixtures';
import type { Locator, Page } from '@playwright/test';

const subject = catalog.experiments.find((e) => e.id === 'gray-scott')!;
const live = subject.params.find((p) => p.kind === 'number' && p.live && p.key !== 'dt')!;
const link = `${subject.id}?grid=128&${live.key}=${((2 * live.min + live.max) / 3).toPrecision(3)}`;

/** Puts `code` before the worker's script, where it can change what the browser offers. */
async function plant(page: Page, code: string): Promise<void> {
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${code};\n${await answer.text()}` });
  });
}

const steps = (element: Locator): Promise<number> => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0);

async function toGpu(element: Locator): Promise<void> {
  await element.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  await ready(element);
  expect(await element.evaluate((e: any) => e.model.options.device), 'runs on the GPU').toBe('gpu');
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => steps(element), { timeout: 30_000 }).toBeGreaterThan(0);
}

/** The run is on the CPU, plays, has kept the link, draws finite numbers. */
async function expectOnCpu(element: Locator, permalink: string): Promise<void> {
  await expect.poll(() => element.evaluate((e: any) => e.model.device), { timeout: 30_000 }).toMatch(/^CPU/);
  expect(await element.evaluate((e: any) => e.model.options.device)).toBe('cpu');
  expect(await element.evaluate((e: any) => e.model.permalink)).toBe(permalink);
  await expect.poll(() => element.evaluate((e: any) => e.model.playing)).toBe(true);
  const before = await steps(element);
  await expect.poll(() => steps(element), { timeout: 20_000 }).toBeGreaterThan(before);
  const { data } = await readView(element, subject.views[0]!.key);
  expect(data.every(Number.isFinite)).toBe(true);
  expect(Math.max(...data) - Math.min(...data), 'a picture').toBeGreaterThan(0.01);
}

test('a GPU lost in mid-run: the run goes on on the CPU, the page says so', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  const element = await openExperiment(page, url, link);
  await toGpu(element);
  const permalink = await element.evaluate((e: any) => e.model.permalink);
  await expect(page.locator('eddy-device .chip')).toContainText('WebGPU');
  await element.evaluate((e: any) => e.model.loseGpu());
  const notice = page.locator('eddy-controls .notice');
  await expect(notice).toContainText('The GPU device was lost (', { timeout: 30_000 });
  await expect(notice).toContainText('). The run began again on the CPU with the same settings.');
  await expect(notice).toHaveCount(1);
  await expectOnCpu(element, permalink);
  await expect(page.locator('eddy-device .chip')).toContainText('CPU');
  await expect(page.locator(`[data-key="${live.key}"] .entry`)).toHaveValue(/./);
  expect(await element.evaluate((e: any, key) => e.get(key), live.key)).toBe(permalink.match(new RegExp(`${live.key}=([^&]*)`))![1]);
  // The canvas on show is the one of the CPU again.
  expect(await element.evaluate((e: any) => e.model.onGpu[0] ?? false)).toBe(false);
  // A lost device is asked for anew, not for ever refused.
  await toGpu(element);
  await expect(notice).toHaveCount(0);
});

test('a GPU lost in a widget without controls is told too', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  await page.goto(`${url}/embed.html?e=${encodeURIComponent(link)}&baseline=off&controls=none`);
  const element = widget(page);
  await ready(element);
  await toGpu(element);
  await element.evaluate((e: any) => e.pause());
  await element.evaluate((e: any) => e.model.loseGpu());
  // While it rests nothing is noticed; the next step is made, on the CPU.
  await element.evaluate((e: any) => e.advanceSteps(1));
  await expect(page.locator('.notice')).toContainText('The GPU device was lost', { timeout: 30_000 });
  expect(await element.evaluate((e: any) => e.model.options.device)).toBe('cpu');
  expect(await element.evaluate((e: any) => e.model.playing)).toBe(false);
});

test('a GPU without memory left: the run goes on on the CPU with the grid asked for', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  // Once told so, the browser asks the device for the largest buffer there is whenever storage is wanted: the device
  // itself then answers with GPUOutOfMemoryError.
  await plant(
    page,
    `const make = GPUDevice.prototype.createBuffer;
     GPUDevice.prototype.createBuffer = function (d) {
       return make.call(this, globalThis.starved && d.usage & GPUBufferUsage.STORAGE ? { ...d, size: this.limits.maxBufferSize } : d);
     }`,
  );
  const element = await openExperiment(page, url, link);
  await toGpu(element);
  const permalink: string = await element.evaluate((e: any) => e.model.permalink);
  await page.workers().at(-1)!.evaluate(() => ((globalThis as any).starved = true));
  await element.evaluate((e: any) => e.set('grid', '256'));
  const notice = page.locator('eddy-controls .notice');
  await expect(notice).toContainText('ran out of memory', { timeout: 30_000 });
  await expect(notice).toContainText('on the CPU with the same settings');
  await expectOnCpu(element, `${permalink}&grid=256`);
  expect(await element.evaluate((e: any) => e.get('grid'))).toBe('256');
});

test('a grid beyond the limits of the adapter runs on the CPU, with the numbers that say why', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  const most = 200_000;
  await plant(
    page,
    `for (const name of ['maxStorageBufferBindingSize', 'maxBufferSize'])
       Object.defineProperty(GPUSupportedLimits.prototype, name, { get: () => ${most} })`,
  );
  const element = await openAlone(page, url, link);
  await toGpu(element);
  await element.evaluate((e: any) => e.set('grid', '512'));
  const notice = page.locator('eddy-controls .notice');
  await expect(notice).toContainText(`buffer size (bytes) is ${most}, `, { timeout: 30_000 });
  await expect(notice).toContainText('on the CPU with the same settings');
  expect(await element.evaluate((e: any) => e.model.options.device)).toBe('cpu');
  expect(await element.evaluate((e: any) => e.get('grid'))).toBe('512');
  await expect(page.locator('[data-key="grid"] .error')).toHaveCount(0);
});

test('without WebGPU the choice of the GPU is off, and a run that wants it says why and stays', async ({ page, url }) => {
  await plant(page, "Object.defineProperty(WorkerNavigator.prototype, 'gpu', { value: undefined })");
  const element = await openExperiment(page, url, link);
  await page.locator('eddy-device .chip').click();
  const item = page.getByRole('menuitemradio', { name: /WebGPU/ });
  await expect(item).toContainText('This browser has no WebGPU');
  await expect(item).toBeDisabled();
  const permalink = await element.evaluate((e: any) => e.model.permalink);
  await element.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  await expect(page.locator('eddy-controls .notice')).toContainText('This browser has no WebGPU');
  await expectOnCpu(element, permalink);
});

test('an adapter that refuses a device is explained, the run stays', async ({ page, url }) => {
  await plant(page, "GPUAdapter.prototype.requestDevice = () => Promise.reject(new DOMException('planted refusal', 'OperationError'))");
  const element = await openExperiment(page, url, link);
  const permalink = await element.evaluate((e: any) => e.model.permalink);
  await element.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  await expect(page.locator('eddy-controls .notice')).toContainText('planted refusal');
  await expectOnCpu(element, permalink);
});
