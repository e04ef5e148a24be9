import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ClusterId, VolumeId } from '../../src/base/ids.ts';
import { decodeAborted, encodeAborted } from '../../src/cloudsnap/aborted-record.ts';
import { EncryptedRoot } from '../../src/cloudsnap/encrypted-root.ts';
import { manifestKey, openKey, ownerKey } from '../../src/cloudsnap/object-keys.ts';
import { decodeOpen, encodeOpen } from '../../src/cloudsnap/open-record.ts';
import { decodeOwnerRecord, encodeOwnerRecord } from '../../src/cloudsnap/owner-record.ts';
import { KeyTree } from '../../src/crypto/key-tree.ts';

interface Frozen {
  readonly key: string;
  readonly clear: string;
  /** Base64. */
  readonly encrypted: string;
}

const PATH = join(import.meta.dirname, 'records-v1/records.json');
const FROZEN = JSON.parse(readFileSync(PATH, 'utf8')) as Record<string, Frozen>;
const clusterId = '2e4d4b67-95d7-481e-aec5-14223ac55170' as ClusterId;
const volumeId = '56706279008755778' as VolumeId;
const snapName = '56706279008755778-412345678';
const cloudsnapId = `${clusterId}/${snapName}`;
const owner = { clusterId, volumeId, generation: 3, hostId: 'host-1', leaseMs: 300_000 };
const root = new EncryptedRoot('0123456789abcdef'.repeat(2), new KeyTree(Buffer.alloc(32, 7)));

function frozen(name: string, key: string) {
  const record = FROZEN[name]!;
  const encrypted = Buffer.from(record.encrypted, 'base64');
  const sealing = root.sealing(key);
  return { record, encrypted, sealing, clear: Buffer.from(record.clear) };
}

test('the frozen owner’s record means what it meant, and is written the same', (t) => {
  const key = ownerKey(clusterId, volumeId, 3);
  const { record, clear, encrypted, sealing } = frozen('owner', key);
  const meant = { ...owner, nonce: '00112233aabbccdd' };
  t.is(record.key, key);
  t.deepEqual(decodeOwnerRecord(clear, meant), meant);
  t.deepEqual(decodeOwnerRecord(encrypted, meant, sealing), meant);
  t.deepEqual(Buffer.from(encodeOwnerRecord(meant)), clear);
});

test('the frozen first object means what it meant, and is written the same', (t) => {
  const key = openKey(clusterId, snapName);
  const { record, clear, encrypted, sealing } = frozen('open', key);
  const meant = { cloudsnapId, openedMs: 1_704_067_200_000, generation: 3 };
  t.is(record.key, key);
  t.deepEqual(decodeOpen(clear, cloudsnapId), meant);
  t.deepEqual(decodeOpen(encrypted, cloudsnapId, sealing), meant);
  t.deepEqual(Buffer.from(encodeOpen(meant)), clear);
  // Of before there were owners.
  const earlier = Buffer.from(record.clear.replace(',"generation":3', ''));
  t.deepEqual(decodeOpen(earlier, cloudsnapId), { ...meant, generation: 0 });
});

test('the frozen aborted record means what it meant, and is written the same', (t) => {
  const key = manifestKey(clusterId, volumeId, 4);
  const { record, clear, encrypted, sealing } = frozen('aborted', key);
  const place = { clusterId, volumeId, sequence: 4 };
  t.is(record.key, key);
  t.notThrows(() => decodeAborted(clear, place));
  t.notThrows(() => decodeAborted(encrypted, place, sealing));
  t.throws(() => decodeAborted(encrypted, { ...place, sequence: 5 }, sealing));
  const end = { generation: 3, abortedMs: 1_704_067_200_001 };
  t.deepEqual(Buffer.from(encodeAborted(place, end)), clear);
});
