/** Files of a run, the QR code, snippets that work where they are pasted. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { expect, openExperiment, readView, ready, test, widget } from './fixtures';

const fromWeb = createRequire(join(__dirname, '../../web/package.json'));

async function openShare(page: Page, url: string, permalink: string): Promise<Locator> {
  const element = await openExperiment(page, url, permalink);
  await element.evaluate((e: any) => e.pause());
  await page.getByRole('tab', { name: 'Share' }).click();
  await expect(page.locator('eddy-share .files')).toBeVisible();
  return element;
}

async function saved(page: Page, button: string): Promise<{ name: string; bytes: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync((await download.path())!) };
}

/** A reader of .npy written from NumPy's description of the format, apart from the page's writer. */
function readNpy(bytes: Uint8Array): { shape: number[]; data: number[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  expect([...bytes.slice(0, 8)]).toEqual([0x93, 78, 85, 77, 80, 89, 1, 0]);
  const length = view.getUint16(8, true);
  expect((10 + length) % 64).toBe(0);
  const header = Buffer.from(bytes.slice(10, 10 + length)).toString('latin1');
  const match = /^\{'descr': '<f([48])', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(header);
  if (!match) throw new Error(`not a header: ${header}`);
  const size = Number(match[1]);
  const shape = match[2]!.split(',').map((t) => t.trim()).filter(Boolean).map(Number);
  const data: number[] = [];
  for (let at = 10 + length; at < bytes.byteLength; at += size) data.push(size === 8 ? view.getFloat64(at, true) : view.getFloat32(at, true));
  return { shape, data };
}

test('picture, record, arrays and settings hold what the run holds', async ({ page, url }) => {
  const element = await openShare(page, url, 'gray-scott?grid=64&feed=0.03');
  await element.evaluate((e: any) => (e.pause(), e.restart().then(() => e.advanceSteps(20))));
  const png = await saved(page, 'Picture (PNG)');
  expect(png.name).toBe('gray-scott.png');
  const colors = await page.evaluate(async (data) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d')!;
    context.drawImage(bitmap, 0, 0);
    return { width: bitmap.width, seen: new Set(new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer)).size };
  }, png.bytes.toString('base64'));
  expect(colors.width).toBeGreaterThan(900);
  expect(colors.seen).toBeGreaterThan(50);

  const npy = readNpy((await saved(page, 'This view (NPY)')).bytes);
  const view = await readView(element, 'v');
  expect(npy.shape).toEqual([64, 64]);
  expect(npy.data).toEqual(view.data);

  const zip = fromWeb('fflate').unzipSync((await saved(page, 'All numbers (NPZ)')).bytes) as Record<string, Uint8Array>;
  expect(Object.keys(zip)).toEqual(expect.arrayContaining(['experiment.v.npy', 'experiment.u.npy', 'experiment.v.extent.npy', 'experiment.metrics.npy', 'settings.json']));
  expect(readNpy(zip['experiment.u.npy']!).data).toEqual((await readView(element, 'u')).data);
  const metrics = readNpy(zip['experiment.metrics.npy']!);
  expect(metrics.shape[1]).toBe(5);

  const csv = (await saved(page, 'Record (CSV)')).bytes.toString();
  expect(csv).toContain('# gray-scott?feed=0.03&grid=64');
  expect(csv.trim().split('\n')).toHaveLength(metrics.shape[0]! + 2);

  const settings = await saved(page, 'Settings (JSON)');
  expect(JSON.parse(settings.bytes.toString())).toMatchObject({ format: 'eddy-settings/1', permalink: 'gray-scott?feed=0.03&grid=64', values: { feed: '0.03', kill: '0.06' } });
  // And back: the file brings its settings to a page that shows others.
  await page.goto(`${url}/#/e/heat-1d`);
  await ready(widget(page));
  const chooser = page.locator('eddy-share input[type=file]');
  await chooser.setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"format":"other"}') });
  await expect(page.locator('eddy-share [role=status]')).toContainText('not in the format');
  await chooser.setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: settings.bytes });
  await expect.poll(() => page.url()).toContain('#/e/gray-scott?feed=0.03&grid=64');
});

test('a film of the run plays in the browser', async ({ page, url }) => {
  await openShare(page, url, 'heat-1d?end=0.5');
  const film = await saved(page, 'Film (WebM)');
  expect(film.bytes.subarray(0, 4)).toEqual(Buffer.from([0x1a, 0x45, 0xdf, 0xa3]));
  const seen = await page.evaluate(async (data) => {
    const video = document.createElement('video');
    video.muted = true;
    video.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: 'video/webm' }));
    await new Promise((done, fail) => { video.onloadeddata = done; video.onerror = () => fail(new Error('cannot be decoded')); });
    return [video.videoWidth, video.videoHeight];
  }, film.bytes.toString('base64'));
  expect(seen[0]).toBeGreaterThan(400);
  expect(seen[1]).toBeGreaterThan(300);
});

test('the code on the page is the link', async ({ page, url }) => {
  await openShare(page, url, 'heat-1d?diffusivity=0.2');
  const address = await page.locator('eddy-share pre').first().textContent();
  expect(address).toBe(`${url}/#/e/heat-1d?diffusivity=0.2`);
  const shot = (await page.locator('.qr').screenshot()).toString('base64');
  const pixels = await page.evaluate(async (data) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(3 * bitmap.width, 3 * bitmap.height);
    const context = canvas.getContext('2d')!;
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return { width: canvas.width, height: canvas.height, data: Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data) };
  }, shot);
  const decode = (await import(fromWeb.resolve('qr/decode.js'))).default;
  expect(decode({ ...pixels, data: Uint8Array.from(pixels.data) })).toBe(address);
});

