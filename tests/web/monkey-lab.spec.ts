/**
 * A seeded visitor of the equation lab: presets, texts that fit and texts that do not, sliders, fields, views, the brush,
 * pictures, links, tabs, the run. What the form refuses it must say; nothing else may fail. A tenth of EDDY_MONKEY's actions
 * (see monkey.spec), in equal rounds that may not cost memory each time.
 */
import type { Page } from '@playwright/test';
import { expect, ready, test, widget } from './fixtures';
import { GAIN, SEED, dice, held, look, pick, type Dice } from './visitor';

const ACTIONS = Math.max(60, Math.round(Number(process.env.EDDY_MONKEY ?? (process.env.EDDY_SLOW === '1' ? 10_000 : 150)) / 10));
/** What a round may take in bytes depends on the pace of the machine: two show what is usual. */
const ROUNDS = 3;
/** Texts of each entry: right ones, half typed ones, and nonsense. */
const TEXTS: Record<string, string[]> = {
  x: ['2*pi, 32', '0 .. 10, 24', '4, 16', '', '0 ..', '1, 1', '10, 1e9', '-1 .. -1, 8', 'x, 12'],
  y: ['', '2*pi, 24', '4, 16', '0 .. 3', 'none'],
  z: ['', '', '', '4, 12', '2, 8', '4,'],
  end: ['2', '0.5', '10', '-1', '0', 'abc', '1e400', ''],
  dt: ['', '', '0.01', '0', '-1', '1e9'],
  initial: ['u = exp(-x^2)', 'u = sin(x)', 'u = 0.1*randn', 'u = 1/0', 'u = ', 'v = 1', 'u = sqrt(-1)', 'u = log(x-1)', ''],
  boundary: ['periodic', 'u = dirichlet: 0', 'u = neumann: 1', 'u = robin', '', 'x = 3'],
  exact: ['', '', 'u = exp(-t)*sin(x)', 'u = q', 'u = 1/(t-0.1)'],
};
const EQUATIONS = [
  'u_t = 0.1*lap(u)', 'u_t = 0.1*lap(u) + u - u^3', 'u_t = lap(', 'u_tt = lap(u)\nv_t = u - v', 'i*psi_t = -lap(psi)', 'a = 2 in [1, 3]\nu_t = a*dxx(u) - u*dx(u)', 'u_t = u^2',
  'x_t = 10*(y - x)\ny_t = x*(28 - z) - y\nz_t = x*y - 8/3*z', 'u_t = alpah*u', '', '\\u0000 ∂u = 1', 'u_t = noise + lap(u)', 'u_t = u/0', 'w = dx(v) - dy(u)\nu_t = lap(u)\nv_t = lap(v) + w', 'u_t = integral(u) - u',
];
const LINKS = ['https://visualpde.com/sim/?preset=GrayScott', 'https://example.org/', 'nonsense', 'https://visualpde.com/sim/?options=AAAA'];

/** Sets what stands in the form at `selector`, as a hand would. False where it is not there. */
function put(page: Page, selector: string, text: string, place: number): Promise<boolean> {
  return page.evaluate(
    ([selector, text, place]) => {
      const found = [...document.querySelectorAll<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>(selector)];
      const one = found[Math.floor((place as number) * found.length)];
      if (!one) return false;
      const say = (type: string) => one.dispatchEvent(new Event(type, { bubbles: true, composed: true }));
      if (one instanceof HTMLSelectElement) {
        const options = [...one.options].filter((o) => o.value);
        one.value = options[Math.floor((((place as number) * 7919) % 1) * options.length)]!.value;
      } else if (one instanceof HTMLInputElement && one.type === 'range') one.value = String(Number(one.min) + (place as number) * (Number(one.max) - Number(one.min)));
      else one.value = text as string;
      if (!(one instanceof HTMLSelectElement)) say('input');
      say('change');
      return true;
    },
    [selector, text, place] as const,
  );
}
/** Presses one of the buttons at `selector`, of the page or of the stage. */
function press(page: Page, selector: string, place: number): Promise<string> {
  return page.evaluate(
    ([selector, place]) => {
      const stage = document.querySelector('eddy-experiment')?.shadowRoot?.querySelector('eddy-stage')?.shadowRoot;
      const found = [...document.querySelectorAll<HTMLButtonElement>(selector as string), ...(stage?.querySelectorAll<HTMLButtonElement>(selector as string) ?? [])];
      const one = found[Math.floor((place as number) * found.length)];
      one?.click();
      return one ? (one.textContent ?? '').trim().slice(0, 24) : 'not there';
    },
    [selector, place] as const,
  );
}

