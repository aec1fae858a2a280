/** The two ways to show an experiment in a host page: in a frame of its own, or in the page itself. */
import { WIRE, isWire, targetOf, EVENT_NAMES, type Call, type ToFrame, type WidgetEventName } from './wire';

export interface FigureOptions {
  /** Folder of the site that holds `embed.html`, with a slash at its end. */
  site: string;
  permalink: string;
  controls: string;
  /** Keys of controls, separated by commas: shown but fixed, and not shown. */
  lock: string;
  hide: string;
  aspect: string;
  baseline: boolean;
  theme: 'light' | 'dark';
  title: string;
}
export type Tell = (name: WidgetEventName, detail: unknown) => void;

/** What stands in the box of a widget. */
export interface Figure {
  readonly element: HTMLElement;
  call(call: Call): Promise<string | undefined>;
  close(): void;
}

export function frameAddress(options: FigureOptions, hostOrigin: string): string {
  const address = new URL('embed.html', options.site);
  const query = address.searchParams;
  query.set('e', options.permalink);
  if (options.controls) query.set('controls', options.controls);
  if (options.lock) query.set('lock', options.lock);
  if (options.hide) query.set('hide', options.hide);
  if (options.aspect) query.set('aspect', options.aspect);
  if (!options.baseline) query.set('baseline', 'off');
  query.set('theme', options.theme);
  query.set('origin', hostOrigin);
  return address.href;
}

export function frameFigure(options: FigureOptions, tell: Tell): Figure {
  const frame = document.createElement('iframe');
  frame.title = options.title;
  frame.allow = 'fullscreen; clipboard-write';
  frame.src = frameAddress(options, location.origin);
  const origin = new URL(frame.src).origin;
  const pending = new Map<number, { resolve: (value: string | undefined) => void; reject: (error: Error) => void }>();
  let next = 1;
  let isOpen = false;
  let held: ToFrame[] = [];
  const post = (message: ToFrame) => frame.contentWindow?.postMessage(message, targetOf(origin));
  const onMessage = (event: MessageEvent) => {
    // Only this frame, and only while it shows a page of Eddy's site.
    if (event.source !== frame.contentWindow || event.origin !== origin || !isWire(event.data)) return;
    const data = event.data;
    if (typeof data.reply === 'number') {
      pending.get(data.reply)?.resolve(typeof data.value === 'string' ? data.value : undefined);
      pending.delete(data.reply);
    } else if (typeof data.failure === 'number') {
      pending.get(data.failure)?.reject(new Error(String(data.message)));
      pending.delete(data.failure);
    } else if (EVENT_NAMES.includes(data.event as WidgetEventName)) {
      if (!isOpen) {
        isOpen = true;
        held.forEach(post);
        held = [];
      }
      tell(data.event as WidgetEventName, data.detail);
    }
  };
  addEventListener('message', onMessage);
  return {
    element: frame,
    call(call) {
      const message: ToFrame = { eddy: WIRE, id: next++, call };
      return new Promise((resolve, reject) => {
        pending.set(message.id, { resolve, reject });
        // The frame listens once it has said its first word.
        if (isOpen) post(message);
        else held.push(message);
      });
    },
    close() {
      removeEventListener('message', onMessage);
      frame.remove();
      for (const { reject } of pending.values()) reject(new Error('The figure was closed.'));
      pending.clear();
    },
  };
}
