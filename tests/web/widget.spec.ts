/** `<eddy-experiment>` on pages of other sites: frames by default, inline by choice; calls, events, theme, rest. */
import type { Page } from '@playwright/test';
import { expect, layoutShift, ready, test } from './fixtures';
import { serve } from './server';

const HEAT = 'heat-1d';

/** A host page with `body`, on the origin of the site, that has loaded the widget. */
async function host(page: Page, url: string, body: string, root = 'lang="en"'): Promise<void> {
  await page.route('**/host-page.html', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><html ${root}><head><meta charset="utf-8"><title>Host</title><link rel="icon" href="eddy.svg"><script type="module" src="widget.js"></script></head><body>${body}</body></html>`,
    }));
  await page.goto(`${url}/host-page.html`);
}

const steps = (page: Page, selector = 'eddy-experiment') => page.evaluate((s) => (document.querySelector(s) as any).state?.steps ?? 0, selector);

for (const inline of [false, true]) {
  const kind = inline ? 'inline' : 'in a frame';
  const tag = (more = '') => `<eddy-experiment experiment="${HEAT}" baseline="off" ${inline ? 'inline' : ''} ${more}><p>A caption.</p></eddy-experiment>`;

  test(`${kind}: plays, pauses, sets, gets and tells`, async ({ page, url }) => {
    await host(page, url, tag());
    const said = await page.evaluate(async () => {
      const figure = document.querySelector('eddy-experiment') as any;
      const settings: string[] = [];
      figure.on('settings', (d: any) => settings.push(d.permalink));
      await figure.set('diffusivity', 0.2);
      const value = await figure.get('diffusivity');
      let refusal = '';
      await figure.set('diffusivity', 'a lot').catch((e: Error) => (refusal = e.message));
      let unknown = '';
      await figure.set('colour', 'red').catch((e: Error) => (unknown = e.message));
      return { value, refusal, unknown, settings, kept: figure.permalink };
    });
    expect(said.value).toBe('0.2');
    expect(said.refusal).not.toBe('');
    expect(said.unknown).toContain('There is no control “colour”');
    expect(said.settings).toContain('heat-1d?diffusivity=0.2');
    expect(said.kept).toBe('heat-1d?diffusivity=0.2');
    expect(await steps(page)).toBe(0);

    const metric = page.evaluate(() => new Promise((done) => (document.querySelector('eddy-experiment') as any).on('metric', (m: any) => m.energy > 0 && done(m))));
    await page.evaluate(() => (document.querySelector('eddy-experiment') as any).play());
    expect(Object.keys((await metric) as object)).toContain('error');
    await expect.poll(() => steps(page)).toBeGreaterThan(1);
    await page.evaluate(() => (document.querySelector('eddy-experiment') as any).pause());
    await expect.poll(() => page.evaluate(() => (document.querySelector('eddy-experiment') as any).state.playing)).toBe(false);
    const rest = await steps(page);
    await page.waitForTimeout(300);
    expect(await steps(page)).toBe(rest);
    await page.evaluate(() => (document.querySelector('eddy-experiment') as any).restart());
    await expect.poll(() => steps(page)).toBe(0);
    await page.evaluate(() => (document.querySelector('eddy-experiment') as any).reset());
    await expect.poll(() => page.evaluate(() => (document.querySelector('eddy-experiment') as any).permalink)).toBe(HEAT);
  });

  test(`${kind}: the theme follows the host`, async ({ page, url }) => {
    await host(page, url, tag('theme="host"'), 'lang="en" data-theme="dark"');
    const theme = () =>
      inline
        ? page.evaluate(() => document.querySelector('eddy-experiment')!.shadowRoot!.querySelector('eddy-inline')?.getAttribute('theme'))
        : page.frameLocator('iframe').locator('html').getAttribute('data-theme');
    await expect.poll(theme).toBe('dark');
    await page.evaluate(() => document.documentElement.setAttribute('data-theme', 'light'));
    await expect.poll(theme).toBe('light');
    // As mdBook does it.
    await page.evaluate(() => { document.documentElement.removeAttribute('data-theme'); document.documentElement.className = 'coal'; });
    await expect.poll(theme).toBe('dark');
  });
}

test('a still, a caption and a link stand before the figure, and nothing shifts when it loads', async ({ page, url }) => {
  await host(page, url, `<h1>Host</h1><eddy-experiment experiment="${HEAT}" autoplay baseline="off">
    <img slot="poster" alt="Blocks of heat" src="eddy.svg" width="100%" height="520"><p id="caption">Heat. <a href="./#/e/${HEAT}">Open in Eddy</a></p></eddy-experiment><p>After.</p>`);
  await expect(page.locator('#caption')).toBeVisible();
  await expect.poll(() => steps(page)).toBeGreaterThan(0);
  await expect(page.getByAltText('Blocks of heat')).toBeHidden();
  const shift = await layoutShift(page);
  expect(shift).toBeLessThan(0.005);
});

test('planted: a figure that pushes the text is seen to shift', async ({ page, url }) => {
  await host(page, url, '<h1>Host</h1><div id="gap"></div><p>After, a paragraph that will be pushed down by what grows above it.</p>');
  await page.waitForTimeout(700);
  const shift = await page.evaluate(() => new Promise<number>((done) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((e: any) => (sum += e.value))).observe({ type: 'layout-shift', buffered: true });
    document.querySelector<HTMLElement>('#gap')!.style.height = '300px';
    setTimeout(() => done(sum), 400);
  }));
  expect(shift).toBeGreaterThan(0.005);
});

for (const query of ['', '?inline']) {
  test(`twenty figures${query && ' inline'}: at most two run, at most four hold an engine, what is out of sight rests`, async ({ page, url }) => {
    await page.setViewportSize({ width: 900, height: 1700 });
    await page.goto(`${url}/examples/widgets.html${query}`);
    const count = () => page.evaluate(() => {
      const all = [...document.querySelectorAll('eddy-experiment')] as any[];
      return {
        running: all.filter((f) => f.state?.playing).length,
        engines: all.filter((f) => f.shadowRoot?.querySelector('iframe, eddy-inline')).length,
        steps: all.map((f) => f.state?.steps ?? 0),
      };
    });
    await expect.poll(async () => (await count()).running, { timeout: 20_000 }).toBe(2);
    expect((await count()).engines).toBeLessThanOrEqual(4);
    const workers = () => page.workers().length;
    if (query) expect(workers()).toBeLessThanOrEqual(2);
    else expect(workers()).toBeLessThanOrEqual(4);
    await expect.poll(async () => (await count()).steps.filter((s) => s > 0).length).toBeGreaterThan(1);
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    // Others have their turn now.
    await expect.poll(async () => (await count()).steps.slice(10).some((s) => s > 0), { timeout: 20_000 }).toBe(true);
    const then = await count();
    await page.waitForTimeout(700);
    const now = await count();
    expect(now.running).toBeLessThanOrEqual(2);
    expect(now.engines).toBeLessThanOrEqual(4);
    expect(now.steps.slice(0, 8)).toEqual(then.steps.slice(0, 8));
    expect(query ? workers() <= 2 : workers() <= 4).toBe(true);
  });
}

test('the frame obeys its host only: other origins and other windows are not heard', async ({ page, url }) => {
  const origin = new URL(url).origin;
  const asked = (from: string) => `${url}/embed.html?e=${HEAT}&baseline=off&origin=${encodeURIComponent(from)}`;
  // The frame on the left names this host, the one on the right another.
  await host(page, url, `<iframe id="ours" src="${asked(origin)}" width="600" height="520"></iframe><iframe id="theirs" src="${asked('https://elsewhere.example')}" width="600" height="520"></iframe>`);
  const state = (id: string) => page.frameLocator(`#${id}`).locator('eddy-experiment').evaluate((e: any) => e.model?.status === 'ready' && e.model.playing);
  for (const id of ['ours', 'theirs']) {
    await expect.poll(() => page.frameLocator(`#${id}`).locator('eddy-experiment').evaluate((e: any) => e.model?.status), { timeout: 30_000 }).toBe('ready');
  }
  await page.evaluate(() => {
    for (const frame of document.querySelectorAll('iframe')) {
      // Nonsense first: it must be dropped, not thrown at.
      for (const bad of [null, 7, { eddy: 'eddy-widget/1' }, { eddy: 'eddy-widget/1', id: 1, call: { name: 'eval' } }, { eddy: 'eddy-widget/1', id: 1, call: { name: 'set', key: 1 } }]) frame.contentWindow!.postMessage(bad, '*');
      frame.contentWindow!.postMessage({ eddy: 'eddy-widget/1', id: 2, call: { name: 'play' } }, '*');
    }
  });
  await expect.poll(() => state('ours')).toBe(true);
  expect(await state('theirs')).toBe(false);
});