/** A picture file for the form, put there in the page: the driver's own way would hold the page's nodes. */
async function dropPicture(isBroken: boolean): Promise<string> {
  const input = document.querySelector<HTMLInputElement>('.lab-file');
  if (!input) return 'no place for a picture';
  const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 30 });
  const context = canvas.getContext('2d')!;
  context.fillStyle = '#fff';
  context.arc(20, 15, 10, 0, 7);
  context.fill();
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done));
  const files = new DataTransfer();
  files.items.add(new File(isBroken ? ['none'] : [blob!], 'a.png', { type: 'image/png' }));
  input.files = files.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
  return isBroken ? 'a broken picture' : 'a picture';
}

async function act(page: Page, roll: Dice): Promise<string> {
  const at = roll();
  const place = roll();
  if (at < 0.16) return `preset ${place.toFixed(3)} ${await put(page, '.lab-preset', '', place)}`;
  if (at < 0.34) {
    const key = pick(roll, Object.keys(TEXTS));
    const text = pick(roll, TEXTS[key]!);
    return `${key}: ${text} ${await put(page, `[data-key=${key}]`, text, 0)}`;
  }
  if (at < 0.44) {
    const text = pick(roll, EQUATIONS);
    await page.locator('.cm-content').focus();
    await page.keyboard.press('Control+A');
    if (text) await page.keyboard.insertText(text);
    else await page.keyboard.press('Delete');
    return `equations: ${JSON.stringify(text)}`;
  }
  if (at < 0.52) return `slider ${place.toFixed(2)} ${await put(page, '.lab-slider input[type=range]', '', place)}`;
  if (at < 0.56) return `method ${place.toFixed(2)} ${await put(page, '.lab-grid select', '', place)}`;
  if (at < 0.62) return `field ${await press(page, '.chip', place)}`;
  if (at < 0.7) return `view ${await press(page, '.views button', place)}`;
  if (at < 0.74) return `fix ${await press(page, '.lab-fix', place)}`;
  if (at < 0.77) {
    return page.evaluate(dropPicture, place < 0.2);
  }
  if (at < 0.79) return `without ${await press(page, '.lab-picture button', 0)}`;
  if (at < 0.87) {
    const what = pick(roll, ['toggle', 'toggle', 'steps', 'restart', 'seek', 'reset', 'fast', 'normal']);
    await page.evaluate((w) => {
      const m = (document.querySelector('eddy-experiment') as any)?.model;
      if (!m) return;
      if (w === 'steps') void m.steps(2);
      else if (w === 'seek') void (m.kept && m.seek(m.kept[0] + (m.kept[1] - m.kept[0]) * 0.4));
      else if (w === 'fast' || w === 'normal') m.setSpeed(w);
      else void m[w]();
    }, what);
    return what;
  }
  if (at < 0.9) return `tab ${await press(page, 'eddy-tabs [role=tab]', place)}`;
  if (at < 0.92) return `refine ${await press(page, '.lab-refine button', 0)}`;
  if (at < 0.94) return `link ${await put(page, '.lab-link', pick(roll, LINKS), 0)}`;
  if (at < 0.96) {
    const size = pick(roll, [[1280, 900], [820, 1180], [390, 844]] as const);
    await page.setViewportSize({ width: size[0], height: size[1] });
    return `size ${size.join('×')}`;
  }
  if (at < 0.98) {
    await page.evaluate(() => {
      const past = ((window as any).past ??= { length: history.length, back: 0 });
      if (history.length - past.back > past.length + 1) {
        past.back++;
        history.back();
      }
    });
    return 'history -1';
  }
  await page.evaluate(([x, y]) => {
    const m = (document.querySelector('eddy-experiment') as any)?.model;
    const header = m?.headers[0];
    if (!m?.view || !header || header.kind === 'empty') return;
    const where = { x: header.x[0] + x! * (header.x[1] - header.x[0]), y: header.y[0] + y! * (header.y[1] - header.y[0]) };
    for (const kind of ['down', 'move', 'up']) m.pointer({ view: m.view.key, kind, ...where, radius: 0.05 * Math.abs(header.x[1] - header.x[0]), secondary: x! < 0.5 });
  }, [place, roll()] as const);
  return 'a stroke';
}

