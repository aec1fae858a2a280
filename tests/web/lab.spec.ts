/** The equation lab: typing, errors at their characters, the fix, the run, the brush, refinement, and the link. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { expect, pngOf, readView, ready, relativeDifference, test, widget } from './fixtures';

const TYPED = ['alpha = 0.6 in [0.1, 2]', 'u_t = 0.4*lap(u) + u - u^3 - v', 'v_t = 0.1*lap(v) + alpah*(u - v)'].join('\n');

async function openLab(page: Page, url: string, query = '') {
  await page.goto(`${url}/#/lab/pde${query}`);
  const element = widget(page);
  await ready(element);
  await expect(page.locator('.cm-content')).toBeVisible();
  await expect(page.locator('.lab-latex .latex-line').first()).toBeVisible();
  return element;
}

/** A stopped run at its start. */
async function begin(element: Locator): Promise<void> {
  await element.evaluate(async (e: any) => {
    await e.model.settled();
    e.pause();
    await e.restart();
  });
}

/** Opens what stands below the equations. Not by a click: it also opens by itself where something in it is wrong. */
function openMore(page: Page): Promise<void> {
  return page.locator('.lab-more').first().evaluate((d: HTMLDetailsElement) => void (d.open = true));
}

async function typeEquations(page: Page, text: string): Promise<void> {
  const editor = page.locator('.cm-content');
  await editor.click();
  await page.keyboard.press('Control+A');
  // As a paste: brackets are not closed a second time.
  await page.keyboard.insertText(text);
}

test('a typed system: the misspelt name, its fix, the run, paint, refine, and the link', async ({ page, url, context }) => {
  test.slow();
  const element = await openLab(page, url, '?preset=heat');
  await typeEquations(page, TYPED);
  // The error is under its characters, and says where.
  const error = page.locator('.lab-errors li').first();
  await expect(error).toContainText('alpah');
  await expect(error).toContainText('Line 3, character 20');
  await expect(page.locator('.cm-lintRange-error')).toHaveText('alpah');
  await page.locator('.lab-fix').first().click();
  await expect(page.locator('.cm-content')).toContainText('alpha*(u - v)');
  await expect(page.locator('.lab-errors [class*=fix]')).toHaveCount(0);
  // A plane, and a start from noise.
  await openMore(page);
  await page.locator('[data-key=exact]').fill('');
  await page.locator('[data-key=initial]').fill('u = 0.2*randn\nv = 0');
  await page.locator('[data-key=x]').fill('40, 48');
  await page.locator('[data-key=y]').fill('40, 48');
  await page.locator('[data-key=end]').fill('30');
  await expect(page.locator('.lab-method h2')).toContainText('etdrk4');
  await expect(page.locator('.lab-method h2')).toContainText('fourier');
  await expect(page.locator('.lab-slider')).toHaveCount(1);
  await expect.poll(() => page.url()).toContain('equations=');
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.position ?? 0), { timeout: 30_000 }).toBeGreaterThan(1);
  await expect.poll(() => element.evaluate((e: any) => e.model.view.key)).toBe('field');
  // The slider moves the parameter of the running run.
  await page.locator('.lab-slider .entry').fill('0.9');
  // The page is drawn anew while one types; what is typed stays.
  await page.waitForTimeout(400);
  await page.locator('.lab-slider .entry').press('Enter');
  await expect.poll(() => element.evaluate((e: any) => e.model.values.get('parameters'))).toBe('alpha = 0.9');
  // Paint: the field changes under the brush.
  await element.evaluate((e: any) => e.pause());
  const before = await readView(element, 'field');
  const box = (await page.locator('eddy-stage canvas:visible').first().boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 12, box.y + box.height / 2);
  await page.mouse.up();
  await expect.poll(async () => relativeDifference(before.data, (await readView(element, 'field')).data)).toBeGreaterThan(0.01);
  // The link gives the same first frame.
  await element.evaluate((e: any) => e.restart());
  const first = await readView(element, 'field');
  const second = await context.newPage();
  await second.goto(page.url());
  const copy = widget(second);
  await ready(copy);
  await copy.evaluate((e: any) => e.pause());
  await copy.evaluate((e: any) => e.restart());
  const again = await readView(copy, 'field');
  expect(again.header).toEqual(first.header);
  expect(relativeDifference(first.data, again.data)).toBe(0);
  await copy.evaluate((e: any) => e.advanceSteps(3));
  expect(relativeDifference(first.data, (await readView(copy, 'field')).data)).toBeGreaterThan(0);
  await second.close();
});

