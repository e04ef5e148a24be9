import test from 'ava';
import { parseMountInfo, readMounts } from '../../src/volume/mount-table.ts';

test('mount points and sources are read, with any number of optional fields', (t) => {
  const text = [
    '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    '37 35 0:44 / /run/volumes/a rw shared:5 master:2 propagate_from:3 - fuse cloudvol rw',
    '38 35 7:0 / /mnt/plain rw - ext4 /dev/loop0 rw',
    '',
  ].join('\n');
  t.deepEqual(parseMountInfo(text), [
    { device: '98:0', mountPoint: '/mnt2', fileSystemType: 'ext3', source: '/dev/root' },
    { device: '0:44', mountPoint: '/run/volumes/a', fileSystemType: 'fuse', source: 'cloudvol' },
    { device: '7:0', mountPoint: '/mnt/plain', fileSystemType: 'ext4', source: '/dev/loop0' },
  ]);
});

test('escaped characters, and a separator inside of a name, are read as they are', (t) => {
  const line = String.raw`1 2 0:5 / /a\040-\040b\134\011\012c rw - tmpfs my\040source rw`;
  t.deepEqual(parseMountInfo(line), [
    {
      device: '0:5',
      mountPoint: '/a - b\\\t\nc',
      fileSystemType: 'tmpfs',
      source: 'my source',
    },
  ]);
});

test('lines that are not mounts are passed over', (t) => {
  t.deepEqual(parseMountInfo('nonsense\n1 2 - \n - \n'), []);
});

test('the mounts of this process are there', async (t) => {
  t.true((await readMounts()).some(({ mountPoint }) => mountPoint === '/'));
});
