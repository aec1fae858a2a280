/** What the site holds beside the page: pages of text with previews, stills, 404, and what works without a network or scripts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { catalog, expect, firstPicture, layoutShift, ready, test, widget } from './fixtures';

const dist = process.env.EDDY_SITE || join(__dirname, '../../web/dist');

test('every experiment has a page of text with its preview, and a still of its run', async ({ page, url }) => {
  for (const e of catalog.experiments) {
    const text = readFileSync(join(dist, 'e', e.id, 'index.html'), 'utf8');
    expect(text).toContain('<meta property="og:title"');
    expect(text).toContain(`posters/${e.id}.jpg`);
    expect(existsSync(join(dist, 'posters', `${e.id}.jpg`)), e.id).toBe(true);
  }
  await page.goto(`${url}/404.html`);
  // The stills show something: more than a background, and (but for a few siblings) different things.
  const seen = await page.evaluate(async (addresses) => {
    const out: { colors: number; print: string }[] = [];
    for (const address of addresses) {
      const bitmap = await createImageBitmap(await (await fetch(address)).blob(), { resizeWidth: 48, resizeHeight: 30 });
      const canvas = new OffscreenCanvas(48, 30);
      const context = canvas.getContext('2d')!;
      context.drawImage(bitmap, 0, 0);
      const pixels = context.getImageData(0, 0, 48, 30).data;
      const colors = new Set<number>();
      for (let i = 0; i < pixels.length; i += 4) colors.add(((pixels[i]! >> 4) << 8) | ((pixels[i + 1]! >> 4) << 4) | (pixels[i + 2]! >> 4));
      out.push({ colors: colors.size, print: pixels.join() });
    }
    return out;
  }, catalog.experiments.map((e) => `${url}/posters/${e.id}.jpg`));
  seen.forEach((s, i) => expect(s.colors, catalog.experiments[i]!.id).toBeGreaterThan(1));
  expect(new Set(seen.map((s) => s.print)).size).toBeGreaterThan(0.8 * seen.length);
});

test('the gallery shows the stills without a worker per card', async ({ page, url }) => {
  await page.goto(`${url}/`);
  const first = page.locator('eddy-card img').first();
  await first.scrollIntoViewIfNeeded();
  await expect.poll(() => first.evaluate((i: HTMLImageElement) => i.naturalWidth)).toBe(960);
  expect(page.workers().length).toBeLessThanOrEqual(1);
});

test('the gallery filters by family and by what an experiment needs', async ({ page, url }) => {
  await page.goto(`${url}/`);
  const cards = page.locator('eddy-card');
  const claims = catalog.experiments.filter((e) => e.claim).length;
  expect(claims).toBeLessThan(catalog.experiments.length);
  await page.getByLabel('What it needs or has').selectOption('claim');
  await expect(cards).toHaveCount(claims);
  await page.getByLabel('Family').selectOption('diffusion');
  await expect(cards).toHaveCount(catalog.experiments.filter((e: any) => e.claim && e.family === 'diffusion').length);
});

for (const [name, path, width] of [
  ['gallery', '', 1280], ['papers', '#/papers', 1280], ['experiment', '#/e/heat-1d', 1280], ['experiment on a phone', '#/e/wave-2d', 390],
  ['training', '#/e/pinn-burgers', 1280], ['lesson', '#/learn/causality', 1280], ['comparison', '#/compare?a=heat-1d&b=heat-1d%3Fscheme%3Deuler', 1280],
] as const) {
  test(`${name}: the first picture comes soon, and nothing moves while it loads and runs`, async ({ page, url }) => {
    await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
    // Best of three: a shared machine stalls now and then, a page that is slow by itself is slow each time.
    let best = Infinity;
    for (let i = 0; i < 3 && best > 1000; i++) {
      await page.goto('about:blank');
      await page.goto(`${url}/${path}`);
      best = Math.min(best, await firstPicture(page));
    }
    test.info().annotations.push({ type: 'first contentful paint, ms', description: best.toFixed(0) });
    // A second is the aim (the annotation says what it was); twice that is a fault also on a shared machine.
    expect(best).toBeLessThan(2000);
    await page.waitForTimeout(1500);
    const shift = await layoutShift(page);
    test.info().annotations.push({ type: 'layout shift', description: shift.toFixed(4) });
    // 0 as far as it can be measured: a formula in a control that becomes five pixels wider counts 0.00001.
    expect(shift).toBeLessThan(0.001);
  });
}

// Pictures that are not square, and a legend of many lines.
for (const id of ['log-bessel', 'gas-chromatograph', 'klein-gordon-1d', 'nlse-1d', 'heat-1d']) {
  test(`the page of ${id} does not move while it comes up`, async ({ page, url }) => {
    test.skip(!catalog.experiments.some((e) => e.id === id), 'not in this build');
    for (const [width, height] of [[1440, 900], [820, 1180], [390, 844]] as const) {
      await page.setViewportSize({ width, height });
      await page.goto('about:blank');
      await page.goto(`${url}/#/e/${id}`);
      await ready(widget(page));
      await expect.poll(() => widget(page).evaluate((e: any) => e.model.headers[0]?.kind)).toBeTruthy();
      await page.waitForTimeout(500);
      expect(await layoutShift(page), `${width}`).toBeLessThan(0.001);
    }
  });
}

test('a page of text leads to the live one, settings and all', async ({ page, url }) => {
  await page.goto(`${url}/e/heat-1d/?diffusivity=0.2`);
  await expect.poll(() => page.url()).toBe(`${url}/index.html#/e/heat-1d?diffusivity=0.2`);
  await ready(widget(page));
  expect(await widget(page).evaluate((e: any) => e.get('diffusivity'))).toBe('0.2');
});

test('without scripts there is text, a still and the way to the command line', async ({ browser, url }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${url}/`);
  const links = page.locator('noscript li a, .noscript ~ ul li a');
  expect(await links.count()).toBe(catalog.experiments.length);
  await links.first().click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(catalog.experiments[0]!.title);
  await expect(page.locator('main')).toContainText(`./eddy run ${catalog.experiments[0]!.id}`);
  await expect.poll(() => page.locator('img').evaluate((i: HTMLImageElement) => i.naturalWidth)).toBe(960);
  // In a host page the tag's own still and link are what is left.
  await page.route('**/plain.html', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><html lang="en"><title>x</title><script type="module" src="widget.js"></script><eddy-experiment experiment="heat-1d"><img slot="poster" src="posters/heat-1d.jpg" alt="Heat" width="100%" height="520"><p><a href="./e/heat-1d/">Heat</a></p></eddy-experiment></html>` }));
  await page.goto(`${url}/plain.html`);
  await expect(page.getByRole('img', { name: 'Heat' })).toBeVisible();
  await page.getByRole('link', { name: 'Heat' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Heat on a ring');
  await context.close();
});

