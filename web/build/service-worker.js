/* Keeps the site so that it works without a network after one visit. Only this site's own files, nothing else. */
const VERSION = 'eddy-__VERSION__';
const SHELL = __SHELL__;
const LATER = __LATER__;
const address = (file) => new URL(file, self.registration.scope).href;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches.open(VERSION).then((cache) => cache.addAll(['./', ...SHELL].map((file) => new Request(address(file), { cache: 'no-cache' })))).then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith('eddy-') && name !== VERSION).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

/** Modules and stills, one after the other, when the page says that it is quiet. */
async function fetchLater(port) {
  const cache = await caches.open(VERSION);
  let kept = 0;
  for (const file of LATER) {
    try {
      if (!(await cache.match(address(file)))) await cache.add(address(file));
      kept += 1;
    } catch {
      // The rest can still be kept; the next visit tries again.
    }
  }
  if (port) port.postMessage({ kept, of: LATER.length });
}

self.addEventListener('message', (event) => {
  if (event.data === 'quiet') event.waitUntil(fetchLater(event.ports[0]));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || !url.href.startsWith(self.registration.scope)) return;
  url.search = '';
  url.hash = '';
  event.respondWith(
    (async () => {
      const cache = await caches.open(VERSION);
      // Files with a hash in their name never change. The others are asked for anew where there is a network.
      const kept = await cache.match(url.href);
      if (kept && url.pathname.includes('/assets/')) return kept;
      try {
        const answer = await fetch(request);
        if (answer.ok && url.pathname.includes('/assets/')) void cache.put(url.href, answer.clone());
        return answer;
      } catch (failure) {
        if (kept) return kept;
        throw failure;
      }
    })(),
  );
});
