import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { eddySite, firstLooks, stillFiles } from './build/site';

const catalogFile = fileURLToPath(new URL('src/generated/catalog.json', import.meta.url));

/**
 * Splits catalog.json in three modules: `virtual:catalog`, what every page needs, `virtual:papers`, the list that has a page of its
 * own, and `virtual:sources`, the long texts (introductions and code) that only an experiment's tabs show.
 */
function catalog(): Plugin {
  const ids = ['virtual:catalog', 'virtual:papers', 'virtual:sources'];
  return {
    name: 'eddy-catalog',
    resolveId: (id) => (ids.includes(id) ? `\0${id}` : undefined),
    async load(id) {
      if (!ids.some((known) => id === `\0${known}`)) return undefined;
      this.addWatchFile(catalogFile);
      let text: string;
      try {
        text = await readFile(catalogFile, 'utf8');
      } catch {
        throw new Error(`${catalogFile} is missing: run “cargo run -p xtask -- catalog”.`);
      }
      const full = JSON.parse(text);
      const stills = this.environment?.mode === 'build' ? stillFiles() : {};
      const looks = firstLooks();
      const long = ['intro', 'code', 'bibtex'];
      const pick = (keep: boolean) => (e: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(e).filter(([key]) => key === 'id' || long.includes(key) !== keep));
      const part =
        id === '\0virtual:catalog'
          ? { version: full.version, papers: { all: full.papers.length, live: full.papers.filter((p: { experiments: string[] }) => p.experiments.length).length }, experiments: full.experiments.map(pick(true)).map((e: Record<string, unknown>) => ({ ...e, still: String(e.id) in stills, first: looks[String(e.id)]?.look })) }
          : id === '\0virtual:papers' ? full.papers : full.experiments.map(pick(false));
      // A JSON string parses faster than the same object literal.
      return `export default JSON.parse(${JSON.stringify(JSON.stringify(part))});`;
    },
  };
}

/** KaTeX names three formats of each font; every browser that runs Eddy reads the first, woff2. */
function katexFonts(): Plugin {
  return {
    name: 'eddy-katex-fonts',
    enforce: 'pre',
    transform: (code, id) =>
      id.includes('katex.min.css') ? code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("[a-z]+"\)/g, '') : undefined,
  };
}

/** The two faces of the first picture are asked for with the page, not with its styles. */
function firstFonts(): Plugin {
  return {
    name: 'eddy-first-fonts',
    transformIndexHtml: {
      order: 'post',
      handler: (html, { bundle, filename }) =>
        !bundle || !/(index|embed)\.html$/.test(filename) ? html : {
          html,
          tags: Object.keys(bundle)
            .filter((name) => /(inter-latin|source-serif-4-latin)-wght-normal-.*\.woff2$/.test(name))
            .map((name) => ({ tag: 'link', attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true, href: `./${name}` }, injectTo: 'head-prepend' as const })),
        },
    },
  };
}

export default defineConfig({
  // Relative addresses: the site works from any folder of any file host.
  base: './',
  plugins: [catalog(), katexFonts(), firstFonts(), eddySite()],
  worker: { format: 'es' },
  server: { fs: { allow: ['..'] } },
  build: {
    target: 'es2022',
    outDir: 'dist',
    // Small fonts and icons as files, so that a strict content security policy needs no data: sources.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      input: {
        index: fileURLToPath(new URL('index.html', import.meta.url)),
        embed: fileURLToPath(new URL('embed.html', import.meta.url)),
        host: fileURLToPath(new URL('examples/host.html', import.meta.url)),
        widgets: fileURLToPath(new URL('examples/widgets.html', import.meta.url)),
        widget: fileURLToPath(new URL('src/widget/door.ts', import.meta.url)),
        anywidget: fileURLToPath(new URL('src/widget/anywidget.ts', import.meta.url)),
      },
      // Other sites name these modules and use what they export.
      preserveEntrySignatures: 'exports-only',
      output: { entryFileNames: (chunk) => (['widget', 'anywidget'].includes(chunk.name) ? '[name].js' : 'assets/[name]-[hash].js') },
    },
  },
});
