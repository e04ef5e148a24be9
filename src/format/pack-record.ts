import assert from 'node:assert/strict';
import { MAX_BLOCKS_PER_VOLUME } from '../base/geometry.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { HASH_BYTES } from './content-hash.ts';
import { FRAME_HEADER_BYTES } from './frame.ts';
import { MAX_PACK_BYTES, PACK_ID_BYTES } from './pack.ts';

/**
 * A pack in the upload journal:
 *
 *   16 bytes pack id
 *   varint   bytes of the object
 *   varint   number of frames
 *   frames   per frame: varint block (from the one before: the gap), varint offset (the same),
 *            varint payload bytes, u8 encoding
 *   hashes   32 bytes per frame
 */
export interface JournaledPack {
  /** 32 lower-case hex digits. */
  readonly packId: string;
  readonly packBytes: number;
  readonly frames: FrameTable;
}

/** Frames of one pack, ascending by block; columns of typed arrays, since they may be many. */
export interface FrameTable {
  readonly blocks: Uint32Array;
  readonly offsets: Uint32Array;
  readonly payloadBytes: Uint32Array;
  readonly encodings: Uint8Array;
  /** HASH_BYTES per frame. */
  readonly hashes: Uint8Array;
}

export interface JournaledFrame {
  readonly block: number;
  readonly offsetBytes: number;
  readonly payloadBytes: number;
  readonly encoding: number;
  readonly hash: Uint8Array;
}

/** The smallest frame has one byte of payload. */
const MAX_FRAMES = Math.ceil(MAX_PACK_BYTES / (FRAME_HEADER_BYTES + 1));
/** Three numbers of at most five bytes, the encoding and the hash. */
const MAX_FRAME_BYTES = 3 * 5 + 1 + HASH_BYTES;
export const MAX_PACK_RECORD_BYTES = 64 + MAX_FRAMES * MAX_FRAME_BYTES;

/** Takes the frames of one pack as they are laid into it. */
export class PackRecord {
  readonly #frames = new ByteWriter();
  readonly #hashes = new ByteWriter();
  #count = 0;
  #block = 0;
  #offset = 0;

  /** Copies the hash. Blocks and offsets ascend. */
  add({ block, offsetBytes, payloadBytes, encoding, hash }: JournaledFrame): void {
    assert(hash.length === HASH_BYTES && block >= this.#block && offsetBytes > this.#offset);
    this.#frames.varint(block - this.#block).varint(offsetBytes - this.#offset);
    this.#frames.varint(payloadBytes).u8(encoding);
    this.#hashes.bytes(hash);
    this.#block = block;
    this.#offset = offsetBytes;
    this.#count++;
  }

  /** The body of a record. */
  encode(packId: string, packBytes: number): Uint8Array {
    return new ByteWriter()
      .bytes(Buffer.from(packId, 'hex'))
      .varint(packBytes)
      .varint(this.#count)
      .bytes(this.#frames.finish())
      .bytes(this.#hashes.finish())
      .finish();
  }
}

/** @throws CloudvolError `format/corrupt` */
export function decodePackRecord(body: Uint8Array): JournaledPack {
  const reader = new ByteReader(body, 'a pack of the upload journal');
  const packId = Buffer.from(reader.bytes(PACK_ID_BYTES)).toString('hex');
  const packBytes = reader.varint(MAX_PACK_BYTES);
  // What there cannot be room for is not allocated either.
  const count = reader.varint(Math.min(MAX_FRAMES, Math.floor(reader.remaining / HASH_BYTES)));
  if (count === 0) throw reader.wrong('a pack without frames');
  const frames = {
    blocks: new Uint32Array(count),
    offsets: new Uint32Array(count),
    payloadBytes: new Uint32Array(count),
    encodings: new Uint8Array(count),
    hashes: new Uint8Array(count * HASH_BYTES),
  };
  let block = 0;
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const blockGap = reader.varint(MAX_BLOCKS_PER_VOLUME - 1);
    const offsetGap = reader.varint(MAX_PACK_BYTES);
    const payloadBytes = reader.varint(MAX_PACK_BYTES);
    block += blockGap;
    offset += offsetGap;
    const isOrdered = offsetGap > 0 && (i === 0 || blockGap > 0);
    const fits = block < MAX_BLOCKS_PER_VOLUME && offset + payloadBytes <= packBytes;
    if (!isOrdered || !fits) throw reader.wrong(`frame ${i} cannot be where it is`);
    frames.blocks[i] = block;
    frames.offsets[i] = offset;
    frames.payloadBytes[i] = payloadBytes;
    frames.encodings[i] = reader.u8();
  }
  frames.hashes.set(reader.bytes(count * HASH_BYTES));
  reader.expectEnd();
  return { packId, packBytes, frames };
}
