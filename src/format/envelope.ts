import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { sha256 } from './content-hash.ts';
import { corrupt } from './corrupt.ts';
import { FORMAT_VERSION } from './format-version.ts';

/**
 * What stands around an index page and a root:
 *
 *    0  4 bytes  kind
 *    4  u16      format version
 *    6  u8       encoding: 1 plain, 2 zstd (3 and 4 are reserved for the same inside AES-256-GCM)
 *    7  u8       zero
 *    8  u32      bytes of the plain record
 *   12  …        the record
 *  -32  32 bytes SHA-256 of everything before
 */
export type EnvelopeKind = 'CVIP' | 'CVRT';

export const ENVELOPE_HEADER_BYTES = 12;
export const ENVELOPE_CHECKSUM_BYTES = 32;
/** Bytes that an envelope adds to a record, at most. */
export const ENVELOPE_BYTES = ENVELOPE_HEADER_BYTES + ENVELOPE_CHECKSUM_BYTES;

const PLAIN = 1;
const ZSTD = 2;
const NAMES: Readonly<Record<EnvelopeKind, string>> = { CVIP: 'the index page', CVRT: 'the root' };
/**
 * Compression has to save 1/16, as for frames. Pages seldom do: content hashes are most of a page.
 */
const WORTHWHILE_SHARE = 16;
/** 8 MiB of memory at most, whatever a frame asks for; level 1 needs 512 KiB. */
const MAX_WINDOW_LOG = 23;

/** Compresses the record where that pays, and seals it. */
export function seal(kind: EnvelopeKind, record: Uint8Array): Uint8Array<ArrayBuffer> {
  const compressed = zstdCompressSync(record, {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  const pays = compressed.length <= record.length - record.length / WORTHWHILE_SHARE;
  const writer = new ByteWriter()
    .bytes(Buffer.from(kind, 'latin1'))
    .u16(FORMAT_VERSION)
    .u8(pays ? ZSTD : PLAIN)
    .u8(0)
    .u32(record.length)
    .bytes(pays ? compressed : record);
  return writer.bytes(sha256(writer.finish())).finish();
}

/**
 * Returns the record, at most `maxRecordBytes` long.
 * @throws CloudvolError `format/corrupt`
 */
export function unseal(kind: EnvelopeKind, sealed: Uint8Array, maxRecordBytes: number): Uint8Array {
  const reader = new ByteReader(sealed, NAMES[kind]);
  const magic = Buffer.from(reader.bytes(kind.length)).toString('latin1');
  if (magic !== kind) throw reader.wrong('it is something else');
  const version = reader.u16();
  if (version !== FORMAT_VERSION) throw reader.wrong(`it has format version ${version}`);
  const encoding = reader.u8();
  if (reader.u8() !== 0) throw reader.wrong('a reserved byte is set');
  const recordBytes = reader.u32();
  if (recordBytes > maxRecordBytes) throw reader.wrong(`it claims ${recordBytes} bytes`);
  const storedBytes = reader.remaining - ENVELOPE_CHECKSUM_BYTES;
  if (storedBytes < 0) throw reader.wrong('it ends too early');
  const stored = reader.bytes(storedBytes);
  const checksum = sha256(sealed.subarray(0, sealed.length - ENVELOPE_CHECKSUM_BYTES));
  if (Buffer.compare(checksum, reader.bytes(ENVELOPE_CHECKSUM_BYTES)) !== 0) {
    throw reader.wrong('its checksum does not fit');
  }
  if (encoding !== PLAIN && encoding !== ZSTD) throw reader.wrong(`encoding ${encoding}`);
  const record = encoding === ZSTD ? decompress(kind, stored, recordBytes) : stored;
  if (record.length !== recordBytes) throw reader.wrong('its length is not the one it claims');
  return record;
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