test('parameters have units, and a quote left open is told at its character', async ({ page, url }) => {
  await openLab(page, url, '?preset=heat-plate');
  await typeEquations(page, 'u_t = D*lap(u) - r*u\nD = 0.01 in [0.001, 0.1] "m^2/s"\nr = 0.1 "1/s"');
  const sliders = page.locator('.lab-slider');
  await expect(sliders).toHaveCount(2);
  await expect(sliders.first().locator('.unit')).toHaveText('m²/s');
  await expect(sliders.first().locator('.entry')).toHaveAttribute('aria-label', 'D, number in m^2/s');
  await expect(page.locator('.lab-errors li')).toHaveCount(0);
  await typeEquations(page, 'u_t = D*lap(u)\nD = 0.01 "m^2/s');
  const error = page.locator('.lab-errors li').first();
  await expect(error).toContainText('Line 2, character 10');
  await expect(error).toContainText('never closed');
});

test('a refinement study sees the order of the method', async ({ page, url }) => {
  test.slow();
  const query = new URLSearchParams({
    equations: 'u_t = 0.1*lap(u) + u - u^3', x: '2*pi, 32', initial: 'u = 0.5*sin(x)', end: '2', dt: '0.05', time: 'rk4', space: 'fd2',
  });
  const element = await openLab(page, url, `?${query.toString().replaceAll('+', '%20')}`);
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.outcome.kind), { timeout: 20_000 }).toBe('finished');
  await page.locator('.lab-refine button').click();
  await expect(page.locator('.lab-order').first()).toBeVisible({ timeout: 40_000 });
  const [time, space] = (await page.locator('.lab-order').allTextContents()).map(Number);
  expect(time).toBeGreaterThan(3.6);
  expect(time).toBeLessThan(4.4);
  expect(space).toBeGreaterThan(1.8);
  expect(space).toBeLessThan(2.2);
});

test('the run is taken back to a moment, and goes on from there', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=allen-cahn&end=0.4');
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.outcome.kind), { timeout: 40_000 }).toBe('finished');
  const last = await readView(element, 'field');
  const scrub = page.locator('.scrub');
  await scrub.focus();
  await page.keyboard.press('Home');
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0].progress.position)).toBe(0);
  const first = await readView(element, 'field');
  expect(relativeDifference(first.data, last.data)).toBeGreaterThan(0.01);
  await page.keyboard.press('End');
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0].progress.outcome.kind)).toBe('finished');
  expect(relativeDifference((await readView(element, 'field')).data, last.data)).toBe(0);
  // A quarter back by mouse, and the run ends as it did.
  const box = (await scrub.boundingBox())!;
  await page.mouse.click(box.x + 0.75 * box.width, box.y + box.height / 2);
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0].progress.position)).toBeLessThan(0.32);
  await page.getByRole('button', { name: 'Play' }).click();
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0].progress.outcome.kind), { timeout: 40_000 }).toBe('finished');
  expect(relativeDifference((await readView(element, 'field')).data, last.data)).toBeLessThan(1e-5);
});

