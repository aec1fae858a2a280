/** The probe and the sources of a typed problem as handles on the picture, and shapes that the brush draws. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { pairs, withPair } from '../../web/src/lab/facts';
import { expect, openAlone, readView, test } from './fixtures';

const SOURCES = 'equation-lab?preset=wave-sources&x=-5%20..%205,%2064&y=-5%20..%205,%2064&dt=0.05';
const WALLS = 'equation-lab?preset=wave-walls&x=-5%20..%205,%2064&y=-5%20..%205,%2064&dt=0.05';

const valueOf = (element: Locator, key: string): Promise<string> => element.evaluate((e: any, key) => e.model.values.get(key), key);
const handle = (element: Locator, key: string): Locator => element.locator(`eddy-places button[data-place="${key}"]`);

async function putProbe(element: Locator): Promise<void> {
  await element.locator('eddy-stage').hover();
  await element.getByRole('button', { name: 'Probe', exact: true }).click();
  await expect(handle(element, 'probe')).toBeVisible();
}

async function drag(page: Page, grip: Locator, dx: number, dy: number): Promise<void> {
  const box = (await grip.boundingBox())!;
  // Not by its middle: it does not jump to the hand.
  const [x, y] = [box.x + box.width / 2 + 4, box.y + box.height / 2 - 3];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx / 2, y + dy / 2);
  await page.mouse.move(x + dx, y + dy);
  await page.mouse.up();
}

test('sources are dragged while the run goes on, and stand in the link', async ({ page, url }) => {
  const element = await openAlone(page, url, SOURCES);
  await element.evaluate((e: any) => e.model.showView('field'));
  await expect(handle(element, '1')).toBeVisible();
  await expect(handle(element, '2')).toBeVisible();
  await element.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.advanceSteps(3)));
  const before = await element.evaluate((e: any) => e.model.panes[0].progress.steps);
  const box = (await element.locator('eddy-places').boundingBox())!;
  await drag(page, handle(element, '1'), 0.1 * box.width, -0.2 * box.height);
  await element.evaluate((e: any) => e.model.settled());
  const told = Object.fromEntries((await valueOf(element, 'parameters')).split('; ').map((part) => part.split(' = ')));
  expect(Number(told.x1)).toBeCloseTo(0, 1);
  expect(Number(told.y1)).toBeCloseTo(2, 1);
  expect(Object.keys(told).sort(), 'the other source stays').toEqual(['x1', 'y1']);
  expect(await element.evaluate((e: any) => e.model.panes[0].progress.steps), 'no restart').toBeGreaterThanOrEqual(before);
  expect(decodeURIComponent(await element.evaluate((e: any) => e.model.permalink))).toContain('x1 = ');
  // Waves come from there now.
  await element.evaluate((e: any) => e.restart());
  await element.evaluate((e: any) => e.pause());
  await element.evaluate(async (e: any) => (await e.restart(), await e.advanceSteps(4)));
  const { header, data } = await readView(element, 'field');
  const strongest = (left: boolean): [number, number] => {
    let best = -1;
    data.forEach((v, i) => {
      if (i % header.nx < header.nx / 2 + (left ? 4 : 100) && (best < 0 || Math.abs(v) > Math.abs(data[best]!)) && (!left || Math.floor(i / header.nx) > header.ny / 2 + 4)) best = i;
    });
    return [-5 + (10 * (best % header.nx)) / header.nx, -5 + (10 * Math.floor(best / header.nx)) / header.ny];
  };
  const [x, y] = strongest(true);
  expect(Math.hypot(x - Number(told.x1), y - Number(told.y1))).toBeLessThan(0.5);
  // By keys, within the range that the problem gives; and back by one undo.
  await handle(element, '2').focus();
  await page.keyboard.press('Shift+ArrowRight');
  await expect.poll(async () => /x2 = 1\.5\b/.test(await valueOf(element, 'parameters'))).toBe(true);
  for (let i = 0; i < 10; i++) await page.keyboard.press('Shift+ArrowRight');
  await expect.poll(async () => /x2 = 4\b/.test(await valueOf(element, 'parameters'))).toBe(true);
  await expect(handle(element, '2')).toHaveAttribute('aria-label', /Source x2, y2 at 4, /);
});

test('the probe is dragged over a plane and along a line, and its curve is of the new point', async ({ page, url }) => {
  const plane = await openAlone(page, url, SOURCES);
  await plane.evaluate((e: any) => e.model.showView('field'));
  await plane.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.restart(), await e.advanceSteps(60)));
  // It is on the picture only when it was put there: the brush needs the room.
  await expect(handle(plane, 'probe')).toHaveCount(0);
  await putProbe(plane);
  const box = (await plane.locator('eddy-places').boundingBox())!;
  await drag(page, handle(plane, 'probe'), 0.2 * box.width, 0.1 * box.height);
  await expect.poll(async () => (await valueOf(plane, 'probe')).split(', ').map(Number).map(Math.round)).toEqual([2, -1]);
  await plane.evaluate((e: any) => e.model.settled());
  // To a saved state: t = 5.1.
  await plane.evaluate((e: any) => e.advanceSteps(42));
  // The curve holds the field at that point.
  const { header, data } = await readView(plane, 'field');
  const [x, y] = (await valueOf(plane, 'probe')).split(', ').map(Number);
  const at = Math.round(((y! + 5) / 10) * header.ny) * header.nx + Math.round(((x! + 5) / 10) * header.nx);
  const curve = await readView(plane, 'probe');
  const { length } = curve.header.series[0];
  expect(curve.data[length - 1]).toBeCloseTo(5.1, 4);
  expect(Math.abs(curve.data[2 * length - 1]! - data[at]!)).toBeLessThan(1e-5 + 1e-4 * Math.abs(data[at]!));

  const line = await openAlone(page, url, 'equation-lab?preset=wave');
  await line.evaluate((e: any) => e.model.showView('lines'));
  await putProbe(line);
  const along = (await line.locator('eddy-places').boundingBox())!;
  await drag(page, handle(line, 'probe'), 0.25 * along.width, -40);
  await expect.poll(async () => Number(await valueOf(line, 'probe'))).toBeCloseTo(1.5 * Math.PI, 1);
  await line.getByRole('button', { name: 'Probe', exact: true }).click();
  await expect(handle(line, 'probe')).toHaveCount(0);
  expect(await valueOf(line, 'probe')).toBe('');
  const { violations } = await new AxeBuilder({ page }).disableRules(['page-has-heading-one']).analyze();
  expect(violations.map((v) => v.id)).toEqual([]);
});

test('a teacher’s lock takes the handles away', async ({ page, url }) => {
  await page.goto(`${url}/#/e/deis`);
  const element = await openAlone(page, url, SOURCES);
  await expect(handle(element, '1')).toBeVisible();
  await element.evaluate((e: any) => (e.lock = ['parameters', 'probe']));
  await expect(element.locator('eddy-places button')).toHaveCount(0);
});

test('walls are drawn over the waves, and come back with the link', async ({ page, url }) => {
  const element = await openAlone(page, url, WALLS);
  await element.evaluate((e: any) => e.model.showView('field'));
  await element.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.restart(), await e.advanceSteps(5)));
  const wall = async (): Promise<number[]> => {
    await element.evaluate(async (e: any) => (e.model.set('shown', 'wall'), await e.model.settled()));
    const { header, data } = await readView(element, 'field');
    expect(header.kind).toBe('field');
    await element.evaluate(async (e: any) => (e.model.set('shown', ''), await e.model.settled()));
    return data;
  };
  expect((await readView(element, 'field')).header.kind, 'with the outline').toBe('points');
  const before = await wall();
  const box = (await element.locator('eddy-places').boundingBox())!;
  await page.mouse.move(box.x + 0.7 * box.width, box.y + 0.2 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.7 * box.width, box.y + 0.5 * box.height, { steps: 12 });
  await page.mouse.up();
  await expect.poll(async () => element.evaluate((e: any) => e.model.strokes.length)).toBeGreaterThan(10);
  const painted = await wall();
  const drawn = painted.filter((v, i) => v - before[i]! > 0.2).length;
  expect(drawn).toBeGreaterThan(20);
  const link = await element.evaluate((e: any) => e.model.permalink);
  // The eraser lowers them again.
  await element.hover();
  await element.getByRole('button', { name: 'The brush takes away' }).click();
  await page.mouse.move(box.x + 0.7 * box.width, box.y + 0.35 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.7 * box.width, box.y + 0.36 * box.height);
  await page.mouse.up();
  await expect.poll(async () => (await wall()).some((v, i) => v < painted[i]! - 0.2)).toBe(true);
  const again = await openAlone(page, url, link);
  await again.evaluate((e: any) => e.model.showView('field'));
  await again.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.restart(), await e.advanceSteps(6)));
  await again.evaluate(async (e: any) => (e.model.set('shown', 'wall'), await e.model.settled()));
  const reopened = (await readView(again, 'field')).data;
  expect(Math.max(...reopened.map((v, i) => Math.abs(v - painted[i]!)))).toBeLessThan(1e-5);
  // A mark made with another choice of field and brush leaves the present choice as it is.
  const other = await openAlone(page, url, link.replace('?', '?shown=u_t&brush=wall&'));
  await other.evaluate((e: any) => e.model.showView('field'));
  await other.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.restart(), await e.advanceSteps(6)));
  const rates = (await readView(other, 'field')).data;
  await other.evaluate(async (e: any) => (e.model.set('shown', 'u'), await e.model.settled()));
  expect((await readView(other, 'field')).data).not.toEqual(rates);
});

test('a value is put in its place in the text of the parameters, and remarks stay', () => {
  for (const [text, expected] of [
    ['', 'y1 = 3'],
    ['x1 = 1; y1=2', 'x1 = 1; y1=3'],
    ['x1 = 1;', 'x1 = 1; y1 = 3'],
    ['x1 = 1 # left\ny1 = 2  # right; y1 = 9\n', 'x1 = 1 # left\ny1 = 3  # right; y1 = 9\n'],
    ['x1 = 1 # y1 = 2', 'x1 = 1 # y1 = 2\ny1 = 3'],
    ['y11 = 4\nmy1 = 5', 'y11 = 4\nmy1 = 5; y1 = 3'],
  ] as const) {
    const put = withPair(text, 'y1', '3');
    expect(put).toBe(expected);
    // The rest is what it was.
    expect(pairs(put)).toEqual(new Map([...pairs(text), ['y1', '3']]));
  }
});
