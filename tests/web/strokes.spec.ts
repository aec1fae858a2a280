/** Painted strokes in the link: the run that a link opens is painted as it was, and old links, long ones and broken ones. */
import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { catalog, expect, openAlone, openExperiment, readView, ready, relativeDifference, test, widget } from './fixtures';

/** Drags over the first canvas along points given as parts of its width and height. */
async function drag(page: Page, element: Locator, points: [number, number][], button: 'left' | 'right' = 'left'): Promise<void> {
  const canvas = element.locator('eddy-stage canvas:visible').first();
  await canvas.scrollIntoViewIfNeeded();
  const box = (await canvas.boundingBox())!;
  const at = ([x, y]: [number, number]): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]!));
  await page.mouse.down({ button });
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 5 });
  await page.mouse.up({ button });
}
const steps = (element: Locator, count: number) => element.evaluate((e: any, n) => e.advanceSteps(n).then((p: any[]) => p.map((q) => q.steps)), count);
const strokes = (link: string): string => /[?&]strokes=([\w-]+)/.exec(link)?.[1] ?? '';
/** The link once the strokes of the last drag are in it: other than `before`. */
async function paintedLink(element: Locator, before = ''): Promise<string> {
  await expect.poll(() => element.evaluate((e: any) => e.model.permalink).then(strokes)).not.toBe(before);
  return element.evaluate((e: any) => e.model.permalink);
}
/** A stopped run at its start. */
async function begin(element: Locator): Promise<void> {
  await element.evaluate(async (e: any) => {
    e.pause();
    await e.restart();
  });
}

for (const [id, view, link] of [['gray-scott', 'v', 'gray-scott?grid=64'], ['heat-1d', 'u', 'heat-1d'], ['equation-lab', 'field', 'equation-lab?preset=fhn-spiral']] as const) {
  test(`${id}: the link paints again what was painted, number for number`, async ({ page, url, context }) => {
    const chosen = id !== 'equation-lab' ? link : `equation-lab?equations=${encodeURIComponent('u_t = 0.1*lap(u)\nv_t = u - v')}&x=${encodeURIComponent('0 .. 6, 48')}&y=${encodeURIComponent('0 .. 6, 48')}&initial=${encodeURIComponent('u = exp(-(x-3)^2-(y-3)^2)')}&end=2&dt=0.01`;
    const element = await openExperiment(page, url, chosen);
    await begin(element);
    // Before the first step, in the middle twice with both signs, and at the end.
    await drag(page, element, [[0.2, 0.3], [0.4, 0.6]]);
    await steps(element, 7);
    await drag(page, element, [[0.7, 0.7], [0.6, 0.4], [0.8, 0.2]]);
    await drag(page, element, [[0.3, 0.8], [0.35, 0.75]], 'right');
    await steps(element, 11);
    const halfway = await paintedLink(element);
    await drag(page, element, [[0.5, 0.5], [0.52, 0.5]]);
    const full = await paintedLink(element, strokes(halfway));
    expect(page.url(), 'the address says what is painted').toContain(`strokes=${strokes(full)}`);
    expect(full.length).toBeLessThan(700);
    const painted = [await readView(element, view, 0)];
    if (await element.evaluate((e: any) => e.model.hasBaseline)) painted.push(await readView(element, view, 1));

    const fresh = await context.newPage();
    // Played on its own, in slices and bursts of other lengths than before.
    const again = await openExperiment(fresh, url, full);
    expect(await again.evaluate((e: any) => e.model.permalink), 'the link stays what it is').toBe(full);
    await begin(again);
    await steps(again, 5);
    await steps(again, 13);
    for (const [pane, wanted] of painted.entries()) expect((await readView(again, view, pane)).data, `pane ${pane}`).toEqual(wanted.data);
    // Planted: the comparison sees a missing stroke, and missing ones.
    await fresh.goto('about:blank');
    const cut = await openExperiment(fresh, url, halfway);
    await begin(cut);
    await steps(cut, 18);
    expect(relativeDifference(painted[0]!.data, (await readView(cut, view)).data)).toBeGreaterThan(1e-3);
    await fresh.close();
  });
}

test('the first frame of a link shows what was painted before the first step', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'gray-scott?grid=64');
  await begin(element);
  await drag(page, element, [[0.2, 0.3], [0.4, 0.6]]);
  const link = await paintedLink(element);
  const wanted = await readView(element, 'v');
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto('about:blank');
  const again = await openAlone(page, url, link);
  expect(await again.evaluate((e: any) => [e.model.playing, e.model.panes[0]?.progress.steps ?? 0])).toEqual([false, 0]);
  expect((await readView(again, 'v')).data).toEqual(wanted.data);
});

test('a restart keeps the strokes of the link and drops one\'s own; a setting that begins anew drops all', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'gray-scott?grid=64');
  await begin(element);
  await drag(page, element, [[0.2, 0.3], [0.4, 0.6]]);
  const given = await paintedLink(element);
  await page.goto('about:blank');
  const again = await openExperiment(page, url, given);
  await begin(again);
  const start = await readView(again, 'v');
  await drag(page, again, [[0.7, 0.7], [0.6, 0.6]]);
  await paintedLink(again, strokes(given));
  await again.evaluate((e: any) => e.restart());
  await expect.poll(() => again.evaluate((e: any) => e.model.permalink)).toBe(given);
  expect((await readView(again, 'v')).data).toEqual(start.data);
  // A live change leaves them; another grid is another run.
  await again.evaluate((e: any) => e.set('feed', '0.03'));
  expect(strokes(await again.evaluate((e: any) => e.model.permalink))).toBe(strokes(given));
  await again.evaluate((e: any) => e.set('grid', '128'));
  await expect.poll(() => again.evaluate((e: any) => e.model.permalink)).toBe('gray-scott?feed=0.03');
});

