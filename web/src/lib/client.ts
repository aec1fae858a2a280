/** The page's end of an engine: requests as promises, events as callbacks, and the watch over its health. */
import type { EngineError, FromEngine, ToEngine } from '../worker/protocol';
import { joinPool, startWorker, type Port } from './pool';

export type Event = Exclude<FromEngine, { type: 'reply' } | { type: 'failure' } | { type: 'ready' }>;
type Body<T> = T extends { id: number } ? Omit<T, 'id'> : never;
export type RequestBody = Body<ToEngine>;
export type Notice = Exclude<ToEngine, { id: number }>;

/** After this long without an answer an engine is taken for lost. */
const SILENCE_MS = 9000;
const PING_MS = 2500;

export class EngineFailure extends Error {
  readonly code: string;
  readonly key: string | undefined;
  readonly repair: EngineError['repair'];
  constructor(error: EngineError) {
    super(error.message);
    this.code = error.code;
    this.key = error.key;
    this.repair = error.repair;
  }
}

interface Pending {
  resolve: (value: never) => void;
  reject: (error: EngineFailure) => void;
}

export class EngineClient {
  onEvent: (event: Event) => void = () => {};
  /** The engine is gone; a new client has to be made. */
  onLost: (error: EngineError) => void = () => {};
  /** Whether canvases are handed over to a worker. */
  readonly inWorker: Promise<boolean>;
  private port: Promise<Port>;
  private pending = new Map<number, Pending>();
  private nextId = 1;
  private lastHeard = performance.now();
  private waitingSince = 0;
  private watch: ReturnType<typeof setInterval> | undefined;
  private closed = false;

  /** `shared`: its engine lives in one of the page's common workers, beside others; with `gpu` in the one that holds the device. */
  constructor(shared = false, gpu = false) {
    const opened = (shared ? this.openShared(gpu) : this.openWorker()).catch(() => this.openPage());
    this.port = opened.then(([port]) => port);
    this.inWorker = opened.then(([, inWorker]) => inWorker);
  }

  /** A module worker that has said it is ready; rejects where workers or off-screen canvases cannot be had. */
  private async openWorker(): Promise<[Port, boolean]> {
    const worker = await startWorker((message) => this.receive(message), (error) => this.lose(error));
    this.startWatch();
    return [{ send: (m, transfer) => worker.postMessage(m, transfer), close: () => worker.terminate() }, true];
  }

  /** An engine of its own in a worker that others use too: they share its modules and its GPU device. */
  private async openShared(gpu: boolean): Promise<[Port, boolean]> {
    const member = await joinPool((message) => this.receive(message), (error) => this.lose(error), gpu);
    this.startWatch();
    return [member, true];
  }

  private async openPage(): Promise<[Port, boolean]> {
    const { Engine } = await import('../worker/engine');
    const engine = new Engine((message) => queueMicrotask(() => this.receive(message)), 'page');
    return [{ send: (m) => engine.handle(m), close: () => engine.close() }, false];
  }

  /** A closed or hung worker raises no event: only its silence tells. */
  private startWatch(): void {
    // Closed while its worker was starting: nobody would end the watch, which holds the run and with it the page.
    if (this.closed) return;
    this.lastHeard = performance.now();
    let pinged = false;
    this.watch = setInterval(() => {
      if (document.hidden) {
        pinged = false;
        this.waitingSince = 0;
        return;
      }
      const now = performance.now();
      if (!pinged) {
        pinged = true;
        this.waitingSince = now;
        void this.request({ type: 'ping' }).then(
          () => (pinged = false),
          () => {},
        );
      } else if (this.waitingSince && now - Math.max(this.waitingSince, this.lastHeard) > SILENCE_MS) {
        this.lose({ code: 'worker-closed', message: 'The computation no longer answers: its worker was closed, or a single step takes very long.' });
      }
    }, PING_MS);
  }

  private receive(message: FromEngine): void {
    if (this.closed) return;
    this.lastHeard = performance.now();
    if (message.type === 'reply' || message.type === 'failure') {
      const waiting = this.pending.get(message.id);
      this.pending.delete(message.id);
      if (message.type === 'reply') waiting?.resolve(message.value as never);
      else waiting?.reject(new EngineFailure(message.error));
    } else if (message.type === 'fault' && message.error.code === 'panic') {
      this.lose(message.error);
    } else if (message.type !== 'ready') {
      this.onEvent(message);
    }
  }

  private lose(error: EngineError): void {
    if (this.closed) return;
    this.close();
    this.onLost(error);
  }

  request<T>(body: RequestBody, transfer: Transferable[] = []): Promise<T> {
    const id = this.nextId++;
    return new Promise<T>((resolve, reject) => {
      if (this.closed) {
        reject(new EngineFailure({ code: 'worker-closed', message: 'The computation was closed.' }));
        return;
      }
      this.pending.set(id, { resolve, reject });
      void this.port.then((port) => port.send({ ...body, id } as ToEngine, transfer));
    });
  }

  notify(message: Notice, transfer: Transferable[] = []): void {
    if (!this.closed) void this.port.then((port) => port.send(message, transfer));
  }

  close(): void {
    this.closed = true;
    clearInterval(this.watch);
    void this.port.then((port) => port.close());
    for (const { reject } of this.pending.values()) {
      reject(new EngineFailure({ code: 'worker-closed', message: 'The computation was closed.' }));
    }
    this.pending.clear();
  }
}
