/** Links: the address is the setting; bad ones are answered at the control and cost nothing else. */
import type { Locator, Page } from '@playwright/test';
import { catalog, expect, openExperiment, readView, ready, relativeDifference, test, widget, type Experiment, type ParamSpec } from './fixtures';

const numberParam = (e: Experiment): ParamSpec | undefined => e.params.find((p) => p.kind === 'number' && p.max > p.min);
/** A value inside the range, other than the default. */
function other(p: ParamSpec): string {
  const middle = p.scale === 'log' ? Math.sqrt(p.min * p.max) : (p.min + p.max) / 2;
  const text = p.integer ? String(Math.round(middle)) : String(Number(middle.toPrecision(3)));
  return text === p.default ? String(p.integer ? Math.round(middle) - 1 : Number((middle * 0.9).toPrecision(3))) : text;
}
const subject = catalog.experiments.find((e) => e.cost === 'cheap' && e.bundle === 'core' && e.params.filter((p) => p.kind === 'number').length >= 2)!;

test('a control moves the address, and the address gives the same first frame', async ({ page, url, context }) => {
  const element = await openExperiment(page, url, subject.id);
  const p = numberParam(subject)!;
  const entry = page.locator(`[data-key="${p.key}"] .entry`);
  await entry.fill(other(p));
  await entry.press('Enter');
  await expect.poll(() => page.url()).toContain(`${p.key}=`);
  await element.evaluate((e: any) => e.pause());
  await element.evaluate((e: any) => e.restart());
  const first = await readView(element, subject.views[0]!.key);

  const second = await context.newPage();
  await second.goto(page.url());
  const copy = widget(second);
  await ready(copy);
  expect(await copy.evaluate((e: any, key) => e.get(key), p.key)).toBe(await element.evaluate((e: any, key) => e.get(key), p.key));
  await copy.evaluate((e: any) => e.pause());
  await copy.evaluate((e: any) => e.restart());
  const again = await readView(copy, subject.views[0]!.key);
  expect(again.header).toEqual(first.header);
  expect(relativeDifference(first.data, again.data)).toBe(0);
  // The comparison can fail: after some steps the frame is another.
  await copy.evaluate((e: any) => e.advanceSteps(5));
  const moved = await readView(copy, subject.views[0]!.key);
  expect(JSON.stringify([moved.header, moved.data]) === JSON.stringify([first.header, first.data])).toBe(false);
  await second.close();
});

test('back and forward open what was there', async ({ page, url }) => {
  const p = numberParam(subject)!;
  const element = await openExperiment(page, url, subject.id);
  await page.goto(`${url}/#/e/${subject.id}?${p.key}=${other(p)}`);
  await expect.poll(() => element.evaluate((e: any, key) => e.get(key), p.key)).toBe(other(p));
  await page.goBack();
  await expect.poll(() => element.evaluate((e: any, key) => e.get(key), p.key)).toBe(p.default);
  await page.goForward();
  await expect.poll(() => element.evaluate((e: any, key) => e.get(key), p.key)).toBe(other(p));
});

/** Marks the engine's worker and module, so that a reload of either would be noticed. */
const mark = (page: Page) => page.workers().at(-1)!.evaluate(() => ((globalThis as any).marked = true));
const expectMarked = async (page: Page) => {
  expect(page.workers()).toHaveLength(1);
  expect(await page.workers()[0]!.evaluate(() => (globalThis as any).marked), 'the same worker, the same module').toBe(true);
};
const value = (element: Locator, key: string): Promise<string> => element.evaluate((e: any, k) => e.get(k), key);
const entries = (page: Page): Promise<number> => page.evaluate(() => history.length);

