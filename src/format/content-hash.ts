import { hash } from 'node:crypto';

export const HASH_BYTES = 32;

/** For records of a few KiB; blocks are hashed by the native codec. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}
