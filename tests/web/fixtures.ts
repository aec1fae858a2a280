/** What the specs share: a served build, a page whose console is watched, and looks into the widget. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test as base, type FrameLocator, type Locator, type Page } from '@playwright/test';
import { serve, type Served } from './server';

export { expect };

export interface ParamSpec {
  key: string;
  kind: string;
  default: string;
  min: number;
  max: number;
  /** 0 where any value goes. */
  step: number;
  scale: string;
  live: boolean;
  integer: boolean;
  options?: [string, string][];
  /** Of a drawing. */
  columns?: number;
  rows?: number;
}
export interface Experiment {
  id: string;
  title: string;
  lab: string;
  views: { key: string; kind: string; label: string }[];
  params: ParamSpec[];
  baseline: { label: string } | null;
  claim: { cost: string } | null;
  devices: string[];
  bundle: string;
  cost: string;
}
export const catalog: { experiments: Experiment[]; papers: { title: string }[] } = JSON.parse(
  readFileSync(join(__dirname, '../../web/src/generated/catalog.json'), 'utf8'),
);

interface Watched {
  /** Console errors and page errors so far. */
  problems: string[];
}

export const test = base.extend<{ watched: Watched; url: string }, { site: Served }>({
  site: [
    async ({}, use) => {
      const site = await serve();
      await use(site);
      await site.close();
    },
    { scope: 'worker' },
  ],
  url: async ({ site }, use) => use(site.url),
  /** Every test fails on what it did not expect in the console; one that expects something empties `problems`. */
  watched: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on('console', (m) => {
        if (m.type() === 'error') problems.push(m.text());
      });
      page.on('pageerror', (e) => problems.push(String(e)));
      await use({ problems });
      expect(problems, 'errors in the console').toEqual([]);
    },
    { auto: true },
  ],
});

/** The widget of an experiment page. */
export const widget = (page: Page | FrameLocator): Locator => page.locator('eddy-experiment').first();

export async function openExperiment(page: Page, url: string, permalink: string): Promise<Locator> {
  await page.goto(`${url}/#/e/${permalink}`);
  const element = widget(page);
  await ready(element);
  return element;
}

/** The same in a frame page, alone: half the work, which a software GPU feels. */
export async function openAlone(page: Page, url: string, permalink: string): Promise<Locator> {
  await page.goto(`${url}/embed.html?e=${encodeURIComponent(permalink)}&baseline=off`);
  const element = widget(page);
  await ready(element);
  return element;
}

/** A link to the experiment on its coarsest grid, with its smallest network where burn trains it: on a software GPU a step of the usual one takes minutes. */
export function coarse(experiment: Experiment): string {
  const small = experiment.bundle === 'learn' ? ['channels', 'layers', 'radius', 'batch'] : [];
  const parts = experiment.params.flatMap((p) => {
    if (p.key === 'grid' && p.options) return [`grid=${p.options[0]![0]}`];
    // Chaos on a coarser line is refused.
    if (p.key === 'points') return [`points=${Math.max(experiment.id === 'kuramoto-sivashinsky' ? 128 : 64, p.min)}`];
    // The GPU trains typed equations by the gradient alone.
    if (p.key === 'optimizer' && experiment.id === 'typed-pinn') return ['optimizer=adam'];
    if (small.includes(p.key)) return [`${p.key}=${p.min}`];
    return [];
  });
  return parts.length ? `${experiment.id}?${parts.join('&')}` : experiment.id;
}

/** Waits until the run can be used. */
export async function ready(element: Locator): Promise<void> {
  await expect.poll(() => element.evaluate((e: any) => e.model?.status), { timeout: 30_000 }).toBe('ready');
}

export interface ViewPayload {
  header: any;
  data: number[];
}
export const readView = (element: Locator, key: string, pane = 0): Promise<ViewPayload> =>
  element.evaluate(
    async (e: any, [k, p]) => {
      const view = await e.readView(k, p);
      return { header: view.header, data: Array.from(view.data) as number[] };
    },
    [key, pane] as const,
  );

/** Milliseconds from the address to the first picture of the page that is open. */
export const firstPicture = (page: Page): Promise<number> =>
  page.evaluate(() => new Promise<number>((done) => {
    new PerformanceObserver((list) => list.getEntries().forEach((e) => e.name === 'first-contentful-paint' && done(e.startTime))).observe({ type: 'paint', buffered: true });
  }));

/** How far the page that is open has shifted since its address was opened. */
export const layoutShift = (page: Page): Promise<number> =>
  page.evaluate(() => new Promise<number>((done) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e: any) => (sum += e.value))).observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => done(sum), 200);
  }));

/** Different colours in the middle of a picture of `locator`; a blank canvas has one. */
export async function colorsOf(page: Page, locator: Locator): Promise<number> {
  const shot = (await locator.screenshot({ timeout: 10_000 })).toString('base64');
  return page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d')!;
    context.drawImage(bitmap, 0, 0);
    const inset = 4;
    const pixels = context.getImageData(inset, inset, bitmap.width - 2 * inset, bitmap.height - 2 * inset).data;
    const seen = new Set<number>();
    // Five bits a channel: dithering of the compositor is not a picture.
    for (let i = 0; i < pixels.length; i += 4) seen.add(((pixels[i]! >> 3) << 10) | ((pixels[i + 1]! >> 3) << 5) | (pixels[i + 2]! >> 3));
    return seen.size;
  }, shot);
}

/** Mean difference of two pictures (PNG in base 64), of 255. */
export const difference = (page: Page, one: string, two: string): Promise<number> =>
  page.evaluate(async (pictures) => {
    const [a, b] = await Promise.all(pictures.map(async (data) => {
      const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
    }));
    return a!.length === b!.length ? a!.reduce((sum, v, i) => sum + Math.abs(v - b![i]!), 0) / a!.length : Infinity;
  }, [one, two]);

/** Largest difference relative to the largest value of `a`. */
export function relativeDifference(a: number[], b: number[]): number {
  if (a.length !== b.length || a.length === 0) return Infinity;
  let size = 0;
  let gap = 0;
  for (let i = 0; i < a.length; i++) {
    size = Math.max(size, Math.abs(a[i]!));
    gap = Math.max(gap, Math.abs(a[i]! - b[i]!));
    if (!Number.isFinite(a[i]!) || !Number.isFinite(b[i]!)) return Infinity;
  }
  return size === 0 ? gap : gap / size;
}

/** A picture file drawn in the page: `draw` gets the context of a canvas of that size. */
export const pngOf = (page: Page, width: number, height: number, draw: string): Promise<Buffer> =>
  page
    .evaluate(
      ([w, h, code]) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
        new Function('context', 'width', 'height', code)(canvas.getContext('2d')!, w, h);
        return canvas.toDataURL('image/png').split(',')[1]!;
      },
      [width, height, draw] as const,
    )
    .then((text) => Buffer.from(text, 'base64'));
