/** The typed face of the addon, and the only importer of its file. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { CloudvolError } from './base/errors.ts';

/**
 * Blocks to frames and back (native/core/codec.h), on libuv's pool. The arguments' arrays must not be written to before
 * the promise settles. Wrong arguments throw a TypeError at once; bad data rejects with a CodecError.
 */
export interface NativeCodec {
  encodeBlocks(request: EncodeRequest): Promise<EncodedBlocks>;
  /** Fills `target`; after a rejection its content is undefined. */
  decodeFrames(request: DecodeRequest): Promise<void>;
}

export interface EncodeRequest {
  /** Whole blocks, at most 4 MiB. */
  readonly source: Uint8Array;
  readonly blockBytes: number;
  readonly firstBlock: number;
  /** 32 bytes per block, zeros where there is no parent's hash. */
  readonly parentHashes?: Uint8Array;
  /** 32 bytes: content hashes are HMAC-SHA-256 under it; plain SHA-256 without. */
  readonly key?: Uint8Array;
}

/** One element per block; `offsets` and `payloadBytes` are 0 where there is no frame. */
export interface EncodedBlocks {
  /** The frames, each right behind the one before. */
  readonly frames: Uint8Array<ArrayBuffer>;
  /** A frame's encoding, or OUTCOME_ZERO or OUTCOME_UNCHANGED. */
  readonly outcomes: Uint8Array<ArrayBuffer>;
  readonly offsets: Uint32Array<ArrayBuffer>;
  readonly payloadBytes: Uint32Array<ArrayBuffer>;
  /** 32 bytes per block; zeros for a zero block. */
  readonly hashes: Uint8Array<ArrayBuffer>;
}

/** kOutcomeZero and kOutcomeUnchanged in native/core/codec.h. */
export const OUTCOME_ZERO = 0;
export const OUTCOME_UNCHANGED = 255;

/** One element per frame, as the index describes it. */
export interface DecodeRequest {
  readonly source: Uint8Array;
  readonly blockBytes: number;
  /** Where each frame's header begins in `source`. */
  readonly offsets: Uint32Array;
  readonly blocks: Uint32Array;
  readonly payloadBytes: Uint32Array;
  readonly encodings: Uint8Array;
  readonly hashes: Uint8Array;
  /** The position in `target`, in blocks, that each block goes to. */
  readonly slots: Uint32Array;
  readonly target: Uint8Array;
  readonly key?: Uint8Array;
}

/** What a codec call rejects with. */
export interface CodecError extends Error {
  readonly code:
    | 'frame-bounds'
    | 'header-mismatch'
    | 'payload'
    | 'content-hash'
    | 'no-memory'
    | 'library-failed';
  /** Which block or frame of the request, from 0. */
  readonly position: number;
}

export interface NativeAddon extends NativeCodec {}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
let loaded: NativeAddon | undefined;

/**
 * Loads the addon once: the file that CLOUDVOL_ADDON names, the one built here, or the prebuilt one.
 * @throws CloudvolError `native/missing` when there is none, `native/unusable` when it does not load.
 */
export function loadNative(): NativeAddon {
  return (loaded ??= load());
}

export const codec = (): NativeCodec => loadNative();

function load(): NativeAddon {
  const path = addonPath();
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (error) {
    throw new CloudvolError('native/unusable', `the native part ${path} does not load`, {
      hint: 'build it for this Node with `npm run build:native`',
      cause: error,
    });
  }
}

function addonPath(): string {
  const given = process.env['CLOUDVOL_ADDON'];
  const candidates = given
    ? [given]
    : [`${ROOT}native/build/cloudvol.node`, `${ROOT}prebuilds/linux-${process.arch}/cloudvol.node`];
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path) return path;
  throw new CloudvolError(
    'native/missing',
    `the native part is not there: ${candidates.join(', ')}`,
    {
      hint: 'run `npm run build:native`, which needs g++ and make',
    },
  );
}
