/** The page: header, routes, theme. */
import { LitElement, html } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { icon } from './lib/icons';
import { experimentHref, routeFromHash, type Route } from './lib/router';
import { currentTheme, onTheme, startTheme, toggleTheme } from './lib/theme';
import './pages/experiment';
import './pages/gallery';
import './pages/papers';

startTheme(new URLSearchParams(location.search).get('theme'));

@customElement('eddy-app')
export class EddyApp extends LitElement {
  @state() private route: Route = routeFromHash(location.hash);

  /** The page's own styles apply here: no shadow tree. */
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener('hashchange', this.onHash);
    onTheme(() => this.requestUpdate());
  }

  private onHash = (): void => {
    const before = this.route;
    this.route = routeFromHash(location.hash);
    if (before.page !== this.route.page) window.scrollTo(0, 0);
  };

  /** The address always says what is shown, so that it can be copied at any time. */
  private onSettings = (event: Event): void => {
    if (this.route.page !== 'experiment') return;
    const permalink = (event as CustomEvent<string>).detail;
    history.replaceState(null, '', experimentHref(permalink));
    this.route = { page: 'experiment', permalink };
  };

  protected override updated(): void {
    const titles = { gallery: 'Eddy: differential equations, live', papers: 'Papers · Eddy', missing: 'Not found · Eddy' };
    if (this.route.page !== 'experiment') document.title = titles[this.route.page];
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
          <a href="#/papers" aria-current=${route.page === 'papers' ? 'page' : 'false'}>Papers</a>
        </nav>
        <span class="spacer"></span>
        <button class="button quiet theme" type="button" aria-label=${dark ? 'Light theme' : 'Dark theme'} @click=${toggleTheme}>${icon(dark ? 'sun' : 'moon')}</button>
      </header>
      <main id="main" tabindex="-1" @eddy-settings=${this.onSettings}>${this.page()}</main>
    `;
  }

  private page() {
    const { route } = this;
    switch (route.page) {
      case 'gallery':
        return html`<eddy-gallery></eddy-gallery>`;
      case 'papers':
        return html`<eddy-papers></eddy-papers>`;
      case 'experiment':
        return html`<eddy-experiment-page .permalink=${route.permalink}></eddy-experiment-page>`;
      case 'missing':
        return html`<section class="missing"><h1>There is nothing here</h1><p>This address, <code>${route.path}</code>, leads nowhere in Eddy.</p>
          <p><a class="button" href="#/">All experiments</a></p></section>`;
    }
  }
}
