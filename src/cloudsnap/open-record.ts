import type { Sealing } from '../format/envelope.ts';
import { FORMAT_VERSION } from '../format/format-version.ts';
import { JsonFields } from '../format/json-fields.ts';
import { decodeJsonRecord, encodeJsonRecord } from '../format/json-record.ts';

export interface OpenRecord {
  readonly cloudsnapId: string;
  readonly openedMs: number;
  /** Of the owner that began it; 0 where none was written. */
  readonly generation: number;
}

/** Says who began a cloudsnap and when, for whoever finds its objects without a manifest. */
export function encodeOpen(record: OpenRecord, sealing?: Sealing): Uint8Array {
  return encodeJsonRecord({ ...record, formatVersion: FORMAT_VERSION }, sealing);
}

/** @throws CloudvolError `format/corrupt` also when it is that of another cloudsnap. */
export function decodeOpen(bytes: Uint8Array, cloudsnapId: string, sealing?: Sealing): OpenRecord {
  const what = `the first object of ${cloudsnapId}`;
  const value = decodeJsonRecord(bytes, what, sealing);
  const names = ['cloudsnapId', 'formatVersion', 'openedMs'];
  // The first cloudsnaps were begun without an owner.
  const isOwned = typeof value === 'object' && value !== null && 'generation' in value;
  const fields = new JsonFields(value, what, isOwned ? [...names, 'generation'] : names);
  if (fields.count('formatVersion') !== FORMAT_VERSION) throw fields.wrong('formatVersion');
  return {
    cloudsnapId: fields.text('cloudsnapId', (text) => text === cloudsnapId),
    openedMs: fields.count('openedMs'),
    generation: isOwned ? fields.count('generation') : 0,
  };
}
