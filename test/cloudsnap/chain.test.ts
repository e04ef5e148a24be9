import test from 'ava';
import { dependantsOf, nextSequence, withWholeChains } from '../../src/cloudsnap/chain.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import type { Slot } from '../../src/cloudsnap/manifest-catalog.ts';
import { manifestKey } from '../../src/cloudsnap/object-keys.ts';
import { CLUSTER, MANIFEST, VOLUME } from '../format/samples.ts';

const snapName = (sequence: number, incremental: boolean) =>
  `${VOLUME}-${sequence}00000000${incremental ? '-incr' : ''}`;

/** A full without a parent, an incremental with one. */
function entry(sequence: number, parentSequence?: number): CloudsnapEntry {
  const incremental = parentSequence !== undefined;
  const parentName = `${CLUSTER}/${snapName(parentSequence ?? 0, false)}`;
  const parent = incremental ? { cloudsnapId: parentName, manifestSha256: '0'.repeat(64) } : null;
  const cloudsnapId = `${CLUSTER}/${snapName(sequence, incremental)}`;
  return { manifest: { ...MANIFEST, cloudsnapId, sequence, parent }, manifestSha256: '' };
}

function slot(sequence: number, state: 'visible' | 'tombstoned' | 'tombstone' = 'visible'): Slot {
  const key = manifestKey(CLUSTER, VOLUME, sequence);
  const manifest = state === 'tombstone' ? undefined : { key, sizeBytes: 1, modifiedMs: 1 };
  const place = { key, clusterId: CLUSTER, volumeId: VOLUME, sequence };
  return { ...place, manifest, tombstoned: state !== 'visible' };
}

const sequencesOf = (entries: readonly CloudsnapEntry[]) =>
  entries.map(({ manifest }) => manifest.sequence);

test('the next number is above every manifest and every tombstone', (t) => {
  t.is(nextSequence([]), 1);
  t.is(nextSequence([slot(3), slot(1)]), 4);
  t.is(nextSequence([slot(3), slot(7, 'tombstone')]), 8);
  t.throws(() => nextSequence([slot(9_999_999_999)]), { code: 'cloudsnap/no-sequence' });
});

test('dependants are those after a cloudsnap up to the next full', (t) => {
  const entries = [entry(5), entry(2, 1), entry(1), entry(4, 2), entry(6, 5)];
  t.deepEqual(sequencesOf(dependantsOf(1, entries)), [2, 4]);
  t.deepEqual(sequencesOf(dependantsOf(2, entries)), [4]);
  t.deepEqual(sequencesOf(dependantsOf(4, entries)), []);
  t.deepEqual(sequencesOf(dependantsOf(5, entries)), [6]);
});

test('an incremental is there only while every one before it in its chain is', (t) => {
  const entries = [entry(1), entry(2, 1), entry(3, 2), entry(4, 3), entry(5), entry(6, 5)];
  const slots = (state: 'visible' | 'tombstoned') => [
    slot(1),
    slot(2, state),
    slot(3),
    slot(4),
    slot(5),
    slot(6),
  ];
  t.deepEqual(sequencesOf(withWholeChains(entries, slots('visible'))), [1, 2, 3, 4, 5, 6]);
  t.deepEqual(sequencesOf(withWholeChains(entries, slots('tombstoned'))), [1, 5, 6]);
  t.deepEqual(sequencesOf(withWholeChains([entry(3, 2)], [slot(3)])), []);
});
