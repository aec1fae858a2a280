/** Keeps the site for visits without a network. Nothing is stored but the site's own files. */

/** Once the page has settled, so that the first picture does not wait for it. */
export function keepForOffline(): void {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD || !window.isSecureContext) return;
  const begin = () => void register().catch(() => {
    // Not allowed here (a private window, a policy): the page works without.
  });
  const idle = () => ('requestIdleCallback' in window ? requestIdleCallback(begin, { timeout: 8000 }) : setTimeout(begin, 3000));
  if (document.readyState === 'complete') idle();
  else window.addEventListener('load', idle, { once: true });
}

async function register(): Promise<void> {
  await navigator.serviceWorker.register(new URL('sw.js', document.baseURI), { updateViaCache: 'none' });
  const { active } = await navigator.serviceWorker.ready;
  const saves = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true;
  if (!active || saves) return;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => document.documentElement.setAttribute('data-offline', 'ready');
  active.postMessage('quiet', [port2]);
}
