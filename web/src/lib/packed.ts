/** Numbers as a text for links: variable-length integers, deflated, as base64url. */

/** Whether this browser can; old ones cannot. */
export const canPack: boolean = typeof CompressionStream === 'function' && typeof DecompressionStream === 'function';

export class Writer {
  private bytes: number[] = [];
  /** Seven bits a byte, low ones first; the high bit says that more follow. */
  count(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.bytes.push(rest);
  }
  /** Small numbers of either sign stay small. */
  signed(value: number): void {
    this.count(value >= 0 ? 2 * value : -2 * value - 1);
  }
  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.count(bytes.length);
    this.bytes.push(...bytes);
  }
  done(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.bytes);
  }
}

export class Reader {
  private next = 0;
  constructor(private bytes: Uint8Array) {}
  count(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.next++];
      if (byte === undefined || scale > 2 ** 49) throw new Error('cut');
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }
  signed(): number {
    const value = this.count();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  text(): string {
    const length = this.count();
    const end = this.next + length;
    if (end > this.bytes.length) throw new Error('cut');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(this.bytes.subarray(this.next, end));
    this.next = end;
    return text;
  }
  get isAtEnd(): boolean {
    return this.next === this.bytes.length;
  }
}

/** Bytes, deflated, as the letters of base64url. */
export async function lettersOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const packed = await through(bytes, new CompressionStream('deflate-raw'), Infinity);
  const letters = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(''));
  return letters.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
/** The bytes of such letters; rejects where they are others, or more than `most`. */
export async function bytesOf(letters: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(letters.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return through(packed, new DecompressionStream('deflate-raw'), most);
}

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = (new Blob([bytes]).stream().pipeThrough(stream) as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (let { done, value } = await reader.read(); !done && value; { done, value } = await reader.read()) {
    parts.push(value);
    if ((size += value.length) > most) {
      await reader.cancel();
      throw new Error('too long');
    }
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
