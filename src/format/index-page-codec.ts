import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { MAX_SNAP_NAME_BYTES, requireSnapName } from './cloudsnap-id.ts';
import { corrupt } from './corrupt.ts';
import { HASH_BYTES } from './content-hash.ts';
import { ENVELOPE_BYTES, seal, unseal, type Sealing } from './envelope.ts';
import {
  FRAME_HEADER_BYTES,
  FRAME_TAG_BYTES,
  frameBytes,
  isPossiblePayload,
  isSealed,
} from './frame.ts';
import { IndexPage, PAGE_BLOCKS, type FramePlace, type PackRef } from './index-page.ts';
import { MAX_PACK_BYTES, PACK_HEADER_BYTES, PACK_ID_BYTES } from './pack.ts';

/**
 * An index page as stored, inside an envelope `CVIP`:
 *
 *   text    snap name of the cloudsnap that wrote the page
 *   varint  page number
 *   table   count, then the snap names of the packs
 *   table   count, then per pack: varint position of its snap name, 16 bytes pack id
 *   runs    varint (slots << 1 | has frames), alternating, 256 slots in all; a run with frames is
 *           followed, per slot, by varint position of the pack, varint gap, varint (payload
 *           bytes << 3 | encoding)
 *   hashes  32 bytes per frame
 *
 * The gap counts from the end of the frame before in the same pack (from the pack's header for the
 * first), so that overlapping frames cannot be expressed. Tables stand in order of first use: a
 * page has one encoding.
 */
export interface PageIdentity {
  readonly snapName: string;
  readonly pageNumber: number;
}

/**
 * Every slot with a frame in a pack of its own, and everything as long as it can be, is below 28
 * KiB.
 */
export const MAX_PAGE_RECORD_BYTES = 32 << 10;
export const MAX_PAGE_BYTES = MAX_PAGE_RECORD_BYTES + ENVELOPE_BYTES;
/** Of 2^28 blocks. */
export const MAX_PAGES = 2 ** 20;

/** Three bits of a number are the encoding. */
const ENCODINGS = 8;

export function encodeIndexPage(
  page: IndexPage,
  identity: PageIdentity,
  sealing?: Sealing,
): Uint8Array<ArrayBuffer> {
  return seal('CVIP', encodePageRecord(page, identity), sealing);
}

/**
 * @throws CloudvolError `format/corrupt`, also for a sound page of another cloudsnap or another
 * place.
 */
export function decodeIndexPage(
  sealed: Uint8Array,
  expected: PageIdentity,
  blockBytes: number,
  sealing?: Sealing,
): IndexPage {
  const record = unseal('CVIP', sealed, MAX_PAGE_RECORD_BYTES, sealing);
  const page = decodePageRecord(record, expected, blockBytes);
  for (let slot = 0; slot < PAGE_BLOCKS; slot++) {
    const place = page.place(slot);
    if (place && isSealed(place.encoding) !== (sealing !== undefined)) {
      throw corrupt(`index page ${expected.pageNumber} names clear and encrypted frames`);
    }
  }
  return page;
}

/**
 * The part inside the envelope; apart, so that tests can tell what differs and reach what a
 * checksum hides.
 */
export function encodePageRecord(page: IndexPage, identity: PageIdentity): Uint8Array<ArrayBuffer> {
  const places = Array.from({ length: PAGE_BLOCKS }, (_, slot) => page.place(slot));
  const packs = new Map<PackRef, number>();
  for (const place of places)
    if (place && !packs.has(place.pack)) packs.set(place.pack, packs.size);
  const snapNames = [...new Set(packs.keys().map((pack) => pack.snapName))];
  const writer = new ByteWriter().text(identity.snapName).varint(identity.pageNumber);
  writer.varint(snapNames.length);
  for (const snapName of snapNames) writer.text(snapName);
  writer.varint(packs.size);
  for (const pack of packs.keys()) {
    writer.varint(snapNames.indexOf(pack.snapName)).bytes(Buffer.from(pack.packId, 'hex'));
  }
  const runs = runsOf(places);
  const ends: number[] = [];
  for (const { firstSlot, count, hasFrames } of runs) {
    writer.varint(count * 2 + Number(hasFrames));
    for (const place of places.slice(firstSlot, firstSlot + count)) {
      if (place) writePlace(writer, place, packs, ends);
    }
  }
  for (const { firstSlot, count, hasFrames } of runs) {
    if (hasFrames) writer.bytes(page.hashes(firstSlot, count));
  }
  return writer.finish();
}

interface Run {
  readonly firstSlot: number;
  readonly count: number;
  readonly hasFrames: boolean;
}

function runsOf(places: readonly (FramePlace | undefined)[]): Run[] {
  const runs: Run[] = [];
  for (let slot = 0; slot < places.length;) {
    const firstSlot = slot;
    const hasFrames = places[firstSlot] !== undefined;
    while (slot < places.length && (places[slot] !== undefined) === hasFrames) slot++;
    runs.push({ firstSlot, count: slot - firstSlot, hasFrames });
  }
  return runs;
}

