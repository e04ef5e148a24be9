import { randomBytes } from 'node:crypto';

import { decryptOnce, encryptOnce, hkdf } from '../crypto/aead.ts';

/** As long as the keys that come of it: two are never the same. */
const SALT_BYTES = 32;

/**
 * salt, ciphertext, tag. Each value has a key of its own, by HKDF from `key` and the salt, so that
 * no nonce has to be kept.
 * @param purpose authenticated, not stored: opening needs the same
 */
export function seal(key: Uint8Array, plain: Uint8Array, purpose: string): Buffer {
  const salt = randomBytes(SALT_BYTES);
  const sealed = encryptOnce(hkdf(key, salt), Buffer.from(purpose, 'utf8'), plain);
  return Buffer.concat([salt, sealed]);
}

/** undefined when key, purpose or bytes are not those of `seal`. */
export function openSealed(
  key: Uint8Array,
  sealed: Uint8Array,
  purpose: string,
): Buffer | undefined {
  const salt = sealed.subarray(0, SALT_BYTES);
  const aad = Buffer.from(purpose, 'utf8');
  const plain = decryptOnce(hkdf(key, salt), aad, sealed.subarray(SALT_BYTES));
  return plain && Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
}
