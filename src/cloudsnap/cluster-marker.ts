import type { ClusterId } from '../base/ids.ts';
import { canonicalJson, type JsonValue } from '../format/canonical-json.ts';
import { corrupt } from '../format/corrupt.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';

/** A marker is below two hundred bytes; more is not one. */
export const MAX_MARKER_BYTES = 1024;

/**
 * The object `clusters/<cluster>`: there is such a root, and it is encrypted under this master key.
 * Whoever can write to the bucket can write another; so it is where a reader begins, and never a
 * proof.
 */
export interface ClusterMarker {
  readonly clusterId: ClusterId;
  /** undefined: the root is clear. */
  readonly masterKeyId: string | undefined;
}

export function encodeClusterMarker({ clusterId, masterKeyId }: ClusterMarker): Uint8Array {
  const marker = { clusterId, formatVersion: FORMAT_VERSION };
  return Buffer.from(
    canonicalJson(masterKeyId === undefined ? marker : { ...marker, masterKeyId }),
  );
}

/** @throws CloudvolError `format/corrupt`, also for the marker of another root. */
export function decodeClusterMarker(bytes: Uint8Array, clusterId: ClusterId): ClusterMarker {
  const what = `the marker of ${clusterId}`;
  const value = parse(bytes, what);
  const isEncrypted = typeof value === 'object' && value !== null && 'masterKeyId' in value;
  const names = ['clusterId', 'formatVersion', ...(isEncrypted ? ['masterKeyId'] : [])];
  const fields = new JsonFields(value, what, names);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  fields.oneOf('clusterId', [clusterId]);
  const masterKeyId = isEncrypted ? fields.text('masterKeyId', isMasterKeyId) : undefined;
  return { clusterId, masterKeyId };
}

function parse(bytes: Uint8Array, what: string): JsonValue {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as JsonValue;
  } catch (error) {
    throw corrupt(`${what} is not JSON`, error);
  }
}

export function isMasterKeyId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}
