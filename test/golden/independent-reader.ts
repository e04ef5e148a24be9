import { createDecipheriv, createHash, createHmac, hkdfSync, argon2Sync } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';

/**
 * Reads blocks of an encrypted repository by docs/FORMAT.md alone: nothing of cloudvol is
 * imported, so that the document is proven to be enough.
 */

type Objects = ReadonlyMap<string, Uint8Array>;

const hkdf = (key: Uint8Array, info: string | Uint8Array) =>
  Buffer.from(hkdfSync('sha256', key, new Uint8Array(), info, 32));

function open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
}

/** JSON with sorted keys, for the small objects that are authenticated as such. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, each]) => `"${name}":${canonical(each)}`).join()}}`;
}

interface Slot {
  readonly kdf: {
    readonly memoryKib: number;
    readonly passes: number;
    readonly parallelism: number;
  };
  readonly salt: string;
  readonly wrappedKey: string;
}

function masterKey(objects: Objects, cluster: string, id: string, passphrase: string): Buffer {
  const text = Buffer.from(objects.get(`${cluster}/keys/${id}`)!).toString();
  const [slot] = (JSON.parse(text) as { slots: Slot[] }).slots;
  const { kdf, salt, wrappedKey } = slot!;
  const key = argon2Sync('argon2id', {
    message: Buffer.from(passphrase.normalize('NFC')),
    nonce: Buffer.from(salt, 'hex'),
    memory: kdf.memoryKib,
    passes: kdf.passes,
    parallelism: kdf.parallelism,
    tagLength: 32,
  });
  const aad = canonical({ clusterId: cluster, formatVersion: 1, kdf, masterKeyId: id, salt });
  return open(key, Buffer.alloc(12), Buffer.from(aad), Buffer.from(wrappedKey, 'hex'));
}

class Cursor {
  readonly bytes: Buffer;
  at = 0;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  varint(): number {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  take(count: number): Buffer {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  text(): string {
    return this.take(this.varint()).toString();
  }
  table<T>(row: () => T): T[] {
    return Array.from({ length: this.varint() }, row);
  }
}

function record(envelope: Buffer, labelKey: Buffer, place: string): Buffer {
  const body = envelope.subarray(0, -32);
  if (!createHash('sha256').update(body).digest().equals(envelope.subarray(-32))) throw new Error();
  const header = body.subarray(0, 44);
  const key = hkdf(labelKey, header.subarray(12, 28));
  const aad = Buffer.concat([header, Buffer.from(place)]);
  const plain = open(key, Buffer.alloc(12), aad, body.subarray(44));
  return header[6] === 4 ? zstdDecompressSync(plain) : plain;
}

/** Position of what is wanted, among the runs of a page or a root; undefined: zeros. */
function* stored(cursor: Cursor, total: number): Generator<number> {
  for (let at = 0; at < total;) {
    const run = cursor.varint();
    for (const end = at + (run >> 1); at < end; at++) if (run & 1) yield at;
  }
}

export interface Snapshot {
  readonly cluster: string;
  readonly volume: string;
  readonly sequence: number;
}

/** Opens a cloudsnap; the function returned reads a block, undefined when it is zeros. */
export function readBlock(
  objects: Objects,
  { cluster, volume, sequence }: Snapshot,
  passphrase: string,
): (block: number) => Buffer | undefined {
  const get = (key: string) => Buffer.from(objects.get(key)!);
  const manifestKey = `${cluster}/manifests/${volume}/${String(sequence).padStart(10, '0')}`;
  const sealed = get(manifestKey);
  const master = masterKey(objects, cluster, sealed.subarray(28, 44).toString('hex'), passphrase);
  const label = (name: string) => hkdf(master, `cloudvol/1 ${name}`);
  const manifest = JSON.parse(record(sealed, label('manifest'), manifestKey).toString()) as {
    readonly cloudsnapId: string;
    readonly root: { readonly object: string };
    readonly volume: { readonly blockBytes: number };
  };
  const labels = { index: label('index'), data: label('data'), hash: label('content-hash') };
  const rootKey = `${manifest.cloudsnapId}/${manifest.root.object}`;
  const rootRecord = record(get(rootKey), labels.index, rootKey);
  return (block) => {
  const root = new Cursor(rootRecord);
  root.text();
  const blockBytes = root.varint();
  const pages = Math.ceil(root.varint() / 256);
  const owners = root.table(() => root.text());
  const files = root.table(() => {
    const [owner, number] = [root.varint(), root.varint()];
    root.varint();
    return `${cluster}/${owners[owner]}/index-${number}`;
  });
  const fileEnds: number[] = [];
  let page: Cursor | undefined;
  for (const number of stored(root, pages)) {
    const [file, gap, length] = [root.varint(), root.varint(), root.varint()];
    const offset = (fileEnds[file] ?? 0) + gap;
    fileEnds[file] = offset + length;
    if (number !== block >> 8) continue;
    const key = files[file]!;
    const bytes = get(key).subarray(offset, offset + length);
    page = new Cursor(record(bytes, labels.index, `${key}/${number}`));
  }
  if (!page) return undefined;
  page.text();
  page.varint();
  const names = page.table(() => page.text());
  const packs = page.table(() => {
    const name = names[page.varint()];
    return { key: `${cluster}/${name}/pack-`, id: page.take(16) };
  });
  const packEnds: number[] = [];
  let [frames, hashAt] = [0, -1];
  let found: { pack: number; offset: number; bytes: number; encoding: number } | undefined;
  for (const slot of stored(page, 256)) {
    const [pack, gap, size] = [page.varint(), page.varint(), page.varint()];
    const offset = (packEnds[pack] ?? 40) + gap;
    const bytes = Math.floor(size / 8);
    packEnds[pack] = offset + 44 + bytes;
    if (slot === block % 256) {
      found = { pack, offset, bytes, encoding: size % 8 };
      hashAt = frames;
    }
    frames++;
  }
  if (!found) return undefined;
  const hash = page.bytes.subarray(page.at + 32 * hashAt, page.at + 32 * hashAt + 32);
  const { key, id } = packs[found.pack]!;
  const packKey = `${key}${id.toString('hex')}`;
  const pack = get(packKey);
  const frame = pack.subarray(found.offset, found.offset + 44 + found.bytes);
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(found.offset));
  const aad = Buffer.concat([pack.subarray(0, 40), Buffer.from(packKey), frame.subarray(0, 12)]);
  const plain = open(hkdf(labels.data, id), nonce, aad, frame.subarray(12));
  if (!plain.subarray(0, 32).equals(hash)) throw new Error('another block');
  const payload = plain.subarray(32);
  const content = found.encoding === 4 ? zstdDecompressSync(payload) : payload;
  const digest = createHmac('sha256', labels.hash).update(content).digest();
  if (!digest.equals(hash) || content.length !== blockBytes) throw new Error('wrong content');
  return content;
  };
}
