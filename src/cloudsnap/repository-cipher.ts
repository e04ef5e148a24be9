import type { ClusterId } from '../base/ids.ts';
import type { Manifest } from '../format/manifest.ts';
import type { RootCipher } from './root-cipher.ts';

/**
 * Knows, or finds out, how each root of the bucket is written: a bucket may hold several, each with
 * a master key of its own. All methods throw `cloudsnap/encrypted` for what is encrypted when there
 * is no passphrase, and with one `cloudsnap/not-encrypted` for what is clear and
 * `cloudsnap/wrong-passphrase`.
 */
export interface RepositoryCipher {
  /** For the objects that a manifest names. */
  ofManifest(manifest: Manifest, signal?: AbortSignal): Promise<RootCipher>;
  /**
   * For a manifest or a small record, by its bytes.
   * @param key of the object, for errors.
   * @throws CloudvolError `format/corrupt` when it is neither clear nor encrypted.
   */
  ofObject(
    clusterId: ClusterId,
    key: string,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ): Promise<RootCipher>;
  /**
   * Whether the credential is the one for a root that may have no objects yet to tell by; writes
   * nothing. One that nobody has begun fits any.
   */
  check(clusterId: ClusterId, signal?: AbortSignal): Promise<void>;
  /** For new objects. The first call for a root settles whether it is clear or encrypted. */
  forWriting(clusterId: ClusterId, signal: AbortSignal): Promise<RootCipher>;
}
