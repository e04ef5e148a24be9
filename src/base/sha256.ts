import { hash } from 'node:crypto';

/**
 * Lower-case hex SHA-256. Runs on the calling thread (about 1 ms per MiB): not for data-path
 * volumes of bytes.
 */
export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}
