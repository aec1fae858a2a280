/** Serves web/dist, or the folder EDDY_SITE, from a sub-path, as a file host would: no rewriting, no headers but what a test asks for. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize } from 'node:path';

const SITE = process.env.EDDY_SITE || join(__dirname, '../../web/dist');
/** A folder two levels down: an address that starts with “/” in the build would break. */
export const BASE = '/some/folder';
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.png': 'image/png', '.jpg': 'image/jpeg',
};

export interface Served {
  url: string;
  close(): Promise<void>;
}

/** `headers` are added to every answer. `root`: the built page, or a site that embeds it. */
export async function serve(headers: Record<string, string> = {}, root = SITE): Promise<Served> {
  if (!existsSync(join(root, 'index.html'))) throw new Error(`${root} is empty: run “npm run build” in web/ first.`);
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    if (path === '/favicon.ico') {
      // Asked for by the browser where a page names none, which is no fault of the page.
      response.writeHead(204).end();
      return;
    }
    let file = join(root, normalize(path.startsWith(BASE) ? path.slice(BASE.length) : '/outside-the-folder'));
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    if (!file.startsWith(root) || !existsSync(file)) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'cache-control': 'no-store', ...headers });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}${BASE}`,
    close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(() => resolve()); }),
  };
}
