/**
 * What twenty figures cost when nobody looks at them: the time of the processor that the page's renderer spends, its
 * workers included, and the devices of the GPU. What a page costs the main thread while it works stands in pace.spec.ts.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { CDPSession, Page } from '@playwright/test';
import { expect, test } from './fixtures';

const SECONDS = 4;
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
