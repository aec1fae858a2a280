/** Links: the address is the setting; bad ones are answered at the control and cost nothing else. */
import { catalog, expect, openExperiment, readView, ready, relativeDifference, test, widget, type Experiment, type ParamSpec } from './fixtures';

const numberParam = (e: Experiment): ParamSpec | undefined => e.params.find((p) => p.kind === 'number' && p.max > p.min);
/** A value inside the range, other than the default. */
function other(p: ParamSpec): string {
  const middle = p.scale === 'log' ? Math.sqrt(p.min * p.max) : (p.min + p.max) / 2;
  const text = p.integer ? String(Math.round(middle)) : String(Number(middle.toPrecision(3)));
  return text === p.default ? String(p.integer ? Math.round(middle) - 1 : Number((middle * 0.9).toPrecision(3))) : text;
}
const subject = catalog.experiments.find((e) => e.cost === 'cheap' && e.params.filter((p) => p.kind === 'number').length >= 2)!;

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
