/** What goes wrong is said where it belongs, and costs no settings. */
import { catalog, expect, openExperiment, readView, ready, test, widget } from './fixtures';
import { serve } from './server';

const cheap = catalog.experiments.find((e) => e.cost === 'cheap' && e.bundle === 'core')!;
const changed = cheap.params.find((p) => p.kind === 'number')!;
const link = `${cheap.id}?${changed.key}=${changed.max}`;

/** Numbers whose ends may make a run diverge. */
const candidates = catalog.experiments
  .filter((e) => e.lab === 'pde' && e.bundle === 'core')
  .flatMap((e) => e.params.filter((p) => p.kind === 'number' && /^(dt|step|time-step|cfl|courant)/.test(p.key)).map((p) => ({ e, p })));

for (const { e, p } of candidates) {
  test(`${e.id}: with ${p.key} at its end it stays finite or says why it stopped, and the repair works`, async ({ page, url }) => {
    const element = await openExperiment(page, url, `${e.id}?${p.key}=${p.max}`);
    await element.evaluate((x: any) => x.model.setSpeed('fast'));
    await element.evaluate((x: any) => x.play());
    await page.waitForTimeout(2500);
    const outcome = await element.evaluate((x: any) => x.model.panes[0]?.progress.outcome);
    const { data } = await readView(element, e.views[0]!.key);
    expect(data.every((v) => !(Math.abs(v) === Infinity) && (e.views[0]!.kind === 'lines' || Number.isFinite(v)))).toBe(true);
    test.info().annotations.push({ type: 'outcome', description: outcome?.kind });
    if (outcome?.kind !== 'diverged') return;
    const trouble = page.locator('eddy-stage .trouble').first();
    await expect(trouble).toContainText('Diverged at step');
    expect(outcome.cause.length).toBeGreaterThan(10);
    expect(outcome.repair, 'a one-click repair').not.toBeNull();
    await trouble.locator('.repair').click();
    await expect(page.locator('eddy-stage .trouble')).toHaveCount(0);
    await page.waitForTimeout(1500);
    expect(await element.evaluate((x: any) => x.model.panes[0].progress.outcome.kind)).not.toBe('diverged');
  });
}

test('a closed worker is noticed; a restart goes on with the same settings', async ({ page, url }) => {
  const element = await openExperiment(page, url, link);
  const worker = page.workers().at(-1)!;
  await worker.evaluate(() => self.close());
  const panel = page.locator('eddy-stage .fault');
  await expect(panel).toContainText('no longer answers', { timeout: 25_000 });
  await expect(panel).toContainText(link);
  await panel.getByRole('button', { name: 'Restart' }).click();
  await ready(element);
  await expect(panel).toHaveCount(0);
  expect(await element.evaluate((e: any, key) => e.get(key), changed.key)).toBe(await element.evaluate((e: any) => String(e.model.values.get(e.model.permalink.split('?')[1].split('=')[0]))));
  expect(await element.evaluate((e: any) => e.model.permalink)).toContain(`${changed.key}=`);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBeGreaterThan(0);
});

test('a worker that throws is reported with the link', async ({ page, url, watched }) => {
  await openExperiment(page, url, link);
  await page.workers().at(-1)!.evaluate(() => {
    setTimeout(() => {
      throw new Error('planted');
    }, 0);
  });
  const panel = page.locator('eddy-stage .fault');
  await expect(panel).toContainText('stopped unexpectedly');
  await expect(panel).toContainText(link);
  watched.problems.length = 0;
});

