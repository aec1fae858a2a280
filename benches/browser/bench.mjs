// Measures the functions of `eddy bench` in headless Chromium and prints a JSON object per line.
// node benches/browser/bench.mjs [part of a name]
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { chromium } = createRequire(join(root, 'web/package.json'))('playwright-core');
const only = process.argv[2] ?? '';

const types = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };
// The peer is there where its package has been installed (benches/peers/jax-js).
const peer = join(root, 'benches/peers/jax-js');
const imports = JSON.stringify({ imports: { '@jax-js/jax': '/jax-js/node_modules/@jax-js/jax/dist/index.js' } });
const page = `<!doctype html><meta charset="utf-8"><title>bench</title><script type="importmap">${imports}</script>`;
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
  if (path === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  try {
    const file = path.startsWith('/jax-js/') ? join(peer, path.slice(8)) : join(root, 'pkg/dist', path);
    const body = await readFile(file);
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const executablePath = process.env.EDDY_CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
try {
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  if (existsSync(join(peer, 'node_modules/@jax-js/jax'))) {
    const names = await tab.evaluate(async () => {
      globalThis.peer = (await import('/jax-js/steps.js')).measurements;
      return globalThis.peer.map(([name, what]) => ({ name, what }));
    });
    for (const { name, what } of names) {
      if (!name.includes(only)) continue;
      const seconds = await tab.evaluate((name) => globalThis.peer.find((one) => one[0] === name)[2](), name);
      console.log(JSON.stringify({ name, what, seconds }));
    }
  }
  for (const bundle of ['core', 'pinn', 'sampler', 'flow', 'equations', 'learn']) {
    if (!existsSync(join(root, 'pkg/dist', bundle, 'eddy.js'))) continue;
    const names = await tab.evaluate(async (bundle) => {
      globalThis.eddy = await import(`/${bundle}/eddy.js`);
      await globalThis.eddy.default({ module_or_path: new URL(`/${bundle}/eddy_bg.wasm`, location.href) });
      return JSON.parse(globalThis.eddy.benchNames());
    }, bundle);
    for (const { name, what } of names) {
      if (!name.includes(only)) continue;
      const seconds = await tab.evaluate((name) => globalThis.eddy.bench(name), name);
      console.log(JSON.stringify({ name, what, seconds }));
    }
  }
} finally {
  await browser.close();
  server.close();
}
