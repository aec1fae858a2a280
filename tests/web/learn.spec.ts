/** Lessons and guides: figures run, predictions cover them, answers and tasks are checked; what a teacher's link asks for. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { catalog, expect, openExperiment, ready, test, widget } from './fixtures';

const docs = join(__dirname, '../../docs');
const slugs = ['lessons', 'guide'].flatMap((folder) => readdirSync(join(docs, folder)).map((file) => ({ slug: file.replace('.md', ''), text: readFileSync(join(docs, folder, file), 'utf8'), isLesson: folder === 'lessons' })));

/** The fenced blocks of a text in order, as its author wrote them. */
const fences = (text: string) => [...text.matchAll(/^```(eddy|predict|question|number|task)\n([\s\S]*?)^```$/gm)].map((m) => ({ kind: m[1]!, lines: m[2]!.trim().split('\n') }));

async function open(page: Page, url: string, slug: string): Promise<void> {
  await page.goto(`${url}/#/learn/${slug}`);
  await expect(page.locator('.lesson .prose p').first()).toBeVisible();
}

for (const { slug, text, isLesson } of slugs) {
  test(`${slug}: every figure runs, every prediction, question and task is checked`, async ({ page, url }) => {
    test.setTimeout(120_000);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await open(page, url, slug);
    const blocks = fences(text);
    if (isLesson) for (const kind of ['eddy', 'predict', 'question', 'task']) expect(blocks.some((b) => b.kind === kind), kind).toBe(true);
    const asks = page.locator('.ask');
    let figure = -1;
    let ask = -1;
    for (const { kind, lines } of blocks) {
      if (kind === 'eddy') {
        figure++;
        const element = page.locator('figure.live').nth(figure).locator('eddy-experiment');
        await element.scrollIntoViewIfNeeded();
        await ready(element);
        expect(await element.evaluate((e: any) => e.model.notices.length + e.model.errors.size), lines[0]).toBe(0);
        continue;
      }
      const box = asks.nth(++ask);
      await box.scrollIntoViewIfNeeded();
      if (kind === 'task') {
        const element = page.locator('figure.live').nth(figure).locator('eddy-experiment');
        await expect(box, 'not reached before').not.toHaveClass(/done/);
        const answer = lines.find((l) => l.startsWith('answer:'))!.slice(7).trim();
        await element.evaluate(async (e: any, link) => {
          await e.model.open(link, false);
          e.model.setSpeed('fast');
          e.model.setFilmed(true);
          e.model.play();
        }, answer);
        await expect(box, answer).toHaveClass(/done/, { timeout: 40_000 });
        await element.evaluate((e: any) => e.model.setFilmed(false));
      } else if (kind === 'number') {
        const value = Number(/^\* (\S+)/m.exec(lines.join('\n'))![1]);
        await box.locator('input').fill(String(value * 2));
        await box.getByRole('button', { name: 'Check' }).click();
        await expect(box.locator('.verdict')).toHaveClass(/missed/);
        await box.locator('input').fill(String(value * 1.002));
        await box.getByRole('button', { name: 'Check' }).click();
        await expect(box.locator('.verdict')).toHaveClass(/held/);
      } else {
        const choices = lines.filter((l) => /^[-*] /.test(l));
        const right = choices.findIndex((l) => l.startsWith('*'));
        if (kind === 'predict') {
          // The figure after it is covered.
          await expect(page.locator('figure.live').nth(figure + 1)).toHaveClass(/covered/);
        } else {
          await box.locator('input').nth((right + 1) % choices.length).check();
          await expect(box.locator('.verdict')).toHaveClass(/missed/);
        }
        await box.locator('input').nth(right).check();
        await expect(box.locator('.verdict')).toHaveClass(/held/);
        if (kind === 'predict') await expect(page.locator('figure.live').nth(figure + 1)).not.toHaveClass(/covered/);
      }
    }
    expect(page.workers().length).toBeLessThanOrEqual(2);
  });
}

