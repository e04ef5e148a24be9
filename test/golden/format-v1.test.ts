import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ClusterId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { sha256Hex } from '../../src/base/sha256.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { unseal } from '../../src/format/envelope.ts';
import {
  MAX_PAGE_RECORD_BYTES,
  decodeIndexPage,
  encodePageRecord,
} from '../../src/format/index-page-codec.ts';
import {
  MAX_ROOT_RECORD_BYTES,
  decodeIndexRoot,
  encodeRootRecord,
} from '../../src/format/index-root-codec.ts';
import { decodeManifest, encodeManifest } from '../../src/format/manifest-codec.ts';
import { decodePackHeader, encodePackHeader, walkPack } from '../../src/format/pack.ts';
import { codec } from '../../src/native.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { ManualClock } from '../base/manual-clock.ts';
import { BLOCK, contentOf } from '../cloudsnap/cloudsnap-lab.ts';
import { SNAP_NAMES } from '../format/samples.ts';
import { describePage, describeRoot } from './describe.ts';

/**
 * Bytes that an earlier program wrote. They are never written again: when one of these tests fails,
 * the code is wrong. What is compressed is compared inside its envelope, since another release of
 * zstd may compress in another way.
 */
const FOLDER = join(import.meta.dirname, 'format-v1');
const [, snapName] = SNAP_NAMES;

const frozen = (name: string): Promise<Uint8Array> => readFile(join(FOLDER, name));
const frozenJson = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(join(FOLDER, name), 'utf8')) as T;
const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

test('the frozen manifest means what it meant, and is written the same', async (t) => {
  const bytes = await frozen('manifest');
  const manifest = decodeManifest(bytes);
  t.deepEqual(asJson(manifest), await frozenJson('manifest.json'));
  t.is(Buffer.compare(encodeManifest(manifest), bytes), 0);
});

test('the frozen index page means what it meant, and is written the same', async (t) => {
  const sealed = await frozen('index-page');
  const identity = { snapName, pageNumber: 4711 };
  const page = decodeIndexPage(sealed, identity, BLOCK);
  t.deepEqual(describePage(page), await frozenJson('index-page.json'));
  const record = unseal('CVIP', sealed, MAX_PAGE_RECORD_BYTES);
  t.is(Buffer.compare(encodePageRecord(page, identity), record), 0);
});

test('the frozen root means what it meant, and is written the same', async (t) => {
  const sealed = await frozen('root');
  const root = decodeIndexRoot(sealed, snapName);
  t.deepEqual(describeRoot(root), await frozenJson('root.json'));
  const record = unseal('CVRT', sealed, MAX_ROOT_RECORD_BYTES);
  t.is(Buffer.compare(encodeRootRecord(root, snapName), record), 0);
});

interface FrozenRepository {
  readonly clusterId: ClusterId;
  readonly points: readonly { readonly entry: CloudsnapEntry; readonly imageSha256: string }[];
}

async function frozenObjects(): Promise<Map<string, Uint8Array>> {
  const folder = join(FOLDER, 'repository');
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((each) => each.isFile());
  const paths = files.map((each) => join(each.parentPath, each.name));
  const objects = paths.map(async (path) => {
    return [path.slice(folder.length + 1), await readFile(path)] as const;
  });
  return new Map(await Promise.all(objects));
}

test('the frozen repository lists and restores every point', async (t) => {
  const { clusterId, points } = await frozenJson<FrozenRepository>('repository.json');
  const store = new MemoryStore();
  for (const [key, body] of await frozenObjects()) await store.put(key, body);
  const clock = new ManualClock();
  const repository = await openRepository({ store, clusterId, log: silentLog, clock });
  const entries = await repository.list({});
  t.deepEqual(
    entries,
    points.map(({ entry }) => entry),
  );
  for (const { entry, imageSha256 } of points) {
    t.is(sha256Hex(await contentOf(repository, entry)), imageSha256);
  }
});

test('the frozen packs are walked, and their raw frames are written the same', async (t) => {
  const objects = await frozenObjects();
  const packs = [...objects].filter(([key]) => key.includes('/pack-'));
  t.is(packs.length, 3);
  for (const [key, pack] of packs) {
    const header = decodePackHeader(pack);
    t.true(key.endsWith(header.packId));
    t.is(Buffer.compare(encodePackHeader(header), pack.subarray(0, 40)), 0);
    for (const { block, encoding, offsetBytes, payloadBytes } of walkPack(pack)) {
      if (encoding !== 1) continue;
      const frame = pack.subarray(offsetBytes, offsetBytes + 44 + payloadBytes);
      const source = frame.subarray(44);
      const request = { source, blockBytes: BLOCK, firstBlock: block };
      const { frames } = await codec().encodeBlocks(request);
      t.is(Buffer.compare(frames, frame), 0);
    }
  }
});
