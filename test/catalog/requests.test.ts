import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../src/base/clock.ts';
import { geometryOf } from '../../src/base/geometry.ts';
import { newVolumeId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { FileCatalog, type CatalogItem } from '../../src/catalog/file-catalog.ts';
import type { CloudsnapEntry } from '../../src/cloudsnap/cloudsnap-api.ts';
import { FuseFrontend } from '../../src/frontend/fuse.ts';
import { loadNative } from '../../src/native.ts';
import { openChainSource } from '../../src/restore/chain-source.ts';
import { readBootId } from '../../src/volume/boot-id.ts';
import { CloudsnapLab } from '../cloudsnap/cloudsnap-lab.ts';
import { instantClock } from '../model/instant-clock.ts';
import { openReaper, type Reaper } from '../support/reaper.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const MIB = 1 << 20;
const SIZE_BYTES = 4 * 1024 * MIB;
const BLOCK = 65_536;
const FOLDERS = 40;
const FILES = 50;
const NOISE_BYTES = 32 * MIB;
const { signal } = new AbortController();

interface Lab {
  readonly cloud: CloudsnapLab;
  readonly catalog: FileCatalog;
  readonly entry: CloudsnapEntry;
  readonly reaper: Reaper;
  readonly directory: string;
}

/** A cloudsnap of 4 GiB of ext4 with 2,000 small files and 64 MiB of noise in two. */
async function openLab(t: ExecutionContext): Promise<Lab> {
  const reaper = await openReaper();
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'cloudvol-requests-'));
  await reaper.directory(directory);
  t.teardown(() => reaper.done());
  const disk = join(directory, 'disk');
  await makeDisk(reaper, join(directory, 'files'), disk);
  const cloud = await CloudsnapLab.open();
  const entry = await upload(cloud, disk);
  const catalogDir = join(directory, 'catalog');
  mkdirSync(catalogDir);
  const catalog = await FileCatalog.open({
    places: { stateDir: join(directory, 'state'), liveDir: join(directory, 'live') },
    directory: catalogDir,
    frontend: new FuseFrontend({ directory: catalogDir, log: silentLog }),
    native: loadNative(),
    bootId: readBootId(),
    maxSideBytes: 0,
    clock: systemClock,
    log: silentLog,
  });
  t.teardown(() => catalog.close());
  return { cloud, catalog, entry, reaper, directory };
}

