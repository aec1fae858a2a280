/** Where the page is: in the fragment, so that any static host serves it from any path. */
export type Route =
  | { page: 'gallery' }
  | { page: 'papers' }
  | { page: 'experiment'; permalink: string }
  | { page: 'missing'; path: string };

export function routeFromHash(hash: string): Route {
  const path = hash.replace(/^#\/?/, '');
  if (path === '') return { page: 'gallery' };
  if (path === 'papers') return { page: 'papers' };
  if (path.startsWith('e/')) return { page: 'experiment', permalink: path.slice(2) };
  return { page: 'missing', path };
}

export const experimentHref = (permalink: string): string => `#/e/${permalink}`;
