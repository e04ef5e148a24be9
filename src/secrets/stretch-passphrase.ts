import { randomBytes, scrypt } from 'node:crypto';

import { CloudvolError } from '../base/errors.ts';
import { KEY_BYTES } from './seal.ts';

/** How a passphrase becomes a key: RFC 7914. Stored beside what the key seals. */
export interface Stretching {
  readonly algorithm: 'scrypt';
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  /** Hexadecimal. */
  readonly salt: string;
}

/** N = 2^17, r = 8, p = 1: 128 MiB and some 0.3 s for each guess. */
const COST = 2 ** 17;
const BLOCK_SIZE = 8;
const PARALLELIZATION = 1;
const SALT_BYTES = 32;
/** What a record may ask for: less is a weakened lock, more would fill the memory. */
const MAX_COST = 2 ** 18;

export function newStretching(): Stretching {
  return {
    algorithm: 'scrypt',
    cost: COST,
    blockSize: BLOCK_SIZE,
    parallelization: PARALLELIZATION,
    salt: randomBytes(SALT_BYTES).toString('hex'),
  };
}

/** @throws CloudvolError `secrets/corrupt` for parameters that no cloudvol has written */
export function readStretching(text: string): Stretching {
  const found = parse(text);
  const isKnown =
    found?.algorithm === 'scrypt' &&
    isBetween(found.cost, COST, MAX_COST) &&
    found.blockSize === BLOCK_SIZE &&
    found.parallelization === PARALLELIZATION &&
    typeof found.salt === 'string' &&
    /^[0-9a-f]{64}$/.test(found.salt);
  if (isKnown) return found as Stretching;
  throw new CloudvolError('secrets/corrupt', 'the lock of the secret store is damaged', {
    hint: 'put a copy of the state directory back, or use the cloudvol that wrote it',
  });
}

/** Off the main thread. */
export function stretchPassphrase(passphrase: string, stretching: Stretching): Promise<Buffer> {
  const { cost, blockSize, parallelization, salt } = stretching;
  const options = {
    cost,
    blockSize,
    parallelization,
    // What the function takes and its own bookkeeping.
    maxmem: 2 * 128 * cost * blockSize,
  };
  // One form for what a keyboard may send in several.
  const typed = Buffer.from(passphrase.normalize('NFC'), 'utf8');
  return new Promise((resolve, reject) => {
    scrypt(typed, Buffer.from(salt, 'hex'), KEY_BYTES, options, (error, key) => {
      typed.fill(0);
      if (error) reject(error);
      else resolve(key);
    });
  });
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

function parse(text: string): Partial<Stretching> | undefined {
  try {
    return JSON.parse(text) as Partial<Stretching>;
  } catch {
    return undefined;
  }
}
