/** A network on typed equations: the error at its text, the training, a coefficient that is found, the way from the lab. */
import type { Locator } from '@playwright/test';
import { expect, ready, readView, test, widget } from './fixtures';

/** Steps of the run now on the stage, and its latest value of a metric. */
const progress = (element: Locator) => element.evaluate((e: any) => e.model.panes[0]?.progress.steps ?? 0);
const latest = (element: Locator, key: string) =>
  element.evaluate((e: any, key) => e.model.panes[0]?.latest[e.model.experiment.metrics.findIndex((m: any) => m.key === key) + 1] ?? NaN, key);

const SMALL = 'optimizer=adam&width=12&layers=2&points=128&steps=3000';

test('typed equations train a network, and what is wrong with them stands at their text', async ({ page, url }) => {
  test.slow();
  await page.goto(`${url}/#/e/typed-pinn?${SMALL}`);
  const element = widget(page);
  await ready(element);
  const equations = page.locator('[data-key=equations] textarea');
  // The preset's problem stands in the empty boxes.
  await expect(equations).toHaveAttribute('placeholder', /u_t = nu\*dxx\(u\)/);
  for (const [key, text] of [['x', '0 .. 2*pi, 32'], ['boundary', 'periodic'], ['initial', 'u = sin(x) + 1'], ['end', '1']] as const) {
    const box = page.locator(`[data-key=${key}]`).locator('input, textarea');
    await box.fill(text);
    await box.blur();
  }
  await equations.fill('D = 0.1\nu_t = D*lap(u) - kapa*u\nkappa = 0.5');
  await equations.blur();
  const error = page.locator('[data-key=equations] .error');
  // Each of the boxes before began the run again.
  await expect(error).toContainText('kapa', { timeout: 30_000 });
  await expect(error).toContainText('kappa');
  // Nothing was lost of what was typed while the boxes before were being answered.
  const held = await element.evaluate((e: any) => ['x', 'boundary', 'initial', 'end'].map((key) => e.model.values.get(key)));
  expect(held).toEqual(['0 .. 2*pi, 32', 'periodic', 'u = sin(x) + 1', '1']);
  await equations.fill('D = 0.1\nu_t = D*lap(u) - kappa*u\nkappa = 0.5');
  await equations.blur();
  await expect(error).toHaveCount(0);
  // The lines stay lines, in the control and in the link.
  await expect.poll(() => page.url()).toContain('kappa');
  expect(await equations.inputValue()).toContain('\n');
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => progress(element), { timeout: 60_000 }).toBeGreaterThan(1500);
  expect(await latest(element, 'error')).toBeLessThan(0.02);
  await element.evaluate((e: any) => e.pause());
  // The field that is drawn is the solver's, nearly.
  const [own, solver] = [await readView(element, 'solution'), await readView(element, 'reference')];
  expect(own.data.length).toBe(solver.data.length);
  const gap = own.data.reduce((m: number, v: number, i: number) => Math.max(m, Math.abs(v - solver.data[i]!)), 0);
  expect(gap).toBeLessThan(0.2);
  expect(gap).toBeGreaterThan(0);
});

test('a coefficient is found from noisy values', async ({ page, url }) => {
  test.slow();
  await page.goto(`${url}/#/e/typed-pinn?equations=u_t%20=%20D*lap(u);%20D%20=%200.1&x=0%20..%202*pi,%2032&initial=u%20=%20sin(x)&end=1&sought=D%20=%200.4&optimizer=lbfgs&noise=0.001&steps=300&width=12&layers=2&points=128`);
  const element = widget(page);
  await ready(element);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => progress(element), { timeout: 60_000 }).toBeGreaterThan(20);
  await expect.poll(() => latest(element, 'coefficient'), { timeout: 60_000 }).toBeLessThan(0.03);
});

test('Gauss-Newton needs a hundred steps, and says what is too large for it', async ({ page, url }) => {
  test.slow();
  await page.goto(`${url}/#/e/typed-pinn?preset=bistable&optimizer=gauss-newton&width=12&layers=2&points=512&steps=100`);
  const element = widget(page);
  await ready(element);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => latest(element, 'error'), { timeout: 60_000 }).toBeLessThan(2e-3);
  // By Adam the same network is far from it after as many steps.
  await element.evaluate(async (e: any) => (e.pause(), e.model.set('optimizer', 'adam'), await e.model.settled(), await e.advanceSteps(100)));
  expect(await progress(element)).toBe(100);
  expect(await latest(element, 'error')).toBeGreaterThan(1e-2);
  await element.evaluate(async (e: any) => (e.model.set('width', '96'), e.model.set('optimizer', 'gauss-newton'), await e.model.settled()));
  await expect(page.locator('[data-key=width] .error')).toContainText('3000 at most');
});

