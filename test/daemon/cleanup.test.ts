import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

import { abortable } from '../../src/base/abortable.ts';
import type { ClusterId } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import type { CloudsnapEntry, CloudsnapRepository } from '../../src/cloudsnap/cloudsnap-api.ts';
import { openRepository } from '../../src/cloudsnap/repository.ts';
import { BLOCK, CloudsnapLab, ModelImage } from '../cloudsnap/cloudsnap-lab.ts';
import { instantClock } from '../model/instant-clock.ts';
import { openLabOf } from './agent-lab.ts';
import { FakeDomain } from './fake-domain.ts';

const never = new AbortController().signal;
const DAY_MS = 24 * 3_600_000;

/** Volumes are fakes, cloudsnaps are real ones, in memory. */
class CleanupDomain extends FakeDomain {
  readonly cloud: CloudsnapLab;
  repository!: CloudsnapRepository;
  #waiting: { readonly isIt: (keys: string[]) => boolean; readonly done: () => void }[] = [];

  constructor(cloud: CloudsnapLab) {
    super();
    this.cloud = cloud;
    const remove = cloud.disk.delete.bind(cloud.disk);
    cloud.disk.delete = async (...args) => {
      await remove(...args);
      await this.#look();
    };
  }

  override async openRepository(_store: unknown, clusterId: ClusterId) {
    const { store } = this.cloud;
    const clock = instantClock(Date.now());
    const options = { store, clusterId, clock, log: silentLog, packTargetBytes: 2 * BLOCK };
    this.repository = await openRepository(options);
    return this.repository;
  }

  /** Names of the cloudsnaps that have objects. */
  async prefixes(): Promise<string[]> {
    const names = new Set<string>();
    for await (const { key } of this.cloud.disk.list(`${this.repository.clusterId}/`)) {
      const name = key.split('/')[1]!;
      if (/^[0-9]/.test(name)) names.add(name);
    }
    return [...names];
  }

  /** Resolves once there are so many; looked at after each removal. */
  async untilPrefixes(t: ExecutionContext, count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ isIt: ({ length }) => length === count, done: resolve });
    await this.#look();
    await abortable(promise, AbortSignal.timeout(30_000));
    t.is((await this.prefixes()).length, count);
  }

  async #look(): Promise<void> {
    const names = await this.prefixes();
    for (const { isIt, done } of this.#waiting) if (isIt(names)) done();
  }
}

async function openCleanupLab(t: ExecutionContext) {
  const domain = new CleanupDomain(await CloudsnapLab.open());
  const lab = await openLabOf(t, domain);
  // Opens the repository.
  await lab.call('listCloudsnaps', {});
  const image = new ModelImage(8);
  for (let block = 0; block < 8; block++) image.write(block, new Uint8Array(BLOCK).fill(block + 1));
  const { cloud } = domain;
  const backUp = (parent: CloudsnapEntry | null) =>
    cloud.upload(image, parent, parent ? [1] : Array(8).keys(), domain.repository);
  return { lab, domain, image, backUp };
}

/** An upload that was cut off when all its packs were stored, with a journal to go on from. */
async function cutOff(
  t: ExecutionContext,
  { domain, image }: { domain: CleanupDomain; image: ModelImage },
  parent: CloudsnapEntry | null,
) {
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-cleanup-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const journalPath = join(directory, 'uploads', 'journal');
  const plan = { ...domain.cloud.plan(image, parent, Array(8).keys()), createdMs: 7 };
  for (let block = 0; block < 8; block++)
    image.write(block, new Uint8Array(BLOCK).fill(99 - block));
  const writer = await domain.repository.begin(plan, never, { journalPath });
  await writer.writeBlocks(0, image.bytes);
  domain.cloud.faults = ({ key }) => ({ kind: key.includes('/manifests/') ? 'error' : 'none' });
  await t.throwsAsync(writer.commit());
  await writer.abort();
  domain.cloud.faults = () => ({ kind: 'none' });
  return { journalPath, cloudsnapId: writer.cloudsnapId };
}

