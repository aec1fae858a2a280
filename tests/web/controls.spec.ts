/** Every control that differs from its default has its own way back. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator } from '@playwright/test';
import { expect, openExperiment, test } from './fixtures';

const control = (element: Locator, key: string): Locator => element.locator(`eddy-controls .control[data-key="${key}"]`);
const back = (element: Locator, key: string): Locator => control(element, key).locator('.back');
const value = (element: Locator, key: string): Promise<string> => element.evaluate((e: any, key) => e.model.values.get(key), key);

test('one control goes back to its default, and the others stay', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'deis?evaluations=16&grid=uniform&seed=9&particles=400');
  for (const key of ['evaluations', 'grid', 'seed', 'particles']) await expect(back(element, key)).toHaveCount(1);
  await expect(back(element, 'solver')).toHaveCount(0);
  await expect(back(element, 'grid')).toHaveAttribute('aria-label', /: back to quadratic in t$/);
  await back(element, 'evaluations').click();
  await expect.poll(() => value(element, 'evaluations')).toBe('10');
  await expect(back(element, 'evaluations')).toHaveCount(0);
  expect(await value(element, 'grid')).toBe('uniform');
  // By keys, and in the address.
  await back(element, 'grid').focus();
  await page.keyboard.press('Enter');
  await expect.poll(() => page.url()).not.toContain('grid=');
  expect(page.url()).toContain('seed=9');
  const { violations } = await new AxeBuilder({ page }).include('eddy-experiment').analyze();
  expect(violations.map((v) => v.id)).toEqual([]);
  // One undo brings it back, as any other edit.
  await page.goBack();
  await expect.poll(() => value(element, 'grid')).toBe('uniform');
});

test('a value that was refused goes back too, and its error with it', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'deis?particles=400');
  const entry = control(element, 'evaluations').locator('.entry');
  await entry.fill('-3');
  await entry.press('Enter');
  await expect(control(element, 'evaluations').locator('.error')).toBeVisible();
  await back(element, 'evaluations').click();
  await expect(control(element, 'evaluations').locator('.error')).toHaveCount(0);
  await expect(entry).toHaveValue('10');
});

test('a switch is its own way back, and what a teacher has locked has none', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'causal-pinn?seed=4');
  await expect(back(element, 'seed')).toHaveCount(1);
  for (const toggle of await element.locator('eddy-controls .kind-toggle').all()) await expect(toggle.locator('.back')).toHaveCount(0);
  await element.evaluate((e: any) => (e.lock = ['seed']));
  await expect(element.locator('eddy-controls [data-key="seed"] .back')).toHaveCount(0);
});
