import { geometryOf, MAX_BLOCK_BYTES, MAX_BLOCKS_PER_VOLUME } from '../base/geometry.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { MAX_SNAP_NAME_BYTES, requireSnapName } from './cloudsnap-id.ts';
import { ENVELOPE_BYTES, seal, unseal, type Sealing } from './envelope.ts';
import { MAX_PAGE_BYTES } from './index-page-codec.ts';
import { IndexRoot, type IndexObjectRef, type PageRef } from './index-root.ts';

/**
 * A root as stored, inside an envelope `CVRT`:
 *
 *   text    snap name of the cloudsnap
 *   varint  block size in bytes, varint number of blocks
 *   table   count, then the snap names that own index objects
 *   table   count, then per index object: varint position of its snap name, varint number,
 *           varint length in bytes
 *   runs    varint (pages << 1 | stored), alternating, one page per 256 blocks in all; a stored
 *           run is followed, per page, by varint position of the object, varint gap, varint length
 *
 * The gap counts from the end of the page before in the same object, so that overlapping pages
 * cannot be expressed. Tables stand in order of first use.
 */

/**
 * An index object is closed when it has grown beyond this: one request fetches pages for 14 GiB of
 * volume.
 */
export const INDEX_TARGET_BYTES = 8 << 20;
export const MAX_INDEX_OBJECT_BYTES = INDEX_TARGET_BYTES + MAX_PAGE_BYTES;
/** A chain has a period of seven by default; this lets it be some hundred times as long. */
const MAX_SNAP_NAMES = 4096;
/** A full one of the largest volume has about 1,300; the rest is for incrementals. */
const MAX_OBJECTS = 65_536;
/** 2^20 pages with ten bytes each, and the tables. */
export const MAX_ROOT_RECORD_BYTES = 16 << 20;
export const MAX_ROOT_BYTES = MAX_ROOT_RECORD_BYTES + ENVELOPE_BYTES;

export function encodeIndexRoot(
  root: IndexRoot,
  snapName: string,
  sealing?: Sealing,
): Uint8Array<ArrayBuffer> {
  return seal('CVRT', encodeRootRecord(root, snapName), sealing);
}

/** @throws CloudvolError `format/corrupt`, also for a sound root of another cloudsnap. */
export function decodeIndexRoot(
  sealed: Uint8Array,
  snapName: string,
  sealing?: Sealing,
): IndexRoot {
  return decodeRootRecord(unseal('CVRT', sealed, MAX_ROOT_RECORD_BYTES, sealing), snapName);
}

/** The part inside the envelope; apart for the same reasons as that of a page. */
export function encodeRootRecord(root: IndexRoot, snapName: string): Uint8Array<ArrayBuffer> {
  const { objects, snapNames } = tablesOf(root);
  const writer = new ByteWriter().text(snapName).varint(root.blockBytes).varint(root.blockCount);
  writer.varint(snapNames.size);
  for (const name of snapNames.keys()) writer.text(name);
  writer.varint(objects.size);
  for (const object of objects.keys()) {
    writer.varint(snapNames.get(object.snapName) ?? 0);
    writer.varint(object.number).varint(object.lengthBytes);
  }
  writeRuns(writer, root, objects);
  return writer.finish();
}

/** Only what pages refer to, in order of first use, with positions. */
function tablesOf(root: IndexRoot) {
  const objects = new Map<IndexObjectRef, number>();
  const snapNames = new Map<string, number>();
  for (let number = 0; number < root.pageCount; number++) {
    const object = root.get(number)?.object;
    if (!object || objects.has(object)) continue;
    objects.set(object, objects.size);
    if (!snapNames.has(object.snapName)) snapNames.set(object.snapName, snapNames.size);
  }
  return { objects, snapNames };
}

function writeRuns(
  writer: ByteWriter,
  root: IndexRoot,
  objects: ReadonlyMap<IndexObjectRef, number>,
): void {
  const ends = new Uint32Array(objects.size);
  for (let number = 0; number < root.pageCount;) {
    const start = number;
    const stored = root.get(start) !== undefined;
    while (number < root.pageCount && (root.get(number) !== undefined) === stored) number++;
    writer.varint((number - start) * 2 + Number(stored));
    for (let at = start; stored && at < number; at++) {
      writePage(writer, root.get(at), objects, ends);
    }
  }
}

