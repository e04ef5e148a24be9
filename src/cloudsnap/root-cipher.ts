import type { ClusterId } from '../base/ids.ts';
import type { Sealing } from '../format/envelope.ts';
import { encodePackHeader } from '../format/pack.ts';
import type { Manifest } from '../format/manifest.ts';
import type { PackRef } from '../format/index-page.ts';
import type { FrameSeal } from '../native.ts';
import { packKey } from './object-keys.ts';

/**
 * How the objects below one root are written and read: the seam that whatever makes or takes apart
 * an object goes through. In a clear repository it is CLEAR, in an encrypted one EncryptedRoot.
 */
export interface RootCipher {
  /** 32 lower-case hex digits; undefined: the root is clear. */
  readonly masterKeyId: string | undefined;
  /** For decodeFrames: content hashes are keyed where there is a key. */
  readonly hashing: { readonly key?: Uint8Array };
  /** For encodeBlocks. */
  readonly encoding: { readonly key?: Uint8Array; readonly sealed?: true };
  /**
   * For everything in an envelope, and for small records.
   * @param place the object's key; of an index page, what `pagePlace` makes.
   */
  sealing(place: string): Sealing | undefined;
  /**
   * For the frames of a pack. A pack is encrypted once: a second time under the same id would give
   * its key away.
   */
  frames(pack: PackPlace): FrameSeal | undefined;
}

/** Everything that the frames of a pack are bound to. */
export interface PackPlace {
  readonly packId: string;
  /** Of the pack's object. */
  readonly key: string;
  /** As encodePackHeader makes it. */
  readonly header: Uint8Array;
}

/** @param volume of the pack, which is that of every manifest that names it. */
export function packPlace(
  clusterId: ClusterId,
  volume: Pick<Manifest['volume'], 'id' | 'blockBytes'>,
  pack: PackRef,
): PackPlace {
  const { packId } = pack;
  const header = encodePackHeader({ packId, volumeId: volume.id, blockBytes: volume.blockBytes });
  return { packId, key: packKey(clusterId, pack), header };
}

export const CLEAR: RootCipher = {
  masterKeyId: undefined,
  hashing: {},
  encoding: {},
  sealing: () => undefined,
  frames: () => undefined,
};