test('the equation lab leads to the network with the same problem', async ({ page, url }) => {
  await page.goto(`${url}/#/lab/pde?preset=burgers&end=0.5`);
  await ready(widget(page));
  const link = page.locator('.lab-network');
  await expect(link).toBeVisible();
  const href = (await link.getAttribute('href'))!;
  expect(href).toContain('typed-pinn');
  expect(href).toContain('end=0.5');
  await link.click();
  await expect(page.locator('h1')).toContainText('train a network');
  const element = widget(page);
  await ready(element);
  expect(await element.evaluate((e: any) => e.model.values.get('end'))).toBe('0.5');
  // Noise has no residual: no link.
  await page.goto(`${url}/#/lab/pde?preset=kpz`);
  await expect(page.locator('.lab-method')).toBeVisible();
  await expect(page.locator('.lab-network')).toHaveCount(0);
});

test('a network and its baseline are compared at equal steps and at equal time', async ({ page, url }) => {
  await page.goto(`${url}/#/e/typed-pinn?preset=heat&width=12&layers=2&points=256&steps=40`);
  const element = widget(page);
  await ready(element);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => progress(element), { timeout: 60_000 }).toBe(40);
  const heading = page.locator('eddy-plots section:visible h2', { hasText: 'Relative error' });
  const time = page.locator('eddy-plots section', { hasText: 'Time against' });
  await expect(heading).toHaveText('Relative error against training steps');
  await expect(time).toBeVisible();
  await page.getByRole('radiogroup', { name: 'Plots against' }).getByLabel('time').check();
  await expect(heading).toHaveText('Relative error against time');
  // The time against itself says nothing.
  await expect(page.locator('#metric-seconds')).toBeHidden();
  const plot = page.locator('#metric-error .u-wrap');
  await expect(plot).toBeVisible();
  // The last row of each pane lies where its own clock stood.
  const ends = await page.locator('eddy-plots').evaluate((e: any) => {
    const columns = e.plots.get('metric-error').plot.data;
    return { last: columns[0].at(-1), clocks: [0, 1].map((i) => e.model.panes[i].latest[e.model.experiment.metrics.findIndex((m: any) => m.key === 'seconds') + 1]) };
  });
  expect(ends.clocks[0]).not.toBe(ends.clocks[1]);
  expect(ends.last).toBe(Math.max(...ends.clocks));
});

test('panes side by side have had the same time, where that is asked for', async ({ page, url }) => {
  // A step of the baseline, one layer of three, takes a part of the time.
  await page.goto(`${url}/#/e/typed-pinn?preset=heat&width=24&layers=3&points=1024&steps=20000&optimizer=adam`);
  const element = widget(page);
  await ready(element);
  const seconds = () =>
    element.evaluate((e: any) => {
      const column = 1 + e.model.experiment.metrics.findIndex((m: any) => m.key === 'seconds');
      return e.model.panes.map((pane: any) => pane.latest[column]) as number[];
    });
  const apart = async () => {
    await element.evaluate(async (e: any) => (await e.restart(), e.model.setSpeed('fast'), e.play()));
    await expect.poll(async () => Math.min(...(await seconds())), { timeout: 60_000 }).toBeGreaterThan(1);
    await element.evaluate((e: any) => e.pause());
    const [first, second] = await seconds();
    return first! / second!;
  };
  const pace = page.getByRole('radiogroup', { name: 'Side by side at' });
  await expect(pace.getByLabel('equal part of the run')).toBeChecked();
  await pace.getByLabel('equal time').check();
  const equal = await apart();
  const steps = await element.evaluate((e: any) => e.model.panes.map((p: any) => p.progress.steps) as number[]);
  expect(equal).toBeGreaterThan(0.8);
  expect(equal).toBeLessThan(1.25);
  expect(steps[1]).toBeGreaterThan(1.5 * steps[0]!);
  // And without, it is the steps that are equal.
  await pace.getByLabel('equal part of the run').check();
  expect(await apart()).toBeGreaterThan(1.5);
});

