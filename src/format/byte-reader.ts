import { corrupt } from './corrupt.ts';

/**
 * Strict in what it takes: only valid UTF-8, no replacement characters, no byte order mark
 * swallowed.
 */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a durable record apart, front to back; numbers are little-endian. Every method throws
 * `format/corrupt` rather than read beyond the end or return a value out of the caller's bounds, so
 * that nothing is allocated on hostile say-so.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  /** @param what names the record in errors: `index page`. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** An integer of at most `max`, in its shortest form: one value has one encoding. */
  varint(max: number): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      // A digit at this scale could only be a zero or too much; and the scale itself must stay a
      // number.
      if (scale > 1 && scale > max) throw this.wrong(`a number above ${max}`);
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (value > max) throw this.wrong(`a number above ${max}`);
      if (byte === 0 && scale > 1) throw this.wrong('a number with leading zeros');
      if (byte < 0x80) return value;
    }
  }

  /** A view of the next `count` bytes. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(maxBytes: number): string {
    const utf8 = this.bytes(this.varint(maxBytes));
    try {
      return UTF8.decode(utf8);
    } catch (error) {
      throw this.wrong('text that is not UTF-8', error);
    }
  }

  expectEnd(): void {
    if (this.remaining > 0) throw this.wrong(`${this.remaining} bytes too many`);
  }

  /** The error for what the caller found wrong in this record. */
  wrong(finding: string, cause?: unknown): Error {
    return corrupt(`${this.#what} is damaged: ${finding}`, cause);
  }

  #take(count: number): number {
    if (count > this.remaining) throw this.wrong('it ends too early');
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
