/** Densities drawn on a pad: strokes by pointer and keys, their text in the link, what samples make of them, and links that are wrong. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { drawingOfPicture, drawingOfText, startingDrawings, textOfDrawing } from '../../web/src/lib/drawing';
import { catalog, expect, openExperiment, pngOf, readView, ready, test, widget } from './fixtures';

interface Shared {
  drawings: { columns: number; rows: number; text: string; shades: string }[];
  broken: { why: string; text: string }[];
}
/** The Rust codec is held to the same file. */
const SHARED: Shared = JSON.parse(readFileSync(join(__dirname, '../fixtures/drawings.json'), 'utf8'));
const SIDE = 32;
const LINK = 'deis?target=drawn&particles=400&curve=off';
const beginning = (id: string): string => catalog.experiments.find((e) => e.id === id)!.params.find((p) => p.kind === 'drawing')!.default;

const pad = (page: Page | Locator): Locator => page.locator('eddy-drawing-pad .pad');
const text = (element: Locator): Promise<string> => element.evaluate((e: any) => e.model.values.get('drawing'));
const inked = async (element: Locator): Promise<[number, number][]> => {
  const drawing = drawingOfText(await text(element), SIDE, SIDE)!;
  return [...drawing.shades].flatMap((s, at) => (s ? [[at % SIDE, Math.floor(at / SIDE)] as [number, number]] : []));
};
const middle = ([i, j]: [number, number]): [number, number] => [(4 * (i + 0.5)) / SIDE - 2, (4 * (j + 0.5)) / SIDE - 2];
/** A stroke along points given as parts of the pad's width and height, from its top left. */
async function stroke(page: Page, points: [number, number][], button: 'left' | 'right' = 'left'): Promise<void> {
  await pad(page).scrollIntoViewIfNeeded();
  const box = (await pad(page).boundingBox())!;
  const at = ([x, y]: [number, number]): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]!));
  await page.mouse.down({ button });
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up({ button });
}
const settled = (element: Locator) => element.evaluate((e: any) => e.model.settled());
/** Share of the particles of a run at its end that lie within `reach` of one of the places. */
async function shareNear(element: Locator, places: [number, number][], reach: number): Promise<number> {
  await element.evaluate(async (e: any) => { await e.model.settled(); e.model.setSpeed('fast'); e.play(); });
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0].progress.outcome.kind), { timeout: 30_000 }).toBe('finished');
  const { header, data } = await readView(element, 'particles');
  let met = 0;
  for (let i = 0; i < header.count; i++) if (places.some(([a, b]) => Math.hypot(a - data[2 * i]!, b - data[2 * i + 1]!) < reach)) met++;
  return met / header.count;
}

test('the page and the engine write the same texts', async ({ page, url }) => {
  for (const { columns, rows, text, shades } of SHARED.drawings) {
    const cells = Uint8Array.from(shades, (c) => parseInt(c, 16));
    expect(textOfDrawing({ columns, rows, shades: cells })).toBe(text);
    expect(drawingOfText(text, columns, rows)?.shades).toEqual(cells);
  }
  for (const { why, text } of SHARED.broken) for (const size of [1, 2, SIDE]) expect(drawingOfText(text, size, size), why).toBeUndefined();
  // And so does the engine that the page loads, on drawings of all densities.
  const element = await openExperiment(page, url, LINK);
  await element.evaluate((e: any) => e.pause());
  for (const dense of [0.002, 0.05, 0.3, 1]) {
    let seed = 7;
    const roll = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const shades = Uint8Array.from({ length: SIDE * SIDE }, () => (roll() < dense ? Math.floor(16 * roll()) : 0));
    const written = textOfDrawing({ columns: SIDE, rows: SIDE, shades });
    const answer = await element.evaluate(async (e: any, t) => {
      await e.set('drawing', t);
      return [e.get('drawing'), e.model.permalink, e.model.errors.size];
    }, written);
    expect(answer).toEqual([written, expect.stringContaining(`drawing=${written}`), 0]);
    expect((answer[1] as string).length).toBeLessThan(1200);
  }
  const starts = startingDrawings(SIDE, SIDE);
  for (const { name, text } of starts) expect(drawingOfText(text, SIDE, SIDE)!.shades.some((s) => s > 0), name).toBe(true);
  for (const e of catalog.experiments) for (const p of e.params) if (p.kind === 'drawing') expect(p.default, e.id).toBe(starts[0]!.text);
});

