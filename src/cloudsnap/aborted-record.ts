import type { Sealing } from '../format/envelope.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';
import { decodeJsonRecord, encodeJsonRecord } from '../format/json-record.ts';
import type { ManifestKey } from './object-keys.ts';

/**
 * No aborted record is longer, encrypted or not, and next to no manifest is shorter: so a listing
 * tells which objects may be one.
 */
export const MAX_ABORTED_BYTES = 384;

type Place = Pick<ManifestKey, 'clusterId' | 'volumeId' | 'sequence'>;

/**
 * Lies where a manifest would: this number of the volume is given up, and nobody who still reaches
 * for it can publish.
 */
export function encodeAborted(
  { clusterId, volumeId, sequence }: Place,
  end: { readonly generation: number; readonly abortedMs: number },
  sealing?: Sealing,
): Uint8Array {
  const record = { ...end, clusterId, formatVersion: FORMAT_VERSION, sequence, volumeId };
  return encodeJsonRecord(record, sealing);
}

/** @throws CloudvolError `format/corrupt` for everything that is no such record of this place. */
export function decodeAborted(bytes: Uint8Array, place: Place, sealing?: Sealing): void {
  const what = `the aborted record ${place.sequence} of volume ${place.volumeId}`;
  const fields = new JsonFields(decodeJsonRecord(bytes, what, sealing), what, [
    'abortedMs',
    'clusterId',
    'formatVersion',
    'generation',
    'sequence',
    'volumeId',
  ]);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  fields.count('abortedMs');
  fields.count('generation');
  fields.text('clusterId', (text) => text === place.clusterId);
  fields.text('volumeId', (text) => text === place.volumeId);
  if (fields.count('sequence') !== place.sequence) throw fields.wrong('sequence');
}
