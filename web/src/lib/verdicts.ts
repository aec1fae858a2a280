/** Verdicts measured in this browser, kept per version of the catalogue. */
import type { Verdict } from '../worker/protocol';
import { catalog } from './catalog';
import { readStored, writeStored } from './theme';

const KEY = `eddy.verdicts.${catalog.version}`;

function all(): Record<string, Verdict> {
  try {
    const value: unknown = JSON.parse(readStored(KEY) ?? '{}');
    return value && typeof value === 'object' ? (value as Record<string, Verdict>) : {};
  } catch {
    return {};
  }
}

export function storedVerdict(id: string): Verdict | undefined {
  const verdict = all()[id];
  return verdict && Array.isArray(verdict.tests) && typeof verdict.held === 'boolean' ? verdict : undefined;
}

export function storeVerdict(id: string, verdict: Verdict): void {
  writeStored(KEY, JSON.stringify({ ...all(), [id]: verdict }));
}
