import { argon2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';

/** How a passphrase becomes a key; both are memory-hard, and cost about a third of a second. */
export type KdfParameters =
  | {
      readonly name: 'argon2id';
      readonly memoryKib: number;
      readonly passes: number;
      readonly parallelism: number;
    }
  | { readonly name: 'scrypt'; readonly n: number; readonly r: number; readonly p: number };

/** RFC 9106's second recommendation: 64 MiB, three passes; one lane, since one thread runs it. */
export const DEFAULT_KDF: KdfParameters = {
  name: 'argon2id',
  memoryKib: 64 << 10,
  passes: 3,
  parallelism: 1,
};
export const SALT_BYTES = 32;
export const KEY_BYTES = 32;

/** Whoever can write to the bucket could ask for any amount of memory or time, or for none. */
const MAX_MEMORY_KIB = 128 << 10;
const MIN_MEMORY_KIB = 64 << 10;
const MIN_PASSES = 3;
const MAX_PASSES = 10;
const MAX_PARALLELISM = 4;
/** 128 MiB with r = 8: both the floor and the cap. */
const SCRYPT_N = 1 << 17;
const SCRYPT_R = 8;
const SCRYPT_MEMORY_BYTES = (128 << 20) + (1 << 20);

/** Whether parameters that were read from a bucket are strong enough, and affordable. */
export function isAcceptable(kdf: KdfParameters): boolean {
  if (kdf.name === 'scrypt') {
    return kdf.n === SCRYPT_N && kdf.r === SCRYPT_R && isBetween(kdf.p, 1, MAX_PARALLELISM);
  }
  return (
    isBetween(kdf.memoryKib, MIN_MEMORY_KIB, MAX_MEMORY_KIB) &&
    isBetween(kdf.passes, MIN_PASSES, MAX_PASSES) &&
    isBetween(kdf.parallelism, 1, MAX_PARALLELISM)
  );
}

/** Runs on libuv's pool. The passphrase counts in Unicode's form NFC, as UTF-8. */
export async function deriveKey(
  passphrase: string,
  salt: Uint8Array,
  kdf: KdfParameters,
): Promise<Buffer> {
  const message = Buffer.from(passphrase.normalize('NFC'), 'utf8');
  try {
    if (kdf.name === 'scrypt') {
      return await promisify<Buffer>((done) =>
        scrypt(
          message,
          salt,
          KEY_BYTES,
          { N: kdf.n, r: kdf.r, p: kdf.p, maxmem: SCRYPT_MEMORY_BYTES },
          done,
        ),
      )();
    }
    const { memoryKib: memory, passes, parallelism } = kdf;
    const parameters = { message, nonce: salt, memory, passes, parallelism, tagLength: KEY_BYTES };
    return await promisify<Buffer>((done) => argon2('argon2id', parameters, done))();
  } finally {
    message.fill(0);
  }
}

function isBetween(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