test('a defect that stops the module is reported with the link, and a restart has a fresh module', async ({ page, url, watched }) => {
  // The fifth call of the first module traps, as a Rust panic does.
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    const planted = `const make = WebAssembly.instantiateStreaming;
      WebAssembly.instantiateStreaming = async (...all) => {
        const { instance, module } = await make(...all);
        let calls = 0;
        const advance = (...given) => { if (++calls === 5) throw new WebAssembly.RuntimeError('unreachable (planted)'); return instance.exports.session_advance(...given); };
        return { instance: { exports: { ...instance.exports, session_advance: advance } }, module };
      };\n`;
    await route.fulfill({ response: answer, body: planted + (await answer.text()) });
  }, { times: 1 });
  await page.goto(`${url}/#/e/${link}`);
  const element = widget(page);
  const panel = page.locator('eddy-stage .fault');
  await expect(panel).toContainText('a defect of Eddy (unreachable (planted))', { timeout: 20_000 });
  await expect(panel).toContainText(link);
  await panel.getByRole('button', { name: 'Restart' }).click();
  await ready(element);
  await expect(panel).toHaveCount(0);
  expect(await element.evaluate((e: any) => e.model.permalink)).toContain(`${changed.key}=`);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBeGreaterThan(10);
  watched.problems.length = 0;
});

test('a policy that refuses WebAssembly is explained', async ({ page, watched }) => {
  const site = await serve({ 'content-security-policy': "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:" });
  try {
    await page.goto(`${site.url}/#/e/${link}`);
    await expect(page.locator('eddy-stage .fault')).toContainText('wasm-unsafe-eval');
    await expect(page.locator('eddy-stage .fault')).toContainText(link);
    watched.problems.length = 0;
  } finally {
    await site.close();
  }
});

test('a strict policy with WebAssembly allowed has all it needs', async ({ page }) => {
  const site = await serve({ 'content-security-policy': "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'" });
  try {
    await openExperiment(page, site.url, link);
  } finally {
    await site.close();
  }
});

test('where workers are refused it runs on the page’s thread', async ({ page, watched }) => {
  const site = await serve({ 'content-security-policy': "worker-src 'none'" });
  try {
    const element = await openExperiment(page, site.url, link);
    expect(page.workers()).toHaveLength(0);
    await element.evaluate((e: any) => e.play());
    await expect.poll(() => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0)).toBeGreaterThan(0);
    watched.problems.length = 0;
  } finally {
    await site.close();
  }
});

test('a bundle that does not arrive can be asked for again', async ({ page, url, watched }) => {
  let refused = 0;
  await page.route('**/*.wasm', (route) => (refused++ ? route.continue() : route.abort()));
  await page.goto(`${url}/#/e/${link}`);
  const panel = page.locator('eddy-stage .fault');
  await expect(panel).toContainText('could not be loaded');
  await panel.getByRole('button', { name: 'Restart' }).click();
  await ready(widget(page));
  watched.problems.length = 0;
});

test('without a GPU the menu says why', async ({ page, url }) => {
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { value: undefined }));
  await openExperiment(page, url, cheap.id);
  await page.locator('eddy-device .chip').click();
  const gpu = page.getByRole('menuitemradio', { name: /WebGPU/ });
  await expect(gpu).toBeVisible();
  if (!cheap.devices.includes('gpu')) await expect(gpu).toBeDisabled();
});

test('a claim can be checked and cancelled', async ({ page, url }) => {
  const subject = catalog.experiments.find((e) => e.claim?.cost === 'cheap' && e.bundle === 'core');
  // One that takes long enough to be cancelled.
  const slow = catalog.experiments.find((e) => e.claim?.cost === 'slow' && e.bundle !== 'learn');
  test.skip(!subject || !slow, 'no claims in the catalogue');
  test.slow();
  const bar = page.locator('eddy-verdict');
  await openExperiment(page, url, slow!.id);
  await bar.getByRole('button', { name: 'Check the claim' }).click();
  await expect(bar.locator('progress')).toBeVisible();
  // The button is redrawn with every report of progress.
  await bar.getByRole('button', { name: 'Cancel' }).dispatchEvent('click');
  await expect(bar.getByRole('button', { name: 'Check the claim' })).toBeVisible();
  await openExperiment(page, url, subject!.id);
  await bar.getByRole('button', { name: 'Check the claim' }).click();
  await expect(bar).toContainText(/Held|Did not hold/, { timeout: 90_000 });
  await expect(bar).toContainText('measured');
  await expect(bar).toContainText('fails, as it must');
  await page.reload();
  await expect(page.locator('eddy-verdict')).toContainText('checked earlier');
});
