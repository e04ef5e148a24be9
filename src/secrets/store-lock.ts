import { randomBytes } from 'node:crypto';

import { CloudvolError } from '../base/errors.ts';
import { DEFAULT_KDF, deriveKey, isAcceptable, type KdfParameters } from '../crypto/kdf.ts';
import { KEY_BYTES, SALT_BYTES } from '../crypto/kdf.ts';
import { openSealed, seal } from './seal.ts';

/** What stands between a passphrase and the key of a secret store; kept with the secrets. */
export interface StoreLock {
  /** JSON: how the passphrase becomes a key. */
  readonly derivation: string;
  /** The store's key, sealed under that. */
  readonly sealedKey: Uint8Array;
}

interface Derivation {
  readonly kdf: KdfParameters;
  /** Hexadecimal. */
  readonly salt: string;
}

const PURPOSE = 'cloudvol secret store key v1';

/** A new key for a store, and the lock that the passphrase opens. */
export async function makeLock(passphrase: string): Promise<{ lock: StoreLock; key: Buffer }> {
  const salt = randomBytes(SALT_BYTES);
  const derived = await deriveKey(passphrase, salt, DEFAULT_KDF);
  const key = randomBytes(KEY_BYTES);
  const sealedKey = seal(derived, key, PURPOSE);
  derived.fill(0);
  const derivation: Derivation = { kdf: DEFAULT_KDF, salt: salt.toString('hex') };
  return { lock: { derivation: JSON.stringify(derivation), sealedKey }, key };
}

/**
 * The store's key; undefined for another passphrase.
 * @throws CloudvolError `secrets/corrupt` for a derivation that is weaker or dearer than any that
 * cloudvol writes
 */
export async function openLock(
  { derivation, sealedKey }: StoreLock,
  passphrase: string,
): Promise<Buffer | undefined> {
  const { kdf, salt } = readDerivation(derivation);
  const derived = await deriveKey(passphrase, Buffer.from(salt, 'hex'), kdf);
  const key = openSealed(derived, sealedKey, PURPOSE);
  derived.fill(0);
  return key;
}

function readDerivation(text: string): Derivation {
  const found = parse(text);
  const isKnown =
    typeof found?.salt === 'string' &&
    /^[0-9a-f]{64}$/.test(found.salt) &&
    (found.kdf?.name === 'scrypt' || found.kdf?.name === 'argon2id') &&
    isAcceptable(found.kdf);
  if (isKnown) return found as Derivation;
  throw new CloudvolError('secrets/corrupt', 'the lock of the secret store is damaged', {
    hint: 'put a copy of the state directory back, or use the cloudvol that wrote it',
  });
}

function parse(text: string): Partial<Derivation> | undefined {
  try {
    return JSON.parse(text) as Partial<Derivation> | undefined;
  } catch {
    // Whatever it is, it is no derivation.
    return undefined;
  }
}
