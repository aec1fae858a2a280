/** The page: header, routes, theme. */
import { LitElement, html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { icon } from './lib/icons';
import { keepForOffline } from './lib/offline';
import { compareHref, experimentHref, isLab, routeFromHash, type Route } from './lib/router';
import { isPresenting, onPresent, present, teaching } from './lib/teach';
import { currentTheme, onTheme, startTheme, toggleTheme } from './lib/theme';
import './pages/experiment';
import './pages/gallery';
import type { EddyExperiment } from './element/eddy-experiment';
import type { RunModel } from './lib/run-model';

/** State of the history's entries that this page has been at. */
const OURS = { eddy: true };
const isOurs = (state: unknown): boolean => typeof state === 'object' && state !== null && 'eddy' in state;
const markEntry = (): void => history.replaceState(OURS, '');

startTheme(new URLSearchParams(location.search).get('theme'));
keepForOffline();
if (teaching.present) present(true);

@customElement('eddy-app')
export class EddyApp extends LitElement {
  @state() private route: Route = routeFromHash(location.hash);

  private revisit = false;
  /** The fragment that has been dealt with last. */
  private address = location.hash;
  /** The run on the page, and how many of its edits the history holds. */
  private edits: { of: RunModel | undefined; count: number } = { of: undefined, count: 0 };

  /** The page's own styles apply here: no shadow tree. */
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    markEntry();
    window.addEventListener('hashchange', this.onHash);
    window.addEventListener('keydown', this.onKey);
    document.addEventListener('fullscreenchange', () => {
      // Esc has left the full screen, and the view with it.
      if (!document.fullscreenElement && isPresenting()) present(false);
    });
    onTheme(() => this.requestUpdate());
    onPresent(() => this.requestUpdate());
  }

  /** P presents, P or Esc leaves; not while something is being typed. */
  private onKey = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    const typing = event.composedPath().some((e) => e instanceof HTMLElement && (e.matches('input:not([type=range], [type=checkbox], [type=radio]), textarea, select') || e.isContentEditable));
    if (typing) return;
    if (event.key === 'p' && this.route.page === 'experiment') present(!isPresenting());
    else if (event.key === 'Escape' && isPresenting()) present(false);
  };

  private onHash = (): void => {
    const before = this.route;
    this.route = routeFromHash(location.hash);
    // An entry of ours is the visitor's own past; a link followed or typed is not.
    this.revisit = isOurs(history.state);
    this.address = location.hash;
    markEntry();
    if (before.page !== this.route.page) window.scrollTo(0, 0);
  };

  /**
   * The address always says what is shown, so that it can be copied at any time. Each of the user's edits gets an entry of
   * the history, which Back undoes; what Eddy itself makes of a link (its short form) replaces it.
   */
  private onSettings = (event: Event): void => {
    if (this.route.page !== 'experiment') return;
    const permalink = (event as CustomEvent<string>).detail;
    const model = (event.target as EddyExperiment).model;
    const edit = model?.edit ?? 0;
    const isEdit = edit !== (model === this.edits.of ? this.edits.count : 0);
    this.edits = { of: model, count: edit };
    // The visitor has gone on meanwhile, and the event that tells so is on its way: that entry is not this link's.
    if (!isEdit && location.hash !== this.address) return;
    if (isEdit) history.pushState(OURS, '', experimentHref(permalink));
    else history.replaceState(OURS, '', experimentHref(permalink));
    this.address = location.hash;
    this.route = { page: 'experiment', permalink };
  };

  /** As the address of an experiment follows its settings, so does that of a comparison. */
  private onCompare = (event: Event): void => {
    const { a, b } = (event as CustomEvent<{ a: string; b: string }>).detail;
    history.replaceState(OURS, '', compareHref(a, b));
    this.address = location.hash;
    this.route = { page: 'compare', a, b };
  };

  protected override updated(): void {
    const titles = { gallery: 'Eddy: differential equations, live', papers: 'Papers · Eddy', missing: 'Not found · Eddy', compare: 'Compare · Eddy' };
    if (this.route.page !== 'experiment' && this.route.page !== 'learn') document.title = titles[this.route.page];
  }

  protected override render() {
    const { route } = this;
    const dark = currentTheme() === 'dark';
    return html`
      <a class="skip" href="#main" @click=${(e: Event) => { e.preventDefault(); this.querySelector<HTMLElement>('#main')?.focus(); }}>Skip to the content</a>
      <header class="top">
        <a class="logo" href="#/" aria-label="Eddy, home">
          <svg width="22" height="22" viewBox="0 0 22 22" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" aria-hidden="true"><path d="M3 12.2a8 8 0 1 1 7.9 7.4A5.7 5.7 0 1 1 16 14.1a3.2 3.2 0 1 1-5.1-2.7" /></svg>eddy
        </a>
        <nav aria-label="Pages">
          <a href="#/" aria-current=${route.page === 'gallery' ? 'page' : 'false'}>Experiments</a>
          <a href="#/lab/pde" aria-current=${route.page === 'experiment' && isLab(route.permalink) ? 'page' : 'false'}>Lab</a>
          <a href="#/learn" aria-current=${route.page === 'learn' ? 'page' : 'false'}>Learn</a>
          <a href="#/papers" aria-current=${route.page === 'papers' ? 'page' : 'false'}>Papers</a>
        </nav>
        <span class="spacer"></span>
        ${route.page === 'experiment' ? html`<button class="button quiet present" type="button" aria-label="Presenter view" title="Presenter view (P)" @click=${() => present(true)}>${icon('presentation')}</button>` : nothing}
        <button class="button quiet theme" type="button" aria-label=${dark ? 'Light theme' : 'Dark theme'} @click=${toggleTheme}>${icon(dark ? 'sun' : 'moon')}</button>
      </header>
      ${isPresenting() ? html`<button class="button leave" type="button" @click=${() => present(false)}>${icon('x')} Leave presenter view</button>` : nothing}
      <main id="main" tabindex="-1" @eddy-settings=${this.onSettings}>${this.page()}</main>
    `;
  }

  private page() {
    const { route } = this;
    switch (route.page) {
      case 'gallery':
        return html`<eddy-gallery></eddy-gallery>`;
      case 'papers':
        void import('./pages/papers');
        return html`<eddy-papers></eddy-papers>`;
      case 'experiment':
        if (isLab(route.permalink)) {
          void import('./pages/lab');
          return html`<eddy-lab-page .permalink=${route.permalink} .revisit=${this.revisit}></eddy-lab-page>`;
        }
        return html`<eddy-experiment-page .permalink=${route.permalink} .revisit=${this.revisit}></eddy-experiment-page>`;
      case 'compare':
        void import('./pages/compare');
        return html`<eddy-compare .a=${route.a} .b=${route.b} @eddy-compare=${this.onCompare}></eddy-compare>`;
      case 'learn':
        void import('./pages/learn');
        return html`<eddy-learn .slug=${route.name}></eddy-learn>`;
      case 'missing':
        return html`<section class="missing"><h1>There is nothing here</h1><p>This address, <code>${route.path}</code>, leads nowhere in Eddy.</p>
          <p><a class="button" href="#/">All experiments</a></p></section>`;
    }
  }
}
