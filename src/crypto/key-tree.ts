import { decryptOnce, encryptOnce, hkdf } from './aead.ts';

export const MASTER_KEY_BYTES = 32;
export const KEY_LABELS = ['data', 'index', 'manifest', 'content-hash'] as const;
export type KeyLabel = (typeof KEY_LABELS)[number];

/** All keys that come of a master key; the master key itself is not kept. */
export class KeyTree {
  readonly #labelKeys: Readonly<Record<KeyLabel, Uint8Array>>;

  constructor(masterKey: Uint8Array) {
    const of = (label: KeyLabel) => hkdf(masterKey, `cloudvol/1 ${label}`);
    this.#labelKeys = {
      data: of('data'),
      index: of('index'),
      manifest: of('manifest'),
      'content-hash': of('content-hash'),
    };
  }

  get contentHashKey(): Uint8Array {
    return this.#labelKeys['content-hash'];
  }

  /** @param objectId random bytes that serve for one object, once. */
  objectKey(label: KeyLabel, objectId: Uint8Array): Uint8Array {
    return hkdf(this.#labelKeys[label], objectId);
  }

  encrypt(label: KeyLabel, objectId: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
    return encryptOnce(this.objectKey(label, objectId), aad, plain);
  }

  decrypt(
    label: KeyLabel,
    objectId: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined {
    return decryptOnce(this.objectKey(label, objectId), aad, sealed);
  }
}