test('a VisualPDE link becomes a form that runs', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=heat');
  // {p: Custom, cU: H(20-…), cV: 1, dUU: 1, dVV: 2, ds: 200, k: a=0.037 in [0,0.1];b=0.06 in …, rU: u^2*v - (a+b)*u, …}
  const packed = 'N4IgDiBcIMIK4GcAuB7AtiANCAxgVShAAkAKAJgAYBaEkgDyoBkB9OgejIEoA9MgahIBPJs0EceXTllwA1QgEZpAEzwFoi7EplzoZZQkKUK0gNaEAhgF4KAOgoBmAOwACAJYA7ZwG0KmW-IBdAG4AI2s7ADY3Tx87ABY-G0Cg6QAnNRA4XgAqADdnKmcScz4Qzmy4NJ0QKiyyPOc+Z3NsknkC51ypbAQIaHsQAF8gA';
  const entry = page.locator('.lab-link');
  await entry.fill(`https://visualpde.com/sim/?options=${packed}`);
  await entry.press('Enter');
  await expect(page.locator('.cm-content')).toContainText('u_t = (1)*lap(u) + (u^2*v - (a+b)*u)');
  await expect(page.locator('.lab-slider')).toHaveCount(2);
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.position ?? 0), { timeout: 30_000 }).toBeGreaterThan(0);
  // What is no such link leaves the form as it is, and says so.
  await entry.fill('https://example.org/');
  await entry.press('Enter');
  await expect(page.locator('.lab-notes')).not.toBeEmpty();
  await expect(page.locator('.cm-content')).toContainText('u^2*v');
});

test('a picture becomes the initial values of the field shown', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=allen-cahn');
  await element.evaluate((e: any) => e.pause());
  // Left half white, right half black, as a browser draws it.
  const png = await pngOf(page, 60, 40, "context.fillRect(0, 0, 60, 40); context.fillStyle = '#fff'; context.fillRect(0, 0, 30, 40);");
  const file = page.locator('.lab-file');
  await file.setInputFiles({ name: 'half.png', mimeType: 'image/png', buffer: png });
  await expect(page.locator('.lab-picture [role=status]')).toContainText('initial values');
  await element.evaluate((e: any) => e.pause());
  const { header, data } = await readView(element, 'field');
  const { nx, ny } = header as any;
  const row = (ny / 2) * nx;
  // Black and white become the ends of the range that the noise of the start has.
  expect(data[row + nx / 4]! - data[row + (3 * nx) / 4]!).toBeGreaterThan(0.2);
  await file.setInputFiles({ name: 'text.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await expect(page.locator('.lab-picture [role=status]')).toContainText('no picture that the browser can read');
});

/** Shades of all kinds at once: slopes, edges, and noise that no link could hold. */
const PHOTO = `
  const slope = context.createLinearGradient(0, 0, width, height);
  slope.addColorStop(0, '#222');
  slope.addColorStop(1, '#ccc');
  context.fillStyle = slope;
  context.fillRect(0, 0, width, height);
  context.fillStyle = '#fff';
  context.beginPath();
  context.arc(width * 0.3, height * 0.4, width * 0.2, 0, 7);
  context.fill();
  let state = 1;
  for (let i = 0; i < 9000; i++) {
    state = (state * 48271) % 2147483647;
    context.fillStyle = 'rgb(0 0 0 / 0.' + (state % 4) + ')';
    context.fillRect((state % 977) / 977 * width, (state % 1013) / 1013 * height, 2, 2);
  }`;

test('the link holds the picture that a run began from', async ({ page, url, context, watched }) => {
  test.slow();
  const element = await openLab(page, url, '?preset=allen-cahn');
  await page.locator('.lab-file').setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: await pngOf(page, 400, 300, PHOTO) });
  await expect(page.locator('.lab-picture [role=status]')).toContainText('96 × 72 points');
  await expect.poll(() => page.url()).toContain('picture=');
  expect(page.url().length).toBeLessThan(2000);
  await begin(element);
  const start = await readView(element, 'field');
  // The picture is there: its disc is brighter than what is around it.
  const { nx, ny } = start.header;
  const shade = (x: number, y: number) => start.data[Math.round((1 - y) * ny) * nx + Math.round(x * nx)]!;
  expect(shade(0.3, 0.4) - shade(0.05, 0.4)).toBeGreaterThan(0.3 * (start.header.range[1] - start.header.range[0]));
  // Another page with the link has the same numbers, from the start and after steps.
  const second = await context.newPage();
  await second.goto(page.url());
  const copy = widget(second);
  await ready(copy);
  await begin(copy);
  expect((await readView(copy, 'field')).data).toEqual(start.data);
  for (const one of [element, copy]) await one.evaluate((e: any) => e.advanceSteps(4));
  const later = await readView(element, 'field');
  expect((await readView(copy, 'field')).data).toEqual(later.data);
  // Strokes come on top, and go into the link beside it.
  const link = page.url();
  await copy.evaluate((e: any) => {
    for (const kind of ['down', 'up']) e.model.pointer({ view: 'field', kind, x: 30, y: 30, radius: 6, secondary: false });
  });
  await expect.poll(() => second.url()).toContain('strokes=');
  expect(second.url()).toContain('picture=');
  await second.close();
  // A longer run begins from it too; another preset does not, nor who takes it away.
  await openMore(page);
  await page.locator('[data-key=end]').fill('7');
  await expect.poll(() => page.url()).toContain('end=7');
  await expect.poll(() => page.url()).toContain('picture=');
  await begin(element);
  expect((await readView(element, 'field')).data).toEqual(start.data);
  await page.getByRole('button', { name: 'Without the picture' }).click();
  await expect.poll(() => page.url()).not.toContain('picture=');
  await begin(element);
  expect(relativeDifference(start.data, (await readView(element, 'field')).data)).toBeGreaterThan(0.1);
  // What is broken is said, and the run stands. Planted: it is no longer the picture.
  const broken = await context.newPage();
  await broken.goto(link.replace(/picture=.{40}/, 'picture=1AAAA'));
  await ready(widget(broken));
  await expect(broken.locator('eddy-experiment')).toContainText('picture of this link cannot be read');
  await begin(widget(broken));
  expect(relativeDifference(start.data, (await readView(widget(broken), 'field')).data)).toBeGreaterThan(0.1);
  await broken.close();
  expect(watched.problems).toEqual([]);
});

