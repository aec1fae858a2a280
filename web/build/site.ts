/**
 * What the site holds beside the page itself: stills, a page of text per experiment (for previews of links, search, and
 * readers without JavaScript), 404, the list of files that the service worker keeps, and the copy in the npm package.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin, ResolvedConfig } from 'vite';
import type { Catalog, Experiment, FirstLook } from '../src/lib/catalog';

const web = fileURLToPath(new URL('..', import.meta.url));
const stills = join(web, 'node_modules/.cache/eddy-posters');
const catalogFile = join(web, 'src/generated/catalog.json');

export function stillFiles(): Record<string, string> {
  const list = join(stills, 'list.json');
  return existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : {};
}

/** What each stage shows first, by the name of its experiment. */
export function firstLooks(): Record<string, { look?: FirstLook }> {
  const list = join(stills, 'looks.json');
  return existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : {};
}

const html = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');

/** One experiment as a page of text. `site` is the public address with a slash at its end; without it addresses are relative. */
function textPage(e: Experiment, hasStill: boolean, site: string): string {
  const home = '../../';
  const still = hasStill ? `${site || home}posters/${e.id}.jpg` : '';
  const papers = e.papers
    .map((p) => `<li>${html(p.authors)}, ${p.year}: ${p.url ? `<a href="${html(p.url)}">${html(p.title)}</a>` : html(p.title)}. ${html(p.venue)}</li>`)
    .join('\n        ');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${html(e.title)} · Eddy</title>
    <meta name="description" content="${html(e.summary)}" />
    <meta property="og:type" content="website" />
    <meta property="og:site_name" content="Eddy" />
    <meta property="og:title" content="${html(e.title)}" />
    <meta property="og:description" content="${html(e.summary)}" />
    <meta name="twitter:card" content="${still ? 'summary_large_image' : 'summary'}" />${
      still
        ? `
    <meta property="og:image" content="${html(still)}" />
    <meta property="og:image:width" content="960" />
    <meta property="og:image:height" content="600" />
    <meta property="og:image:alt" content="${html(`${e.title}: a still of the run`)}" />`
        : ''
    }${
      site
        ? `
    <meta property="og:url" content="${html(`${site}e/${e.id}/`)}" />
    <link rel="canonical" href="${html(`${site}e/${e.id}/`)}" />`
        : ''
    }
    <link rel="icon" type="image/svg+xml" href="${home}eddy.svg" />
    <link rel="stylesheet" href="${home}text.css" />
    <script src="${home}open.js"></script>
  </head>
  <body>
    <main>
      <p><a href="${home}index.html">Eddy</a> · ${html(e.labLabel)}</p>
      <h1>${html(e.title)}</h1>
      <p class="lead">${html(e.summary)}</p>${still ? `
      <img src="${home}posters/${e.id}.jpg" alt="${html(`${e.title}: a still of the run`)}" width="960" height="600" />` : ''}${e.claim ? `
      <h2>The claim it checks</h2>
      <p>${html(e.claim.sentence)}</p>` : ''}${papers ? `
      <h2>Source</h2>
      <ul>
        ${papers}
      </ul>` : ''}
      <h2>Run it</h2>
      <p><a href="${home}index.html#/e/${e.id}">Live in this browser</a>, which needs JavaScript and WebAssembly; or on the command line: <code>./eddy run ${html(e.id)}</code></p>
    </main>
  </body>
</html>
`;
}

/** Leads a visitor with JavaScript from the page of text to the live one; the settings of the link go with them. */
const OPEN = `(function () {
  var path = location.pathname.replace(/index\\.html$/, '').split('/').filter(Boolean);
  location.replace('../../index.html#/e/' + path[path.length - 1] + location.search);
})();
`;

const TEXT_CSS = `:root { color-scheme: light dark; }
body { margin: 0; font: 17px/1.6 system-ui, sans-serif; color: #16181c; background: #f8f8f5; }
main { max-width: 720px; margin: 0 auto; padding: 32px 16px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0.4em 0; }
h2 { font-size: 18px; margin: 1.6em 0 0.4em; }
a { color: #2448c7; }
img { max-width: 100%; height: auto; border-radius: 10px; background: #0e1116; }
code { background: #ececE6; padding: 1px 5px; border-radius: 3px; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { color: #e9ebee; background: #0f1114; }
  a { color: #93abff; }
  code { background: #272b32; }
}
`;

const notFound = (site: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="robots" content="noindex" />
    <link rel="icon" href="data:," />
    <title>Not found · Eddy</title>
    <style>${TEXT_CSS}</style>
  </head>
  <body>
    <main>
      <h1>There is nothing here</h1>
      <p>This address leads nowhere in Eddy. Links to experiments look like <code>…/#/e/gray-scott</code>.</p>
      <p>${site ? `<a href="${html(site)}">All experiments</a>` : 'Go back, or open the folder that Eddy was put in.'}</p>
    </main>
  </body>
</html>
`;

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)]));
}

/**
 * The service worker's source with its list of files. What every visitor needs is fetched at once, the modules and stills
 * after the page has become quiet; pages of text, examples and the widget for other sites are not kept.
 */
function serviceWorker(dist: string): string {
  const files = filesUnder(dist).map((file) => relative(dist, file).replaceAll('\\', '/')).filter((file) => !/^(e|examples)\/|^(404\.html|open\.js|text\.css|sw\.js|anywidget\.js)$|\.map$/.test(file)).sort();
  const shell = files.filter((file) => !/\.wasm$|^posters\//.test(file));
  // The largest module is kept when it has been used.
  const later = files.filter((file) => !shell.includes(file) && statSync(join(dist, file)).size < 6e6);
  const digest = createHash('sha256');
  for (const file of files) digest.update(file).update(file.startsWith('assets/') ? '' : readFileSync(join(dist, file)));
  const source = readFileSync(join(web, 'build/service-worker.js'), 'utf8');
  return source
    .replace('__VERSION__', digest.digest('hex').slice(0, 16))
    .replace('__SHELL__', JSON.stringify(shell))
    .replace('__LATER__', JSON.stringify(later));
}

/** The widget with its frames under its version, so that a site can hold several. */
function fillPackage(dist: string, version: string): void {
  const out = join(web, '../pkg/dist/widget', version);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const name of ['widget.js', 'anywidget.js', 'embed.html', 'eddy.svg', 'assets', 'posters']) {
    if (existsSync(join(dist, name))) cpSync(join(dist, name), join(out, name), { recursive: true });
  }
  // What the compiler has said of the widget's types, with the file names that Node's resolution wants.
  const types = join(web, 'node_modules/.cache/eddy-types/widget');
  for (const name of ['door', 'budget', 'wire', 'host-theme']) {
    const file = join(types, `${name}.d.ts`);
    if (existsSync(file)) writeFileSync(join(out, `${name}.d.ts`), readFileSync(file, 'utf8').replace(/(from |import\()'(\.\/[\w-]+)'/g, "$1'$2.js'"));
  }
}

export function eddySite(): Plugin {
  let config: ResolvedConfig;
  return {
    name: 'eddy-site',
    apply: 'build',
    configResolved(resolved) {
      config = resolved;
    },
    generateBundle() {
      for (const [id, file] of Object.entries(stillFiles())) {
        this.emitFile({ type: 'asset', fileName: `posters/${id}.jpg`, source: readFileSync(join(stills, file)) });
      }
    },
    transformIndexHtml: {
      order: 'post',
      handler(page, { path }) {
        if (!path.endsWith('/index.html')) return page;
        const { experiments }: Catalog = JSON.parse(readFileSync(catalogFile, 'utf8'));
        const list = experiments.map((e) => `<li><a href="./e/${e.id}/">${html(e.title)}</a>: ${html(e.summary)}</li>`).join('');
        return page.replace('<!--experiments-->', `<ul>${list}</ul>`);
      },
    },
    closeBundle() {
      const target = resolve(config.root, config.build.outDir);
      if (!existsSync(join(target, 'index.html'))) return;
      const site = (process.env.EDDY_SITE_URL ?? '').replace(/\/?$/, process.env.EDDY_SITE_URL ? '/' : '');
      const { experiments, version }: Catalog = JSON.parse(readFileSync(catalogFile, 'utf8'));
      const have = stillFiles();
      for (const e of experiments) {
        const file = join(target, 'e', e.id, 'index.html');
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, textPage(e, e.id in have, site));
      }
      writeFileSync(join(target, 'open.js'), OPEN);
      writeFileSync(join(target, 'text.css'), TEXT_CSS);
      writeFileSync(join(target, '404.html'), notFound(site));
      writeFileSync(join(target, 'sw.js'), serviceWorker(target));
      fillPackage(target, version);
      const bytes = filesUnder(target).reduce((sum, file) => sum + statSync(file).size, 0);
      config.logger.info(`site: ${experiments.length} experiments, ${Object.keys(have).length} stills, ${(bytes / 1e6).toFixed(1)} MB`);
    },
  };
}
