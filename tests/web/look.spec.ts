/** Layout and accessibility, in both themes and three sizes. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { catalog, expect, ready, test, widget } from './fixtures';

const first = catalog.experiments.find((e) => e.claim && e.bundle === 'core') ?? catalog.experiments[0]!;
const PAGES: Record<string, string> = { gallery: '', papers: 'papers', experiment: `e/${first.id}`, unknown: 'e/no-such-thing' };
const SIZES = [[1440, 900], [820, 1180], [390, 844], [360, 640]] as const;

async function open(page: Page, url: string, path: string): Promise<void> {
  await page.goto(`${url}/#/${path}`);
  if (path.startsWith('e/') && path !== PAGES.unknown) {
    await ready(widget(page));
    await widget(page).evaluate((e: any) => e.pause());
  }
  await page.waitForTimeout(300);
}

const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const scheme of ['light', 'dark'] as const) {
  for (const [name, path] of Object.entries(PAGES)) {
    test(`${name}, ${scheme}: nothing sticks out and axe finds nothing`, async ({ page, url }) => {
      await page.emulateMedia({ colorScheme: scheme });
      await open(page, url, path);
      await expect(page.locator('html')).toHaveAttribute('data-theme', scheme);
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(120);
        expect(await overflow(page), `${width} px wide`).toBeLessThanOrEqual(0);
      }
      await page.setViewportSize({ width: 1440, height: 900 });
      const found = await new AxeBuilder({ page }).analyze();
      expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
    });
  }
}

test('planted faults of layout and contrast are found', async ({ page, url }) => {
  await open(page, url, 'papers');
  await page.evaluate(() => {
    const wide = document.createElement('div');
    wide.style.width = '3000px';
    wide.textContent = 'planted';
    wide.style.color = '#eee';
    wide.style.background = '#fff';
    document.querySelector('main')!.append(wide);
  });
  expect(await overflow(page)).toBeGreaterThan(0);
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((v) => v.id)).toContain('color-contrast');
});

test('the theme button wins over the system and is remembered', async ({ page, url }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await open(page, url, '');
  await page.getByRole('button', { name: 'Dark theme' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('the stage answers to its keys', async ({ page, url }) => {
  await open(page, url, PAGES.experiment!);
  const element = widget(page);
  await element.evaluate((e: any) => e.restart());
  await page.locator('eddy-stage .stage').focus();
  const steps = () => element.evaluate((e: any) => e.model.panes[0].progress.steps);
  await page.keyboard.press('.');
  await expect.poll(steps).toBe(1);
  await page.keyboard.press(' ');
  await expect.poll(steps).toBeGreaterThan(1);
  await page.keyboard.press(' ');
  expect(await element.evaluate((e: any) => e.model.playing)).toBe(false);
  await page.keyboard.press('r');
  await expect.poll(steps).toBe(0);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys of the stage' })).toBeVisible();
});

test('reduced motion: nothing plays by itself', async ({ page, url }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open(page, url, PAGES.experiment!);
  await page.waitForTimeout(500);
  expect(await widget(page).evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBe(0);
});

test('the page asks nobody else for anything', async ({ page, url }) => {
  const foreign: string[] = [];
  page.on('request', (r) => {
    if (!r.url().startsWith(new URL(url).origin) && !/^(data|blob):/.test(r.url())) foreign.push(r.url());
  });
  await open(page, url, '');
  await open(page, url, PAGES.experiment!);
  expect(foreign).toEqual([]);
});