test('snippets work where they are pasted', async ({ page, url }) => {
  await openShare(page, url, 'burgers-1d?viscosity=0.02');
  const snippet = async (host: string) => {
    await page.getByLabel('What the site is made with').selectOption(host);
    return (await page.locator('eddy-share .snippet').textContent())!;
  };
  const texts: Record<string, string> = {};
  for (const host of ['html', 'iframe', 'docusaurus', 'myst', 'jupyter', 'quarto', 'mdbook', 'sphinx', 'observable', 'lms']) {
    texts[host] = await snippet(host);
    expect(texts[host], host).toContain(url);
    expect(texts[host], host).toMatch(/burgers-1d(\?|%3F)viscosity(=|%3D)0\.02/);
  }
  for (const host of ['html', 'iframe', 'lms', 'mdbook', 'sphinx']) {
    const body = host === 'sphinx' ? texts[host]!.replace(/^\.\. raw:: html$/m, '') : texts[host]!;
    await page.unroute('**/pasted.html').catch(() => {});
    await page.route('**/pasted.html', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><html lang="en"><title>x</title><link rel="icon" href="eddy.svg"><body>${body}</body></html>` }));
    await page.goto(`${url}/pasted.html`);
    const inner = page.frameLocator('iframe').first();
    await ready(widget(inner));
    expect(await widget(inner).evaluate((e: any) => e.get('viscosity')), host).toBe('0.02');
  }
});

for (const scheme of ['light', 'dark'] as const) {
  test(`share, ${scheme}: axe finds nothing, nothing sticks out`, async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await openShare(page, url, 'heat-1d');
    for (const [width, height] of [[820, 1180], [390, 844], [1440, 900]] as const) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(100);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);
    }
    const found = await new AxeBuilder({ page }).analyze();
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
    await page.locator('eddy-share').screenshot({ path: join(test.info().outputDir, `share-${scheme}.png`) });
  });
}

test('trained weights are saved, loaded into another run, and refused where they do not fit', async ({ page, url }, info) => {
  const element = await openShare(page, url, 'pinn-burgers?width=16&layers=2');
  await element.evaluate((e: any) => (e.pause(), e.restart().then(() => e.advanceSteps(5))));
  const file = await saved(page, 'Weights (safetensors)');
  expect(file.name).toBe('pinn-burgers.safetensors');
  // The format as its description says, read apart from the library that wrote it.
  const length = Number(file.bytes.readBigUInt64LE(0));
  const header = JSON.parse(file.bytes.subarray(8, 8 + length).toString());
  expect(header['layers.1.weight'].shape).toEqual([16, 16]);
  expect(header.__metadata__.permalink).toContain('pinn-burgers');
  const weights = (e: any) => e.model.readWeights().then((bytes: Uint8Array) => Array.from(bytes));
  await element.evaluate((e: any) => e.set('seed', '9'));
  await ready(element);
  const fresh = await element.evaluate(weights);
  const path = info.outputPath('weights.safetensors');
  writeFileSync(path, file.bytes);
  await page.getByLabel('Load weights…').setInputFiles(path);
  await expect(page.locator('eddy-share [role=status]').first()).toContainText('training goes on from it');
  const loaded = Buffer.from(await element.evaluate(weights));
  const dataOf = (bytes: Buffer) => bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
  expect(dataOf(loaded).equals(dataOf(file.bytes))).toBe(true);
  expect(dataOf(Buffer.from(fresh)).equals(dataOf(file.bytes))).toBe(false);

  await element.evaluate((e: any) => e.set('width', '24'));
  await ready(element);
  await page.getByLabel('Load weights…').setInputFiles(path);
  await expect(page.locator('eddy-share [role=status]').first()).toContainText('Give the network the size that it had there');
});

test('what trains nothing offers no weights', async ({ page, url }) => {
  await openShare(page, url, 'heat-1d');
  await expect(page.getByRole('button', { name: 'Settings (JSON)' })).toBeEnabled();
  await expect(page.getByText('Weights (safetensors)')).toHaveCount(0);
});

test('the engine is asked for weights and script when Share is opened or reached for, not at each change', async ({ page, url }) => {
  const element = await openExperiment(page, url, 'pinn-burgers?width=16&layers=2');
  const asked = () => element.evaluate((e: any) => e.model.askedFor as string[]);
  await element.evaluate((e: any) => {
    e.pause();
    e.model.askedFor = [];
    for (const name of ['readWeights', 'readScript']) {
      const read = e.model[name].bind(e.model);
      e.model[name] = () => {
        e.model.askedFor.push(name);
        return read();
      };
    }
  });
  await page.getByRole('tab', { name: 'Share' }).click();
  await expect(page.getByRole('button', { name: 'Weights (safetensors)' })).toBeVisible();
  await expect.poll(asked).toEqual(['readWeights', 'readScript']);
  const link = page.locator('eddy-share pre').first();
  for (const seed of ['3', '4', '5']) {
    await element.evaluate(async (e: any, s) => {
      e.set('seed', s);
      await e.model.settled();
    }, seed);
    await expect(link).toContainText(`seed=${seed}`);
  }
  expect(await asked()).toEqual(['readWeights', 'readScript']);
  // Who reaches for the files is told what the settings of now give.
  await page.locator('eddy-share .files').hover();
  await expect.poll(asked).toEqual(['readWeights', 'readScript', 'readWeights', 'readScript']);
  await page.mouse.move(0, 0);
  await page.locator('eddy-share .files').hover();
  expect((await asked()).length).toBe(4);
});