test('Back undoes a change of a control, Forward makes it again, in the same worker', async ({ page, url }) => {
  const [p, q] = subject.params.filter((x) => x.kind === 'number');
  const element = await openExperiment(page, url, subject.id);
  await mark(page);
  const start = await entries(page);
  for (const param of [p!, q!]) {
    const entry = page.locator(`[data-key="${param.key}"] .entry`);
    await entry.fill(other(param));
    await entry.press('Enter');
    await expect.poll(() => page.url()).toContain(`${param.key}=`);
  }
  expect(await entries(page)).toBe(start + 2);
  await page.goBack();
  await expect.poll(() => value(element, q!.key)).toBe(q!.default);
  expect(await value(element, p!.key)).toBe(other(p!));
  await element.evaluate((e: any) => e.model.settled());
  expect(page.url()).not.toContain(`${q!.key}=`);
  await page.goBack();
  await expect.poll(() => value(element, p!.key)).toBe(p!.default);
  expect(page.url()).toBe(`${url}/#/e/${subject.id}`);
  await page.goForward();
  await page.goForward();
  await expect.poll(() => value(element, q!.key)).toBe(other(q!));
  await expect.poll(() => value(element, p!.key)).toBe(other(p!));
  await element.evaluate((e: any) => e.model.settled());
  expect(await entries(page)).toBe(start + 2);
  expect(page.url()).toContain(`${p!.key}=`);
  expect(page.url()).toContain(`${q!.key}=`);
  await expectMarked(page);
});

test('a slider drag is one entry of the history; another control is another', async ({ page, url }) => {
  const many = catalog.experiments.find((e) => e.bundle === subject.bundle && e.params.filter((x) => x.kind === 'number' && x.live).length >= 2)!;
  const [p, q] = many.params.filter((x) => x.kind === 'number' && x.live);
  const element = await openExperiment(page, url, many.id);
  await mark(page);
  const start = await entries(page);
  const slider = page.locator(`[data-key="${p!.key}"] input[type="range"]`);
  const box = (await slider.boundingBox())!;
  const [y, at] = [box.y + box.height / 2, (f: number) => box.x + f * box.width];
  await page.mouse.move(at(0.3), y);
  await page.mouse.down();
  for (const part of [0.35, 0.4, 0.5, 0.55, 0.6]) {
    await page.mouse.move(at(part), y);
    // Slower than what counts as quick succession: what makes it one is that the slider is held.
    await page.waitForTimeout(part === 0.5 ? 1000 : 60);
  }
  await page.mouse.up();
  await element.evaluate((e: any) => e.model.settled());
  const dragged = await value(element, p!.key);
  expect(dragged).not.toBe(p!.default);
  expect(await entries(page)).toBe(start + 1);
  // Arrow keys in quick succession are one edit too; the drag long past is another.
  await page.waitForTimeout(1000);
  await slider.focus();
  for (let i = 0; i < 4; i++) await slider.press('ArrowRight');
  await element.evaluate((e: any) => e.model.settled());
  expect(await entries(page)).toBe(start + 2);
  await page.locator(`[data-key="${q!.key}"] input[type="range"]`).press('End');
  await expect.poll(() => entries(page)).toBe(start + 3);
  await page.goBack();
  await expect.poll(() => value(element, q!.key)).toBe(q!.default);
  await page.goBack();
  await expect.poll(() => value(element, p!.key)).toBe(dragged);
  await page.goBack();
  await expect.poll(() => value(element, p!.key)).toBe(p!.default);
  await expectMarked(page);
});

test('Back of a live change goes on with the same run', async ({ page, url }) => {
  const lively = catalog.experiments.find((e) => e.id === 'gray-scott')!;
  const p = lively.params.find((x) => x.key === 'feed')!;
  const element = await openExperiment(page, url, lively.id);
  await element.evaluate((e: any) => e.pause());
  const [{ steps }] = await element.evaluate((e: any) => e.advanceSteps(20));
  await element.evaluate((e: any, [key, text]) => e.set(key, text), [p.key, '0.05'] as const);
  await expect.poll(() => page.url()).toContain('feed=0.05');
  await page.goBack();
  await expect.poll(() => value(element, p.key)).toBe(p.default);
  const [after] = await element.evaluate((e: any) => e.advanceSteps(1));
  expect(after.steps).toBe(steps + 1);
});