/** @param ends where the frames written so far end, per pack. */
function writePlace(
  writer: ByteWriter,
  place: FramePlace,
  packs: ReadonlyMap<PackRef, number>,
  ends: number[],
): void {
  const { pack, offsetBytes, payloadBytes, encoding } = place;
  const position = packs.get(pack) ?? 0;
  writer.varint(position).varint(offsetBytes - (ends[position] ?? PACK_HEADER_BYTES));
  writer.varint(payloadBytes * ENCODINGS + encoding);
  ends[position] = offsetBytes + frameBytes(payloadBytes);
}

/** @throws CloudvolError `format/corrupt` */
export function decodePageRecord(
  record: Uint8Array,
  expected: PageIdentity,
  blockBytes: number,
): IndexPage {
  const reader = new ByteReader(record, `index page ${expected.pageNumber}`);
  const snapName = reader.text(MAX_SNAP_NAME_BYTES);
  const pageNumber = reader.varint(MAX_PAGES);
  if (snapName !== expected.snapName || pageNumber !== expected.pageNumber) {
    throw reader.wrong(`it is page ${pageNumber} of another cloudsnap or place`);
  }
  const packs = readPacks(reader);
  const page = new IndexPage();
  for (const { firstSlot, count } of readRuns(reader, page, packs, blockBytes)) {
    page.setHashes(firstSlot, reader.bytes(count * HASH_BYTES));
  }
  reader.expectEnd();
  return page;
}

function readPacks(reader: ByteReader): PackRef[] {
  const names = Array.from({ length: reader.varint(PAGE_BLOCKS) }, () =>
    requireSnapName(reader.text(MAX_SNAP_NAME_BYTES)),
  );
  let namesUsed = 0;
  const packs = Array.from({ length: reader.varint(PAGE_BLOCKS) }, () => {
    const position = reader.varint(namesUsed);
    const name = names[position];
    if (!name) throw reader.wrong('a pack of no cloudsnap');
    if (position === namesUsed) namesUsed++;
    return {
      snapName: name.snapName,
      packId: Buffer.from(reader.bytes(PACK_ID_BYTES)).toString('hex'),
    };
  });
  if (namesUsed !== names.length) throw reader.wrong('a cloudsnap without a pack');
  const distinct = new Set(packs.map((pack) => `${pack.snapName}/${pack.packId}`));
  if (distinct.size !== packs.length) throw reader.wrong('a pack that is named twice');
  return packs;
}

/** Fills the page but for the hashes; returns the runs that have some. */
function readRuns(
  reader: ByteReader,
  page: IndexPage,
  packs: readonly PackRef[],
  blockBytes: number,
): Run[] {
  const runs: Run[] = [];
  const ends: number[] = [];
  let hadFrames: boolean | undefined;
  for (let slot = 0; slot < PAGE_BLOCKS;) {
    const header = reader.varint((PAGE_BLOCKS - slot) * 2 + 1);
    const run = { firstSlot: slot, count: header >> 1, hasFrames: (header & 1) === 1 };
    if (run.count === 0 || run.hasFrames === hadFrames) throw reader.wrong('a run that is none');
    hadFrames = run.hasFrames;
    slot += run.count;
    if (!run.hasFrames) continue;
    runs.push(run);
    for (let at = run.firstSlot; at < slot; at++) {
      page.set(at, readPlace(reader, packs, ends, blockBytes));
    }
  }
  if (ends.length !== packs.length) throw reader.wrong('a pack without a frame');
  return runs;
}

/**
 * @param ends where the frames read so far end, per pack; grows by the packs in their order of
 * first use.
 */
function readPlace(
  reader: ByteReader,
  packs: readonly PackRef[],
  ends: number[],
  blockBytes: number,
): FramePlace {
  const position = reader.varint(ends.length);
  const pack = packs[position];
  if (!pack) throw reader.wrong('a frame in no pack');
  const offsetBytes = (ends[position] ?? PACK_HEADER_BYTES) + reader.varint(MAX_PACK_BYTES);
  const size = reader.varint((blockBytes + FRAME_TAG_BYTES) * ENCODINGS + ENCODINGS - 1);
  const encoding = size % ENCODINGS;
  const payloadBytes = Math.floor(size / ENCODINGS);
  if (!isPossiblePayload(encoding, payloadBytes, blockBytes)) {
    throw reader.wrong(`${payloadBytes} bytes in encoding ${encoding}`);
  }
  const end = offsetBytes + FRAME_HEADER_BYTES + payloadBytes;
  if (end > MAX_PACK_BYTES) throw reader.wrong('a frame beyond the end of its pack');
  ends[position] = end;
  return { pack, offsetBytes, payloadBytes, encoding };
}