async function makeDisk(reaper: Reaper, files: string, disk: string): Promise<void> {
  const random = seededRandom(5);
  for (let folder = 0; folder < FOLDERS; folder++) {
    const path = join(files, `folder-${folder}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < FILES; file++) await writeFile(join(path, `file-${file}`), `${file}`);
  }
  for (const name of ['noise-1', 'noise-2']) {
    await writeFile(join(files, name), random.bytes(NOISE_BYTES));
  }
  await runCommand(reaper, 'truncate', ['-s', String(SIZE_BYTES), disk]);
  await runCommand(reaper, 'mkfs.ext4', ['-q', '-F', '-d', files, disk]);
}

async function upload(cloud: CloudsnapLab, disk: string): Promise<CloudsnapEntry> {
  const plan = {
    volume: {
      id: newVolumeId(),
      name: 'v',
      geometry: geometryOf(SIZE_BYTES, BLOCK),
      fileSystem: 'ext4',
      labels: {},
    },
    parent: null,
    fullReason: 'first',
    createdMs: cloud.clock.nowMs(),
    type: 'Manual',
    consistency: 'crash',
    plannedBlocks: SIZE_BYTES / BLOCK,
  } as const;
  const writer = await cloud.repository.begin(plan, signal);
  const file = await open(disk);
  const buffer = Buffer.alloc(4 * MIB);
  for (let offset = 0; offset < SIZE_BYTES; offset += buffer.length) {
    await file.read(buffer, 0, buffer.length, offset);
    await writer.writeBlocks(offset / BLOCK, buffer);
  }
  await file.close();
  return await writer.commit();
}

/** What `work` asked the store for. */
async function cost({ cloud }: Lab, work: () => Promise<unknown>) {
  const before = cloud.metrics.snapshot();
  await work();
  const after = cloud.metrics.snapshot();
  return {
    gets: after.requests.get - before.requests.get,
    bytes: after.bytesDown - before.bytesDown,
  };
}

/** Without waits between attempts. */
const clock = instantClock();

async function openImage({ cloud, entry }: Lab) {
  // Nothing of an earlier call is kept.
  const repository = await cloud.another();
  const { cloudsnapId, createdMs, volume } = entry.manifest;
  const found = await repository.find(cloudsnapId);
  return {
    cloudsnapId,
    createdMs,
    volumeName: volume.name,
    fileSystem: volume.fileSystem,
    geometry: geometryOf(volume.sizeBytes, volume.blockBytes),
    source: await openChainSource({ repository, entry: found, clock, log: silentLog }),
    async *dataExtents() {},
  };
}

requires(
  'root',
  'fuse',
  'loop',
  'losetup',
  'mkfs.ext4',
)('a catalog of 4 GiB fetches what it looks at, an extract its file and little else', async (t) => {
  const lab = await openLab(t);
  const image = () => openImage(lab);
  const query = { path: '/', depth: 99, max: 1_000_000 };
  let items: CatalogItem[] = [];
  const all = await cost(lab, async () => {
    items = (await Readable.from(
      lab.catalog.list(image, query, signal),
    ).toArray()) as CatalogItem[];
  });
  t.is(items.filter((item) => 'entry' in item).length, FOLDERS * (FILES + 1) + 3);
  t.log('whole catalog', all);
  t.true(all.bytes < 4 * MIB, `${all.bytes} bytes`);
  t.true(all.gets < 150, `${all.gets} requests`);

  const top = await cost(lab, async () => {
    const one = { ...query, depth: 1 };
    items = (await Readable.from(lab.catalog.list(image, one, signal)).toArray()) as CatalogItem[];
  });
  t.log('depth 1', top);
  t.true(top.bytes <= all.bytes && top.gets <= all.gets);

  const archive = join(lab.directory, 'archive.tar');
  const paths = ['/noise-2', '/folder-3/file-7'];
  const two = await cost(lab, async () => {
    const file = await open(archive, 'w');
    const chunks = Readable.from(lab.catalog.pack(image, paths, signal));
    await finished(chunks.pipe(file.createWriteStream()));
  });
  t.log('a file of 32 MiB and a small one', two);
  t.true(two.bytes < NOISE_BYTES + 4 * MIB, `${two.bytes} bytes`);
  t.true(two.gets < 100, `${two.gets} requests`);
  await runCommand(lab.reaper, 'tar', ['-xf', archive, '-C', lab.directory]);
  t.is(
    await sha256(join(lab.directory, 'noise-2')),
    await sha256(join(lab.directory, 'files/noise-2')),
  );
  await runCommand(lab.reaper, 'cmp', [
    join(lab.directory, 'folder-3/file-7'),
    join(lab.directory, 'files/folder-3/file-7'),
  ]);

  // A store that hangs in the middle of the walk, and a caller who does not want to wait.
  const caller = new AbortController();
  failPacks(lab, 'hang', () => caller.abort(new Error('enough')));
  const hanging = Readable.from(lab.catalog.list(image, query, caller.signal)).toArray();
  await t.throwsAsync(hanging, { message: 'enough' });
  // One that is away is given up, in its own words.
  failPacks(lab, 'error');
  const failing = Readable.from(lab.catalog.list(image, query, signal)).toArray();
  await t.throwsAsync(failing, { code: 'store/unavailable' });
  t.deepEqual(readdirSync(join(lab.directory, 'catalog')), []);
  t.deepEqual(readdirSync(join(lab.directory, 'state')), []);
});

/** After so many reads of packs the disk is mounted, and the walk has begun. */
const READS_BEFORE_FAULT = 12;

function failPacks({ cloud }: Lab, kind: 'hang' | 'error', onFault = () => {}): void {
  let reads = 0;
  cloud.faults = ({ verb, key }) => {
    if (verb !== 'get' || !key.includes('/pack-') || ++reads < READS_BEFORE_FAULT) {
      return { kind: 'none' };
    }
    onFault();
    return { kind };
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
