/** The typed face of the addon, and the only importer of its file. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { CloudvolError } from './base/errors.ts';
import type { Extent } from './base/extent.ts';

/**
 * Blocks to frames and back (native/core/codec.h), on libuv's pool. The arguments' arrays must not
 * be written to before the promise settles. Wrong arguments throw a TypeError at once; bad data
 * rejects with a CodecError.
 */
export interface NativeCodec {
  encodeBlocks(request: EncodeRequest): Promise<EncodedBlocks>;
  /**
   * Encrypts the frames of a whole pack in place; they were encoded as `sealed`. Once for a key:
   * a second time would use its nonces again.
   */
  sealPack(request: FrameSeal & { readonly pack: Uint8Array }): Promise<void>;
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
  /** Frames with encodings 3 and 4 and room for a tag, for sealPack. */
  readonly sealed?: true;
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
  /** Of an encrypted pack: all three. */
  readonly sealKey?: Uint8Array;
  readonly sealAad?: Uint8Array;
  /** Where `source` begins in its pack. */
  readonly sourceOffset?: number;
}

/**
 * How the frames of one pack are encrypted: AES-256-GCM, the nonce of a frame is its offset in the
 * pack. `sealAad` and the first twelve bytes of a frame's header are authenticated.
 */
export interface FrameSeal {
  /** 32 bytes, of this pack alone. */
  readonly sealKey: Uint8Array;
  readonly sealAad: Uint8Array;
}

/** What a codec call rejects with. */
export interface CodecError extends Error {
  readonly code:
    | 'frame-bounds'
    | 'header-mismatch'
    | 'payload'
    | 'content-hash'
    | 'tag'
    | 'no-memory'
    | 'library-failed';
  /** Which block or frame of the request, from 0. */
  readonly position: number;
}

export interface NativeAddon extends NativeCodec, NativeOverlay {}

declare const overlayBrand: unique symbol;
declare const viewBrand: unique symbol;
declare const sessionBrand: unique symbol;
/** What the addon gives out to be handed back; closed or of the wrong kind, it is refused. */
export type OverlayHandle = { readonly [overlayBrand]: true };
export type ViewHandle = { readonly [viewBrand]: true };
export type FuseSessionHandle = { readonly [sessionBrand]: true };

/**
 * The local side of a volume (native/core/overlay.h). Promises run on libuv's pool and reject with
 * a system error (`code` EIO, ENOSPC, …). Buffers must not be touched before the promise settles.
 */
export interface NativeOverlay {
  /** `onMiss` hears of blocks that somebody waits for; of each once until populated or failed. */
  openOverlay(options: OverlayOptions, onMiss: (extent: Extent) => void): Promise<OverlayHandle>;
  /** Lets go of files and memory; live bits stay. Every session must have ended. */
  closeOverlay(overlay: OverlayHandle): void;
  /** The doors resolve with undefined when done, or with blocks to populate first. */
  readOverlay(o: OverlayHandle, offset: number, target: Uint8Array): Promise<Extent | undefined>;
  writeOverlay(o: OverlayHandle, offset: number, source: Uint8Array): Promise<Extent | undefined>;
  zeroOverlay(o: OverlayHandle, offset: number, length: number): Promise<Extent | undefined>;
  flushOverlay(overlay: OverlayHandle): Promise<void>;
  /** Without data: zeros. Present blocks are left alone; who waits for the blocks goes on. */
  populateOverlay(
    overlay: OverlayHandle,
    firstBlock: number,
    blockCount: number,
    data: Uint8Array | undefined,
  ): Promise<void>;
  failMisses(o: OverlayHandle, firstBlock: number, blockCount: number, errno: number): void;
  /** The first run of absent blocks at or after `from`, at most `max` long. */
  nextAbsent(overlay: OverlayHandle, from: number, max: number): Extent | undefined;
  reportOverlay(overlay: OverlayHandle): OverlayReport;
  freezeOverlay(overlay: OverlayHandle, options: FreezeOptions): Promise<ViewHandle>;
  /** What is wanted of a view that is held; its own sealed delta is among the paths. */
  settleView(overlay: OverlayHandle, view: ViewHandle, plan: ViewPlan): Promise<void>;
  /** Resolves with the runs that were not local at the instant. */
  readView(
    overlay: OverlayHandle,
    view: ViewHandle,
    firstBlock: number,
    blockCount: number,
    target: Uint8Array,
  ): Promise<Extent[]>;
  nextPlanned(view: ViewHandle, from: number, max: number): Extent | undefined;
  plannedBlocks(view: ViewHandle): number;
  forgetPlanned(view: ViewHandle, firstBlock: number, blockCount: number): void;
  endView(overlay: OverlayHandle, view: ViewHandle): Promise<void>;
  /** Writes the active delta to a file of durable bits. */
  saveDelta(overlay: OverlayHandle, path: string): Promise<void>;
  /** ORs files of durable bits into one at `target`, which may be one of them. */
  mergeDeltas(
    sources: readonly string[],
    target: string,
    blockCount: number,
    tag: number,
  ): Promise<void>;
  /** Serves the overlay on /dev/fuse `fd`, which it takes over. `onClosed` hears 0 or an errno. */
  serveFuse(
    overlay: OverlayHandle,
    fd: number,
    threads: number,
    onClosed: (errno: number) => void,
  ): FuseSessionHandle;
  /** Waits for the session's threads; its connection must be gone, or never have been mounted. */
  endFuse(session: FuseSessionHandle): Promise<void>;
}

/** OverlayOptions in native/core/overlay.h. */
export interface OverlayOptions {
  readonly dataPath: string;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly createData: boolean;
  readonly bootId: string;
  readonly session: string;
  readonly liveDeltaPath: string;
  readonly epoch: number;
  readonly strayDeltaPaths: readonly string[];
  /** Both empty when every block is present. */
  readonly livePresentPath: string;
  readonly durablePresentPath: string;
  readonly createPresent: boolean;
  readonly tag: number;
  readonly maxSideBytes: number;
}

/** ViewPlan in native/core/overlay.h. */
export interface ViewPlan {
  readonly full: boolean;
  readonly baseDeltaPaths: readonly string[];
  /** Blocks that a plan which is not full has besides. */
  readonly also: readonly Extent[];
}

/** FreezeOptions in native/core/overlay.h. */
export interface FreezeOptions extends ViewPlan {
  readonly nextDeltaPath: string;
  readonly nextEpoch: number;
  readonly sealedDeltaPath: string;
  readonly sidePath: string;
  /** Everything is preserved until settleView. */
  readonly hold: boolean;
}

export interface OverlayReport {
  readonly epoch: number;
  readonly absentBlocks: number;
  readonly dirtyBlocks: number;
  readonly allocatedBytes: number;
  readonly parkedRequests: number;
  /** The errno value that made the volume fail for good, or 0. */
  readonly failedErrno: number;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
let loaded: NativeAddon | undefined;

/**
 * Loads the addon once: the file that CLOUDVOL_ADDON names, the one built here, or the prebuilt.
 * @throws CloudvolError `native/missing` when there is none, `native/unusable` when it won't load.
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
