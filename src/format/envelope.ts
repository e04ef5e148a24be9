import { randomBytes } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { sha256 } from './content-hash.ts';
import { corrupt } from './corrupt.ts';
import { FORMAT_VERSION } from './format-version.ts';

/**
 * What stands around an index page and a root, and in an encrypted repository also around a
 * manifest and a small record:
 *
 *    0  4 bytes  kind
 *    4  u16      format version
 *    6  u8       encoding: 1 plain, 2 zstd; 3 and 4 are the same two inside AES-256-GCM
 *    7  u8       zero
 *    8  u32      bytes of the plain record
 *   12  16 bytes object id, and 16 bytes master key id: with encodings 3 and 4 only
 *    …           the record; with encodings 3 and 4 its ciphertext and the tag of 16 bytes
 *  -32  32 bytes SHA-256 of everything before
 *
 * An encrypted record is one message: the key is that of the object id, which is random and serves
 * once, so that the nonce is zero. The header and the place of the object are authenticated.
 */
export type EnvelopeKind = 'CVIP' | 'CVRT' | 'CVMF' | 'CVRC';

/** One use of a key: what is encrypted, or decrypted, with everything that it is bound to. */
export interface EnvelopeMessage {
  readonly kind: EnvelopeKind;
  /** 16 bytes, from which the key is derived. */
  readonly objectId: Uint8Array;
  readonly aad: Uint8Array;
  /** Plain, or ciphertext and tag. */
  readonly bytes: Uint8Array;
}

/** The keys of one root, as far as envelopes are concerned. */
export interface EnvelopeCipher {
  /** 32 lower-case hex digits. */
  readonly masterKeyId: string;
  /** Returns ciphertext and tag. */
  encrypt(message: EnvelopeMessage): Uint8Array;
  /** Returns the plain bytes; undefined when the tag does not verify. */
  decrypt(message: EnvelopeMessage): Uint8Array | undefined;
}

/** How the envelope of one object is encrypted. */
export interface Sealing {
  readonly cipher: EnvelopeCipher;
  /** Where the object belongs: bytes that were moved to another place do not verify. */
  readonly place: string;
}

export const ENVELOPE_ID_BYTES = 16;
export const TAG_BYTES = 16;
const CLEAR_HEADER_BYTES = 12;
export const ENVELOPE_CHECKSUM_BYTES = 32;
/** Bytes that a clear envelope adds to a record. */
export const CLEAR_ENVELOPE_BYTES = CLEAR_HEADER_BYTES + ENVELOPE_CHECKSUM_BYTES;
/** Bytes that any envelope adds to a record, at most. */
export const ENVELOPE_BYTES = CLEAR_ENVELOPE_BYTES + 2 * ENVELOPE_ID_BYTES + TAG_BYTES;

const PLAIN = 1;
const ZSTD = 2;
/** What encryption adds to an encoding. */
const ENCRYPTED = 2;
const NAMES: Readonly<Record<EnvelopeKind, string>> = {
  CVIP: 'the index page',
  CVRT: 'the root',
  CVMF: 'the manifest',
  CVRC: 'the record',
};
/**
 * Compression has to save 1/16, as for frames. Pages seldom do: content hashes are most of a page.
 */
const WORTHWHILE_SHARE = 16;
/** 8 MiB of memory at most, whatever a frame asks for; level 1 needs 512 KiB. */
const MAX_WINDOW_LOG = 23;

/**
 * Compresses the record where that pays, encrypts it if there is a sealing, and closes the
 * envelope.
 */
