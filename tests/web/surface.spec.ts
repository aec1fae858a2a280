/** A field as a surface: drawn, turned by keys and mouse, follows the run and the colour map, and is gone again. */
import { colorsOf, expect, openExperiment, test } from './fixtures';

// So high that nothing scrolls: a page scrolled by half a pixel is another picture.
test.use({ viewport: { width: 1280, height: 1700 } });

test('a field rises to a surface that follows the run and can be turned', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'gray-scott');
  // It must not come to its end while software draws the surface.
  await element.evaluate(async (e: any) => (e.pause(), await e.restart(), await e.advanceSteps(500)));
  await page.getByRole('button', { name: 'As a surface' }).click();
  const surface = page.locator('eddy-surface[drawn]').first();
  await expect(surface).toBeVisible();
  const canvas = surface.locator('canvas');
  await expect.poll(() => colorsOf(page, canvas)).toBeGreaterThan(20);
  await element.evaluate((e: any) => e.pause());
  const picture = async () => (await canvas.screenshot()).toString('base64');
  await expect.poll(async () => (await picture()) === (await picture())).toBe(true);
  const first = await picture();
  await canvas.focus();
  await page.keyboard.press('ArrowLeft');
  const turned = await picture();
  expect(turned).not.toBe(first);
  const box = (await canvas.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 80, box.y + box.height / 2 - 20, { steps: 4 });
  await page.mouse.up();
  const dragged = await picture();
  expect(dragged).not.toBe(turned);
  await element.evaluate((e: any) => e.advanceSteps(200));
  await expect.poll(picture).not.toBe(dragged);
  await page.getByRole('button', { name: 'As a surface' }).click();
  await expect(page.locator('eddy-surface')).toHaveCount(0);
});

test('a curve has no surface; without WebGL it says so', async ({ page, url }) => {
  const heat = await openExperiment(page, url, 'heat-1d');
  await heat.evaluate((e: any) => e.model.showView(e.model.experiment.views.find((v: any) => v.kind === 'lines').key));
  await expect(page.getByRole('button', { name: 'As a surface' })).toHaveCount(0);
  await page.goto('about:blank');
  await page.addInitScript(() => {
    const make = HTMLCanvasElement.prototype.getContext as (...all: unknown[]) => unknown;
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
      return kind.startsWith('webgl') ? null : make.call(this, kind, ...rest);
    } as never;
  });
  await openExperiment(page, url, 'gray-scott');
  await page.getByRole('button', { name: 'As a surface' }).click();
  await expect(page.locator('eddy-surface').first()).toContainText('no WebGL');
});
