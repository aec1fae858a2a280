/** Curves as sound: what is played, and the WAV file of it. */
import type { ViewPayload } from '../worker/protocol';

export interface Sound {
  name: string;
  /** Between -1 and 1. */
  samples: Float32Array<ArrayBuffer>;
}
/** The loudest sample of all curves: the same scale for each, so that louder ones are louder. */
const PEAK = 0.6;
/** Seconds between two curves in a file. */
const PAUSE = 0.4;

/** The curves of a view without their means, which are not heard. Gaps are silent. */
export function soundsOf({ header, data }: ViewPayload): Sound[] {
  if (header.kind !== 'lines') return [];
  let at = 0;
  const sounds = header.series.map(({ name, length }) => {
    const samples = new Float32Array(data.subarray(at + length, at + 2 * length));
    at += 2 * length;
    const known = samples.filter(Number.isFinite);
    const mean = known.reduce((sum, v) => sum + v, 0) / Math.max(1, known.length);
    samples.forEach((v, i) => (samples[i] = Number.isFinite(v) ? v - mean : 0));
    return { name, samples };
  });
  const top = sounds.reduce((most, { samples }) => samples.reduce((m, v) => Math.max(m, Math.abs(v)), most), 0);
  if (top > 0) for (const { samples } of sounds) samples.forEach((v, i) => (samples[i] = (PEAK * v) / top));
  return sounds;
}

/** One channel of 16-bit numbers (RIFF/WAVE, format 1), one sound after the other. */
export function wavOfSounds(sounds: Sound[], rate: number): Uint8Array {
  const pause = Math.round(PAUSE * rate);
  const count = sounds.reduce((sum, s) => sum + s.samples.length, 0) + pause * Math.max(0, sounds.length - 1);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (at: number, letters: string) => [...letters].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, 36 + 2 * count, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const { samples } of sounds) {
    samples.forEach((v, i) => view.setInt16(at + 2 * i, Math.round(32767 * v), true));
    at += 2 * (samples.length + pause);
  }
  return new Uint8Array(view.buffer);
}