test('a slip of the pen in the equations is mended by a click', async ({ page, url }) => {
  const own = 'equations=u_t%20=%200.1*dxx(u)&x=0%20..%202*pi,%2064&initial=u%20=%20sin(x)&end=1';
  await page.goto(`${url}/#/e/typed-pinn?${own}&width=12&layers=2&points=256`);
  const element = widget(page);
  await ready(element);
  const box = page.locator('[data-key=equations] textarea');
  await box.fill('u_t = 0.1*dxx(u) + sinn(x)');
  await box.blur();
  const repair = page.locator('[data-key=equations] .error .repair');
  await expect(repair).toHaveText('Use “sin”');
  await repair.click();
  await expect(box).toHaveValue('u_t = 0.1*dxx(u) + sin(x)');
  await expect(repair).toHaveCount(0);
});

test('initial values that contradict the conditions are told, and trained on all the same', async ({ page, url }) => {
  await page.goto(`${url}/#/e/typed-pinn?equations=u_t%20=%20dxx(u)&x=0%20..%201,%2032&boundary=u%20=%20dirichlet:%200&initial=u%20=%201&end=0.2&parameters=k%20=%201&width=8&layers=1&points=64`);
  const element = widget(page);
  await ready(element);
  const told = page.locator('[data-key=initial] .remark');
  await expect(told).toHaveText(/u begins with 1 at x_min, x_max, where its condition holds it at 0/);
  await expect(page.locator('[data-key=parameters] .remark')).toContainText('k is not used');
  await expect(page.locator('.error')).toHaveCount(0);
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => progress(element), { timeout: 60_000 }).toBeGreaterThan(2);
  const initial = page.locator('[data-key=initial] textarea');
  await initial.fill('u = sin(pi*x)');
  await initial.blur();
  await expect(told).toHaveCount(0);
  await expect(page.locator('.remark')).toHaveCount(1);
});

test('a typed equation is trained on the gpu; what is not is told, and mended by a click', async ({ page, url }) => {
  test.slow(true, 'a software GPU');
  await page.goto(`${url}/#/e/typed-pinn?preset=burgers&width=8&layers=2&points=64&steps=20`);
  const element = widget(page);
  await ready(element);
  await element.evaluate((e: any) => e.model.setOptions({ device: 'gpu', precision: 'f32' }));
  // The preset is trained by Gauss-Newton, which the GPU does not do: the run stays, and says what would go.
  const notice = page.locator('.notice');
  await expect(notice).toContainText('On the GPU networks are trained by Adam. Take Adam. The run stays where it was.');
  expect(await element.evaluate((e: any) => e.model.options.device)).toBe('cpu');
  await notice.locator('.repair').click();
  await expect.poll(() => element.evaluate((e: any) => e.model.options.device)).toBe('gpu');
  await ready(element);
  await expect(notice).toHaveCount(0);
  await expect(page.locator('eddy-device .chip')).not.toContainText('CPU');
  const trained = async () => {
    await element.evaluate((e: any) => (e.model.setSpeed('fast'), e.play()));
    await expect.poll(() => progress(element), { timeout: 90_000 }).toBe(20);
    const { data } = await readView(element, 'solution');
    expect(data.every(Number.isFinite)).toBe(true);
    return { error: await latest(element, 'error'), loss: await latest(element, 'loss') };
  };
  const graphics = await trained();
  // The first steps take the same points on the CPU, and come to the same.
  await element.evaluate((e: any) => e.model.setOptions({ device: 'cpu', precision: 'f32' }));
  await ready(element);
  await expect(page.locator('eddy-device .chip')).toContainText('f32');
  const cpu = await trained();
  expect(Math.abs(graphics.error / cpu.error - 1)).toBeLessThan(1e-3);
  expect(Math.abs(graphics.loss / cpu.loss - 1)).toBeLessThan(1e-2);
  // With another coefficient they do not.
  await element.evaluate(async (e: any) => (e.model.set('parameters', 'nu = 0.06'), await e.model.settled()));
  expect(Math.abs((await trained()).error / graphics.error - 1)).toBeGreaterThan(1e-3);
});

