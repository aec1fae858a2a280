/** What a visitor downloads before the first wasm module. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

const dist = process.env.EDDY_SITE || join(__dirname, '../../web/dist');
const BUDGET = 155_000;

/** The scripts that the browser fetches for `page`: its module and what that imports, not what it loads later. */
function firstScripts(page: string): Set<string> {
  const html = readFileSync(join(dist, page), 'utf8');
  const found = new Set<string>();
  const visit = (file: string) => {
    if (found.has(file)) return;
    found.add(file);
    const code = readFileSync(file, 'utf8');
    for (const match of code.matchAll(/(?:\bfrom|\bimport)\s*["'](\.[^"']+\.js)["']/g)) visit(join(dirname(file), match[1]!));
  };
  for (const match of html.matchAll(/(?:src|href)="(\.[^"]+\.js)"/g)) visit(join(dist, dirname(page), match[1]!));
  return found;
}

for (const page of ['index.html', 'embed.html']) {
  test(`${page}: scripts before wasm fit in ${BUDGET} bytes`, () => {
    const files = [...firstScripts(page)];
    expect(files.length).toBeGreaterThan(0);
    const bytes = files.map((f) => gzipSync(readFileSync(f), { level: 9 }).length).reduce((a, b) => a + b, 0);
    test.info().annotations.push({ type: 'bytes', description: String(bytes) });
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThanOrEqual(BUDGET);
  });
}

test('the whole of the scripts would not fit: the count sees what it counts', () => {
  const all = readdirSync(join(dist, 'assets')).filter((f) => f.endsWith('.js'));
  const bytes = all.map((f) => gzipSync(readFileSync(join(dist, 'assets', f)), { level: 9 }).length).reduce((a, b) => a + b, 0);
  expect(bytes).toBeGreaterThan(BUDGET);
});

test('nothing in the build asks another host', () => {
  for (const file of readdirSync(dist).filter((f) => f.endsWith('.html'))) {
    expect(readFileSync(join(dist, file), 'utf8')).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  }
});
