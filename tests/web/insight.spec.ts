/** What the papers' networks learn, and why: their points, kernels, gradients and neurons, beside the baseline's. */
import { expect, readView, ready, test, widget } from './fixtures';

test('causal training is seen to go from early to late, and plain training to miss the start', async ({ page, url }) => {
  test.slow();
  await page.goto(`${url}/#/e/causal-pinn?steps=3000&duration=1&width=24`);
  const element = widget(page);
  await ready(element);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => element.evaluate((e: any) => Math.min(...e.model.panes.map((p: any) => p.progress.steps))), { timeout: 90_000 }).toBe(3000);
  // Of plain training the residual at the first points is far above that at the last: the orbit starts wrongly.
  await page.getByRole('button', { name: 'Residual at the points', exact: true }).click();
  const squares = async (pane: number) => {
    const { header, data } = await readView(element, 'points', pane);
    if (header.kind !== 'lines') throw new Error(header.kind);
    const n = header.series[0]!.length;
    return data.slice(n, 2 * n);
  };
  const mean = (list: number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;
  const plain = await squares(1);
  const tenth = Math.floor(plain.length / 10);
  expect(mean(plain.slice(0, tenth))).toBeGreaterThan(3 * mean(plain.slice(-tenth)));
  // The gradients are named by their third of the time.
  const card = page.locator('section', { has: page.getByRole('heading', { name: 'Gradients by term' }) });
  for (const name of ['early', 'middle', 'late', 'Uniform weights']) await expect(card.getByText(name, { exact: true })).toBeVisible();
  for (const view of ['Tangent kernel', 'Spectrum of the error', 'Neurons']) {
    await page.getByRole('button', { name: view, exact: true }).click();
    await expect.poll(() => element.evaluate((e: any) => e.model.headers[0]?.kind)).toBe(view === 'Neurons' ? 'field' : 'lines');
  }
});
