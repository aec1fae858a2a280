/**
 * A seeded visitor who changes whatever can be changed: controls, links, views, tabs of the page and of the browser, the
 * run itself. Nothing may show in the console, no engine may be lost, no number drawn may be without a value, and the same
 * changes made twice may not cost memory twice. EDDY_MONKEY is the number of actions (10,000 with EDDY_SLOW=1, the full check), EDDY_SEED
 * the seed; a failure names the last actions.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { textOfDrawing } from '../../web/src/lib/drawing';
import { catalog, expect, ready, test, widget, type Experiment, type ParamSpec } from './fixtures';
import { GAIN, SEED, dice, fault, held, look, pick, type Dice } from './visitor';

const ACTIONS = Number(process.env.EDDY_MONKEY ?? (process.env.EDDY_SLOW === '1' ? 10_000 : 150));
/** Parameters that say how large a run is: not above their default, so that time goes into changes. */
const SIZES = /^(points|times|cells|particles|width|layers|waves|count|samples|batch|modes|channels|grid|steps|order|chains)$|_steps$/;
const DEFAULT_SUBJECTS = ['heat-1d', 'gray-scott', 'deis', 'pinn-burgers', 'klein-gordon-1d'];

/** A value that fits, or now and then one that does not. */
function valueOf(roll: Dice, p: ParamSpec): string {
  if (roll() < 0.06) return pick(roll, ['', 'abc', '1e400', '-1', 'NaN', '0', '99999999999', '∞']);
  switch (p.kind) {
    case 'number': {
      const top = SIZES.test(p.key) ? Math.min(p.max, Number(p.default)) : p.max;
      const part = pick(roll, [0, 1, roll(), roll(), roll()]);
      const value = p.scale === 'log' && p.min > 0 ? p.min * (top / p.min) ** part : p.min + (top - p.min) * part;
      return String(p.integer ? Math.round(value) : Number(value.toPrecision(4)));
    }
    case 'choice': {
      const options = p.options!.map(([key]) => key);
      return pick(roll, SIZES.test(p.key) ? options.slice(0, options.indexOf(p.default) + 1) : options);
    }
    case 'toggle':
      return pick(roll, ['on', 'off']);
    case 'seed':
      return String(Math.floor(roll() * 1000));
    case 'drawing': {
      // From blank over a few cells to ink everywhere.
      const dense = pick(roll, [0, 0.01, 0.3, 1]);
      const shades = Uint8Array.from({ length: p.columns! * p.rows! }, () => (roll() < dense ? Math.floor(roll() * 16) : 0));
      return textOfDrawing({ columns: p.columns!, rows: p.rows!, shades });
    }
    default:
      return p.default;
  }
}

function linkOf(roll: Dice, e: Experiment): string {
  const parts = Array.from({ length: Math.floor(roll() * 4) }, () => pick(roll, e.params)).map((p) => `${p.key}=${encodeURIComponent(valueOf(roll, p))}`);
  if (roll() < 0.1) parts.push('no-such-control=1');
  return parts.length ? `${e.id}?${parts.join('&')}` : e.id;
}

/** Sets a control as a hand would: by its slider, its entry, its options. False where this setting has no such control. */
function turn(page: Page, key: string, text: string, place: number): Promise<boolean> {
  return page.evaluate(
    ([key, text, place, sizes]) => {
      const controls = document.querySelector('eddy-experiment')?.shadowRoot?.querySelector('eddy-controls')?.shadowRoot;
      const control = controls?.querySelector(`[data-key="${key}"]`);
      if (!control) return false;
      const say = (element: Element, type: string) => element.dispatchEvent(new Event(type, { bubbles: true, composed: true }));
      const radio = control.querySelector<HTMLInputElement>(`input[type=radio][value="${CSS.escape(text)}"]`);
      const select = control.querySelector('select');
      const box = control.querySelector<HTMLInputElement>('input[type=checkbox]');
      const range = control.querySelector<HTMLInputElement>('input[type=range]');
      const entry = control.querySelector<HTMLInputElement>('input.entry, input.expression');
      const small = new RegExp(sizes).test(key);
      if (radio) radio.click();
      else if (box) box.click();
      else if (select) {
        const options = [...controls!.querySelectorAll<HTMLOptionElement>(`[data-key="${key}"] option`)];
        const wanted = options[Math.floor(place * options.length)]!;
        if (small) return false;
        select.value = wanted.value;
        say(select, 'change');
      } else if (range && !small && place < 0.5) {
        for (const part of [place, 2 * place]) {
          range.value = String(Math.round(part * Number(range.max)));
          say(range, 'input');
        }
        say(range, 'change');
      } else if (entry) {
        entry.focus();
        entry.value = text;
        say(entry, 'change');
        entry.blur();
      } else return false;
      return true;
    },
    [key, text, place, SIZES.source] as const,
  );
}

