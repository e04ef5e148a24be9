import type { ClusterId, VolumeId } from '../base/ids.ts';
import type { Sealing } from '../format/envelope.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';
import { decodeJsonRecord, encodeJsonRecord } from '../format/json-record.ts';

/** No lease that a record claims holds anybody up for longer than this. */
const MAX_LEASE_MS = 3600 * 1000;
const HOST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Who may write for a volume, under `owner/<volume>/<generation>`. */
export interface OwnerRecord {
  readonly clusterId: ClusterId;
  readonly volumeId: VolumeId;
  readonly generation: number;
  /** Letters, digits, `.`, `_`, `-`; at most 64. */
  readonly hostId: string;
  /** How long others wait without a sign of life. */
  readonly leaseMs: number;
  /** Makes every record different, so that a lost answer is recognised. */
  readonly nonce: string;
}

export function encodeOwnerRecord(record: OwnerRecord, sealing?: Sealing): Uint8Array {
  return encodeJsonRecord({ ...record, formatVersion: FORMAT_VERSION }, sealing);
}

/** @throws CloudvolError `format/corrupt` also when it is the record of another place. */
export function decodeOwnerRecord(
  bytes: Uint8Array,
  place: Pick<OwnerRecord, 'clusterId' | 'volumeId' | 'generation'>,
  sealing?: Sealing,
): OwnerRecord {
  const what = `the owner's record of volume ${place.volumeId}`;
  const fields = new JsonFields(decodeJsonRecord(bytes, what, sealing), what, [
    'clusterId',
    'formatVersion',
    'generation',
    'hostId',
    'leaseMs',
    'nonce',
    'volumeId',
  ]);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  fields.text('clusterId', (text) => text === place.clusterId);
  fields.text('volumeId', (text) => text === place.volumeId);
  if (fields.count('generation') !== place.generation) throw fields.wrong('generation');
  return {
    ...place,
    hostId: fields.text('hostId', (text) => HOST_ID.test(text)),
    leaseMs: fields.count('leaseMs', MAX_LEASE_MS),
    nonce: fields.text('nonce', (text) => text.length <= 64),
  };
}