for (const scheme of ['light', 'dark'] as const) {
  test(`learn, ${scheme}: axe finds nothing, nothing sticks out`, async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.goto(`${url}/#/learn`);
    await expect(page.locator('.entries li')).toHaveCount(slugs.length);
    for (const slug of ['', 'stability', 'embedding']) {
      if (slug) await open(page, url, slug);
      for (const [width, height] of [[1440, 900], [390, 844]] as const) {
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(200);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), `${slug} ${width}`).toBeLessThanOrEqual(0);
      }
      const found = await new AxeBuilder({ page }).analyze();
      expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), slug).toEqual([]);
    }
  });
}

test('a teacher’s link locks, hides, and asks before the run', async ({ page, url }) => {
  await page.goto(`${url}/?lock=viscosity&hide=seed,points&ask=What happens?~It grows~*It fades#/e/burgers-1d?viscosity=0.02`);
  await expect(page.locator('eddy-experiment')).toHaveCount(0);
  await expect(page.getByText('The run opens with your answer.')).toBeVisible();
  await page.getByLabel('It fades').check();
  await ready(widget(page));
  const locked = page.locator('eddy-controls [data-key=viscosity]');
  await expect(locked.locator('.entry')).toBeDisabled();
  await expect(locked.locator('.entry')).toHaveValue('0.02');
  await expect(page.locator('eddy-controls [data-key=dt] .entry')).toBeEnabled();
  await expect(page.locator('eddy-controls [data-key=seed]')).toHaveCount(0);
  await expect(page.locator('eddy-controls [data-key=points]')).toHaveCount(0);
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((v) => v.id)).toEqual([]);
  // Planted: the plain link neither locks nor hides.
  await page.goto(`${url}/#/e/burgers-1d`);
  await ready(widget(page));
  await expect(page.locator('eddy-controls [data-key=viscosity] .entry')).toBeEnabled();
  await expect(page.locator('eddy-controls [data-key=seed]')).toHaveCount(1);
});

test('the link for a class that the form makes does what the form says', async ({ page, url }) => {
  await openExperiment(page, url, 'burgers-1d?viscosity=0.02');
  await page.getByRole('tab', { name: 'Share' }).click();
  await page.locator('.class-link summary').click();
  await page.locator('.locks label', { hasText: 'viscosity' }).locator('select').selectOption('lock');
  await page.locator('.locks label', { hasText: 'seed' }).locator('select').selectOption('hide');
  await page.locator('.class-link textarea').fill('What happens to the front?\nIt moves faster.\n* It is thicker.');
  const address = (await page.locator('.class-link pre').textContent())!;
  expect(address.startsWith(`${url}/?lock=viscosity&hide=seed&ask=`)).toBe(true);
  // The snippets take the same choice.
  const snippet = page.locator('eddy-share .snippet');
  await expect(snippet).toContainText('permalink="burgers-1d?viscosity=0.02" controls="all" lock="viscosity" hide="seed"');
  await page.getByLabel('What the site is made with').selectOption('iframe');
  await expect(snippet).toContainText('&amp;controls=all&amp;lock=viscosity&amp;hide=seed"');
  await page.goto(address);
  await page.getByLabel('It is thicker.').check();
  await ready(widget(page));
  await expect(page.locator('eddy-controls [data-key=viscosity] .entry')).toBeDisabled();
  expect(await widget(page).evaluate((e: any) => e.get('viscosity'))).toBe('0.02');
});

test('the presenter view hides all but the experiment, and is left by its key', async ({ page, url }) => {
  await openExperiment(page, url, catalog.experiments[0]!.id);
  await page.locator('body').press('p');
  await expect(page.locator('html')).toHaveAttribute('data-presenter', '');
  await expect(page.locator('.top')).toBeHidden();
  await expect(page.locator('eddy-tabs')).toBeHidden();
  await expect(page.locator('eddy-stage')).toBeVisible();
  for (const [width, height] of [[1440, 900], [390, 844]] as const) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(200);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
  }
  const found = await new AxeBuilder({ page }).analyze();
  expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
  await page.keyboard.press('p');
  await expect(page.locator('.top')).toBeVisible();
  // While one types, P is a letter.
  await page.locator('eddy-controls .entry').first().focus();
  await page.keyboard.press('p');
  await expect(page.locator('.top')).toBeVisible();
});
