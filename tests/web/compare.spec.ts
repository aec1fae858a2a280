/** Two settings on one clock: what differs, what follows, the address, and two experiments. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { expect, openExperiment, readView, ready, relativeDifference, test, widget } from './fixtures';

const A = 'burgers-1d?viscosity=0.02';
const B = 'burgers-1d?viscosity=0.05';
const address = (a: string, b: string) => `#/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;

async function open(page: Page, url: string, a: string, b: string): Promise<Locator> {
  await page.goto(`${url}/${address(a, b)}`);
  const element = widget(page);
  await ready(element);
  return element;
}
const panes = (element: Locator) => element.evaluate((e: any) => e.model.panes.map((p: any) => ({ steps: p.progress.steps, position: p.progress.position })));

test('each pane is its own setting, on the same clock', async ({ page, url }) => {
  const element = await open(page, url, A, B);
  await element.evaluate((e: any) => (e.pause(), e.restart().then(() => e.advanceSteps(40))));
  const both = await panes(element);
  expect(both[0].position).toBe(both[1].position);
  const shown = [await readView(element, 'u', 0), await readView(element, 'u', 1)];
  // Planted: the panes differ, so the comparisons below can fail.
  expect(relativeDifference(shown[0]!.data, shown[1]!.data)).toBeGreaterThan(0.01);
  for (const [i, link] of [A, B].entries()) {
    await page.goto('about:blank');
    const alone = await openExperiment(page, url, link);
    await alone.evaluate((e: any) => (e.pause(), e.restart().then(() => e.advanceSteps(40))));
    expect(relativeDifference((await readView(alone, 'u', 0)).data, shown[i]!.data), link).toBe(0);
  }
});

test('what differs stays, the rest follows; the address says it all', async ({ page, url }) => {
  const element = await open(page, url, A, B);
  await expect(page.locator('.differences tbody tr')).toHaveCount(1);
  await expect(page.locator('.differences tbody')).toContainText('0.02');
  await element.evaluate((e: any) => e.set('start', 'humps'));
  const other = () => element.evaluate((e: any) => e.model.other);
  expect(await other()).toBe('burgers-1d?viscosity=0.05&start=humps');
  await expect.poll(() => decodeURIComponent(page.url())).toContain('b=burgers-1d?viscosity=0.05&start=humps');
  // A live change of A that B has otherwise leaves B alone.
  await element.evaluate((e: any) => e.set('viscosity', '0.03'));
  expect(await other()).toBe('burgers-1d?viscosity=0.05&start=humps');
  await page.getByLabel('viscosity of B', { exact: false }).fill('0.1');
  await page.getByLabel('viscosity of B', { exact: false }).press('Enter');
  await expect.poll(other).toBe('burgers-1d?viscosity=0.1&start=humps');
  // Until the page has drawn it: typing meanwhile would be overwritten by what was asked for before.
  await expect.poll(() => decodeURIComponent(page.url())).toContain('viscosity=0.1');
  await page.waitForTimeout(100);
  // Refused: said here, and the run stays.
  await page.getByLabel('viscosity of B', { exact: false }).fill('nonsense');
  await page.getByLabel('viscosity of B', { exact: false }).press('Enter');
  await expect(page.locator('.differences [role=status]')).not.toBeEmpty();
  expect(await other()).toBe('burgers-1d?viscosity=0.1&start=humps');
  await page.getByRole('button', { name: 'the same in both' }).click();
  await expect.poll(other).toBe('burgers-1d?viscosity=0.03&start=humps');
  await expect(page.locator('.differences')).toContainText('Nothing');
  await page.getByLabel('Another control that B has otherwise').selectOption('seed');
  await expect.poll(other).toBe('burgers-1d?viscosity=0.03&start=humps&seed=2');
  // And the address opens the same again.
  const now = page.url();
  await page.goto('about:blank');
  await page.goto(now);
  await ready(widget(page));
  expect(await widget(page).evaluate((e: any) => [e.model.permalink, e.model.other])).toEqual(['burgers-1d?viscosity=0.03&start=humps', 'burgers-1d?viscosity=0.03&start=humps&seed=2']);
});

test('from an experiment to its comparison with the baseline', async ({ page, url }) => {
  await openExperiment(page, url, 'heat-1d');
  await page.getByRole('link', { name: 'Compare…' }).click();
  await expect(page.locator('.differences')).toBeVisible();
  await ready(widget(page));
  expect(await widget(page).evaluate((e: any) => [e.model.permalink, e.model.other])).toEqual(['heat-1d', 'heat-1d?scheme=crank-nicolson']);
});

test('a teacher\'s link locks and hides in a comparison too', async ({ page, url }) => {
  const both = address('burgers-1d?viscosity=0.02', 'burgers-1d?viscosity=0.05&seed=2');
  await page.goto(`${url}/?lock=viscosity,points&hide=seed${both}`);
  await ready(widget(page));
  const rows = page.locator('.differences tbody tr');
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText('0.05');
  await expect(rows.locator('input, select, button')).toHaveCount(0);
  const others = await page.locator('.differences select option').evaluateAll((all) => all.map((o) => (o as HTMLOptionElement).value));
  expect(others).toContain('start');
  for (const key of ['viscosity', 'points', 'seed']) expect(others).not.toContain(key);
  const controls = widget(page).locator('eddy-controls');
  await expect(controls.locator('[data-key="viscosity"] input').first()).toBeDisabled();
  await expect(controls.locator('[data-key="start"]')).toBeVisible();
  await expect(controls.locator('[data-key="seed"]')).toHaveCount(0);
  // Not by the keys of the stage either.
  await page.locator('eddy-stage .stage').focus();
  await page.keyboard.press('n');
  expect(await widget(page).evaluate((e: any) => [e.model.permalink, e.model.other])).toEqual(['burgers-1d?viscosity=0.02', 'burgers-1d?viscosity=0.05&seed=2']);
  // Planted: without the lock the same comparison can be changed.
  await page.goto('about:blank');
  await page.goto(`${url}/${both}`);
  await ready(widget(page));
  await expect(rows).toHaveCount(2);
  await expect(rows.locator('button')).toHaveCount(2);
});

test('two experiments start and stop together; an unknown one is named', async ({ page, url }) => {
  await page.goto(`${url}/${address('heat-1d', 'wave-2d')}`);
  const [first, second] = [page.locator('eddy-experiment').nth(0), page.locator('eddy-experiment').nth(1)];
  await ready(first);
  await ready(second);
  await page.getByRole('button', { name: 'Play both' }).click();
  for (const e of [first, second]) await expect.poll(async () => (await panes(e))[0].steps).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Pause both' }).click();
  for (const e of [first, second]) expect(await e.evaluate((x: any) => x.model.playing)).toBe(false);
  await page.goto(`${url}/${address('heat-1d', 'no-such')}`);
  await expect(page.getByRole('alert')).toContainText('no-such');
});

for (const scheme of ['light', 'dark'] as const) {
  test(`compare, ${scheme}: axe finds nothing, nothing sticks out`, async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    for (const path of [address(A, B), address('heat-1d', 'wave-2d'), '#/compare']) {
      await page.goto('about:blank');
      await page.goto(`${url}/${path}`);
      if (path !== '#/compare') await ready(widget(page));
      for (const [width, height] of [[390, 844], [820, 1180], [1440, 900]] as const) {
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(150);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${path} ${width}`).toBeLessThanOrEqual(0);
      }
      const found = await new AxeBuilder({ page }).analyze();
      expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), path).toEqual([]);
    }
  });
}