export function seal(
  kind: EnvelopeKind,
  record: Uint8Array,
  sealing?: Sealing,
): Uint8Array<ArrayBuffer> {
  const compressed = zstdCompressSync(record, {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  const pays = compressed.length <= record.length - record.length / WORTHWHILE_SHARE;
  const encoding = pays ? ZSTD : PLAIN;
  const stored = pays ? compressed : record;
  const writer = new ByteWriter()
    .bytes(Buffer.from(kind, 'latin1'))
    .u16(FORMAT_VERSION)
    .u8(sealing ? encoding + ENCRYPTED : encoding)
    .u8(0)
    .u32(record.length);
  if (sealing) {
    const { cipher, place } = sealing;
    const objectId = randomBytes(ENVELOPE_ID_BYTES);
    writer.bytes(objectId).bytes(Buffer.from(cipher.masterKeyId, 'hex'));
    const aad = aadOf(writer.finish(), place);
    writer.bytes(cipher.encrypt({ kind, objectId, aad, bytes: stored }));
  } else {
    writer.bytes(stored);
  }
  return writer.bytes(sha256(writer.finish())).finish();
}

/**
 * Returns the record, at most `maxRecordBytes` long. With a sealing it takes encrypted envelopes
 * only, and without one clear ones only.
 * @throws CloudvolError `format/corrupt`
 */
export function unseal(
  kind: EnvelopeKind,
  sealed: Uint8Array,
  maxRecordBytes: number,
  sealing?: Sealing,
): Uint8Array {
  const envelope = openEnvelope(kind, sealed);
  const { reader, encoding, recordBytes } = envelope;
  if (recordBytes > maxRecordBytes) throw reader.wrong(`it claims ${recordBytes} bytes`);
  if (!sealing && envelope.ids) throw reader.wrong('it is encrypted');
  const plain = sealing ? decrypt(kind, envelope, sealing) : envelope.stored;
  const record = encoding === ZSTD ? decompress(kind, plain, recordBytes) : plain;
  if (record.length !== recordBytes) throw reader.wrong('its length is not the one it claims');
  return record;
}

function decrypt(kind: EnvelopeKind, envelope: OpenedEnvelope, sealing: Sealing): Uint8Array {
  const { reader, header, ids, stored } = envelope;
  const { cipher, place } = sealing;
  if (!ids) throw reader.wrong('it is not encrypted, and its repository is');
  if (ids.masterKeyId !== cipher.masterKeyId) throw reader.wrong('it has another master key');
  const aad = aadOf(header, place);
  const plain = cipher.decrypt({ kind, objectId: ids.objectId, aad, bytes: stored });
  if (!plain) throw reader.wrong('it was altered, or moved from another place');
  return plain;
}

/**
 * The id of the master key under which an envelope is encrypted; undefined for what is no such
 * envelope.
 * @throws CloudvolError `format/corrupt` when it is one, and damaged.
 */
export function masterKeyIdOf(
  kinds: readonly EnvelopeKind[],
  bytes: Uint8Array,
): string | undefined {
  const magic = Buffer.from(bytes.subarray(0, 4)).toString('latin1');
  const kind = kinds.find((each) => each === magic);
  return kind && openEnvelope(kind, bytes).ids?.masterKeyId;
}

interface OpenedEnvelope {
  readonly reader: ByteReader;
  /** Everything before the record. */
  readonly header: Uint8Array;
  /** PLAIN or ZSTD. */
  readonly encoding: number;
  readonly recordBytes: number;
  /** Of an encrypted envelope. */
  readonly ids: { readonly objectId: Uint8Array; readonly masterKeyId: string } | undefined;
  readonly stored: Uint8Array;
}

/** Takes an envelope apart and checks what can be checked without a key. */
function openEnvelope(kind: EnvelopeKind, sealed: Uint8Array): OpenedEnvelope {
  const reader = new ByteReader(sealed, NAMES[kind]);
  const magic = Buffer.from(reader.bytes(kind.length)).toString('latin1');
  if (magic !== kind) throw reader.wrong('it is something else');
  const version = reader.u16();
  if (version !== FORMAT_VERSION) throw reader.wrong(`it has format version ${version}`);
  const encoding = reader.u8();
  if (reader.u8() !== 0) throw reader.wrong('a reserved byte is set');
  if (encoding < PLAIN || encoding > ZSTD + ENCRYPTED) throw reader.wrong(`encoding ${encoding}`);
  const recordBytes = reader.u32();
  const isEncrypted = encoding > ZSTD;
  const ids = isEncrypted
    ? {
        objectId: reader.bytes(ENVELOPE_ID_BYTES),
        masterKeyId: Buffer.from(reader.bytes(ENVELOPE_ID_BYTES)).toString('hex'),
      }
    : undefined;
  const header = sealed.subarray(0, sealed.length - reader.remaining);
  const storedBytes = reader.remaining - ENVELOPE_CHECKSUM_BYTES;
  if (storedBytes < (isEncrypted ? TAG_BYTES : 0)) throw reader.wrong('it ends too early');
  const stored = reader.bytes(storedBytes);
  const checksum = sha256(sealed.subarray(0, sealed.length - ENVELOPE_CHECKSUM_BYTES));
  if (Buffer.compare(checksum, reader.bytes(ENVELOPE_CHECKSUM_BYTES)) !== 0) {
    throw reader.wrong('its checksum does not fit');
  }
  const plainEncoding = isEncrypted ? encoding - ENCRYPTED : encoding;
  return { reader, header, encoding: plainEncoding, recordBytes, ids, stored };
}

function aadOf(header: Uint8Array, place: string): Uint8Array {
  return Buffer.concat([header, Buffer.from(place, 'utf8')]);
}

function decompress(kind: EnvelopeKind, stored: Uint8Array, recordBytes: number): Uint8Array {
  try {
    return zstdDecompressSync(stored, {
      maxOutputLength: Math.max(1, recordBytes),
      params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
    });
  } catch (error) {
    throw corrupt(`${NAMES[kind]} is damaged: it does not decompress`, error);
  }
}