test('a picture keeps to the room there is, and coarser pictures are nearer to nothing', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=allen-cahn');
  const lengths: number[] = [];
  const gaps: number[] = [];
  await page.locator('.lab-file').setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: await pngOf(page, 300, 300, PHOTO) });
  await expect.poll(() => page.url()).toContain('picture=');
  await begin(element);
  const best = await readView(element, 'field');
  for (const room of [1100, 600, 300]) {
    // The rest of the link takes what the picture may not.
    await page.goto(`${url}/#/lab/pde?preset=allen-cahn&exact=${encodeURIComponent(`u = ${'0*x+'.repeat(Math.round((1700 - room) / 6))}0`)}`);
    await ready(element);
    await page.locator('.lab-file').setInputFiles({ name: 'photo.png', mimeType: 'image/png', buffer: await pngOf(page, 300, 300, PHOTO) });
    await expect.poll(() => page.url()).toContain('picture=');
    lengths.push(page.url().length);
    await begin(element);
    gaps.push(relativeDifference(best.data, (await readView(element, 'field')).data));
  }
  expect(Math.max(...lengths)).toBeLessThan(2000);
  expect(gaps[0]).toBeGreaterThan(0);
  expect(gaps[2]).toBeGreaterThan(gaps[0]!);
});

test('contours, arrows and the gap to the exact solution are drawn', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=taylor-green');
  for (const name of ['Contours', 'Arrows', 'Difference to the exact solution']) {
    await page.getByRole('button', { name, exact: true }).click();
    await page.waitForTimeout(400);
    if (process.env.EDDY_SHOTS) await page.screenshot({ path: `${process.env.EDDY_SHOTS}/lab-view-${name.slice(0, 4).toLowerCase()}.png` });
  }
  const arrows = await readView(element, 'arrows');
  expect((arrows.header as any).trails).toBeGreaterThan(100);
  const gap = await readView(element, 'difference-plane');
  expect(Math.max(...Array.from(gap.data).map(Math.abs))).toBeLessThan(1e-6);
});

