import assert from 'node:assert/strict';

const INITIAL_BYTES = 1024;

/** Bytes of a durable record, appended one field at a time; numbers are little-endian. */
export class ByteWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff);
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff);
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff);
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: bigint): this {
    assert(BigInt.asUintN(64, value) === value);
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  /** LEB128: seven bits a byte, lowest first, the top bit says that more follow. */
  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.u8((rest % 0x80) | 0x80);
    return this.u8(rest);
  }

  bytes(source: Uint8Array): this {
    const at = this.#grow(source.length);
    this.#bytes.set(source, at);
    return this;
  }

  /** UTF-8 behind its length in bytes as a varint. */
  text(value: string): this {
    const utf8 = Buffer.from(value, 'utf8');
    return this.varint(utf8.length).bytes(utf8);
  }

  /** A view of what was written; good until the next write. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * Makes room and returns where it begins. Call before naming #view or #bytes: both may be
   * replaced.
   */
  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