test('a deleted cloudsnap is not listed any more; its objects go in the background', async (t) => {
  const { lab, domain, backUp } = await openCleanupLab(t);
  const full = await backUp(null);
  const child = await backUp(full);
  await backUp(null);
  const { cloudsnapId } = child.manifest;
  const task = await lab.call('deleteCloudsnap', { cloudsnap: cloudsnapId });
  t.is((await lab.ended(task.id)).state, 'Done');
  t.is((await lab.call('listCloudsnaps', {})).length, 2);
  await domain.untilPrefixes(t, 2);
});

test('deletion-goes-on: what an ended agent did not remove, the next one does', async (t) => {
  const { lab, domain, backUp } = await openCleanupLab(t);
  const doomed = await backUp(null);
  await backUp(null);
  domain.cloud.faults = ({ verb }) => ({ kind: verb === 'delete' ? 'error' : 'none' });
  const task = await lab.call('deleteCloudsnap', { cloudsnap: doomed.manifest.cloudsnapId });
  t.is((await lab.ended(task.id)).state, 'Done');
  await lab.stop();
  t.is((await domain.prefixes()).length, 2);
  domain.cloud.faults = () => ({ kind: 'none' });
  await lab.start();
  await domain.untilPrefixes(t, 1);
  t.is((await lab.call('listCloudsnaps', {})).length, 1);
});

test('a cloudsnap is not deleted while an unfinished upload builds on it', async (t) => {
  const opened = await openCleanupLab(t);
  const { lab, domain, backUp } = opened;
  const full = await backUp(null);
  await lab.create('db');
  const { journalPath, cloudsnapId } = await cutOff(t, opened, full);
  domain.volumes[0]!.journalPath = journalPath;
  const refused = lab.call('deleteCloudsnap', { cloudsnap: full.manifest.cloudsnapId });
  const error = await t.throwsAsync(refused, { code: 'cloudsnap/has-dependants' });
  t.true(error?.message.includes(cloudsnapId));
  rmSync(journalPath);
  const task = await lab.call('deleteCloudsnap', { cloudsnap: full.manifest.cloudsnapId });
  t.is((await lab.ended(task.id)).state, 'Done');
});

test('a volume that is deleted takes the objects of its unfinished upload along', async (t) => {
  const opened = await openCleanupLab(t);
  const { lab, domain, backUp } = opened;
  const full = await backUp(null);
  const { journalPath } = await cutOff(t, opened, full);
  await lab.create('db');
  domain.volumes[0]!.journalPath = journalPath;
  t.is((await domain.prefixes()).length, 2);
  await lab.call('deleteVolume', { volume: 'db' });
  await domain.untilPrefixes(t, 1);
  t.deepEqual(await domain.repository.list({}), [full]);
});

test('a sweep by hand leaves what an upload of this host may go on with', async (t) => {
  const opened = await openCleanupLab(t);
  const { lab, domain, backUp } = opened;
  await backUp(null);
  await lab.create('db');
  const first = await cutOff(t, opened, null);
  const second = await cutOff(t, opened, null);
  domain.volumes[0]!.journalPath = second.journalPath;
  // The store's clock is the host's: what lies there is young.
  t.deepEqual((await lab.call('sweepCloudsnaps', {})).leftovers, []);
  const { disk } = domain.cloud;
  const list = disk.list.bind(disk);
  disk.list = async function* (prefix, options) {
    for await (const info of list(prefix, options)) {
      const isOld = /\/[0-9]+-[^/]*\//.test(info.key);
      yield isOld ? { ...info, modifiedMs: info.modifiedMs - 8 * DAY_MS } : info;
    }
  };
  const names = ({ leftovers }: { leftovers: { cloudsnapId: string; outcome: string }[] }) =>
    leftovers.map(({ cloudsnapId, outcome }) => `${cloudsnapId} ${outcome}`);
  const found = await lab.call('sweepCloudsnaps', { dryRun: true });
  t.deepEqual(names(found), [`${first.cloudsnapId} found`]);
  t.is((await domain.prefixes()).length, 3);
  const swept = await lab.call('sweepCloudsnaps', {});
  t.deepEqual(names(swept), [`${first.cloudsnapId} removed`]);
  t.is((await domain.prefixes()).length, 2);
});
