import { CloudvolError, hasCode } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';
import { masterKeyIdOf } from '../format/envelope.ts';
import type { Manifest } from '../format/manifest.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { MAX_MARKER_BYTES, decodeClusterMarker, encodeClusterMarker } from './cluster-marker.ts';
import { readIntact } from './damage.ts';
import { clusterKey } from './object-keys.ts';
import { readClusterMarker } from './read-cluster-marker.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import { CLEAR, type RootCipher } from './root-cipher.ts';

/** Of a credential without a passphrase: everything is clear, or refused. */
export class ClearRepositoryCipher implements RepositoryCipher {
  readonly #store: ObjectStore;
  /** Roots whose marker stands and is clear: it never changes. */
  readonly #marked = new Set<ClusterId>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async ofManifest({ cloudsnapId, masterKeyId }: Manifest): Promise<RootCipher> {
    if (masterKeyId !== undefined) throw encrypted(cloudsnapId);
    return CLEAR;
  }

  async ofObject(_clusterId: ClusterId, key: string, bytes: Uint8Array): Promise<RootCipher> {
    if (masterKeyIdOf(['CVMF', 'CVRC'], bytes) !== undefined) throw encrypted(key);
    return CLEAR;
  }

  async check(clusterId: ClusterId, signal?: AbortSignal): Promise<void> {
    const marker = await readClusterMarker(this.#store, clusterId, signal);
    if (marker?.masterKeyId !== undefined) throw encrypted(clusterId);
  }

  /**
   * The root's marker has to stand before its first manifest does, or a listing of all clusters
   * would miss it; and of two that begin at once, one clear and one encrypted, it lets one in.
   */
  async forWriting(clusterId: ClusterId, signal: AbortSignal): Promise<RootCipher> {
    if (!this.#marked.has(clusterId)) await this.#mark(clusterId, signal);
    this.#marked.add(clusterId);
    return CLEAR;
  }

  async #mark(clusterId: ClusterId, signal: AbortSignal): Promise<void> {
    const key = clusterKey(clusterId);
    const ours = encodeClusterMarker({ clusterId, masterKeyId: undefined });
    const info = await this.#store.head(key, { signal });
    // Every clear marker has the same bytes; that of an encrypted root is longer.
    if (info?.sizeBytes === ours.length) return;
    if (!info && (await this.#put(key, ours, signal))) return;
    const range = {
      offset: 0,
      length: Math.max(1, Math.min(info?.sizeBytes ?? 1, MAX_MARKER_BYTES)),
    };
    const { masterKeyId } = await readIntact(
      { cloudsnapId: clusterId, object: key },
      () => this.#store.get(key, { ...(info ? { range } : {}), signal }),
      (bytes) => decodeClusterMarker(bytes, clusterId),
    );
    if (masterKeyId !== undefined) throw encrypted(clusterId);
  }

  /** Whether it was put; false: somebody else was first. */
  async #put(key: string, body: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const ifAbsent = this.#store.capabilities.conditionalPut;
    try {
      await this.#store.put(key, body, { ifAbsent, signal });
      return true;
    } catch (error) {
      if (!hasCode(error, 'store/exists')) throw error;
      return false;
    }
  }
}

function encrypted(what: string): CloudvolError {
  return new CloudvolError(
    'cloudsnap/encrypted',
    `${what} is encrypted, and the credential has no passphrase`,
    { hint: 'use a credential with the passphrase that the cloudsnaps were made with' },
  );
}
