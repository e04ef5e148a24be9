import { CloudvolError } from '../base/errors.ts';
import { mapLimited } from '../base/map-limited.ts';
import { HASH_BYTES } from '../format/content-hash.ts';
import { codec, type CodecError, type EncodedBlocks } from '../native.ts';
import { damaged, type Damage } from './damage.ts';
import type { FrameGroup } from './frame-groups.ts';
import type { PackPlace, RootCipher } from './root-cipher.ts';

/**
 * Plain bytes that one thread encodes in one go: about three milliseconds, so that a demand read
 * never waits long for a thread of libuv's pool.
 */
export const ENCODE_PIECE_BYTES = 1 << 20;
/** Half of libuv's pool of four; the rest is left to reads. */
const ENCODES_AT_ONCE = 2;

export interface EncodedPiece extends EncodedBlocks {
  readonly firstBlock: number;
  readonly blockCount: number;
}

export interface EncodeExtent {
  readonly firstBlock: number;
  readonly data: Uint8Array;
  readonly blockBytes: number;
  /** 32 bytes per block, zeros where the parent has no frame. */
  readonly parentHashes: Uint8Array;
  readonly cipher: RootCipher;
}

/** Encodes whole blocks on several threads; the pieces are in order. */
export function encodeExtent(extent: EncodeExtent): Promise<EncodedPiece[]> {
  const { blockBytes, data } = extent;
  const pieceBlocks = Math.max(1, ENCODE_PIECE_BYTES / blockBytes);
  const pieces = Math.ceil(data.length / (pieceBlocks * blockBytes));
  return mapLimited(Array(pieces).keys(), (piece) => encodePiece(extent, piece * pieceBlocks), {
    limit: ENCODES_AT_ONCE,
  });

  async function encodePiece(from: EncodeExtent, start: number): Promise<EncodedPiece> {
    const end = Math.min(start + pieceBlocks, data.length / blockBytes);
    const firstBlock = from.firstBlock + start;
    const encoded = await codec().encodeBlocks({
      source: data.subarray(start * blockBytes, end * blockBytes),
      parentHashes: from.parentHashes.subarray(start * HASH_BYTES, end * HASH_BYTES),
      blockBytes,
      firstBlock,
      ...from.cipher.encoding,
    });
    return { ...encoded, firstBlock, blockCount: end - start };
  }
}

export interface DecodeInto {
  readonly target: Uint8Array;
  readonly blockBytes: number;
  readonly cipher: RootCipher;
  readonly pack: PackPlace;
}

/**
 * Decodes the frames of a group into their slots of `target`.
 * @param bytes the part of the pack that the group names.
 * @param where the pack; a failure adds the block.
 * @throws CloudvolError `cloudsnap/corrupt`
 */
export async function decodeGroup(
  group: FrameGroup,
  bytes: Uint8Array,
  where: Damage,
  { target, blockBytes, cipher, pack }: DecodeInto,
): Promise<void> {
  const { frames } = group;
  const hashes = new Uint8Array(frames.length * HASH_BYTES);
  for (const [position, { frame }] of frames.entries()) {
    hashes.set(frame.hash, position * HASH_BYTES);
  }
  try {
    await codec().decodeFrames({
      source: bytes,
      blockBytes,
      offsets: Uint32Array.from(frames, ({ frame }) => frame.offsetBytes - group.offsetBytes),
      blocks: Uint32Array.from(frames, ({ block }) => block),
      payloadBytes: Uint32Array.from(frames, ({ frame }) => frame.payloadBytes),
      encodings: Uint8Array.from(frames, ({ frame }) => frame.encoding),
      hashes,
      slots: Uint32Array.from(frames, ({ slot }) => slot),
      target,
      ...cipher.hashing,
      ...cipher.frames(pack),
      sourceOffset: group.offsetBytes,
    });
  } catch (error) {
    throw isCodecError(error) ? translate(error, group, where) : error;
  }
}

function isCodecError(error: unknown): error is CodecError {
  return error instanceof Error && 'position' in error;
}

function translate(error: CodecError, group: FrameGroup, where: Damage): CloudvolError {
  if (error.code === 'no-memory' || error.code === 'library-failed') {
    return new CloudvolError('native/codec-failed', `blocks cannot be decoded: ${error.message}`, {
      hint: 'free some memory and try again',
      cause: error,
    });
  }
  const block = group.frames[error.position]?.block ?? 0;
  return damaged({ ...where, block }, error.message, error);
}
