import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { MAX_BLOCK_BYTES, MAX_BLOCKS_PER_VOLUME } from '../base/geometry.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { parseCloudsnapId } from './cloudsnap-id.ts';
import { FORMAT_VERSION } from './format-version.ts';
import { decodePackRecord, MAX_PACK_RECORD_BYTES, type JournaledPack } from './pack-record.ts';

/**
 * The upload journal: what has arrived of a cloudsnap that is not committed yet. A local file of
 * records, only ever appended to; the first is the head.
 *
 *    0  4 bytes  kind: `CVUH` head, `CVUA` attempt, `CVUP` pack
 *    4  u32      bytes of the body
 *    8  …        the body
 *   -4  u32      CRC-32 of everything before in this record
 *
 * A record that is not whole ends the journal: what follows was being written when the power went.
 */
export type JournalRecord =
  | { readonly kind: 'head'; readonly head: JournalHead }
  | { readonly kind: 'attempt'; readonly attempt: JournalAttempt }
  | { readonly kind: 'pack'; readonly pack: JournaledPack };

/** What the upload is of. What goes on has to be the same in everything. */
export interface JournalHead {
  readonly cloudsnapId: string;
  /** Which repository: see CloudsnapRepository.id. */
  readonly repositoryId: string;
  /** Names the key that packs are encrypted and content hashes are made with; empty if none. */
  readonly keyId: string;
  readonly blockBytes: number;
  readonly blockCount: number;
  /** null: a full. */
  readonly parent: { readonly cloudsnapId: string; readonly manifestSha256: string } | null;
}

/** One beginning of the upload: the first, and each one that went on. */
export interface JournalAttempt {
  /** The instant that it uploads, as its manifest would say it. */
  readonly createdMs: number;
  /** By this host's clock. */
  readonly beganMs: number;
}

export const RECORD_HEADER_BYTES = 8;
export const RECORD_CHECKSUM_BYTES = 4;
/** A store's location may be a long URL. */
const MAX_ID_BYTES = 4096;
const MAX_TIME_MS = 8.64e15;
const SHA256_BYTES = 32;
const KINDS = { head: 'CVUH', attempt: 'CVUA', pack: 'CVUP' } as const;

export function encodeHead(head: JournalHead): Uint8Array {
  assert(Buffer.byteLength(head.repositoryId) <= MAX_ID_BYTES, 'a location has a bound');
  const writer = new ByteWriter()
    .u16(FORMAT_VERSION)
    .text(head.cloudsnapId)
    .text(head.repositoryId)
    .text(head.keyId)
    .varint(head.blockBytes)
    .varint(head.blockCount)
    .u8(head.parent ? 1 : 0);
  if (head.parent) {
    writer.text(head.parent.cloudsnapId).bytes(Buffer.from(head.parent.manifestSha256, 'hex'));
  }
  return encodeRecord('head', writer.finish());
}

export function encodeAttempt({ createdMs, beganMs }: JournalAttempt): Uint8Array {
  return encodeRecord('attempt', new ByteWriter().varint(createdMs).varint(beganMs).finish());
}

/** @param body what PackRecord makes. */
export function encodeRecord(kind: JournalRecord['kind'], body: Uint8Array): Uint8Array {
  const writer = new ByteWriter()
    .bytes(Buffer.from(KINDS[kind], 'latin1'))
    .u32(body.length)
    .bytes(body);
  return writer.u32(crc32(writer.finish())).finish();
}

/**
 * Bytes of the record that begins here, checksum and all.
 * @param bytes RECORD_HEADER_BYTES of them, or more.
 * @throws CloudvolError `format/corrupt` when there begins none.
 */
export function recordBytes(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes, WHAT);
  readKind(reader);
  const bodyBytes = reader.u32();
  if (bodyBytes > MAX_PACK_RECORD_BYTES) throw reader.wrong(`it claims ${bodyBytes} bytes`);
  return RECORD_HEADER_BYTES + bodyBytes + RECORD_CHECKSUM_BYTES;
}

/**
 * @param bytes exactly one record.
 * @throws CloudvolError `format/corrupt`
 */
export function decodeRecord(bytes: Uint8Array): JournalRecord {
  const reader = new ByteReader(bytes, WHAT);
  const kind = readKind(reader);
  const body = reader.bytes(reader.u32());
  const checksum = crc32(bytes.subarray(0, RECORD_HEADER_BYTES + body.length));
  if (reader.u32() !== checksum) throw reader.wrong('its checksum does not fit');
  reader.expectEnd();
  if (kind === 'pack') return { kind, pack: decodePackRecord(body) };
  const fields = new ByteReader(body, WHAT);
  const record: JournalRecord =
    kind === 'head'
      ? { kind, head: readHead(fields) }
      : { kind, attempt: { createdMs: readTime(fields), beganMs: readTime(fields) } };
  fields.expectEnd();
  return record;
}

const WHAT = 'a record of the upload journal';

function readKind(reader: ByteReader): JournalRecord['kind'] {
  switch (Buffer.from(reader.bytes(4)).toString('latin1')) {
    case KINDS.head:
      return 'head';
    case KINDS.attempt:
      return 'attempt';
    case KINDS.pack:
      return 'pack';
    default:
      throw reader.wrong('it is something else');
  }
}

function readTime(reader: ByteReader): number {
  return reader.varint(MAX_TIME_MS);
}

function readHead(reader: ByteReader): JournalHead {
  const version = reader.u16();
  if (version !== FORMAT_VERSION) throw reader.wrong(`it has format version ${version}`);
  const cloudsnapId = reader.text(MAX_ID_BYTES);
  const name = parseCloudsnapId(cloudsnapId);
  if (!name) throw reader.wrong('it names no cloudsnap');
  const head = {
    cloudsnapId,
    repositoryId: reader.text(MAX_ID_BYTES),
    keyId: reader.text(MAX_ID_BYTES),
    blockBytes: reader.varint(MAX_BLOCK_BYTES),
    blockCount: reader.varint(MAX_BLOCKS_PER_VOLUME),
  };
  const hasParent = reader.u8();
  if (hasParent !== Number(name.incremental)) throw reader.wrong('its kind contradicts its name');
  const parent = hasParent
    ? {
        cloudsnapId: reader.text(MAX_ID_BYTES),
        manifestSha256: Buffer.from(reader.bytes(SHA256_BYTES)).toString('hex'),
      }
    : null;
  return { ...head, parent };
}
