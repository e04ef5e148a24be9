import test from 'ava';
import { PROBE_BYTES, probeFileSystem } from '../../src/catalog/probe-file-system.ts';

type Mark = readonly [offset: number, letters: string];

function disk(...marks: readonly Mark[]): Uint8Array {
  const bytes = Buffer.alloc(PROBE_BYTES);
  for (const [offset, letters] of marks) bytes.write(letters, offset, 'latin1');
  return bytes;
}

const MBR = [510, '\x55\xaa'] as const;

test('a file system is known by its superblock, whatever stood there before', (t) => {
  t.deepEqual(probeFileSystem(disk([0, 'XFSB'])), { fileSystem: 'xfs' });
  t.deepEqual(probeFileSystem(disk([1080, '\x53\xef'])), { fileSystem: 'ext4' });
  t.deepEqual(probeFileSystem(disk(MBR, [1080, '\x53\xef'])), { fileSystem: 'ext4' });
});

test('what is no file system that can be read is named', (t) => {
  const content = (...marks: readonly Mark[]) => {
    const found = probeFileSystem(disk(...marks));
    return found.fileSystem === 'none' ? found.content : found.fileSystem;
  };
  t.is(content(), '');
  t.is(content(MBR), 'a partition table or boot sector');
  t.is(content(MBR, [512, 'EFI PART']), 'a GPT partition table');
  t.is(content([4096, 'EFI PART']), 'a GPT partition table');
  t.is(content([0, 'LUKS\xba\xbe']), 'a LUKS container');
  t.is(content([512, 'LABELONE']), 'an LVM physical volume');
  t.is(content([4086, 'SWAPSPACE2']), 'swap space');
  t.is(content([0x1_0040, '_BHRfS_M']), 'a btrfs file system');
});

test('a disk that is smaller than what is probed is no mistake', (t) => {
  t.deepEqual(probeFileSystem(new Uint8Array(512)), { fileSystem: 'none', content: '' });
});
