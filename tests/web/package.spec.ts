/** The npm package: what it holds, types that a consumer compiles against, versions side by side. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { expect, test } from './fixtures';

const root = join(__dirname, '../..');
const pkg = join(root, 'pkg');
const { version, exports: entries } = JSON.parse(readFileSync(join(pkg, 'package.json'), 'utf8'));
const folder = join(pkg, 'dist/widget', version);

test('what the package exports is there', () => {
  for (const name of ['.', './anywidget', './core', './core/eddy_bg.wasm', './sampler', './pinn', './equations']) {
    for (const path of typeof entries[name] === 'string' ? [entries[name]] : Object.values(entries[name] as Record<string, string>)) {
      expect(existsSync(join(pkg, path as string)), `${name}: ${path}`).toBe(true);
    }
  }
  for (const name of ['embed.html', 'posters/gray-scott.jpg']) expect(existsSync(join(folder, name)), name).toBe(true);
});

test('a consumer compiles against its types, and a mistake is found', () => {
  const at = mkdtempSync(join(tmpdir(), 'eddy-consumer-'));
  try {
    symlinkSync(pkg, join(at, 'eddy-lab'));
    const compile = (text: string): string => {
      writeFileSync(join(at, 'use.ts'), text);
      try {
        execFileSync(process.execPath, [join(root, 'web/node_modules/typescript/bin/tsc'), '--ignoreConfig', '--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022,dom', join(at, 'use.ts')], { stdio: 'pipe' });
        return '';
      } catch (thrown) {
        return String((thrown as { stdout: Buffer }).stdout);
      }
    };
    const start = `import { defineEddy, type EddyFigure } from './eddy-lab/dist/widget/${version}/door.js';\ndefineEddy();\nconst f = document.querySelector('eddy-experiment') as unknown as EddyFigure;\n`;
    expect(compile(`${start}void f.set('feed', 0.03);\nf.on('metric', (m) => m.covered?.toFixed(2));\nf.on('state', (s) => s.outcome === 'diverged');\n`)).toBe('');
    expect(compile(`${start}f.on('metrics', () => {});\n`)).toContain('metrics');
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
});

test('two versions stand on one page, each with its own frames', async ({ page }) => {
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.jpg': 'image/jpeg' };
  const host = `<!doctype html><html lang="en"><title>x</title><link rel="icon" href="data:,"><script type="module">
    await import('/v1/widget.js');
    const { defineEddy } = await import('/v2/widget.js');
    defineEddy('eddy-experiment-2');
  </script><eddy-experiment experiment="heat-1d"></eddy-experiment><eddy-experiment-2 experiment="burgers-1d"></eddy-experiment-2></html>`;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    const file = join(folder, path.replace(/^\/v[12]\//, ''));
    if (path === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(host);
    else if (!/^\/v[12]\//.test(path) || path.includes('..') || !existsSync(file)) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const address = server.address();
    await page.goto(`http://127.0.0.1:${typeof address === 'object' ? address!.port : 0}/`);
    for (const [index, name] of ['v1', 'v2'].entries()) {
      const frame = page.locator('iframe').nth(index);
      await expect(frame).toHaveAttribute('src', new RegExp(`/${name}/embed\\.html\\?`));
      await expect.poll(() => page.frameLocator('iframe').nth(index).locator('eddy-experiment').evaluate((e: any) => e.model?.status), { timeout: 20_000 }).toBe('ready');
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