test('Back twice in a hurry ends where it should', async ({ page, url }) => {
  const [p, q] = subject.params.filter((x) => x.kind === 'number');
  const element = await openExperiment(page, url, subject.id);
  for (const param of [p!, q!]) await element.evaluate((e: any, [key, text]) => e.set(key, text), [param.key, other(param)] as const);
  // The second one as soon as the address has moved, long before the run has followed.
  await page.evaluate(() => new Promise<void>((done) => {
    addEventListener('hashchange', () => { history.back(); done(); }, { once: true });
    history.back();
  }));
  await expect.poll(() => value(element, p!.key)).toBe(p!.default);
  await expect.poll(() => value(element, q!.key)).toBe(q!.default);
  await element.evaluate((e: any) => e.model.settled());
  expect(page.url()).toBe(`${url}/#/e/${subject.id}`);
  // The entries in between are untouched.
  await page.goForward();
  await expect.poll(() => value(element, p!.key)).toBe(other(p!));
  expect(await value(element, q!.key)).toBe(q!.default);
});

test('Back while a link is being opened wins over it', async ({ page, url }) => {
  const p = numberParam(subject)!;
  const element = await openExperiment(page, url, subject.id);
  // Back in the same breath, before the worker has answered.
  await page.evaluate((hash) => new Promise<void>((done) => {
    addEventListener('hashchange', () => { history.back(); done(); }, { once: true });
    location.hash = hash;
  }), `#/e/${subject.id}?${p.key}=${other(p)}`);
  await expect.poll(() => page.url()).toBe(`${url}/#/e/${subject.id}`);
  await page.waitForTimeout(500);
  await element.evaluate((e: any) => e.model.settled());
  expect(await value(element, p.key)).toBe(p.default);
  expect(await element.evaluate((e: any) => e.model.permalink)).toBe(subject.id);
  expect(page.url()).toBe(`${url}/#/e/${subject.id}`);
});

test('a refused value makes no entry; the defaults button makes one that Back undoes', async ({ page, url }) => {
  const p = numberParam(subject)!;
  const element = await openExperiment(page, url, `${subject.id}?${p.key}=${other(p)}`);
  const start = await entries(page);
  const entry = page.locator(`[data-key="${p.key}"] .entry`);
  await entry.fill('1e');
  await entry.press('Enter');
  await expect(page.locator(`[data-key="${p.key}"] .error`)).toBeVisible();
  expect(await entries(page)).toBe(start);
  await page.getByRole('button', { name: 'Back to the defaults' }).click();
  await expect.poll(() => value(element, p.key)).toBe(p.default);
  await expect.poll(() => entries(page)).toBe(start + 1);
  await page.goBack();
  await expect.poll(() => value(element, p.key)).toBe(other(p));
});

test('pages have titles, and Back leads through them', async ({ page, url }) => {
  await page.goto(`${url}/`);
  const home = await page.title();
  await page.getByRole('link', { name: 'Papers' }).click();
  await expect(page).toHaveTitle(/^Papers/);
  await page.goto(`${url}/#/e/${subject.id}`);
  await expect(page).toHaveTitle(`${subject.title} · Eddy`);
  await ready(widget(page));
  await page.goto(`${url}/#/e/no-such-experiment`);
  await expect(page).toHaveTitle(/^Not found/);
  await page.goBack();
  await expect(page).toHaveTitle(`${subject.title} · Eddy`);
  await page.goBack();
  await expect(page).toHaveTitle(/^Papers/);
  await page.goBack();
  await expect(page).toHaveTitle(home);
});

test('a link to the defaults undoes what the controls changed', async ({ page, url }) => {
  const p = numberParam(subject)!;
  const element = await openExperiment(page, url, subject.id);
  await element.evaluate((e: any, [key, text]) => e.set(key, text), [p.key, other(p)] as const);
  await expect.poll(() => page.url()).toContain(`${p.key}=`);
  await page.evaluate((hash) => (location.hash = hash), `#/e/${subject.id}`);
  await expect.poll(() => element.evaluate((e: any, key) => e.get(key), p.key)).toBe(p.default);
});