for (const scheme of ['light', 'dark'] as const) {
  test(`pages of text and 404, ${scheme}: axe finds nothing`, async ({ browser, url }) => {
    const context = await browser.newContext({ colorScheme: scheme });
    const page = await context.newPage();
    await page.route('**/open.js', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
    for (const path of ['404.html', `e/${catalog.experiments[0]!.id}/`]) {
      await page.goto(`${url}/${path}`);
      const found = await new AxeBuilder({ page }).analyze();
      expect(found.violations.map((v) => v.id), path).toEqual([]);
    }
    await context.close();
  });
}

test('on paper the still of a widget stands, not its frame', async ({ page, url }) => {
  await page.route('**/paper.html', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><html lang="en"><title>x</title><link rel="icon" href="eddy.svg"><script type="module" src="widget.js"></script><eddy-experiment experiment="heat-1d"><p>Caption</p></eddy-experiment></html>` }));
  await page.goto(`${url}/paper.html`);
  await expect(page.locator('iframe')).toBeVisible();
  await expect.poll(() => page.evaluate(() => document.querySelector('eddy-experiment')!.shadowRoot!.querySelector<HTMLElement>('.still')!.hidden), { timeout: 20_000 }).toBe(true);
  await page.emulateMedia({ media: 'print' });
  await expect(page.locator('iframe')).toBeHidden();
  await expect(page.locator('eddy-experiment .still img')).toBeVisible();
});

test.describe('offline', () => {
  test.use({ serviceWorkers: 'allow' });
  test('after one visit the page runs without a network', async ({ page, url, context, watched }) => {
    await page.goto(`${url}/`);
    await expect(page.locator('html')).toHaveAttribute('data-offline', 'ready', { timeout: 40_000 });
    await context.setOffline(true);
    await page.goto(`${url}/#/e/heat-1d`);
    await page.reload();
    await ready(widget(page));
    await expect.poll(() => widget(page).evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBeGreaterThan(0);
    await page.goto(`${url}/embed.html?e=burgers-1d`);
    await ready(widget(page));
    // Planted: what was never kept is not there.
    watched.problems.length = 0;
    expect(await page.evaluate(() => fetch('./examples/host.html').then(() => 'there', () => 'not there'))).toBe('not there');
    watched.problems.length = 0;
  });
});