test('a stroke is drawn, sampled, taken back, and stands in the link', async ({ page, url, context }) => {
  // Many runs, one after the other.
  test.slow();
  const element = await openExperiment(page, url, LINK);
  const first = beginning('deis');
  expect(await text(element)).toBe(first);
  const entries = await page.evaluate(() => history.length);
  await page.getByRole('button', { name: 'Clear the pad' }).click();
  // Nothing to sample: said at the control, and the run before it stays.
  await expect(element.locator('[data-key=drawing] .error')).toContainText('Draw something first');
  await settled(element);
  expect(await element.evaluate((e: any) => [e.model.status, e.model.values.get('drawing')])).toEqual(['ready', '']);
  expect((await readView(element, 'particles')).header.count).toBe(400);

  await stroke(page, [[0.2, 0.25], [0.8, 0.25]]);
  await settled(element);
  await expect(element.locator('[data-key=drawing] .error')).toHaveCount(0);
  const cells = await inked(element);
  expect(cells.length).toBeGreaterThan(40);
  // A line at three quarters of the height, as drawn.
  for (const [i, j] of cells) {
    expect(Math.abs(j + 0.5 - 24)).toBeLessThan(3);
    expect(i).toBeGreaterThan(3);
    expect(i).toBeLessThan(28);
  }
  expect(await shareNear(element, cells.map(middle), 0.35)).toBeGreaterThan(0.97);
  // Planted: of another drawing's places they are far.
  expect(await shareNear(element, cells.map(([i, j]) => middle([i, SIDE - 1 - j])), 0.35)).toBeLessThan(0.03);

  // The whole stroke, of many movements, is one edit; nothing drawn was no setting.
  expect(await page.evaluate(() => history.length)).toBe(entries + 1);
  const line = await text(element);
  await expect.poll(() => page.url()).toContain(`drawing=${line}`);
  // Two strokes in quick succession are two.
  await stroke(page, [[0.5, 0.5], [0.5, 0.8]]);
  const cross = await text(element);
  await stroke(page, [[0.3, 0.6], [0.7, 0.6]]);
  expect(await text(element)).not.toBe(cross);
  await page.getByRole('button', { name: 'Take back the last stroke' }).click();
  expect(await text(element)).toBe(cross);
  await pad(page).press('Control+z');
  expect(await text(element)).toBe(line);
  await settled(element);
  // As Back takes the edits of all controls back.
  await page.goBack();
  await expect.poll(() => text(element)).toBe(cross);

  await page.goForward();
  await expect.poll(() => text(element)).toBe(line);
  await settled(element);
  await element.evaluate(async (e: any) => { e.pause(); await e.restart(); await e.advanceSteps(4); });
  const here = await readView(element, 'particles');
  const second = await context.newPage();
  const copy = await openExperiment(second, url, page.url().split('#/e/')[1]!);
  expect(await text(copy)).toBe(line);
  await copy.evaluate(async (e: any) => { e.pause(); await e.restart(); await e.advanceSteps(4); });
  expect((await readView(copy, 'particles')).data).toEqual(here.data);
  await second.close();
});

test('brush, eraser and sizes', async ({ page, url }) => {
  // Many runs, one after the other.
  test.slow();
  const element = await openExperiment(page, url, LINK);
  await page.getByRole('button', { name: 'Clear the pad' }).click();
  await stroke(page, [[0.1, 0.5], [0.9, 0.5]]);
  const thin = (await inked(element)).length;
  const shade = async ([i, j]: [number, number]) => drawingOfText(await text(element), SIDE, SIDE)!.shades[j * SIDE + i]!;
  expect(await shade([16, 16])).toBe(15);
  // The right button erases, and so does Shift; a touch of the eraser changes nothing elsewhere.
  await stroke(page, [[0.5, 0.3], [0.5, 0.7]], 'right');
  expect(await shade([16, 16])).toBe(0);
  expect(await shade([8, 16])).toBe(15);
  await page.keyboard.down('Shift');
  await stroke(page, [[0.25, 0.3], [0.25, 0.7]]);
  await page.keyboard.up('Shift');
  expect(await shade([8, 16])).toBe(0);
  await element.getByRole('radio', { name: 'Erase' }).check();
  await stroke(page, [[0.75, 0.3], [0.75, 0.7]]);
  expect(await shade([24, 16])).toBe(0);
  await element.getByRole('radio', { name: 'Draw' }).check();

  await page.getByRole('button', { name: 'Clear the pad' }).click();
  await element.getByRole('slider', { name: 'Size' }).fill('7');
  await element.getByRole('slider', { name: 'Ink' }).fill('6');
  await stroke(page, [[0.1, 0.5], [0.9, 0.5]]);
  expect((await inked(element)).length).toBeGreaterThan(1.7 * thin);
  expect(await shade([16, 16])).toBe(6);
  // Going over it again adds nothing: the ink is what was chosen.
  await stroke(page, [[0.1, 0.5], [0.9, 0.5], [0.1, 0.5]]);
  expect(await shade([16, 16])).toBe(6);
  await page.getByRole('button', { name: 'Clear the pad' }).click();
  await element.getByRole('slider', { name: 'Ink' }).fill('15');
  await element.getByRole('switch', { name: 'Soft brush' }).check();
  await stroke(page, [[0.1, 0.5], [0.9, 0.5]]);
  const column = await Promise.all([16, 17, 18, 19, 20].map((j) => shade([16, j])));
  for (let k = 1; k < column.length; k++) expect(column[k]!, String(column)).toBeLessThan(column[k - 1]!);
  expect(column.filter((s) => s > 0 && s < 15).length).toBeGreaterThan(2);
});

