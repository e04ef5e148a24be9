/** What a disk holds, by what stands at its beginning. */
export type DiskContent =
  | { readonly fileSystem: 'ext4' | 'xfs' }
  /** `content` names what it is, '' when nothing is known of it. */
  | { readonly fileSystem: 'none'; readonly content: string };

/** How much of a disk has to be read to know: the btrfs superblock is the farthest. */
export const PROBE_BYTES = 128 << 10;

interface Magic {
  readonly content: string;
  readonly offset: number;
  readonly bytes: string;
}

const text = (content: string, offset: number, letters: string): Magic => ({
  content,
  offset,
  bytes: Buffer.from(letters, 'latin1').toString('hex'),
});

/** Little-endian 0xEF53 at offset 56 of the superblock at 1024: linux fs/ext4/ext4.h. */
const EXT: Magic = { content: 'ext4', offset: 1024 + 56, bytes: '53ef' };
/** Linux fs/xfs/libxfs/xfs_format.h. */
const XFS = text('xfs', 0, 'XFSB');

/** In this order: a disk with a table has an entry of the older kind as well. */
const OTHERS: readonly Magic[] = [
  text('a LUKS container', 0, 'LUKS\u00ba\u00be'),
  text('a btrfs file system', 0x1_0040, '_BHRfS_M'),
  text('an LVM physical volume', 512, 'LABELONE'),
  text('swap space', 4096 - 10, 'SWAPSPACE2'),
  text('a GPT partition table', 512, 'EFI PART'),
  text('a GPT partition table', 4096, 'EFI PART'),
  { content: 'a partition table or boot sector', offset: 510, bytes: '55aa' },
];

/** @param start the first PROBE_BYTES of the disk, or all of a smaller one */
export function probeFileSystem(start: Uint8Array): DiskContent {
  const buffer = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const has = ({ offset, bytes }: Magic) =>
    buffer.toString('hex', offset, offset + bytes.length / 2) === bytes;
  if (has(XFS)) return { fileSystem: 'xfs' };
  if (has(EXT)) return { fileSystem: 'ext4' };
  return { fileSystem: 'none', content: OTHERS.find(has)?.content ?? '' };
}
