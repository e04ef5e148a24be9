import { MAX_BLOCKS_PER_VOLUME } from '../base/geometry.ts';
import type { ByteReader } from './byte-reader.ts';
import { HASH_BYTES } from './content-hash.ts';

/**
 * One block in a pack: a 44-byte header and a payload. The layout stands in native/core/codec.h,
 * which writes frames and checks them on every read; here it is read for whoever walks a pack
 * without an index.
 */
export interface FrameHeader {
  readonly block: number;
  readonly payloadBytes: number;
  readonly encoding: FrameEncoding;
  /** Of an encrypted frame: its ciphertext, which says nothing. */
  readonly hash: Uint8Array;
}

/** FrameEncoding in native/core/codec.h. */
export const FRAME_RAW = 1;
export const FRAME_ZSTD = 2;
/** The same two inside AES-256-GCM: the payload ends with a tag of 16 bytes. */
export const FRAME_SEALED_RAW = 3;
export const FRAME_SEALED_ZSTD = 4;
export type FrameEncoding =
  | typeof FRAME_RAW
  | typeof FRAME_ZSTD
  | typeof FRAME_SEALED_RAW
  | typeof FRAME_SEALED_ZSTD;

export const FRAME_HEADER_BYTES = 44;
export const FRAME_TAG_BYTES = 16;

/** Bytes of a frame in its pack. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_HEADER_BYTES + payloadBytes;
}

/**
 * Whether a frame of a block of `blockBytes` can be so: raw is the block itself, zstd is never
 * longer.
 */
export function isPossiblePayload(
  encoding: number,
  payloadBytes: number,
  blockBytes: number,
): encoding is FrameEncoding {
  if (encoding === FRAME_RAW) return payloadBytes === blockBytes;
  if (encoding === FRAME_ZSTD) return payloadBytes > 0 && payloadBytes < blockBytes;
  const plainBytes = payloadBytes - FRAME_TAG_BYTES;
  if (encoding === FRAME_SEALED_RAW) return plainBytes === blockBytes;
  return encoding === FRAME_SEALED_ZSTD && plainBytes > 0 && plainBytes < blockBytes;
}

export function isSealed(encoding: FrameEncoding): boolean {
  return encoding === FRAME_SEALED_RAW || encoding === FRAME_SEALED_ZSTD;
}

/** @throws CloudvolError `format/corrupt` */
export function readFrameHeader(reader: ByteReader, blockBytes: number): FrameHeader {
  const block = reader.u32();
  const payloadBytes = reader.u32();
  const encoding = reader.u8();
  const reserved = reader.bytes(3);
  const hash = reader.bytes(HASH_BYTES);
  if (block >= MAX_BLOCKS_PER_VOLUME) throw reader.wrong(`a frame for block ${block}`);
  if (reserved.some((byte) => byte !== 0)) throw reader.wrong('a reserved byte is set');
  if (!isPossiblePayload(encoding, payloadBytes, blockBytes)) {
    throw reader.wrong(`block ${block} has ${payloadBytes} bytes in encoding ${encoding}`);
  }
  return { block, payloadBytes, encoding, hash };
}