test('the problem is shown as a file and as a Python script', async ({ page, url }) => {
  await openLab(page, url, '?preset=heat');
  await expect(page.locator('.lab-export pre')).toContainText('[domain');
  await expect(page.locator('.lab-numpy pre')).toContainText('import numpy as np');
  await page.locator('.lab-numpy summary').click();
  await expect(page.locator('.lab-numpy button')).toHaveText(/Copy script/);
  // Walls are beyond the script, and it says so.
  await page.goto(`${url}/#/lab/pde?preset=burgers`);
  await expect(page.locator('.lab-numpy')).toContainText('periodic sides only');
});

test('a grid that is large waits to be asked for', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=allen-cahn&end=1');
  const link = await element.evaluate((e: any) => e.model.permalink);
  await openMore(page);
  // On the way to “40, 8”: 96 points a side are more than anybody waits for.
  await page.locator('[data-key=z]').fill('40,');
  await expect(page.locator('.lab-warning[class]').first()).toContainText('numbers: a step may take seconds');
  expect(await element.evaluate((e: any) => e.model.permalink), 'the run before goes on').toBe(link);
  await page.locator('[data-key=z]').fill('40, 8');
  await expect.poll(() => page.url()).toContain('z=40');
  await expect(page.locator('.lab-confirm')).toHaveCount(0);
  // Who asks gets it.
  await page.locator('[data-key=z]').fill('');
  await page.locator('[data-key=x]').fill('100, 512');
  await page.locator('[data-key=y]').fill('100, 512');
  await page.locator('.lab-confirm').click();
  await expect.poll(() => page.url(), { timeout: 30_000 }).toContain('512');
});

test('a preset that does not exist is said where one chooses, and on the stage', async ({ page, url }) => {
  await page.goto(`${url}/#/lab/pde?preset=heet`);
  const said = /There is no preset “heet”/;
  await expect(page.locator('.lab-form [role=alert]')).toContainText(said);
  await expect(page.locator('eddy-stage .waiting')).toContainText(said);
  await page.locator('.lab-preset').selectOption('heat');
  await expect.poll(() => page.locator('eddy-experiment').evaluate((e: any) => e.model.status)).toBe('ready');
  await expect(page.locator('.lab-form [role=alert]')).toHaveCount(0);
  await expect(page.locator('eddy-stage .waiting')).toHaveCount(0);
});

test('an unusable axis is said at its entry, and the last run stays', async ({ page, url }) => {
  const element = await openLab(page, url, '?preset=heat');
  await openMore(page);
  await page.locator('[data-key=x]').fill('3 .. 1, 64');
  await expect(page.locator('.lab-entry:has([data-key=x]) .lab-errors')).toContainText('larger');
  expect(await element.evaluate((e: any) => e.model.status)).toBe('ready');
  await page.locator('[data-key=x]').fill('0 .. 2*pi, 64');
  await expect(page.locator('.lab-entry:has([data-key=x]) .lab-errors')).toHaveCount(0);
});

for (const scheme of ['light', 'dark'] as const) {
  test(`lab, ${scheme}: nothing sticks out and axe finds nothing`, async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: scheme });
    const element = await openLab(page, url, '?preset=gray-scott-maze');
    await page.waitForTimeout(1500);
    await element.evaluate((e: any) => e.pause());
    await openMore(page);
    for (const [width, height] of [[1440, 900], [820, 1180], [390, 844], [360, 640]] as const) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(150);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${width} px wide`).toBeLessThanOrEqual(0);
      if (process.env.EDDY_SHOTS) await page.screenshot({ path: `${process.env.EDDY_SHOTS}/lab-${scheme}-${width}.png`, fullPage: true });
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    const found = await new AxeBuilder({ page }).analyze();
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
  });
}
