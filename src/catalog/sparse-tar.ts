/**
 * One sparse file as a tar archive: the extended header of POSIX.1-2001 (pax(1)) and the sparse
 * format 1.0 of GNU tar ("Sparse Formats" in its manual): a map of decimal numbers before the data.
 */

export interface SparseFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly modifiedMs: number;
}

/** A part of the file that holds data; the rest is a hole. */
export interface DataRange {
  readonly offset: number;
  readonly length: number;
}

const BLOCK = 512;
/** Eleven octal digits; larger sizes stand in the extended header. */
const MAX_OCTAL_SIZE = 0o77777777777;

/** Everything before the data, which follows as the ranges name it. */
export function sparseTarStart(file: SparseFile, ranges: readonly DataRange[]): Uint8Array {
  const map = padded(mapOf(file, ranges));
  const storedBytes = map.length + dataBytes(ranges);
  const records = Buffer.concat([
    record('GNU.sparse.major', '1'),
    record('GNU.sparse.minor', '0'),
    record('GNU.sparse.name', file.name),
    record('GNU.sparse.realsize', String(file.sizeBytes)),
    record('size', String(storedBytes)),
    record('mtime', (file.modifiedMs / 1000).toFixed(3)),
  ]);
  const seconds = Math.floor(file.modifiedMs / 1000);
  const common = { mode: file.mode, seconds };
  return Buffer.concat([
    header({ ...common, name: `PaxHeaders/${file.name}`, type: 'x', size: records.length }),
    padded(records),
    header({
      ...common,
      name: `GNUSparseFile.0/${file.name}`,
      type: '0',
      size: Math.min(storedBytes, MAX_OCTAL_SIZE),
    }),
    map,
  ]);
}

/** Everything after the data: up to a whole block, then the two blocks of zeros of the end. */
export function sparseTarEnd(ranges: readonly DataRange[]): Uint8Array {
  return new Uint8Array(paddingOf(dataBytes(ranges)) + 2 * BLOCK);
}

/** The last entry, of no length, says where the file ends. */
function mapOf({ sizeBytes }: SparseFile, ranges: readonly DataRange[]): Buffer {
  const numbers = ranges.flatMap(({ offset, length }) => [offset, length]);
  return Buffer.from(`${[ranges.length + 1, ...numbers, sizeBytes, 0].join('\n')}\n`);
}

function dataBytes(ranges: readonly DataRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

interface Header {
  readonly name: string;
  readonly mode: number;
  readonly size: number;
  readonly seconds: number;
  readonly type: 'x' | '0';
}

/** The fields of ustar, by offset and length: POSIX.1-2001, pax(1). */
function header({ name, mode, size, seconds, type }: Header): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0, 100, 'utf8');
  block.write(octal(mode, 7), 100, 'latin1');
  block.write(octal(0, 7), 108, 'latin1'); // uid
  block.write(octal(0, 7), 116, 'latin1'); // gid
  block.write(octal(size, 11), 124, 'latin1');
  block.write(octal(seconds, 11), 136, 'latin1');
  block.write('        ', 148, 'latin1'); // what the checksum counts in its own place
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

function paddingOf(length: number): number {
  return (BLOCK - (length % BLOCK)) % BLOCK;
}
