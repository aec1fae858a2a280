/** The module worker: an engine behind postMessage. */
import { Engine } from './engine';
import type { ToEngine } from './protocol';

const engine = new Engine((message, transfer) => self.postMessage(message, { transfer: transfer ?? [] }), 'worker');
self.addEventListener('message', (event: MessageEvent<ToEngine>) => engine.handle(event.data));
engine.post({ type: 'ready' });
