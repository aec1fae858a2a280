/** A field in space: rays through its values, turned and cut, the flat picture where there is no WebGL, and the numbers of its files. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { colorsOf, difference, expect, readView, ready, relativeDifference, test, widget } from './fixtures';

// So high that nothing scrolls: a page scrolled by half a pixel is another picture.
test.use({ viewport: { width: 1280, height: 1700 } });

/** A ball in a corner of the box: 0 ≤ x, y, z ≤ 4, its values largest at (1, 1, 1). */
const BALL = new URLSearchParams({
  equations: 'u_t = 0.05*lap(u)', x: '0 .. 4, 16', y: '0 .. 4, 16', z: '0 .. 4, 20', initial: 'u = exp(-2*((x-1)^2+(y-1)^2+(z-1)^2))', end: '2', space: 'fd2',
}).toString().replaceAll('+', '%20');

async function openVolume(page: Page, url: string): Promise<Locator> {
  await page.goto(`${url}/#/lab/pde?${BALL}`);
  const element = widget(page);
  await ready(element);
  await expect.poll(() => element.evaluate((e: any) => e.model.view.key)).toBe('volume');
  await element.evaluate(async (e: any) => {
    e.pause();
    await e.restart();
  });
  return element;
}
const canvasOf = (page: Page): Locator => page.locator('eddy-volume[drawn] canvas');
/** Between pictures of the same, which rounding and the pace of the machine may change, and of something else. */
const SAME = 0.02;
const OTHER = 0.15;
/** The picture once it has come to rest. */
async function picture(page: Page): Promise<string> {
  let last = '';
  await expect.poll(async () => {
    // What a key or the mouse asked for may wait until the GPU has drawn what was asked before.
    const isWhole = (await page.locator('eddy-volume[rests]').count()) === 1;
    const now = (await canvasOf(page).screenshot()).toString('base64');
    const rests = isWhole && last !== '' && (await difference(page, last, now)) < 0.2 * SAME;
    last = now;
    return rests;
  }, { intervals: [450], timeout: 20_000 }).toBe(true);
  return last;
}
const look = (page: Page, label: string): Locator => page.locator('eddy-volume').getByLabel(label);

test('a volume is drawn, turned by keys and mouse, and follows the run', async ({ page, url }) => {
  test.slow();
  const element = await openVolume(page, url);
  await expect(canvasOf(page)).toBeVisible();
  await canvasOf(page).scrollIntoViewIfNeeded();
  await expect.poll(() => colorsOf(page, canvasOf(page)), { timeout: 20_000 }).toBeGreaterThan(20);
  // The ring of the focus is part of both pictures.
  await canvasOf(page).focus();
  await page.keyboard.press('Shift');
  const first = await picture(page);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  expect(await difference(page, first, await picture(page))).toBeGreaterThan(OTHER);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  expect(await difference(page, first, await picture(page)), 'the keys lead back').toBeLessThan(SAME);
  const box = (await canvasOf(page).boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 80, box.y + box.height / 2 - 20, { steps: 4 });
  await page.mouse.up();
  const dragged = await picture(page);
  expect(await difference(page, first, dragged)).toBeGreaterThan(OTHER);
  await element.evaluate((e: any) => e.advanceSteps(20));
  await expect.poll(async () => difference(page, dragged, await picture(page)), { timeout: 20_000 }).toBeGreaterThan(SAME);
  // Both ends of each axis and its name are at the box, and nothing of it overlaps.
  const marks = await page.locator('eddy-volume .mark').evaluateAll((list) => list.map((m) => ({ text: m.textContent, box: m.getBoundingClientRect().toJSON() })));
  expect(marks.map((m) => m.text)).toEqual(['position x', '0', '4', 'position y', '0', '4', 'position z', '0', '4']);
  for (const { box: b } of marks) {
    expect(b.left).toBeGreaterThanOrEqual(box.x);
    expect(b.right).toBeLessThanOrEqual(box.x + box.width);
  }
  // The slice has its own button, and then the volume is gone.
  await page.getByRole('button', { name: 'Middle slice' }).click();
  await expect(page.locator('eddy-volume')).toHaveCount(0);
});

