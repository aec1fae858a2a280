/** The fused multiply-adds of networks: used where the browser has them, right, and left alone where they are not. */
import type { Page } from '@playwright/test';
import { expect, openAlone, test } from './fixtures';

/** The record of a short training, with `code` before the worker's script. */
async function train(page: Page, url: string, precision: string, code = ''): Promise<number[]> {
  await page.unrouteAll();
  await page.route('**/worker-*.js', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${code};\n${await answer.text()}` });
  });
  await page.goto('about:blank');
  // Widths with rows and columns that are left over.
  const element = await openAlone(page, url, 'pinn-burgers?width=10&layers=2&times=8');
  await element.evaluate((e: any, p) => e.model.setOptions({ device: 'cpu', precision: p }), precision);
  await expect.poll(() => element.evaluate((e: any) => e.model.device)).toContain(precision);
  await element.evaluate((e: any) => e.pause());
  await element.evaluate((e: any) => e.restart());
  // Long enough for differences in the last bits of f64 to reach a metric.
  await element.evaluate((e: any) => e.advanceSteps(1000));
  const rows: number[] = await element.evaluate(async (e: any) => {
    // Rows of the position and the metrics; the time that it took is another each time.
    const { metrics } = e.model.experiment;
    const seconds = metrics.findIndex((m: any) => m.key === 'seconds') + 1;
    return Array.from((await e.model.readMetrics()) as Float64Array).filter((_, i) => i % (metrics.length + 1) !== seconds);
  });
  return rows.filter(Number.isFinite);
}

const refuse = 'WebAssembly.Module = function () { throw new WebAssembly.CompileError("planted: no relaxed SIMD"); }';
/** A function of the module that computes nothing. */
const spoil = (name: string) => `const Real = WebAssembly.Instance;
  WebAssembly.Instance = function (...all) {
    const { exports } = new Real(...all);
    return { exports: exports.${name} ? { ...exports, ${name}() {} } : exports };
  }`;

for (const [precision, bound] of [['f64', 1e-9], ['f32', 1e-2]] as const) {
  test(`training in ${precision} is the same with fused products and without`, async ({ page, url }) => {
    const fused = await train(page, url, precision);
    const plain = await train(page, url, precision, refuse);
    const spoiled = [await train(page, url, precision, spoil('product_f32')), await train(page, url, precision, spoil('tanh_f64'))];
    expect(fused.length).toBeGreaterThan(5);
    expect(fused.length).toBe(plain.length);
    const gap = Math.max(...fused.map((x, i) => Math.abs(x - plain[i]!) / (Math.abs(plain[i]!) + 1e-12)));
    expect(gap, 'the same training').toBeLessThan(bound);
    expect(gap, 'rounded otherwise: they were in use').toBeGreaterThan(0);
    expect(spoiled, 'functions that compute wrongly are not used').toEqual([plain, plain]);
  });
}