test(`${ACTIONS} random edits of the lab: what is wrong is said, and nothing else fails`, async ({ page, url, watched }) => {
  test.setTimeout(90_000 + 1500 * ACTIONS);
  await page.goto(`${url}/#/lab/pde?preset=heat`);
  await ready(widget(page));
  const problems: string[] = [];
  const bytes: number[] = [];
  const nodes: { nodes: number; listeners: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const roll = dice(SEED);
    const log: string[] = [];
    for (let i = 0; i < ACTIONS / ROUNDS; i++) {
      log.push(await act(page, roll));
      if (roll() < 0.3 || i + 1 >= ACTIONS / ROUNDS) {
        const seen = await look(page, log).catch((e: Error) => ({ fault: `${e.message.split('\n')[0]}, after ${log.slice(-12).join(' | ')}` }));
        if (seen.fault) problems.push(seen.fault);
      } else await page.waitForTimeout(30);
      if (watched.problems.length) problems.push(`${watched.problems.splice(0).join('; ')}, after ${log.slice(-12).join(' | ')}`);
      // In one look: what is invalid at one moment may be right at the next.
      const isSilent = await page.evaluate(() => !!document.querySelector('.lab [aria-invalid=true]') && !document.querySelector('.lab-errors li')?.textContent);
      if (isSilent) problems.push(`refused without a word, after ${log.slice(-6).join(' | ')}`);
      if (problems.length > 4) break;
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.evaluate(() => {
      location.hash = '#/lab/pde?preset=heat';
    });
    await expect.poll(() => widget(page).evaluate((e: any) => [e.model?.status, e.model?.values.get('preset'), e.model?.values.get('equations')].join()), { timeout: 30_000 }).toBe('ready,heat,');
    bytes.push((await look(page, log)).bytes);
    await page.evaluate(() => {
      location.hash = '#/papers';
    });
    await expect(page.locator('eddy-papers li').first()).toBeVisible();
    await expect.poll(() => page.workers().length, { message: 'engines left behind' }).toBe(0);
    nodes.push(await held(page));
    await page.evaluate(() => {
      delete (window as any).past;
      location.hash = '#/lab/pde?preset=heat';
    });
    await ready(widget(page));
  }
  test.info().annotations.push({ type: 'wasm bytes', description: bytes.join(' → ') }, { type: 'nodes, listeners', description: nodes.map((n) => `${n.nodes} ${n.listeners}`).join(', ') });
  if (process.env.EDDY_TEST_VERBOSE) console.log(bytes, nodes);
  expect(problems).toEqual([]);
  // Bytes are of engines of their own; what one round reaches, the same round again reaches too.
  expect(bytes.at(-1)! - Math.max(...bytes.slice(0, -1)), `wasm bytes ${bytes.join(' → ')}`).toBeLessThan(GAIN);
  expect(nodes.at(-1)!.nodes - nodes[0]!.nodes, 'nodes').toBeLessThan(900);
  expect(nodes.at(-1)!.listeners - nodes[0]!.listeners, 'listeners').toBeLessThan(60);
});
