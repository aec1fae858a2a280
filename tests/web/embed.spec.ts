/** Frames: two on a page of another site, and one in a sandbox of opaque origin. */
import { catalog, colorsOf, expect, ready, test, widget } from './fixtures';

test('a host page shows two running widgets', async ({ page, url }) => {
  await page.goto(`${url}/examples/host.html`);
  for (const index of [0, 1]) {
    const frame = page.frameLocator('iframe').nth(index);
    await page.locator('iframe').nth(index).scrollIntoViewIfNeeded();
    const element = widget(frame);
    await ready(element);
    await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBeGreaterThan(0);
    expect(await colorsOf(page, frame.locator('eddy-stage canvas:visible').first())).toBeGreaterThan(2);
  }
});

test('the frame takes its options', async ({ page, url }) => {
  const experiment = catalog.experiments.find((e) => e.bundle === 'core')!;
  const shown = experiment.params[0]!;
  await page.goto(`${url}/embed.html?e=${experiment.id}&controls=${shown.key}&theme=dark&baseline=off`);
  await ready(widget(page));
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.locator('eddy-controls .control')).toHaveCount(1);
  await expect(page.locator('eddy-stage .pane')).toHaveCount(1);
  // Not asked to: it does not start by itself.
  await page.waitForTimeout(400);
  expect(await widget(page).evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBe(0);
});

test('a sandboxed frame of opaque origin runs on its own thread', async ({ page, url, watched }) => {
  const experiment = catalog.experiments.find((e) => e.bundle === 'core' && e.cost === 'cheap')!;
  // Module scripts of an opaque origin are fetched with CORS, so this file host has to allow it.
  const { serve } = await import('./server');
  const site = await serve({ 'access-control-allow-origin': '*' });
  try {
    await page.goto(`${url}/examples/host.html`);
    await page.evaluate((address) => {
      const frame = document.createElement('iframe');
      frame.setAttribute('sandbox', 'allow-scripts');
      frame.id = 'sandboxed';
      frame.width = '700';
      frame.height = '600';
      frame.src = address;
      document.body.prepend(frame);
    }, `${site.url}/embed.html?e=${experiment.id}&autoplay`);
    const element = widget(page.frameLocator('#sandboxed'));
    await ready(element);
    await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBeGreaterThan(0);
    watched.problems.length = 0;
  } finally {
    await site.close();
  }
});

test('off-screen it rests', async ({ page, url }) => {
  const experiment = catalog.experiments.find((e) => e.bundle === 'core' && e.views[0]!.kind === 'field') ?? catalog.experiments[0]!;
  await page.setViewportSize({ width: 800, height: 700 });
  await page.goto(`${url}/embed.html?e=${experiment.id}&autoplay`);
  const element = widget(page);
  await ready(element);
  await element.evaluate((e: any) => e.model.setSpeed('slow'));
  await page.evaluate(() => {
    const spacer = document.createElement('div');
    spacer.style.height = '4000px';
    document.body.append(spacer);
    window.scrollTo({ top: 3000, behavior: 'instant' });
  });
  await page.waitForTimeout(500);
  const steps = () => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0);
  const resting = await steps();
  await page.waitForTimeout(800);
  expect(await steps()).toBe(resting);
  await page.evaluate(() => window.scrollTo({ top: 0, behavior: 'instant' }));
  await expect.poll(steps).toBeGreaterThan(resting);
});
