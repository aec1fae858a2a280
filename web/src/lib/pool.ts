/** Workers: one of its own for a page that shows one run, two common ones for a page of many figures. */
import type { EngineError, FromEngine, ToEngine } from '../worker/protocol';

/** The page's end of an engine in a worker. */
export interface Port {
  send(message: ToEngine, transfer: Transferable[]): void;
  close(): void;
}
/** Beside the engine's own messages: a further engine in the same worker, spoken to through `port`. */
export interface Connect {
  type: 'connect';
  port: MessagePort;
}

/** A module worker that has said it is ready; rejects where workers or off-screen canvases cannot be had. */
export function startWorker(receive: (message: FromEngine) => void, lose: (error: EngineError) => void): Promise<Worker> {
  return new Promise((resolve, reject) => {
    if (typeof Worker !== 'function' || typeof OffscreenCanvas !== 'function' || !('transferControlToOffscreen' in HTMLCanvasElement.prototype)) {
      reject(new Error('no workers'));
      return;
    }
    // Throws in a frame of opaque origin.
    const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module', name: 'eddy' });
    let ready = false;
    worker.onmessage = (event: MessageEvent<FromEngine>) => {
      if (event.data.type === 'ready') {
        ready = true;
        resolve(worker);
      } else receive(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (!ready) {
        worker.terminate();
        reject(new Error(event.message));
      } else lose({ code: 'worker-error', message: `The computation stopped unexpectedly (${event.message || 'no reason given'}).` });
    };
  });
}

/** Workers of a page of many figures. */
const POOL_SIZE = 2;
interface Shared {
  worker: Promise<Worker>;
  members: Set<(error: EngineError) => void>;
  /** Engines that use the GPU live in one worker, since a device belongs to the worker that asked for it. */
  holdsGpu: boolean;
}
const pool: Shared[] = [];

function spoil(shared: Shared, error: EngineError): void {
  const at = pool.indexOf(shared);
  if (at >= 0) pool.splice(at, 1);
  for (const lose of [...shared.members]) lose(error);
}

/** A further engine in the common worker that has fewest, or in the one that holds the GPU; the worker ends with its last engine. */
export async function joinPool(receive: (message: FromEngine) => void, lose: (error: EngineError) => void, gpu = false): Promise<Port> {
  const holder = gpu ? pool.find((s) => s.holdsGpu) : undefined;
  const roomiest = [...pool].sort((a, b) => a.members.size - b.members.size)[0];
  let shared: Shared;
  if (holder) shared = holder;
  else if (roomiest && (pool.length >= POOL_SIZE || roomiest.members.size === 0)) shared = roomiest;
  else {
    const made: Shared = { members: new Set(), holdsGpu: false, worker: startWorker(() => {}, (error) => spoil(made, error)) };
    made.worker.catch(() => spoil(made, { code: 'worker-error', message: 'No worker can be had here.' }));
    pool.push((shared = made));
  }
  shared.members.add(lose);
  shared.holdsGpu ||= gpu;
  let worker: Worker;
  try {
    worker = await shared.worker;
  } catch (thrown) {
    shared.members.delete(lose);
    throw thrown;
  }
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (event: MessageEvent<FromEngine>) => {
    const message = event.data;
    // A trapped module is broken for every engine of its worker.
    if (message.type === 'fault' && message.error.code === 'panic') spoil(shared, message.error);
    else receive(message);
  };
  worker.postMessage({ type: 'connect', port: port2 } satisfies Connect, [port2]);
  return {
    send: (message, transfer) => port1.postMessage(message, transfer),
    close() {
      if (!shared.members.delete(lose)) return;
      port1.postMessage({ type: 'leave' });
      port1.close();
      if (shared.members.size > 0) return;
      worker.terminate();
      const at = pool.indexOf(shared);
      if (at >= 0) pool.splice(at, 1);
    },
  };
}
