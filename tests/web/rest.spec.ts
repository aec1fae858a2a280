/**
 * What twenty figures cost when nobody looks at them: the time of the processor that the page's renderer spends, its
 * workers included, and the devices of the GPU. What a page costs the main thread while it works stands in pace.spec.ts.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { CDPSession, Page } from '@playwright/test';
import { expect, ready, test } from './fixtures';

const SECONDS = 3;
/** Part of one core; the aim of Eddy's design. */
const LIMIT = 0.05;

/** Seconds of processor time of the renderers, all threads: from the system, since the browser counts the main thread only. */
async function rendererSeconds(browser: CDPSession): Promise<number> {
  const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  return processInfo.filter((p) => p.type === 'renderer').reduce((sum, p) => sum + (ticksOf(p.id) ?? 100 * p.cpuTime) / 100, 0);
}

/** Hundredths of a second that a process has computed, where the system has a folder for it; the browser's own count lags behind. */
function ticksOf(process: number): number | undefined {
  const file = `/proc/${process}/stat`;
  if (!existsSync(file)) return undefined;
  // The name, which may hold spaces, ends with the last bracket; then user and system time are the 12th and 13th.
  const fields = readFileSync(file, 'utf8').split(')').at(-1)!.trim().split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Part of a core that the renderers take over some seconds, and part of the main thread's time that is spent on tasks. */
async function load(page: Page): Promise<{ all: number; main: number }> {
  const browser = await page.context().browser()!.newBrowserCDPSession();
  const own = await page.context().newCDPSession(page);
  await own.send('Performance.enable');
  const tasks = async () => (await own.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration')!.value;
  const [before, busy, from] = [await rendererSeconds(browser), await tasks(), performance.now()];
  await page.waitForTimeout(SECONDS * 1000);
  const [after, busier, to] = [await rendererSeconds(browser), await tasks(), performance.now()];
  await browser.detach();
  await own.detach();
  const seconds = (to - from) / 1000;
  return { all: (after - before) / seconds, main: (busier - busy) / seconds };
}

for (const query of ['', '?inline']) {
  test(`twenty figures${query && ' inline'}, out of sight: less than ${100 * LIMIT} % of a core`, async ({ page, url }) => {
    await page.setViewportSize({ width: 900, height: 1700 });
    await page.goto(`${url}/examples/widgets.html${query}`);
    const running = () => page.evaluate(() => [...document.querySelectorAll('eddy-experiment')].filter((f: any) => f.state?.playing).length);
    await expect.poll(running, { timeout: 20_000 }).toBe(2);
    // In sight two of them run, as fast as they can: the measure sees what runs.
    await page.evaluate(() => {
      for (const figure of document.querySelectorAll('eddy-experiment')) {
        const frame = figure.shadowRoot!.querySelector('iframe')?.contentDocument;
        ((frame ?? figure.shadowRoot!).querySelector('eddy-experiment, eddy-inline') as any)?.model?.setSpeed('fast');
      }
    });
    const seen = await load(page);
    await page.evaluate(() => {
      const far = document.createElement('div');
      far.style.height = '8000px';
      document.body.append(far);
      window.scrollTo({ top: document.body.scrollHeight, behavior: 'instant' });
    });
    await expect.poll(running, { timeout: 20_000 }).toBe(0);
    await page.waitForTimeout(1000);
    const idle = await load(page);
    const story = `in sight ${(100 * seen.all).toFixed(1)} % of a core (main thread ${(100 * seen.main).toFixed(1)} %), out of sight ${(100 * idle.all).toFixed(2)} % (${(100 * idle.main).toFixed(2)} %)`;
    test.info().annotations.push({ type: 'load', description: story });
    if (process.env.EDDY_TEST_VERBOSE) console.log(`twenty figures${query}: ${story}`);
    // Other work of the machine may leave little for the run, but more than rest takes.
    expect(seen.all, story).toBeGreaterThan(Math.max(0.01, 3 * idle.all));
    expect(idle.all, story).toBeLessThan(LIMIT);
    expect(idle.main, story).toBeLessThan(LIMIT);
  });
}

test('figures of one page that use the GPU share one device', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  let devices = 0;
  await page.exposeFunction('deviceMade', () => { devices++; });
  // A device belongs to its worker: each worker tells the page of the devices that it asks for.
  await page.addInitScript(() => { new BroadcastChannel('devices').onmessage = () => void (window as any).deviceMade(); });
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    const tell = `if (self.GPUAdapter) { const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = function (...all) { new BroadcastChannel('devices').postMessage(1); return ask.apply(this, all); }; }\n`;
    await route.fulfill({ response: answer, body: tell + (await answer.text()) });
  });
  const tag = '<eddy-experiment permalink="gray-scott?grid=64" baseline="off" inline></eddy-experiment>';
  await page.route('**/two.html', (route) =>
    route.fulfill({ contentType: 'text/html', body: `<!doctype html><html lang="en"><title>x</title><link rel="icon" href="eddy.svg"><script type="module" src="widget.js"></script>${tag.repeat(2)}</html>` }));
  await page.setViewportSize({ width: 900, height: 1700 });
  await page.goto(`${url}/two.html`);
  const figures = page.locator('eddy-inline');
  await expect(figures).toHaveCount(2);
  for (let i = 0; i < 2; i++) await ready(figures.nth(i));
  expect(page.workers().length).toBe(2);
  for (let i = 0; i < 2; i++) {
    await figures.nth(i).evaluate(async (e: any) => {
      await e.model.setOptions({ device: 'gpu', precision: 'f32' });
      e.model.pause();
    });
    expect(await figures.nth(i).evaluate((e: any) => [e.model.status, e.model.options.device])).toEqual(['ready', 'gpu']);
  }
  await page.waitForTimeout(200);
  expect(devices).toBe(1);
});

test('a figure that asks for a GPU where there is none goes on on the CPU and says why', async ({ page, url }) => {
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `Object.defineProperty(navigator, 'gpu', { value: undefined });\n${await answer.text()}` });
  });
  await page.route('**/one.html', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><html lang="en"><title>x</title><link rel="icon" href="eddy.svg"><script type="module" src="widget.js"></script><eddy-experiment permalink="gray-scott?grid=64&feed=0.03" baseline="off" inline></eddy-experiment></html>' }));
  await page.goto(`${url}/one.html`);
  const figure = page.locator('eddy-inline');
  await ready(figure);
  await figure.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  await ready(figure);
  expect(await figure.evaluate((e: any) => e.model.options.device)).toBe('cpu');
  expect(await figure.evaluate((e: any) => e.model.permalink)).toBe('gray-scott?feed=0.03&grid=64');
  await expect(figure.locator('eddy-controls .notice')).toContainText(/GPU/);
});
