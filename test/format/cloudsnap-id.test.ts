import test from 'ava';
import {
  MAX_SEQUENCE,
  MAX_SNAP_NAME_BYTES,
  newSnapName,
  parseCloudsnapId,
  parseSnapName,
} from '../../src/format/cloudsnap-id.ts';
import { CLUSTER, VOLUME } from './samples.ts';

test('a new name says its volume, its sequence number and whether it is incremental', (t) => {
  for (const sequence of [1, 9, 10, 123_456, MAX_SEQUENCE]) {
    for (const incremental of [false, true]) {
      const snapName = newSnapName(VOLUME, sequence, incremental);
      t.true(snapName.length <= MAX_SNAP_NAME_BYTES);
      t.deepEqual(parseSnapName(snapName), { volumeId: VOLUME, sequence, incremental, snapName });
      const id = parseCloudsnapId(`${CLUSTER}/${snapName}`);
      t.is(id?.clusterId, CLUSTER);
    }
  }
});

test('what cannot be a name is none', (t) => {
  const wrong = [
    '',
    '1-2',
    '1-12345678',
    '01-112345678',
    '1-0112345678',
    '1-112345678-full',
    '1-112345678-incr-incr',
    'x-112345678',
    '1-1123456789012345678',
    ' 1-112345678',
    '1-112345678\n',
  ];
  for (const name of wrong) t.is(parseSnapName(name), undefined, name);
  for (const id of [
    '1-112345678',
    '/1-112345678',
    '../1-112345678',
    'a..b/1-112345678',
    'a/b/1-112345678',
    '-x/1-112345678',
  ]) {
    t.is(parseCloudsnapId(id), undefined, id);
  }
  t.truthy(parseCloudsnapId('my-bucket.backup/1-112345678'));
});