async function act(page: Page, roll: Dice, e: Experiment): Promise<string> {
  const model = (what: string) => page.evaluate((w) => {
    const m = (document.querySelector('eddy-experiment') as any)?.model;
    if (!m) return;
    if (w === 'toggle') void m.toggle();
    else if (w === 'step') void m.steps(1 + (Date.now() % 3));
    else if (w === 'restart') void m.restart();
    else if (w === 'reset') m.reset();
    else if (w === 'seek' && m.kept) void m.seek(m.kept[0] + (m.kept[1] - m.kept[0]) * 0.4);
    else m.setSpeed(w);
  }, what);
  const at = roll();
  if (at < 0.5) {
    const p = pick(roll, e.params);
    const text = valueOf(roll, p);
    const place = roll();
    return `${p.key}=${text} (${place.toFixed(2)})${(await turn(page, p.key, text, place)) ? '' : ', not there'}`;
  }
  if (at < 0.62) {
    const what = pick(roll, ['toggle', 'toggle', 'step', 'restart', 'reset', 'seek', 'slow', 'fast', 'normal']);
    await model(what);
    return what;
  }
  if (at < 0.72) {
    const link = linkOf(roll, e);
    await page.evaluate((l) => { location.hash = `#/e/${l}`; }, link);
    return `link ${link}`;
  }
  if (at < 0.78) {
    const by = pick(roll, [-1, -1, 1, -2]);
    // Within this visit of the experiment: what lies before belongs to another.
    const stays = await page.evaluate(([n, id]) => {
      const past = (window as any).past ?? ((window as any).past = { length: history.length });
      if (n < 0 && history.length + n <= past.length) return false;
      history.go(n);
      return Boolean(id);
    }, [by, e.id] as const);
    return `history ${by}${stays ? '' : ', not there'}`;
  }
  if (at < 0.84) {
    const place = roll();
    await page.evaluate((r) => {
      const views = document.querySelector('eddy-experiment')?.shadowRoot?.querySelector('eddy-stage')?.shadowRoot?.querySelectorAll<HTMLButtonElement>('.views button');
      if (views?.length) views[Math.floor(r * views.length)]!.click();
    }, place);
    return `view ${place.toFixed(2)}`;
  }
  if (at < 0.9) {
    const place = roll();
    await page.evaluate((r) => {
      const tabs = document.querySelectorAll<HTMLButtonElement>('eddy-tabs [role=tab]');
      if (tabs.length) tabs[Math.floor(r * tabs.length)]!.click();
    }, place);
    return `tab ${place.toFixed(2)}`;
  }
  if (at < 0.94) {
    // Another tab of the browser, and back.
    await page.evaluate(() => {
      const say = (hidden: boolean) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      };
      say(true);
      setTimeout(() => say(false), 30);
    });
    return 'another tab and back';
  }
  if (at < 0.97) {
    const size = pick(roll, [[1280, 900], [820, 1180], [390, 844]] as const);
    await page.setViewportSize({ width: size[0], height: size[1] });
    return `size ${size.join('×')}`;
  }
  const canvas = page.locator('eddy-stage canvas:visible').first();
  const box = await canvas.boundingBox({ timeout: 200 }).catch(() => null);
  if (!box || box.y < 0 || box.y + box.height / 2 > 800) return 'no canvas to draw on';
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5, { steps: 3 });
  await page.mouse.up();
  return 'a stroke';
}

interface Round {
  problems: string[];
  /** Of wasm, after each of the two equal rounds. */
  bytes: [number, number];
}

/** Two equal rounds of `count` actions on one experiment, each from its defaults and back to them. */
async function twice(page: Page, e: Experiment, seed: number, count: number, errors: string[]): Promise<Round> {
  const problems: string[] = [];
  const bytes: number[] = [];
  await page.evaluate((id) => { location.hash = `#/e/${id}`; }, e.id);
  await expect.poll(() => widget(page).evaluate((x: any, id) => x.model?.experiment.id === id && x.model.status, e.id), { timeout: 30_000 }).toBe('ready');
  await page.evaluate(() => ((window as any).past = { length: history.length }));
  for (let round = 0; round < 2; round++) {
    const roll = dice(seed);
    const log: string[] = [];
    for (let i = 0; i < count; i++) {
      const before = errors.length;
      log.push(await act(page, roll, e));
      if (roll() < 0.3 || i === count - 1) {
        const seen = await look(page, log);
        if (seen.fault) problems.push(`${e.id}: ${seen.fault}`);
      } else await page.waitForTimeout(15);
      if (errors.length > before) problems.push(`${e.id}: ${errors.slice(before).join('; ')}, after ${log.slice(-12).join(' | ')}`);
      if (problems.length > 5) break;
    }
    await page.evaluate((id) => { location.hash = `#/e/${id}?`; location.hash = `#/e/${id}`; }, e.id);
    await widget(page).evaluate(async (x: any) => {
      x.model.reset();
      await x.model.settled();
      await x.model.restart();
      await x.model.pause();
    });
    bytes.push((await look(page, log)).bytes);
  }
  return { problems, bytes: bytes as [number, number] };
}

