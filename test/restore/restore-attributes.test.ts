import test from 'ava';
import type { Manifest } from '../../src/cloudsnap/cloudsnap-api.ts';
import { restoredAttributes } from '../../src/restore/restore-attributes.ts';

function manifest(fileSystem: string): Manifest {
  const volume = {
    id: '42',
    name: 'db',
    sizeBytes: 8 << 20,
    blockBytes: 4096,
    fileSystem,
    labels: { app: 'pg' },
  };
  return { cloudsnapId: 'c/42-1', volume } as Partial<Record<keyof Manifest, unknown>> as Manifest;
}
const free = () => false;

test('a restored volume inherits file system, size, block size and labels, not the name', (t) => {
  const attributes = restoredAttributes(manifest('ext4'), undefined, free);
  t.deepEqual(attributes, {
    name: 'Restore-42-1',
    geometry: { sizeBytes: 8 << 20, blockBytes: 4096, blockCount: 2048 },
    fileSystem: 'ext4',
    labels: { app: 'pg' },
  });
});

test('the default name is the first that is free', (t) => {
  const taken = new Set(['Restore-42-1', 'Restore-42-2', 'Restore-42-4']);
  const { name } = restoredAttributes(manifest('none'), undefined, (known) => taken.has(known));
  t.is(name, 'Restore-42-3');
});

test('a name that was given is kept', (t) => {
  t.is(restoredAttributes(manifest('xfs'), 'mine', free).name, 'mine');
});

test('a file system that this version does not know is refused by name', (t) => {
  t.throws(() => restoredAttributes(manifest('zfs'), undefined, free), {
    code: 'restore/unknown-file-system',
    message: /c\/42-1 .* zfs/,
  });
});
