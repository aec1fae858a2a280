/** What an author pastes to have the figure on a page of theirs, by the tool that makes the page. */

import { experimentHref } from './router';
import { searchFromTeaching } from './teach';

export interface SnippetFacts {
  /** Folder of the site, with a slash at its end. */
  site: string;
  permalink: string;
  title: string;
  /** Keys of controls that are shown but fixed, and that are not shown; with any of either all others are shown. */
  lock: readonly string[];
  hide: readonly string[];
}
export interface Snippet {
  key: string;
  label: string;
  /** Where it goes. */
  note: string;
  text: (facts: SnippetFacts) => string;
}

const html = (text: string) => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');
/** What the figure shows of its controls, as attributes and as options of the address. */
function choices({ lock, hide }: SnippetFacts): [string, string][] {
  const parts: [string, string][] = [['lock', lock.join()], ['hide', hide.join()]];
  const given = parts.filter(([, keys]) => keys);
  return given.length ? [['controls', 'all'], ...given] : [];
}
const id = (f: SnippetFacts) => f.permalink.split('?')[0]!;
const frameUrl = (f: SnippetFacts, more = '') => `${f.site}embed.html?e=${encodeURIComponent(f.permalink)}${choices(f).map(([k, v]) => `&${k}=${v}`).join('')}${more}`;
const open = (f: SnippetFacts) => `${f.site}${searchFromTeaching({ lock: [...f.lock], hide: [...f.hide], present: false, ask: undefined })}${experimentHref(f.permalink)}`;

const tag = (f: SnippetFacts, indent = '') =>
  [
    `<eddy-experiment permalink="${html(f.permalink)}"${choices(f).map(([k, v]) => ` ${k}="${v}"`).join('')} theme="host">`,
    `  <img slot="poster" src="${html(f.site)}posters/${id(f)}.jpg" alt="${html(f.title)}" width="100%" height="520">`,
    `  <p><a href="${html(open(f))}">${html(f.title)}, live in Eddy</a></p>`,
    '</eddy-experiment>',
  ].map((line) => indent + line).join('\n');
const script = (f: SnippetFacts) => `<script type="module" src="${html(f.site)}widget.js"></script>`;
const iframe = (f: SnippetFacts) =>
  `<iframe src="${html(frameUrl(f))}" title="${html(f.title)}" width="100%" height="520" loading="lazy" style="border:0"></iframe>`;

export const SNIPPETS: readonly Snippet[] = [
  { key: 'html', label: 'HTML page', note: 'Anywhere in the page; the script once.', text: (f) => `${script(f)}\n${tag(f)}` },
  { key: 'iframe', label: 'Plain frame', note: 'Where scripts are not allowed: it needs nothing but this.', text: iframe },
  {
    key: 'docusaurus', label: 'Docusaurus (MDX)', note: 'In an .mdx page.',
    text: (f) => `<iframe src="${frameUrl(f).replace(/"/g, '&quot;')}" title="${html(f.title)}" width="100%" height="520" loading="lazy" style={{border: 0}} />`,
  },
  { key: 'myst', label: 'MyST, Jupyter Book 2', note: 'In a .md page.', text: (f) => `:::{iframe} ${frameUrl(f)}\n:width: 100%\n${f.title}\n:::` },
  {
    key: 'jupyter', label: 'Jupyter notebook', note: 'In a cell; anywidget is on PyPI.',
    text: (f) => `import anywidget, traitlets\n\nclass Eddy(anywidget.AnyWidget):\n    _esm = "${f.site}anywidget.js"\n    permalink = traitlets.Unicode("").tag(sync=True)\n    theme = traitlets.Unicode("host").tag(sync=True)\n${choices(f).map(([k, v]) => `    ${k} = traitlets.Unicode("${v}").tag(sync=True)\n`).join('')}\nEddy(permalink=${JSON.stringify(f.permalink)})`,
  },
  { key: 'quarto', label: 'Quarto', note: 'In a .qmd page; PDF and other formats get the link.', text: (f) => `::: {.content-visible when-format="html"}\n\`\`\`{=html}\n${iframe(f)}\n\`\`\`\n:::\n::: {.content-hidden when-format="html"}\n[${f.title}](${open(f)})\n:::` },
  { key: 'mdbook', label: 'mdBook', note: 'In a .md chapter; the blank lines belong to it.', text: (f) => `\n<div>\n${script(f)}\n${tag(f)}\n</div>\n` },
  { key: 'sphinx', label: 'Sphinx (reST)', note: 'In an .rst page.', text: (f) => `.. raw:: html\n\n   ${script(f)}\n${tag(f, '   ')}` },
  {
    key: 'observable', label: 'Observable', note: 'In a JavaScript cell.',
    text: (f) => `{\n  await import(${JSON.stringify(`${f.site}widget.js`)});\n  const figure = document.createElement("eddy-experiment");\n  figure.setAttribute("permalink", ${JSON.stringify(f.permalink)});\n${choices(f).map(([k, v]) => `  figure.setAttribute("${k}", "${v}");\n`).join('')}  return figure;\n}`,
  },
  { key: 'lms', label: 'Moodle, Canvas', note: 'In the HTML view of the editor.', text: (f) => `${iframe(f)}\n<p><a href="${html(open(f))}">${html(f.title)}, live in Eddy</a></p>` },
];