test(`${ACTIONS} random changes: no error, no loss, no number without a value`, async ({ page, url, watched }) => {
  test.setTimeout(60_000 + 600 * ACTIONS);
  const built = catalog.experiments.filter((e) => e.bundle !== 'learn' && existsSync(join(__dirname, '../../pkg/dist', e.bundle, 'eddy.js')) && e.id !== 'equation-lab');
  const subjects = ACTIONS > 1000 ? built : built.filter((e) => DEFAULT_SUBJECTS.includes(e.id));
  expect(subjects.length).toBeGreaterThan(3);
  const count = Math.ceil(ACTIONS / (2 * subjects.length));
  await page.goto(`${url}/#/e/${subjects[0]!.id}`);
  await ready(widget(page));
  const problems: string[] = [];
  const gains: string[] = [];
  const nodes: { nodes: number; listeners: number }[] = [];
  for (const [i, e] of subjects.entries()) {
    const round = await twice(page, e, SEED + i, count, watched.problems);
    problems.push(...round.problems);
    const [first, second] = round.bytes;
    gains.push(`${e.id} ${first} → ${second}`);
    if (second - first > GAIN) problems.push(`${e.id}: ${second - first} bytes more after the same changes again`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.evaluate(() => { location.hash = '#/papers'; });
    await expect(page.locator('eddy-papers li').first()).toBeVisible();
    await expect.poll(() => page.workers().length, { message: 'engines left behind' }).toBeLessThanOrEqual(1);
    nodes.push(await held(page));
  }
  test.info().annotations.push({ type: 'wasm bytes', description: gains.join(', ') }, { type: 'nodes, listeners', description: nodes.map((n) => `${n.nodes} ${n.listeners}`).join(', ') });
  if (process.env.EDDY_TEST_VERBOSE) console.log(gains.join('\n'), nodes);
  expect(problems).toEqual([]);
  // Each experiment left nothing of itself on the page. One that did would leave 900 nodes and 60 listeners each time; a
  // few are left by the first use of a tab, and held by the test's own handles.
  const visits = nodes.length - 1;
  expect(nodes.at(-1)!.nodes - nodes[0]!.nodes, 'nodes').toBeLessThan(600 * visits + 500);
  expect(nodes.at(-1)!.listeners - nodes[0]!.listeners, 'listeners').toBeLessThan(35 * visits + 30);
});

test('who leaves before the engine has started leaves nothing behind', async ({ page, url }) => {
  const visit = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await page.evaluate(async () => {
        location.hash = '#/e/heat-1d';
        const frame = () => new Promise((done) => requestAnimationFrame(done));
        while (!(document.querySelector('eddy-experiment') as any)?.model) await frame();
        await frame();
        location.hash = '#/papers';
      });
      await expect(page.locator('eddy-papers li').first()).toBeVisible();
    }
    await expect.poll(() => page.workers().length).toBe(0);
  };
  await page.goto(`${url}/#/papers`);
  await visit(3);
  const first = await held(page);
  await visit(10);
  // The last visit may be held by a task that is still to come; ten that stayed would be 9,000 nodes.
  const more = async () => {
    const now = await held(page);
    return [now.nodes - first.nodes, now.listeners - first.listeners];
  };
  await expect.poll(async () => (await more())[0], { message: 'nodes' }).toBeLessThan(500);
  expect((await more())[1], 'listeners').toBeLessThan(50);
});

test('planted: a leak with each change, a value that is none and an error in the console are found', async ({ page, url, watched }) => {
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    const planted = `const make = WebAssembly.instantiateStreaming;
      WebAssembly.instantiateStreaming = async (...all) => {
        const { instance, module } = await make(...all);
        const { exports } = instance;
        const set = (...given) => { exports.__wbindgen_malloc(1 << 20, 1); return exports.session_set(...given); };
        return { instance: { exports: { ...exports, session_set: set } }, module };
      };\n`;
    await route.fulfill({ response: answer, body: planted + (await answer.text()) });
  });
  const subject = catalog.experiments.find((e) => e.id === 'heat-1d')!;
  await page.goto(`${url}/#/e/${subject.id}`);
  await ready(widget(page));
  const round = await twice(page, subject, SEED, 25, watched.problems);
  expect(round.problems).toEqual([]);
  expect(round.bytes[1] - round.bytes[0]).toBeGreaterThan(GAIN);
  expect(fault('field', Float32Array.of(1, Number.NaN))).toContain('NaN at 1');
  expect(fault('lines', Float32Array.of(Number.NaN, Infinity))).toContain('Infinity at 1');
  await page.evaluate(() => setTimeout(() => console.error('planted'), 0));
  await expect.poll(() => watched.problems).toEqual(['planted']);
  watched.problems.length = 0;
});
