/** The module worker: an engine behind postMessage, and further ones behind ports, which share its modules and its GPU. */
import type { Connect } from '../lib/pool';
import { Engine } from './engine';
import type { FromEngine, ToEngine } from './protocol';

const post = (message: FromEngine, transfer?: Transferable[]) => self.postMessage(message, { transfer: transfer ?? [] });
let own: Engine | undefined;

function connect(port: MessagePort): void {
  const engine = new Engine((message, transfer) => port.postMessage(message, transfer ?? []), 'shared');
  port.onmessage = (event: MessageEvent<ToEngine | { type: 'leave' }>) => {
    if (event.data.type === 'leave') {
      engine.close();
      port.close();
    } else engine.handle(event.data);
  };
}

self.addEventListener('message', (event: MessageEvent<ToEngine | Connect>) => {
  if (event.data.type === 'connect') connect(event.data.port);
  else (own ??= new Engine(post, 'worker')).handle(event.data);
});
post({ type: 'ready' });