test('an eigenvalue is found with its state, and what cannot be fulfilled is told where it stands', async ({ page, url }) => {
  test.slow();
  await page.goto(`${url}/#/e/typed-pinn?preset=harmonic-well&width=12&layers=2&points=256&steps=80`);
  const element = widget(page);
  await ready(element);
  // The preset's problem stands in the empty boxes, with the condition and the guess.
  await expect(page.locator('[data-key=integrals] textarea')).toHaveAttribute('placeholder', 'integral(psi^2) = 1');
  await expect(page.locator('[data-key=sought] textarea')).toHaveAttribute('placeholder', 'E = 1.3');
  await element.evaluate((e: any) => e.play());
  await expect.poll(() => progress(element), { timeout: 60_000 }).toBe(80);
  expect(await latest(element, 'coefficient')).toBeLessThan(1e-2);
  expect(await latest(element, 'integrals')).toBeLessThan(1e-6);
  const state = await readView(element, 'solution');
  const peak = state.data.reduce((m: number, v: number) => Math.max(m, Math.abs(v)), 0);
  expect(Math.abs(peak - Math.PI ** -0.25)).toBeLessThan(0.01);
  // From a guess next to another one, another state: 3, with a node in the middle.
  const sought = page.locator('[data-key=sought] textarea');
  await sought.fill('E = 3.4');
  await sought.blur();
  await expect.poll(() => element.evaluate((e: any) => e.model.values.get('sought'))).toBe('E = 3.4');
  await element.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.advanceSteps(80)));
  expect(await latest(element, 'coefficient')).toBeLessThan(1e-2);
  const other = await readView(element, 'solution');
  expect(Math.abs(other.data[Math.floor(other.data.length / 2)]!)).toBeLessThan(0.1);
  // An unknown name stands at the condition; a state that does not exist too.
  const integrals = page.locator('[data-key=integrals] textarea');
  const error = page.locator('[data-key=integrals] .error');
  await integrals.fill('integral(phi^2) = 1');
  await integrals.blur();
  await expect(error).toContainText('phi', { timeout: 30_000 });
  await integrals.fill('integral(psi^2) = -1');
  await integrals.blur();
  await expect(error).toContainText('no state', { timeout: 30_000 });
  await integrals.fill('');
  await integrals.blur();
  await expect(error).toHaveCount(0, { timeout: 30_000 });
});

test('values at the sides are built in or learnt, parts of the domain are joined, and a curriculum names what there is', async ({ page, url }) => {
  test.slow();
  const SIZE = 'width=10&layers=2&points=256&steps=60';
  await page.goto(`${url}/#/e/typed-pinn?preset=bratu&${SIZE}`);
  const element = widget(page);
  await ready(element);
  // Built in, the sides are no term of the loss, and their ends are exact.
  await element.evaluate(async (e: any) => (e.pause(), await e.advanceSteps(60)));
  expect(await latest(element, 'error')).toBeLessThan(1e-4);
  expect(await latest(element, 'sides')).toBeNaN();
  expect(Math.abs((await readView(element, 'solution')).data[0]!)).toBeLessThan(1e-7);
  await page.locator('[data-key=sides] select').selectOption('terms');
  await element.evaluate(async (e: any) => (await e.model.settled(), e.pause(), await e.advanceSteps(60)));
  expect(await latest(element, 'sides')).toBeGreaterThan(0);
  // Networks side by side: the jumps between them are a metric of their own, and SOAP may train them too.
  await page.goto(`${url}/#/e/typed-pinn?preset=heat&network=domains&parts=2&${SIZE}`);
  await ready(element);
  await element.evaluate(async (e: any) => (e.pause(), await e.advanceSteps(60)));
  expect(await latest(element, 'joints')).toBeLessThan(1e-5);
  expect(await latest(element, 'error')).toBeLessThan(3e-2);
  const left = await readView(element, 'left');
  expect(left.data.some((v: number) => v !== 0)).toBe(true);
  await page.goto(`${url}/#/e/typed-pinn?preset=heat&optimizer=soap&${SIZE}`);
  await ready(element);
  await element.evaluate(async (e: any) => (e.pause(), await e.advanceSteps(60)));
  expect(await latest(element, 'loss')).toBeLessThan(1);
  // A curriculum of what is not there is refused at its text.
  const curriculum = page.locator('[data-key=curriculum] textarea, [data-key=curriculum] input');
  await curriculum.fill('kapa = 1');
  await curriculum.blur();
  await expect(page.locator('[data-key=curriculum] .error')).toContainText('kapa', { timeout: 30_000 });
  await page.locator('[data-key=curriculum] .error .repair').click();
  await expect(page.locator('[data-key=curriculum] .error')).toHaveCount(0);
  expect(await element.evaluate((e: any) => e.model.values.get('curriculum'))).toBe('');
});
