/** Where the page is: in the fragment, so that any static host serves it from any path. */
export type Route =
  | { page: 'gallery' }
  | { page: 'papers' }
  /** Lessons and guides; an empty name is the list of them. */
  | { page: 'learn'; name: string }
  | { page: 'experiment'; permalink: string }
  | { page: 'missing'; path: string };

export function routeFromHash(hash: string): Route {
  const path = hash.replace(/^#\/?/, '');
  if (path === '') return { page: 'gallery' };
  if (path === 'papers') return { page: 'papers' };
  if (path === 'learn' || path.startsWith('learn/')) return { page: 'learn', name: path.slice(6) };
  // The equation lab is an experiment with a page of its own.
  if (/^lab\/pde(\?|$)/.test(path)) return { page: 'experiment', permalink: `equation-lab${path.slice(7)}` };
  if (path.startsWith('e/')) return { page: 'experiment', permalink: path.slice(2) };
  return { page: 'missing', path };
}

export const isLab = (permalink: string): boolean => /^equation-lab(\?|$)/.test(permalink);
export const experimentHref = (permalink: string): string => (isLab(permalink) ? `#/lab/pde${permalink.slice(12)}` : `#/e/${permalink}`);