test('all of it by keys, said aloud', async ({ page, url }) => {
  const element = await openExperiment(page, url, LINK);
  await page.getByRole('button', { name: 'Clear the pad' }).click();
  await element.getByRole('slider', { name: 'Size' }).fill('1');
  await pad(page).focus();
  const steps = await element.evaluate((e: any) => e.model.playing);
  for (const key of ['ArrowLeft', 'ArrowUp', 'ArrowUp', 'Space', 'Shift+ArrowRight', 'Space']) await page.keyboard.press(key);
  expect(await inked(element)).toEqual([[15, 18], [19, 18]]);
  await expect(element.locator('eddy-drawing-pad [aria-live]')).toHaveText('Column 20, row 19 from below: shade 15 of 15');
  await page.keyboard.press('Delete');
  expect(await inked(element)).toEqual([[15, 18]]);
  await expect(element.locator('eddy-drawing-pad [aria-live]')).toHaveText('Column 20, row 19 from below: shade 0 of 15');
  await page.keyboard.press('Control+z');
  expect(await inked(element)).toEqual([[15, 18], [19, 18]]);
  // Keys of the pad are not those of the stage: Space has not stopped the run.
  expect(await element.evaluate((e: any) => e.model.playing)).toBe(steps);
  // From the pad on, each tool has its turn with Tab.
  for (const name of ['Take back', 'Clear', 'Size', 'Ink', 'Soft', 'Letter e', 'Heart', 'Ring']) {
    let found = false;
    for (let k = 0; k < 3 && !found; k++) {
      await page.keyboard.press('Tab');
      found = await element.evaluate((e: any, wanted) => {
        let at: any = document.activeElement;
        while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
        return `${at?.getAttribute('aria-label') ?? ''} ${at?.closest('label')?.textContent ?? ''}`.includes(wanted);
      }, name);
    }
    expect(found, name).toBe(true);
  }
  await page.keyboard.press('Enter');
  expect(await text(element)).toBe(startingDrawings(SIDE, SIDE)[2]!.text);
});

test('a picture file is drawn, dark on light or light on dark', async ({ page, url }) => {
  const picture = (light: boolean) => ({ columns: 40, values: Float32Array.from({ length: 800 }, (_, at) => (at % 40 >= 10 && at % 40 < 20 && at >= 200 && at < 600) === light ? 0 : 1) });
  expect(textOfDrawing(drawingOfPicture(picture(true), SIDE, SIDE))).toBe(textOfDrawing(drawingOfPicture(picture(false), SIDE, SIDE)));
  const element = await openExperiment(page, url, LINK);
  const png = await pngOf(page, 300, 300, "context.fillStyle = '#fff'; context.fillRect(0, 0, 300, 300); context.fillStyle = '#000'; context.fillRect(30, 30, 60, 60);");
  const file = element.locator('eddy-drawing-pad input[type=file]');
  await file.setInputFiles({ name: 'square.png', mimeType: 'image/png', buffer: png });
  await expect.poll(() => text(element)).not.toBe(beginning('deis'));
  for (const [i, j] of await inked(element)) {
    expect(Math.abs(i + 0.5 - 6.4)).toBeLessThan(4);
    expect(Math.abs(j + 0.5 - 25.6)).toBeLessThan(4);
  }
  await file.setInputFiles({ name: 'words.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') });
  await expect(element.locator('eddy-drawing-pad .note')).toContainText('no picture');
});