function writePage(
  writer: ByteWriter,
  page: PageRef | undefined,
  objects: ReadonlyMap<IndexObjectRef, number>,
  ends: Uint32Array,
): void {
  if (!page) return;
  const position = objects.get(page.object) ?? 0;
  writer.varint(position).varint(page.offsetBytes - (ends[position] ?? 0));
  writer.varint(page.lengthBytes);
  ends[position] = page.offsetBytes + page.lengthBytes;
}

/** @throws CloudvolError `format/corrupt` */
export function decodeRootRecord(record: Uint8Array, snapName: string): IndexRoot {
  const reader = new ByteReader(record, `the root of ${snapName}`);
  if (reader.text(MAX_SNAP_NAME_BYTES) !== snapName) {
    throw reader.wrong('it is the root of another cloudsnap');
  }
  const blockBytes = reader.varint(MAX_BLOCK_BYTES);
  const blockCount = reader.varint(MAX_BLOCKS_PER_VOLUME);
  try {
    geometryOf(blockBytes * blockCount, blockBytes);
  } catch (error) {
    throw reader.wrong(`${blockCount} blocks of ${blockBytes} bytes`, error);
  }
  const objects = readObjects(reader);
  const root = new IndexRoot(blockBytes, blockCount);
  readRuns(reader, root, objects);
  reader.expectEnd();
  return root;
}

function readObjects(reader: ByteReader): IndexObjectRef[] {
  const names = Array.from({ length: reader.varint(MAX_SNAP_NAMES) }, () =>
    requireSnapName(reader.text(MAX_SNAP_NAME_BYTES)),
  );
  let namesUsed = 0;
  const objects = Array.from({ length: reader.varint(MAX_OBJECTS) }, () => {
    const position = reader.varint(namesUsed);
    const name = names[position];
    if (!name) throw reader.wrong('an index object of no cloudsnap');
    if (position === namesUsed) namesUsed++;
    const number = reader.varint(MAX_OBJECTS);
    return { snapName: name.snapName, number, lengthBytes: reader.varint(MAX_INDEX_OBJECT_BYTES) };
  });
  if (namesUsed !== names.length) throw reader.wrong('a cloudsnap without an index object');
  const distinct = new Set(objects.map((object) => `${object.snapName}/${object.number}`));
  if (distinct.size !== objects.length) throw reader.wrong('an index object that is named twice');
  return objects;
}

function readRuns(reader: ByteReader, root: IndexRoot, objects: readonly IndexObjectRef[]): void {
  const ends: number[] = [];
  let wasStored: boolean | undefined;
  for (let number = 0; number < root.pageCount;) {
    const run = reader.varint((root.pageCount - number) * 2 + 1);
    const count = run >> 1;
    const stored = (run & 1) === 1;
    if (count === 0 || stored === wasStored) throw reader.wrong('a run that is none');
    wasStored = stored;
    for (const end = number + count; number < end; number++) {
      if (stored) root.set(number, readPage(reader, objects, ends));
    }
  }
  if (ends.length !== objects.length) throw reader.wrong('an index object without a page');
}

/**
 * @param ends where the pages read so far end, per object; grows by the objects in their order of
 * first use.
 */
function readPage(reader: ByteReader, objects: readonly IndexObjectRef[], ends: number[]): PageRef {
  const position = reader.varint(ends.length);
  const object = objects[position];
  if (!object) throw reader.wrong('a page in no index object');
  const offsetBytes = (ends[position] ?? 0) + reader.varint(MAX_INDEX_OBJECT_BYTES);
  const lengthBytes = reader.varint(MAX_PAGE_BYTES);
  const end = offsetBytes + lengthBytes;
  if (lengthBytes === 0 || end > object.lengthBytes) {
    throw reader.wrong('a page beyond the end of its index object');
  }
  ends[position] = end;
  return { object, offsetBytes, lengthBytes };
}
