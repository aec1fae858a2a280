/** Loads a wasm bundle once, and gives its classes types. */
import type { EngineError } from './protocol';

export interface WasmSession {
  warnings(): string;
  remarks(): string;
  set(key: string, text: string): string;
  get(key: string): string | undefined;
  restart(): void;
  permalink(): string;
  baselinePermalink(): string | undefined;
  advance(budgetMs: number, maxSteps: number): Promise<string>;
  progress(): string;
  /** Goes to the kept state nearest to a position on the axis. */
  seek(position: number): boolean;
  /** Puts a picture of `nx` columns, row 0 at the bottom, in place of the field that a view shows. */
  load(view: string, nx: number, values: Float32Array): boolean;
  /** These three in bundles that train networks. A Python program that makes the same run; undefined where there is none, throws why there is none of this one. */
  script?(): string | undefined;
  /** A safetensors file; undefined where nothing is trained. */
  weights?(): Uint8Array | undefined;
  setWeights?(file: Uint8Array): void;
  metrics(): Float64Array;
  latest(): Float64Array;
  view(key: string): Promise<{ header: string; data: Float32Array }>;
  pointer(key: string, kind: string, x: number, y: number, radius: number, secondary: boolean): boolean;
  device(): string;
  /** Lets the fields of a GPU run be drawn on this canvas; does nothing for a CPU run. */
  attachCanvas(canvas: OffscreenCanvas): Promise<void>;
  /** Draws a field that lies on the GPU with 256 RGBA colours and returns its header; nothing: draw it from `view`. */
  drawGpu(view: string, colors: Uint8Array, width: number, height: number): string | undefined;
  free(): void;
}
export interface WasmClaim {
  advance(budgetMs: number): Promise<string>;
  verdict(): string | undefined;
  free(): void;
}
export interface WasmRefine {
  advance(budgetMs: number): string;
  free(): void;
}
export interface WasmModule {
  default(options?: { module_or_path: unknown }): Promise<{ memory: WebAssembly.Memory }>;
  Session: { open(permalink: string, options: string): Promise<WasmSession> };
  ClaimSession: { open(id: string, options: string): Promise<WasmClaim> };
  /** Of the bundle `equations` alone. */
  analyse?(form: string): string;
  presets?(): string;
  importLink?(link: string): string;
  RefineSession?: { open(form: string, dt: number): WasmRefine };
  catalogVersion(): string;
  memoryBytes(): number;
  capabilities?(): Promise<string> | string;
  loseGpu?(): void;
}

// Only the bundles that were built are here.
const glue = import.meta.glob<WasmModule>('../../../pkg/dist/*/eddy.js');
const addresses = import.meta.glob<string>('../../../pkg/dist/*/eddy_bg.wasm', { query: '?url', import: 'default', eager: true });
const loaded = new Map<string, Promise<WasmModule>>();

/** The module of `bundle`, compiled once per engine. */
export function loadBundle(bundle: string): Promise<WasmModule> {
  let module = loaded.get(bundle);
  if (!module) {
    module = load(bundle);
    // A failed download may succeed when tried again.
    module.catch(() => loaded.delete(bundle));
    loaded.set(bundle, module);
  }
  return module;
}

async function load(bundle: string): Promise<WasmModule> {
  if (typeof WebAssembly !== 'object') {
    throw engineError('wasm-missing', 'This browser has no WebAssembly. Use a current Chrome, Firefox, Safari or Edge.');
  }
  const importGlue = glue[`../../../pkg/dist/${bundle}/eddy.js`];
  const address = addresses[`../../../pkg/dist/${bundle}/eddy_bg.wasm`];
  if (!importGlue || !address) {
    throw engineError('bundle-missing', `This site was built without the “${bundle}” bundle. Build it with “./eddy build”.`);
  }
  try {
    const module = await importGlue();
    await module.default({ module_or_path: new URL(address, import.meta.url) });
    return module;
  } catch (cause) {
    const text = String(cause);
    if (/unsafe-eval|content security|disallowed by embedder|CSP/i.test(text)) {
      throw engineError(
        'wasm-refused',
        'The content security policy of this page refuses WebAssembly. Its owner must add \'wasm-unsafe-eval\' to script-src.',
      );
    }
    throw engineError('bundle-failed', `The “${bundle}” bundle could not be loaded (${text}). Check the connection and try again.`);
  }
}

export function engineError(code: string, message: string, key?: string): EngineError {
  return key === undefined ? { code, message } : { code, message, key };
}

/** Any thrown value as an engine error. A trap of the module is a panic: nothing of it can be used any more. */
export function errorFromThrown(thrown: unknown): EngineError {
  if (typeof WebAssembly === 'object' && thrown instanceof WebAssembly.RuntimeError) {
    return engineError('panic', `The computation stopped on a defect of Eddy (${thrown.message}). Please report it with the link below.`);
  }
  if (thrown && typeof thrown === 'object' && 'message' in thrown) {
    const { code, message, key, repair } = thrown as { code?: unknown; message: unknown; key?: unknown; repair?: unknown };
    const error = engineError(typeof code === 'string' ? code : 'internal', String(message), typeof key === 'string' ? key : undefined);
    return Array.isArray(repair) ? { ...error, repair: repair as [string, string] } : error;
  }
  return engineError('internal', String(thrown));
}