test('what is solid and how far up is chosen', async ({ page, url }) => {
  test.slow();
  await openVolume(page, url);
  await canvasOf(page).scrollIntoViewIfNeeded();
  await expect.poll(() => colorsOf(page, canvasOf(page)), { timeout: 20_000 }).toBeGreaterThan(20);
  const whole = await picture(page);
  // The ball lies around z = 1: a lid at 3 takes nothing away, one at 0.2 takes all of it.
  const lid = look(page, 'up to z');
  await lid.fill('0.75');
  await expect(page.locator('eddy-volume output').last()).toHaveText('3');
  await lid.fill('0.05');
  expect(await difference(page, whole, await picture(page))).toBeGreaterThan(OTHER);
  await lid.fill('1');
  expect(await difference(page, whole, await picture(page))).toBeLessThan(SAME);
  await look(page, 'beyond').fill('0.9');
  expect(await difference(page, whole, await picture(page))).toBeGreaterThan(OTHER);
  await look(page, 'beyond').fill('0.3');
  await look(page, 'Solid').selectOption('low');
  expect(await difference(page, whole, await picture(page))).toBeGreaterThan(OTHER);
});

test('the volume holds its layers, and its picture the largest value along z', async ({ page, url }) => {
  const element = await openVolume(page, url);
  const volume = await readView(element, 'volume');
  const { nx, ny, nz, x, y, z } = volume.header;
  expect([nx, ny, nz, x, y, z]).toEqual([16, 16, 20, [0, 4], [0, 4], [0, 4]]);
  const at = (i: number, j: number, k: number) => Math.exp(-2 * ((i / 4 - 1) ** 2 + (j / 4 - 1) ** 2 + (k / 5 - 1) ** 2));
  const wanted = Array.from({ length: nx * ny * nz }, (_, n) => at(n % nx, Math.floor(n / nx) % ny, Math.floor(n / (nx * ny))));
  expect(relativeDifference(wanted, volume.data)).toBeLessThan(1e-6);
  // Planted: x and y changed for each other is another volume where the axes differ.
  const turned = wanted.map((_, n) => at(n % nx, Math.floor(n / nx) % ny, Math.floor(n / (nx * ny)) - 1));
  expect(relativeDifference(turned, volume.data)).toBeGreaterThan(0.1);
  const slice = await readView(element, 'field');
  expect(slice.data).toEqual(volume.data.slice(10 * nx * ny, 11 * nx * ny));
});

test('without WebGL the flat picture stands behind the message', async ({ page, url }) => {
  await page.addInitScript(() => {
    const make = HTMLCanvasElement.prototype.getContext as (...all: unknown[]) => unknown;
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
      return kind.startsWith('webgl') ? null : make.call(this, kind, ...rest);
    } as never;
  });
  await openVolume(page, url);
  await expect(page.locator('eddy-volume')).toContainText('no WebGL');
  const flat = page.locator('eddy-stage .plot > canvas:visible').first();
  await flat.scrollIntoViewIfNeeded();
  await expect.poll(() => colorsOf(page, flat)).toBeGreaterThan(20);
});

for (const scheme of ['light', 'dark'] as const) {
  test(`volume, ${scheme}: axe finds nothing, nothing sticks out, all by keyboard`, async ({ page, url }) => {
    test.slow();
    await page.emulateMedia({ colorScheme: scheme });
    await openVolume(page, url);
    await expect(canvasOf(page)).toBeVisible();
    for (const width of [1440, 820, 390, 360]) {
      await page.setViewportSize({ width, height: 844 });
      await page.waitForTimeout(150);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${width} px wide`).toBeLessThanOrEqual(0);
      const sticks = await page.locator('eddy-volume').evaluate((e) => {
        const own = e.getBoundingClientRect();
        return [...e.shadowRoot!.querySelectorAll('.look *')].filter((c) => c.getBoundingClientRect().right > own.right + 0.5 || c.getBoundingClientRect().bottom > own.bottom + 0.5).length;
      });
      expect(sticks, `choices cut at ${width} px`).toBe(0);
      expect((await canvasOf(page).boundingBox())!.height, `room for the box at ${width} px`).toBeGreaterThan(180);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    const found = await new AxeBuilder({ page }).analyze();
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
    await canvasOf(page).focus();
    for (const label of ['Solid', 'beyond', 'up to z']) {
      await page.keyboard.press('Tab');
      await expect(look(page, label)).toBeFocused();
    }
    await page.keyboard.press('ArrowLeft');
    await expect(look(page, 'up to z')).toHaveValue('0.99');
  });
}
