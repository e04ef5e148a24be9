import { canonicalJson, type JsonValue } from './canonical-json.ts';
import { corrupt } from './corrupt.ts';
import { ENVELOPE_BYTES, seal, unseal, type Sealing } from './envelope.ts';

/** A small record is a few hundred bytes; more is not one. */
export const MAX_RECORD_BYTES = 1024;
export const MAX_STORED_RECORD_BYTES = MAX_RECORD_BYTES + ENVELOPE_BYTES;

/**
 * Small objects that say something about others (a tombstone, `open`): canonical JSON as it is, or
 * inside an envelope `CVRC` where the repository is encrypted.
 */
export function encodeJsonRecord(value: JsonValue, sealing?: Sealing): Uint8Array {
  const bytes = Buffer.from(canonicalJson(value), 'utf8');
  return sealing ? seal('CVRC', bytes, sealing) : bytes;
}

/**
 * @param what names the record in errors: `the tombstone of …`
 * @throws CloudvolError `format/corrupt`
 */
export function decodeJsonRecord(bytes: Uint8Array, what: string, sealing?: Sealing): JsonValue {
  const plain = sealing ? unseal('CVRC', bytes, MAX_RECORD_BYTES, sealing) : bytes;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain)) as JsonValue;
  } catch (error) {
    throw corrupt(`${what} is not JSON`, error);
  }
}