for (const query of ['', '?inline']) {
  test(`under a strict policy it works${query && ' inline'}, and without its one permission it says why`, async ({ page, watched }) => {
    const policy = (script: string) => `default-src 'none'; script-src ${script}; worker-src 'self'; connect-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'`;
    const strict = await serve({ 'content-security-policy': policy("'self' 'wasm-unsafe-eval'") });
    const refusing = await serve({ 'content-security-policy': policy("'self'") });
    try {
      await page.goto(`${strict.url}/examples/widgets.html${query}`);
      await expect.poll(() => page.evaluate(() => [...document.querySelectorAll('eddy-experiment')].some((f: any) => f.state?.steps > 0)), { timeout: 20_000 }).toBe(true);
      expect(watched.problems).toEqual([]);
      await page.goto(`${refusing.url}/examples/widgets.html${query}`);
      const said = () => page.evaluate(() => (window as any).said as string | undefined);
      await page.evaluate(() => document.querySelectorAll('eddy-experiment').forEach((f) => f.addEventListener('eddy-error', (e: any) => ((window as any).said = e.detail.message))));
      await expect.poll(said, { timeout: 20_000 }).toContain("'wasm-unsafe-eval'");
      // The browser reports the refusal itself.
      watched.problems.length = 0;
    } finally {
      await strict.close();
      await refusing.close();
    }
  });
}

