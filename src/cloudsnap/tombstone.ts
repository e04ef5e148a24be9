import type { JsonValue } from '../format/canonical-json.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { parseCloudsnapId, type CloudsnapName } from '../format/cloudsnap-id.ts';
import { corrupt } from '../format/corrupt.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';
import type { Slot } from './manifest-catalog.ts';

/** A tombstone is a few hundred bytes; more is not one. */
export const MAX_TOMBSTONE_BYTES = 1024;

/**
 * Names the cloudsnap, so that its deletion can be finished even when the manifest is gone already.
 */
export function encodeTombstone(cloudsnapId: string, deletedMs: number): Uint8Array {
  return Buffer.from(canonicalJson({ cloudsnapId, deletedMs, formatVersion: FORMAT_VERSION }));
}

/**
 * Whose objects may be removed.
 * @throws CloudvolError `format/corrupt` also when it names a cloudsnap of another place.
 */
export function decodeTombstone(bytes: Uint8Array, slot: Slot): CloudsnapName {
  const what = `the tombstone of ${slot.key}`;
  const fields = new JsonFields(parse(bytes, what), what, [
    'cloudsnapId',
    'deletedMs',
    'formatVersion',
  ]);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  fields.count('deletedMs');
  const name = parseCloudsnapId(fields.text('cloudsnapId', (text) => text.length > 0));
  const belongs =
    name?.clusterId === slot.clusterId &&
    name.volumeId === slot.volumeId &&
    name.sequence === slot.sequence;
  if (!belongs) throw fields.wrong('cloudsnapId');
  return name;
}

function parse(bytes: Uint8Array, what: string): JsonValue {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as JsonValue;
  } catch (error) {
    throw corrupt(`${what} is not JSON`, error);
  }
}