test('a value out of range is answered at its control; the rest of the link stands', async ({ page, url }) => {
  const [bad, good] = subject.params.filter((p) => p.kind === 'number');
  const element = await openExperiment(page, url, `${subject.id}?${bad!.key}=${bad!.max * 10 + 1}&${good!.key}=${other(good!)}`);
  await expect(page.locator(`[data-key="${bad!.key}"] .error`)).toContainText('must lie between');
  await expect(page.locator(`[data-key="${good!.key}"] .error`)).toHaveCount(0);
  expect(await element.evaluate((e: any, key) => e.get(key), good!.key)).toBe(other(good!));
  expect(await element.evaluate((e: any, key) => e.get(key), bad!.key)).toBe(bad!.default);
});

for (const text of ['1e', 'NaN', 'inf', '-1e300', '', '٣', '<b>']) {
  test(`the entry “${text}” is refused at the control and kept there`, async ({ page, url }) => {
    const p = numberParam(subject)!;
    const element = await openExperiment(page, url, subject.id);
    const entry = page.locator(`[data-key="${p.key}"] .entry`);
    await entry.fill(text);
    await entry.press('Enter');
    await expect(page.locator(`[data-key="${p.key}"] .error`)).toBeVisible();
    await expect(entry).toHaveValue(text);
    expect(await element.evaluate((e: any) => e.model.status)).toBe('ready');
    await entry.fill(other(p));
    await entry.press('Enter');
    await expect(page.locator(`[data-key="${p.key}"] .error`)).toHaveCount(0);
  });
}

test('an unknown key is named, the run starts', async ({ page, url }) => {
  await openExperiment(page, url, `${subject.id}?no-such-key=3`);
  await expect(page.getByRole('alert').filter({ hasText: 'no-such-key' })).toBeVisible();
});

for (const garbage of ['%', '?a=%zz', '?a', '?v=99', `?x=${'9'.repeat(9000)}`, '?a=1&a=2']) {
  test(`a garbage link says what is wrong: ${garbage.slice(0, 12)}`, async ({ page, url }) => {
    await page.goto(`${url}/#/e/${garbage === '%' ? '%' : subject.id + garbage}`);
    const told = page.locator('eddy-controls .notice, .missing h1');
    await expect(told.first()).toBeVisible();
    await expect(page.locator('eddy-app')).toContainText(/./);
  });
}

test('an unknown experiment gets a friendly page with near misses that keep the settings', async ({ page, url }) => {
  const p = numberParam(subject)!;
  await page.goto(`${url}/#/e/${subject.id.slice(0, -1)}?${p.key}=${other(p)}`);
  await expect(page.locator('h1')).toContainText('There is no experiment');
  const link = page.getByRole('link', { name: subject.title });
  await expect(link).toBeVisible();
  await link.click();
  await ready(widget(page));
  expect(await widget(page).evaluate((e: any, key) => e.get(key), p.key)).toBe(other(p));
  await page.goto(`${url}/#/e/xyzzyxyzzy`);
  await expect(page.locator('main')).toContainText('Nothing in the catalogue resembles');
});

test('the gallery searches and leads to experiments; papers filter', async ({ page, url }) => {
  await page.goto(url + '/');
  await expect(page.locator('eddy-card')).toHaveCount(catalog.experiments.length);
  await page.getByPlaceholder('Search experiments').fill(subject.title);
  await expect(page.locator('eddy-card').first()).toContainText(subject.title);
  await page.getByPlaceholder('Search experiments').fill('no experiment has this text');
  await expect(page.locator('eddy-card')).toHaveCount(0);
  await page.goto(`${url}/#/papers`);
  await expect(page.locator('.paper-list > li')).toHaveCount(catalog.papers.length);
  await page.getByPlaceholder('Search the papers').fill(catalog.papers[0]!.title);
  await expect(page.locator('.paper-list > li')).toHaveCount(1);
});
