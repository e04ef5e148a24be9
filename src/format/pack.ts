import { crc32 } from 'node:zlib';
import { geometryOf, MAX_BLOCK_BYTES } from '../base/geometry.ts';
import { isVolumeId, type VolumeId } from '../base/ids.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { FORMAT_VERSION } from './format-version.ts';
import { FRAME_TAG_BYTES, frameBytes, readFrameHeader, type FrameHeader } from './frame.ts';

/**
 * A pack: this header, then frames without gaps, ascending by block; nothing behind them, since an
 * object is put as a whole or not at all.
 *
 *    0  6 bytes  `CVPACK`
 *    6  u16      format version
 *    8  16 bytes pack id
 *   24  u64      volume id
 *   32  u32      block size in bytes
 *   36  u32      CRC-32 of the bytes before
 */
export interface PackHeader {
  /** 32 lower-case hex digits, random; the object is called `pack-<id>`. */
  readonly packId: string;
  readonly volumeId: VolumeId;
  readonly blockBytes: number;
}

export const PACK_HEADER_BYTES = 40;
export const PACK_ID_BYTES = 16;
/**
 * A pack is closed when it has grown beyond this: large enough that requests cost little beside
 * bytes (64 per GiB of incompressible data), small enough that one lost upload is soon repeated and
 * a few of them fit in memory.
 */
export const PACK_TARGET_BYTES = 16 << 20;
/** The most that a pack can have: the frame that takes it beyond the target is the last. */
export const MAX_PACK_BYTES = PACK_TARGET_BYTES + frameBytes(MAX_BLOCK_BYTES + FRAME_TAG_BYTES);

const MAGIC = 'CVPACK';

export function encodePackHeader(header: PackHeader): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter()
    .bytes(Buffer.from(MAGIC, 'latin1'))
    .u16(FORMAT_VERSION)
    .bytes(Buffer.from(header.packId, 'hex'))
    .u64(BigInt(header.volumeId))
    .u32(header.blockBytes);
  return writer.u32(crc32(writer.finish())).finish();
}

/** @throws CloudvolError `format/corrupt` */
export function decodePackHeader(bytes: Uint8Array): PackHeader {
  return readPackHeader(new ByteReader(bytes, 'the pack'), bytes);
}

/**
 * The frames of a whole pack with where each begins, for tools that have no index. Payloads are not
 * decoded.
 * @throws CloudvolError `format/corrupt`
 */
export function* walkPack(
  pack: Uint8Array,
): Generator<FrameHeader & { readonly offsetBytes: number }> {
  const reader = new ByteReader(pack, 'the pack');
  const { blockBytes } = readPackHeader(reader, pack);
  let previous = -1;
  while (reader.remaining > 0) {
    const offsetBytes = pack.length - reader.remaining;
    const frame = readFrameHeader(reader, blockBytes);
    if (frame.block <= previous) throw reader.wrong(`block ${frame.block} is out of order`);
    previous = frame.block;
    reader.bytes(frame.payloadBytes);
    yield { ...frame, offsetBytes };
  }
}

function readPackHeader(reader: ByteReader, bytes: Uint8Array): PackHeader {
  const magic = Buffer.from(reader.bytes(MAGIC.length)).toString('latin1');
  if (magic !== MAGIC) throw reader.wrong('it is something else');
  const version = reader.u16();
  if (version !== FORMAT_VERSION) throw reader.wrong(`it has format version ${version}`);
  const packId = Buffer.from(reader.bytes(PACK_ID_BYTES)).toString('hex');
  const volumeId = String(reader.u64());
  const blockBytes = reader.u32();
  if (reader.u32() !== crc32(bytes.subarray(0, PACK_HEADER_BYTES - 4))) {
    throw reader.wrong("its header's checksum does not fit");
  }
  if (!isVolumeId(volumeId)) throw reader.wrong('it names no volume');
  try {
    geometryOf(blockBytes, blockBytes);
  } catch (error) {
    throw reader.wrong(`a block size of ${blockBytes} bytes`, error);
  }
  return { packId, volumeId, blockBytes };
}
