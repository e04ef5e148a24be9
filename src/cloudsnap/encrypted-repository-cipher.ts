import { randomBytes } from 'node:crypto';
import { hasCode } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { KeyTree, MASTER_KEY_BYTES } from '../crypto/key-tree.ts';
import { corrupt } from '../format/corrupt.ts';
import { masterKeyIdOf } from '../format/envelope.ts';
import type { Manifest } from '../format/manifest.ts';
import { MAX_STORED_MANIFEST_BYTES } from '../format/manifest-codec.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { encodeClusterMarker } from './cluster-marker.ts';
import { notEncrypted, wrongPassphrase } from './credential-mismatch.ts';
import { damaged, readIntact } from './damage.ts';
import { EncryptedRoot } from './encrypted-root.ts';
import { encodeKeySlots, unwrapMasterKey, wrapMasterKey } from './key-slots.ts';
import { clusterKey, manifestsPrefix, masterKeyKey, parseManifestKey } from './object-keys.ts';
import { readClusterMarker } from './read-cluster-marker.ts';
import { readKeySlots } from './read-key-slots.ts';
import type { RepositoryCipher } from './repository-cipher.ts';
import type { RootCipher } from './root-cipher.ts';

/** Of a credential with a passphrase: everything is encrypted, or refused. */
export class EncryptedRepositoryCipher implements RepositoryCipher {
  readonly #store: ObjectStore;
  readonly #passphrase: string;
  /** By key of the keys object: the KDF runs once for each root. */
  readonly #roots = new Map<string, EncryptedRoot>();
  /** What this repository writes to, once the marker was read. */
  readonly #marked = new Map<ClusterId, EncryptedRoot>();
  readonly #flights = new SingleFlight<string, EncryptedRoot>();

  constructor(store: ObjectStore, passphrase: string) {
    this.#store = store;
    this.#passphrase = passphrase;
  }

  async ofManifest(manifest: Manifest, signal?: AbortSignal): Promise<RootCipher> {
    const { masterKeyId, clusterId, cloudsnapId } = manifest;
    if (masterKeyId === undefined) throw notEncrypted(cloudsnapId);
    return await this.#root(clusterId, masterKeyId, signal);
  }

  async ofObject(
    clusterId: ClusterId,
    key: string,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ): Promise<RootCipher> {
    const masterKeyId = masterKeyIdOf(['CVMF', 'CVRC'], bytes);
    if (masterKeyId !== undefined) return await this.#root(clusterId, masterKeyId, signal);
    throw isJson(bytes) ? notEncrypted(key) : corrupt(`${key} is no encrypted object`);
  }

  async check(clusterId: ClusterId, signal?: AbortSignal): Promise<void> {
    const marked = await this.#markedKeyId(clusterId, signal);
    if (marked !== undefined) await this.#root(clusterId, marked, signal);
  }

  async forWriting(clusterId: ClusterId, signal: AbortSignal): Promise<RootCipher> {
    const root = await this.#rootToWrite(clusterId, signal);
    this.#marked.set(clusterId, root);
    return root;
  }