for (const inline of [false, true]) {
  test(`${inline ? 'inline' : 'in a frame'}: controls are locked and hidden for the reader, not for the host`, async ({ page, url }) => {
    await host(page, url, `<eddy-experiment id="open" permalink="burgers-1d?viscosity=0.02" controls="all" baseline="off" height="1200" ${inline ? 'inline' : ''}></eddy-experiment>
      <eddy-experiment id="fixed" permalink="burgers-1d?viscosity=0.02" controls="all" lock="viscosity,seed" hide="points, dt" baseline="off" height="1200" ${inline ? 'inline' : ''}></eddy-experiment>
      <eddy-experiment id="one" permalink="burgers-1d?viscosity=0.02" controls="points" lock="viscosity" baseline="off" height="700" ${inline ? 'inline' : ''}></eddy-experiment>`);
    const inside = (id: string) => (inline ? page.locator(`#${id} eddy-inline`) : page.frameLocator(`#${id} iframe`).locator('eddy-experiment'));
    const control = (id: string, key: string) => inside(id).locator(`eddy-controls [data-key=${key}]`);
    const seed = (id: string) => page.locator(`#${id}`).evaluate((e: any) => e.get('seed'));
    // Planted: the same figure without the two attributes has both controls, and a key for a new seed.
    for (const [id, free] of [['open', true], ['fixed', false]] as const) {
      await page.locator(`#${id}`).scrollIntoViewIfNeeded();
      await ready(inside(id));
      await expect(control(id, 'viscosity').locator('.entry')).toBeEnabled({ enabled: free });
      await expect(control(id, 'viscosity').getByText('locked')).toHaveCount(free ? 0 : 1);
      await expect(control(id, 'points')).toHaveCount(free ? 1 : 0);
      await expect(control(id, 'dt')).toHaveCount(free ? 1 : 0);
      await expect(control(id, 'start').locator('input, select').first()).toBeEnabled();
      const before = await seed(id);
      await inside(id).locator('eddy-stage .stage').press('n');
      if (free) await expect.poll(() => seed(id)).not.toBe(before);
      else {
        await page.waitForTimeout(200);
        expect(await seed(id)).toBe(before);
      }
    }
    // The host's own calls are its own.
    await page.locator('#fixed').evaluate((e: any) => e.set('viscosity', 0.05));
    await expect(control('fixed', 'viscosity').locator('.entry')).toHaveValue('0.05');
    if (!inline) await expect(page.frameLocator('#fixed iframe').locator('.open-in-eddy')).toHaveAttribute('href', './?lock=viscosity,seed&hide=points,dt#/e/burgers-1d?viscosity=0.05');
    // A locked control is seen also where the list does not name it.
    await page.locator('#one').scrollIntoViewIfNeeded();
    await ready(inside('one'));
    await expect(inside('one').locator('eddy-controls [data-key]')).toHaveCount(2);
    await expect(control('one', 'viscosity').locator('.entry')).toBeDisabled();
    // Given later, it counts at once, and the reader's settings stay.
    await page.locator('#one').evaluate((e: any) => { e.removeAttribute('lock'); });
    await expect(inside('one').locator('eddy-controls [data-key]')).toHaveCount(1, { timeout: 20_000 });
  });
}

test('a diverged run offers no repair of a locked control', async ({ page, url }) => {
  for (const [lock, count] of [['', 1], ['&lock=dt', 0]] as const) {
    await page.goto(`${url}/embed.html?e=heat-1d%3Fscheme%3Deuler%26points%3D64%26dt%3D0.05%26end%3D5&baseline=off&controls=all${lock}`);
    const figure = page.locator('eddy-experiment');
    await ready(figure);
    await figure.evaluate((e: any) => { e.model.setSpeed('fast'); e.play(); });
    await expect(page.locator('eddy-stage .trouble')).toContainText('Diverged at step');
    await expect(page.locator('eddy-stage .repair')).toHaveCount(count);
  }
});
