/** Waves that can be listened to: buttons that play them, and the file. */
import { readFileSync } from 'node:fs';
import { expect, openExperiment, readView, test } from './fixtures';

const QUICK = 'periodwave-turbo?steps=10&more=10&width=8&batch=8';

test('curves are played at their rate and saved as they are played', async ({ page, url }) => {
  await page.addInitScript(() => {
    const heard: { rate: number; samples: number[] }[] = [];
    Object.assign(window, { heard });
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (...args) {
      heard.push({ rate: this.buffer!.sampleRate, samples: [...this.buffer!.getChannelData(0)] });
      return start.apply(this, args);
    };
  });
  const element = await openExperiment(page, url, QUICK);
  await page.getByRole('group', { name: 'What the stage shows' }).getByRole('button', { name: 'Sound' }).click();
  await expect.poll(() => element.evaluate((e: any) => e.model.panes.every((p: any) => p.progress.outcome.kind === 'finished')), { timeout: 60_000 }).toBe(true);
  const hear = page.locator('eddy-sound');
  // The baseline's true waves are the same ones.
  await expect(hear.getByRole('button')).toHaveText(['true waves', 'untuned, 2 steps', 'now', 'untuned, 2 steps', 'now']);
  const button = hear.getByRole('button', { name: /^Hear now/ }).first();
  await button.click();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
  // A second of sound, then silence.
  await expect(button).toHaveAttribute('aria-pressed', 'false', { timeout: 10_000 });
  const [played] = await page.evaluate(() => (window as any).heard as { rate: number; samples: number[] }[]);
  expect(played!.rate).toBe(8000);
  expect(played!.samples.length).toBe(8 * 16 * 64);
  // What is heard are the curve's values but for their mean and a factor.
  const { header, data } = await readView(element, 'sound');
  const length = header.series[2].length;
  const values = data.slice(-length);
  const mean = values.reduce((a: number, b: number) => a + b, 0) / length;
  const factor = played!.samples[7]! / (values[7]! - mean);
  expect(factor).toBeGreaterThan(0);
  expect(Math.max(...played!.samples.map((s, i) => Math.abs(s - factor * (values[i]! - mean))))).toBeLessThan(1e-4);

  await page.getByRole('tab', { name: 'Share' }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Sound (WAV)' }).click()]);
  const wav = readFileSync((await download.path())!);
  expect(download.suggestedFilename()).toBe('periodwave-turbo.wav');
  expect([wav.toString('latin1', 0, 4), wav.toString('latin1', 8, 16), wav.readUInt32LE(24)]).toEqual(['RIFF', 'WAVEfmt ', 8000]);
  expect(wav.length).toBe(44 + 2 * (3 * length + 2 * 3200));
  // The last curve of the file is the one that was heard.
  const from = wav.length - 2 * length;
  for (const i of [0, 7, 1000, length - 1]) expect(Math.abs(wav.readInt16LE(from + 2 * i) / 32767 - played!.samples[i]!)).toBeLessThan(1e-4);
});
