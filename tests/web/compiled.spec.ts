/** Kernels of typed equations: compiled where the browser allows it, interpreted with the same numbers where it does not. */
import type { Page } from '@playwright/test';
import { expect, openAlone, test } from './fixtures';

function link(texts: Record<string, string>): string {
  return `equation-lab?${Object.entries(texts).map(([key, text]) => `${key}=${encodeURIComponent(text)}`).join('&')}`;
}

const EQUATIONS = 'u_t = 0.2*lap(u) + u*(1 - v^2) + 0.1*sin(u)\nv_t = 0.1*lap(v) + u*v - v^3';
const LINK = link({
  equations: EQUATIONS,
  x: '0 .. 9, 50',
  y: '0 .. 8, 37',
  initial: 'u = 1 + 0.3*sin(2*pi*x/9)\nv = 0.5 + 0.2*cos(2*pi*y/8)',
  end: '2',
  dt: '0.01',
  space: 'fd2',
  time: 'euler',
});

/** What a run with `code` before the worker's script recorded, and what it said. */
async function run(page: Page, url: string, precision: string, code: string): Promise<{ rows: number[]; said: string }> {
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  await page.unrouteAll();
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${code};\n${await answer.text()}` });
  });
  await page.goto('about:blank');
  const element = await openAlone(page, url, LINK);
  await element.evaluate((e: any, p) => e.model.setOptions({ device: 'cpu', precision: p }), precision);
  await expect.poll(() => element.evaluate((e: any) => e.model.device)).toContain(precision);
  await element.evaluate((e: any) => e.pause());
  await element.evaluate((e: any) => e.restart());
  await element.evaluate((e: any) => e.advanceSteps(200));
  const rows: number[] = await element.evaluate(async (e: any) => Array.from(await e.model.readMetrics()));
  return { rows: rows.filter(Number.isFinite), said: said.join('\n') };
}

/** Tells when a kernel is loaded. */
const watch = `const Real = WebAssembly.Instance;
  WebAssembly.Instance = function (...all) {
    const instance = new Real(...all);
    if (instance.exports.run) console.info('a kernel was compiled');
    return instance;
  }`;
/** As a content security policy refuses. */
const refuse = 'WebAssembly.Module = function () { throw new WebAssembly.CompileError("planted: wasm-unsafe-eval"); }';
/** A kernel that computes nothing. */
const spoil = `const Real = WebAssembly.Instance;
  const nothing = new Uint8Array([0,97,115,109,1,0,0,0,1,8,1,96,4,127,127,127,127,0,3,2,1,0,7,7,1,3,114,117,110,0,0,10,4,1,2,0,11]);
  WebAssembly.Instance = function (...all) {
    const instance = new Real(...all);
    return instance.exports.run ? new Real(new WebAssembly.Module(nothing)) : instance;
  }`;

for (const [precision, bound] of [['f64', 1e-11], ['f32', 1e-4]] as const) {
  test(`a typed system in ${precision} is the same compiled and interpreted`, async ({ page, url }) => {
    const compiled = await run(page, url, precision, watch);
    expect(compiled.said).toContain('a kernel was compiled');
    const interpreted = await run(page, url, precision, refuse);
    expect(interpreted.said).toContain("add 'wasm-unsafe-eval' to script-src");
    expect(compiled.rows.length).toBeGreaterThan(5);
    expect(interpreted.rows.length).toBe(compiled.rows.length);
    const gap = (other: number[]) => Math.max(...compiled.rows.map((x, i) => Math.abs(x - other[i]!) / (Math.abs(x) + 1e-3)));
    expect(gap(interpreted.rows)).toBeLessThan(bound);
    const spoiled = await run(page, url, precision, spoil);
    expect(spoiled.rows.length !== compiled.rows.length || gap(spoiled.rows) > 1e-2, 'a wrong kernel is seen').toBe(true);
  });
}
