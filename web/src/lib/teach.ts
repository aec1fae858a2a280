/**
 * What a teacher's link asks for, in the address before the `#`: `?lock=a,b&hide=c&present&ask=Question~wrong~*right`. It
 * helps a lesson along; whoever edits the address is free of it.
 */
export interface Ask {
  text: string;
  options: { text: string; isRight: boolean }[];
}
export interface Teaching {
  lock: string[];
  hide: string[];
  present: boolean;
  ask: Ask | undefined;
}

/** Keys separated by commas, as an address or an attribute lists them. */
export const keysFromText = (text: string | null): string[] => (text ?? '').split(',').map((k) => k.trim()).filter(Boolean);

export function teachingFromSearch(search: string): Teaching {
  const query = new URLSearchParams(search);
  const [text = '', ...options] = (query.get('ask') ?? '').split('~').map((t) => t.trim());
  return {
    lock: keysFromText(query.get('lock')),
    hide: keysFromText(query.get('hide')),
    present: query.has('present'),
    ask: text && options.length > 1 ? { text, options: options.map((o) => ({ text: o.replace(/^\*/, ''), isRight: o.startsWith('*') })) } : undefined,
  };
}

export function searchFromTeaching(teaching: Teaching): string {
  const query = new URLSearchParams();
  if (teaching.lock.length) query.set('lock', teaching.lock.join(','));
  if (teaching.hide.length) query.set('hide', teaching.hide.join(','));
  if (teaching.present) query.set('present', '');
  if (teaching.ask) query.set('ask', [teaching.ask.text, ...teaching.ask.options.map((o) => `${o.isRight ? '*' : ''}${o.text}`)].join('~'));
  const text = query.toString().replace(/%2C/g, ',').replace(/=(?=&|$)/g, '');
  return text ? `?${text}` : '';
}

export const teaching: Teaching = teachingFromSearch(location.search);

const listeners = new Set<() => void>();
export const isPresenting = (): boolean => document.documentElement.hasAttribute('data-presenter');

/** Large type, no chrome. Full screen where the browser allows it; the view works without. */
export function present(on: boolean): void {
  document.documentElement.toggleAttribute('data-presenter', on);
  if (on && document.fullscreenEnabled && !document.fullscreenElement) void document.documentElement.requestFullscreen().catch(() => {});
  if (!on && document.fullscreenElement) void document.exitFullscreen().catch(() => {});
  listeners.forEach((f) => f());
}
export function onPresent(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