test('a broken drawing in a link is told at the control and costs nothing else', async ({ page, url }) => {
  // Many runs, one after the other.
  test.slow();
  for (const [broken, said] of [['1ffAB', 'takes a drawing as the pad writes it'], ['1BBP', '32 × 32 cells; this one has 2 × 2'], ['2ffAS7', 'format 1']] as const) {
    const wrong = broken === '1BBP' ? textOfDrawing({ columns: 2, rows: 2, shades: Uint8Array.of(1, 2, 3, 4) }) : broken;
    const element = await openExperiment(page, url, `deis?target=drawn&drawing=${wrong}&evaluations=17&seed=3`);
    await expect(element.locator('[data-key=drawing] .error')).toContainText(said);
    expect(await element.evaluate((e: any) => ['evaluations', 'seed', 'target', 'drawing'].map((k) => e.get(k)))).toEqual(['17', '3', 'drawn', beginning('deis')]);
    // Drawing mends it.
    await stroke(page, [[0.4, 0.1], [0.6, 0.1]]);
    await expect(element.locator('[data-key=drawing] .error')).toHaveCount(0);
    await page.goto('about:blank');
  }
});

test('a locked pad shows its drawing and takes no ink', async ({ page, url }) => {
  await page.goto(`${url}/?lock=drawing#/e/${LINK}`);
  const element = widget(page);
  await ready(element);
  await expect(pad(page)).toBeVisible();
  await expect(element.locator('eddy-drawing-pad button, eddy-drawing-pad input')).toHaveCount(0);
  await stroke(page, [[0.1, 0.1], [0.9, 0.1]]);
  await settled(element);
  expect(await text(element)).toBe(beginning('deis'));
  expect(await pad(page).getAttribute('tabindex')).toBeNull();
  // Whoever embeds the figure still sets it.
  const heart = startingDrawings(SIDE, SIDE)[1]!.text;
  await element.evaluate((e: any, t) => e.set('drawing', t), heart);
  expect(await text(element)).toBe(heart);
});

test('the pad is loaded where a drawing is asked for, fits a phone, and axe finds nothing', async ({ page, url }) => {
  const loaded: string[] = [];
  page.on('request', (r) => loaded.push(r.url()));
  const element = await openExperiment(page, url, 'deis');
  expect(loaded.some((u) => /drawing-pad/.test(u))).toBe(false);
  await element.evaluate((e: any) => e.set('target', 'drawn'));
  await expect(pad(page)).toBeVisible();
  expect(loaded.some((u) => /drawing-pad/.test(u))).toBe(true);
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const found = await new AxeBuilder({ page }).analyze();
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
  }
  await page.setViewportSize({ width: 360, height: 640 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
  const [box, tools] = [(await pad(page).boundingBox())!, (await element.locator('eddy-drawing-pad .starts').boundingBox())!];
  expect(Math.abs(box.width - box.height)).toBeLessThan(2);
  expect(tools.x + tools.width).toBeLessThanOrEqual(360);
});

test('every experiment with a drawing runs it', async ({ page, url }) => {
  // Many runs, one after the other.
  test.slow();
  const those = catalog.experiments.filter((e) => e.params.some((p) => p.kind === 'drawing'));
  expect(those.map((e) => e.id).sort()).toEqual(['deis', 'dpm-solver', 'gauge-freedom', 'pndm', 'rectified-diffusion', 'rectified-flow', 'rectified-flow-pp', 'score-sde']);
  for (const e of those) {
    const choice = e.params.find((p) => p.options?.some(([key]) => key === 'drawn'))!.key;
    const element = await openExperiment(page, url, `${e.id}?${choice}=drawn`);
    await expect(pad(page)).toBeVisible();
    await element.evaluate(async (el: any) => { el.pause(); await el.restart(); await el.advanceSteps(3); });
    expect(await element.evaluate((el: any) => el.model.panes[0].progress.steps), e.id).toBe(3);
    await stroke(page, [[0.1, 0.9], [0.9, 0.9]]);
    await settled(element);
    expect(await text(element), e.id).not.toBe(beginning(e.id));
    expect(await element.evaluate((el: any) => [el.model.status, el.model.errors.size]), e.id).toEqual(['ready', 0]);
    await page.goto('about:blank');
  }
});
