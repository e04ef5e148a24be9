import { parseCloudsnapId, type CloudsnapName } from '../format/cloudsnap-id.ts';
import type { Sealing } from '../format/envelope.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';
import { decodeJsonRecord, encodeJsonRecord } from '../format/json-record.ts';
import type { Slot } from './manifest-catalog.ts';

/**
 * Names the cloudsnap, so that its deletion can be finished even when the manifest is gone already.
 */
export function encodeTombstone(
  cloudsnapId: string,
  deletedMs: number,
  sealing?: Sealing,
): Uint8Array {
  return encodeJsonRecord({ cloudsnapId, deletedMs, formatVersion: FORMAT_VERSION }, sealing);
}

/**
 * Whose objects may be removed.
 * @throws CloudvolError `format/corrupt` also when it names a cloudsnap of another place.
 */
export function decodeTombstone(bytes: Uint8Array, slot: Slot, sealing?: Sealing): CloudsnapName {
  const what = `the tombstone of ${slot.key}`;
  const fields = new JsonFields(decodeJsonRecord(bytes, what, sealing), what, [
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