  async #rootToWrite(clusterId: ClusterId, signal: AbortSignal): Promise<EncryptedRoot> {
    const known = this.#marked.get(clusterId);
    if (known && (await this.#store.head(clusterKey(clusterId), { signal }))) return known;
    const marked = await this.#markedKeyId(clusterId, signal);
    if (marked !== undefined) return await this.#root(clusterId, marked, signal);
    const used = known?.masterKeyId ?? (await this.#firstManifestKeyId(clusterId, signal));
    const root = used
      ? await this.#root(clusterId, used, signal)
      : await this.#create(clusterId, signal);
    return await this.#mark(clusterId, root, signal);
  }

  /** The master key that the marker names; undefined without a marker. */
  async #markedKeyId(clusterId: ClusterId, signal?: AbortSignal): Promise<string | undefined> {
    const marker = await readClusterMarker(this.#store, clusterId, signal);
    if (marker && marker.masterKeyId === undefined) throw notEncrypted(clusterId);
    return marker?.masterKeyId;
  }

  /** A marker that was lost is no reason for a second master key: a manifest names the first. */
  async #firstManifestKeyId(
    clusterId: ClusterId,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    for await (const { key, sizeBytes } of this.#store.list(manifestsPrefix(clusterId), {
      signal,
    })) {
      if (parseManifestKey(key)?.isTombstone !== false) continue;
      const length = Math.max(1, Math.min(sizeBytes, MAX_STORED_MANIFEST_BYTES));
      return await readIntact(
        { cloudsnapId: key, object: key },
        () => this.#store.get(key, { range: { offset: 0, length }, signal }),
        (bytes) => {
          const masterKeyId = masterKeyIdOf(['CVMF', 'CVRC'], bytes);
          if (masterKeyId === undefined) throw notEncrypted(clusterId);
          return masterKeyId;
        },
      );
    }
    return undefined;
  }

  /** A new master key. Nothing names it before the marker does. */
  async #create(clusterId: ClusterId, signal: AbortSignal): Promise<EncryptedRoot> {
    const masterKeyId = randomBytes(16).toString('hex');
    const masterKey = randomBytes(MASTER_KEY_BYTES);
    const slot = await wrapMasterKey(masterKey, this.#passphrase, { clusterId, masterKeyId });
    const body = encodeKeySlots({ clusterId, masterKeyId, slots: [slot] });
    await this.#store.put(masterKeyKey(clusterId, masterKeyId), body, { signal });
    const root = new EncryptedRoot(masterKeyId, new KeyTree(masterKey));
    masterKey.fill(0);
    return root;
  }

  /** Of two that begin at once, the marker that stands says whose master key it is. */
  async #mark(
    clusterId: ClusterId,
    root: EncryptedRoot,
    signal: AbortSignal,
  ): Promise<EncryptedRoot> {
    const { masterKeyId } = root;
    const body = encodeClusterMarker({ clusterId, masterKeyId });
    const ifAbsent = this.#store.capabilities.conditionalPut;
    try {
      await this.#store.put(clusterKey(clusterId), body, { ifAbsent, signal });
    } catch (error) {
      if (!hasCode(error, 'store/exists')) throw error;
      const marked = await this.#markedKeyId(clusterId, signal);
      if (marked === undefined) throw error;
      // If it is ours, the answer to an earlier attempt was lost.
      if (marked !== masterKeyId) {
        await this.#store.delete([masterKeyKey(clusterId, masterKeyId)], { signal });
        return await this.#root(clusterId, marked, signal);
      }
    }
    this.#roots.set(masterKeyKey(clusterId, masterKeyId), root);
    return root;
  }

  async #root(
    clusterId: ClusterId,
    masterKeyId: string,
    signal?: AbortSignal,
  ): Promise<EncryptedRoot> {
    const key = masterKeyKey(clusterId, masterKeyId);
    const known = this.#roots.get(key);
    if (known) return known;
    const open = (wanted: AbortSignal) => this.#open(clusterId, masterKeyId, wanted);
    const root = await this.#flights.run(key, open, signal);
    this.#roots.set(key, root);
    return root;
  }

  async #open(
    clusterId: ClusterId,
    masterKeyId: string,
    signal: AbortSignal,
  ): Promise<EncryptedRoot> {
    const key = masterKeyKey(clusterId, masterKeyId);
    const where = { cloudsnapId: clusterId, object: key };
    const keys = await readKeySlots(this.#store, clusterId, masterKeyId, signal);
    const opened = await unwrapMasterKey(keys, this.#passphrase);
    if (!opened) throw wrongPassphrase(clusterId);
    const { masterKey } = opened;
    if (masterKey.length !== MASTER_KEY_BYTES) throw damaged(where, 'a key of another length');
    const root = new EncryptedRoot(masterKeyId, new KeyTree(masterKey));
    masterKey.fill(0);
    return root;
  }
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return true;
  } catch {
    // What it is instead is for the caller to say.
    return false;
  }
}
