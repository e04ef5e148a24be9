import { LRUCache } from 'lru-cache';
import { CloudvolError, hasCode } from '../base/errors.ts';
import type { ClusterId, VolumeId } from '../base/ids.ts';
import { sha256Hex } from '../base/sha256.ts';
import { MAX_STORED_MANIFEST_BYTES, decodeManifest } from '../format/manifest-codec.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { MAX_ABORTED_BYTES, decodeAborted } from './aborted-record.ts';
import type { CloudsnapEntry } from './cloudsnap-api.ts';
import { damaged, readIntact } from './damage.ts';
import { manifestsPrefix, parseManifestKey } from './object-keys.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import type { RootCipher } from './root-cipher.ts';
import { withSignal } from './with-signal.ts';

/** One sequence number of a volume, as a listing shows it. */
export interface Slot {
  readonly key: string;
  readonly clusterId: ClusterId;
  readonly volumeId: VolumeId;
  readonly sequence: number;
  /** undefined when there is only a tombstone, or an aborted record. */
  readonly manifest: ObjectInfo | undefined;
  readonly tombstoned: boolean;
  /** By the store's clock; undefined without a tombstone. */
  readonly tombstonedMs?: number;
  /** The number is given up: where the manifest would be lies an aborted record. */
  readonly aborted?: true;
}

/** Manifests in memory: some KiB each, a listing of this many is answered without a GET. */
const CACHED_MANIFESTS = 10_000;
/** What is small enough to be an aborted record, and is one or not. */
const CACHED_ABORTED = 10_000;

export function isVisible(slot: Slot): boolean {
  return slot.manifest !== undefined && !slot.tombstoned;
}

/** Reads `manifests/`. Manifests never change, so that each is fetched once. */
export class ManifestCatalog {
  readonly #store: ObjectStore;
  readonly #ciphers: RepositoryCipher;
  /** By key, time and size: a key that was deleted and taken again is another manifest. */
  readonly #entries = new LRUCache<string, CloudsnapEntry>({ max: CACHED_MANIFESTS });
  readonly #aborted = new LRUCache<string, boolean>({ max: CACHED_ABORTED });

  constructor(store: ObjectStore, ciphers: RepositoryCipher) {
    this.#store = store;
    this.#ciphers = ciphers;
  }

  /** The slots of a cluster or of one volume, by key: volume, then sequence. */
  async slots(clusterId: ClusterId, volumeId?: VolumeId, signal?: AbortSignal): Promise<Slot[]> {
    const prefix = manifestsPrefix(clusterId, volumeId);
    const slots = new Map<string, Slot>();
    for await (const info of this.#store.list(prefix, withSignal(signal))) {
      const parsed = parseManifestKey(info.key);
      if (!parsed) continue;
      const { isTombstone, ...place } = parsed;
      const key = isTombstone ? info.key.slice(0, info.key.lastIndexOf('.')) : info.key;
      const known = slots.get(key);
      slots.set(key, {
        ...place,
        key,
        manifest: isTombstone ? known?.manifest : info,
        tombstoned: isTombstone || (known?.tombstoned ?? false),
        ...(isTombstone ? { tombstonedMs: info.modifiedMs } : {}),
      });
    }
    return await this.#withoutAborted([...slots.values()], signal);
  }

  /**
   * @throws CloudvolError `cloudsnap/corrupt`, `format/unsupported`, `cloudsnap/not-found` when it
   * has just gone, or what a RepositoryCipher throws when it cannot be read with this credential.
   */
  async read(slot: Slot, signal?: AbortSignal): Promise<CloudsnapEntry> {
    const { manifest: info, key } = slot;
    if (!info) throw notFound(key);
    const cacheKey = cacheKeyOf(info);
    const known = this.#entries.get(cacheKey);
    if (known) return known;
    const where = { cloudsnapId: key, object: key };
    if (info.sizeBytes === 0 || info.sizeBytes > MAX_STORED_MANIFEST_BYTES) {
      throw damaged(where, `a manifest of ${info.sizeBytes} bytes cannot be`);
    }
    const entry = await readIntact(
      where,
      () => this.#fetch(info, signal),
      async (bytes) => {
        const cipher = await this.#ciphers.ofObject(slot.clusterId, key, bytes, signal);
        return decodeAt(slot, bytes, cipher);
      },
    );
    this.#entries.set(cacheKey, entry);
    return entry;
  }

  /** Few are that small: a listing costs no more than it did. */
  async #withoutAborted(slots: Slot[], signal?: AbortSignal): Promise<Slot[]> {
    const small = slots.filter(({ manifest }) => mayBeAborted(manifest));
    for (const slot of small) {
      if (!slot.manifest || !(await this.#isAborted(slot, slot.manifest, signal))) continue;
      slots[slots.indexOf(slot)] = { ...slot, manifest: undefined, aborted: true };
    }
    return slots;
  }

  async #isAborted(slot: Slot, info: ObjectInfo, signal?: AbortSignal): Promise<boolean> {
    const cacheKey = cacheKeyOf(info);
    const known = this.#aborted.get(cacheKey);
    if (known !== undefined) return known;
    try {
      const where = { cloudsnapId: slot.key, object: slot.key };
      await readIntact(
        where,
        () => this.#fetch(info, signal),
        async (bytes) => {
          const cipher = await this.#ciphers.ofObject(slot.clusterId, slot.key, bytes, signal);
          decodeAborted(bytes, slot, cipher.sealing(slot.key));
        },
      );
      this.#aborted.set(cacheKey, true);
      return true;
    } catch (error) {
      if (hasCode(error, 'cloudsnap/not-found')) return false;
      if (!hasCode(error, 'cloudsnap/corrupt')) throw error;
      // A manifest, or the rest of one: whoever reads it finds out. Not remembered, since the bytes
      // may have been garbled on their way.
      return false;
    }
  }

  async #fetch({ key, sizeBytes }: ObjectInfo, signal?: AbortSignal): Promise<Uint8Array> {
    const range = { offset: 0, length: sizeBytes };
    try {
      return await this.#store.get(key, { range, ...withSignal(signal) });
    } catch (error) {
      // Deleted since it was listed, which is no damage.
      throw hasCode(error, 'store/not-found') ? notFound(key) : error;
    }
  }
}

function mayBeAborted(info: ObjectInfo | undefined): boolean {
  return info !== undefined && info.sizeBytes > 0 && info.sizeBytes <= MAX_ABORTED_BYTES;
}

function cacheKeyOf({ key, modifiedMs, sizeBytes }: ObjectInfo): string {
  return `${key} ${modifiedMs} ${sizeBytes}`;
}

/** A manifest that was moved or copied to another key is as wrong as a damaged one. */
function decodeAt(slot: Slot, bytes: Uint8Array, cipher: RootCipher): CloudsnapEntry {
  const manifest = decodeManifest(bytes, cipher.sealing(slot.key));
  if (
    manifest.clusterId !== slot.clusterId ||
    manifest.volume.id !== slot.volumeId ||
    manifest.sequence !== slot.sequence
  ) {
    const where = { cloudsnapId: manifest.cloudsnapId, object: slot.key };
    throw damaged(where, 'the manifest belongs to another place');
  }
  return { manifest, manifestSha256: sha256Hex(bytes) };
}

export function notFound(cloudsnapId: string): CloudvolError {
  return new CloudvolError('cloudsnap/not-found', `there is no cloudsnap ${cloudsnapId}`, {
    hint: 'see `cloudvol cloudsnap list` for those there are',
    details: { cloudsnapId },
  });
}
