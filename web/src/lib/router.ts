/** Where the page is: in the fragment, so that any static host serves it from any path. */
export type Route =
  | { page: 'gallery' }
  | { page: 'papers' }
  /** Two settings side by side. */
  | { page: 'compare'; a: string; b: string }
  /** Lessons and guides; an empty name is the list of them. */
  | { page: 'learn'; name: string }
  | { page: 'experiment'; permalink: string }
  | { page: 'missing'; path: string };

export function routeFromHash(hash: string): Route {
  const path = hash.replace(/^#\/?/, '');
  if (path === '') return { page: 'gallery' };
  if (path === 'papers') return { page: 'papers' };
  if (path === 'learn' || path.startsWith('learn/')) return { page: 'learn', name: path.slice(6) };
  if (/^compare(\?|$)/.test(path)) {
    const query = new URLSearchParams(path.slice(8));
    return { page: 'compare', a: query.get('a') ?? '', b: query.get('b') ?? '' };
  }
  // The equation lab is an experiment with a page of its own.
  if (/^lab\/pde(\?|$)/.test(path)) return { page: 'experiment', permalink: `equation-lab${path.slice(7)}` };
  if (path.startsWith('e/')) return { page: 'experiment', permalink: path.slice(2) };
  return { page: 'missing', path };
}

export const isLab = (permalink: string): boolean => /^equation-lab(\?|$)/.test(permalink);
export const experimentHref = (permalink: string): string => (isLab(permalink) ? `#/lab/pde${permalink.slice(12)}` : `#/e/${permalink}`);
export const compareHref = (a: string, b: string): string => `#/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;
