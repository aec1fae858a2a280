/** What the specs of random visitors share: dice, a look at what is drawn, and what the page holds. */
import type { Page } from '@playwright/test';
import { widget } from './fixtures';

export const SEED = Number(process.env.EDDY_SEED ?? 1);
/**
 * Bytes of wasm that the second of two equal rounds may gain. The allocator's pieces lie otherwise each time, since what a
 * slow machine skips differs; a megabyte lost with each change of a control exceeds it within one round.
 */
export const GAIN = 4 * 2 ** 20;

export type Dice = () => number;
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
export const pick = <T>(roll: Dice, list: readonly T[]): T => list[Math.floor(roll() * list.length)]!;

/** What was wrong with the numbers drawn; '' if nothing. Lines have gaps where they have no values. */
export function fault(kind: string, data: ArrayLike<number>): string {
  for (let i = 0; i < data.length; i++) {
    const v = data[i]!;
    if (Math.abs(v) === Infinity || (Number.isNaN(v) && kind !== 'lines')) return `${v} at ${i} of ${data.length}`;
  }
  return '';
}

export interface Looked {
  fault: string;
  bytes: number;
}
/** Waits for what was asked for, and looks at what is drawn. */
export async function look(page: Page, log: string[]): Promise<Looked> {
  const element = widget(page);
  const found = await element.evaluate(async (e: any) => {
    let alarm = 0;
    const late = new Promise<'late'>((done) => { alarm = window.setTimeout(() => done('late'), 20_000); });
    const answer = await Promise.race([
      (async () => {
        await e.model.settled();
        if (e.model.fault) return { fault: `${e.model.fault.code}: ${e.model.fault.message}`, kind: '', data: [], bytes: 0, view: '' };
        const bytes = await e.memoryBytes();
        // A setting that was refused says so; there is nothing to draw.
        if (e.model.status !== 'ready') return { fault: '', kind: 'empty', data: [], bytes, view: '' };
        const { header, data } = await e.readView(e.model.view.key);
        return { fault: '', kind: header.kind as string, data: Array.from(data as Float32Array), bytes, view: e.model.view.key };
      })(),
      late,
    ]);
    // A timer that waits would hold the element.
    clearTimeout(alarm);
    return answer === 'late' ? { fault: 'no answer in 20 s', kind: '', data: [], bytes: 0, view: '' } : answer;
  });
  const wrong = found.fault || (found.kind !== 'empty' && fault(found.kind, found.data));
  return { fault: wrong ? `${found.view} ${wrong}, after ${log.slice(-12).join(' | ')}` : '', bytes: found.bytes };
}

/** Nodes and listeners of the page, after its rubbish has been collected. */
export async function held(page: Page): Promise<{ nodes: number; listeners: number }> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('HeapProfiler.collectGarbage');
  await devtools.send('Performance.enable');
  const { metrics } = await devtools.send('Performance.getMetrics');
  await devtools.detach();
  const of = (name: string) => metrics.find((m) => m.name === name)!.value;
  return { nodes: of('Nodes'), listeners: of('JSEventListeners') };
}
