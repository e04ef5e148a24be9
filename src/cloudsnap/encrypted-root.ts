import type { KeyLabel, KeyTree } from '../crypto/key-tree.ts';
import type { EnvelopeCipher, EnvelopeKind, EnvelopeMessage, Sealing } from '../format/envelope.ts';
import type { FrameSeal } from '../native.ts';
import type { PackPlace, RootCipher } from './root-cipher.ts';

const LABELS: Readonly<Record<EnvelopeKind, KeyLabel>> = {
  CVIP: 'index',
  CVRT: 'index',
  CVMF: 'manifest',
  CVRC: 'manifest',
};

/** Everything below one root in AES-256-GCM, under keys of one master key. */
export class EncryptedRoot implements RootCipher, EnvelopeCipher {
  readonly masterKeyId: string;
  readonly #keys: KeyTree;

  constructor(masterKeyId: string, keys: KeyTree) {
    this.masterKeyId = masterKeyId;
    this.#keys = keys;
  }

  get hashing(): { readonly key: Uint8Array } {
    return { key: this.#keys.contentHashKey };
  }

  get encoding(): { readonly key: Uint8Array; readonly sealed: true } {
    return { key: this.#keys.contentHashKey, sealed: true };
  }

  sealing(place: string): Sealing {
    return { cipher: this, place };
  }

  frames({ packId, key, header }: PackPlace): FrameSeal {
    return {
      sealKey: this.#keys.objectKey('data', Buffer.from(packId, 'hex')),
      sealAad: new Uint8Array(Buffer.concat([header, Buffer.from(key, 'utf8')])),
    };
  }

  encrypt({ kind, objectId, aad, bytes }: EnvelopeMessage): Uint8Array {
    return this.#keys.encrypt(LABELS[kind], objectId, aad, bytes);
  }

  decrypt({ kind, objectId, aad, bytes }: EnvelopeMessage): Uint8Array | undefined {
    return this.#keys.decrypt(LABELS[kind], objectId, aad, bytes);
  }
}