test('going back in a run and on from there drops what was painted later', async ({ page, url }) => {
  const lab = `equation-lab?equations=${encodeURIComponent('u_t = 0.1*lap(u)')}&x=${encodeURIComponent('0 .. 6, 48')}&y=${encodeURIComponent('0 .. 6, 48')}&initial=${encodeURIComponent('u = exp(-(x-3)^2-(y-3)^2)')}&end=2&dt=0.01`;
  const element = await openExperiment(page, url, lab);
  await begin(element);
  await steps(element, 40);
  await drag(page, element, [[0.2, 0.3], [0.4, 0.6]]);
  const early = await paintedLink(element);
  await steps(element, 80);
  await drag(page, element, [[0.7, 0.7], [0.6, 0.6]]);
  await paintedLink(element, strokes(early));
  await element.evaluate((e: any) => e.model.seek(1));
  const [at] = await steps(element, 1);
  expect(at).toBeGreaterThan(41);
  expect(at).toBeLessThan(120);
  await expect.poll(() => element.evaluate((e: any) => e.model.permalink)).toBe(early);
  const branch = await readView(element, 'field');
  await page.goto('about:blank');
  const again = await openExperiment(page, url, early);
  await begin(again);
  await steps(again, at!);
  expect((await readView(again, 'field')).data).toEqual(branch.data);
});

test('links without strokes and of version 1 open as before; broken strokes are named and the rest stands', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'gray-scott?v=1&feed=0.03&grid=64');
  expect(await element.evaluate((e: any) => [e.model.permalink, e.model.notices.length])).toEqual(['gray-scott?feed=0.03&grid=64', 0]);
  await begin(element);
  await drag(page, element, [[0.2, 0.3], [0.4, 0.6]]);
  const good = strokes(await paintedLink(element));
  for (const [text, says] of [['1', 'cannot be read'], [`${good.slice(0, -9)}`, 'cannot be read'], ['1%%%', 'cannot be read'], [`2${good.slice(1)}`, 'later version'], ['1AAAA', 'cannot be read']] as const) {
    await page.goto('about:blank');
    const broken = await openExperiment(page, url, `gray-scott?feed=0.03&grid=64&strokes=${encodeURIComponent(text)}`);
    expect(await broken.evaluate((e: any) => [e.model.permalink, e.model.values.get('feed')]), text).toEqual(['gray-scott?feed=0.03&grid=64', '0.03']);
    // "%%%" is broken percent-encoding only unencoded; here it is text that no strokes have.
    await expect(broken.locator('eddy-controls'), text).toContainText(says);
  }
});

test('a long painting says so and is in the file', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'gray-scott?grid=64');
  await begin(element);
  // A wild hand: touches all over the field.
  await element.evaluate((e: any) => {
    let state = 7;
    const roll = () => (state = (state * 16807) % 2147483647) / 2147483647;
    const { x, y } = e.model.headers[0];
    const touch = (kind: string) => e.model.pointer({ view: 'v', kind, x: x[0] + roll() * (x[1] - x[0]), y: y[0] + roll() * (y[1] - y[0]), radius: 0.04 * (x[1] - x[0]), secondary: roll() < 0.3 });
    touch('down');
    for (let i = 0; i < 800; i++) touch('move');
    touch('up');
  });
  const long = await paintedLink(element);
  expect(long.length).toBeGreaterThan(2000);
  const wanted = await readView(element, 'v');
  await page.getByRole('tab', { name: 'Share' }).click();
  const link = page.locator('eddy-share .share-link');
  await expect(link).toContainText(/has \d,\d{3} characters/);
  expect(await link.locator('pre').innerText()).toMatch(/#\/e\/gray-scott\?grid=64$/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Settings with strokes (JSON)' }).click()]);
  const file = readFileSync((await download.path())!);
  expect(JSON.parse(file.toString()).permalink).toBe(long);
  await page.goto(`${url}/#/e/heat-1d`);
  await ready(widget(page));
  await page.getByRole('tab', { name: 'Share' }).click();
  await page.locator('eddy-share input[type=file]').setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: file });
  await expect.poll(() => widget(page).evaluate((e: any) => e.model?.permalink)).toBe(long);
  await ready(widget(page));
  await begin(widget(page));
  expect((await readView(widget(page), 'v')).data).toEqual(wanted.data);
});

test('five seconds of a drawing hand fit into a link', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'gray-scott');
  await begin(element);
  // Sixty touches a second along a wavy path, a frame of eight steps between them.
  await element.evaluate(async (e: any) => {
    const { x, y } = e.model.headers[0];
    for (let i = 0; i < 300; i++) {
      const a = (0.02 * i * 3) % 6.3;
      e.model.pointer({
        view: 'v', kind: i ? 'move' : 'down', x: x[0] + (0.5 + 0.35 * Math.cos(a) + 0.03 * Math.sin(7.3 * a)) * (x[1] - x[0]), y: y[0] + (0.5 + 0.35 * Math.sin(1.3 * a)) * (y[1] - y[0]),
        radius: 0.04 * (x[1] - x[0]), secondary: false,
      });
      if (i % 10 === 9) await e.advanceSteps(80);
    }
    e.model.pointer({ view: 'v', kind: 'up', x: 0, y: 0, radius: 0.1, secondary: false });
  });
  const link = await paintedLink(element);
  console.log(`a link of 300 touches has ${link.length} characters`);
  expect(link.length).toBeLessThan(1000);
});

test('no parameter has the key of the strokes', () => {
  for (const e of catalog.experiments) expect(e.params.map((p) => p.key)).not.toContain('strokes');
});
