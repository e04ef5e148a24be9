import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { differingBlocks } from '../model/differing-blocks.ts';
import { openReaper } from '../support/reaper.ts';
import { CatalogProcess } from './catalog-process.ts';
import { DiskLab } from './disk-lab.ts';

const KILLS = 4;

test('a kill in the middle of writes leaves no changed block without its bit', async (t) => {
  const lab = new DiskLab(t);
  const reaper = await openReaper();
  t.teardown(() => reaper.done());
  const runDir = join(lab.stateDir, 'run');
  mkdirSync(runDir);
  const { stateDir, liveDir } = lab;
  const directories = { stateDir, liveDir, runDir };
  lab.bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

  const setUp = await CatalogProcess.start(reaper, directories);
  await setUp.order('create none');
  await setUp.order('close');
  await setUp.end();
  for (let kill = 1; kill <= KILLS; kill++) {
    let catalog = await lab.open();
    let volume = catalog.find('v');
    const view = await volume.freeze({ kind: 'full', reason: 'requested' });
    const base = {
      repositoryId: 'r',
      baseEpoch: view.epoch,
      cloudsnapId: 'c/1',
      manifestSha256: 'f'.repeat(64),
      sequence: kill,
      incrementals: 0,
    };
    await volume.commitChain(base);
    await view.release();
    const { dataPath } = volume.directory;
    await catalog.close();
    const before = readFileSync(dataPath);

    const writer = await CatalogProcess.start(reaper, directories);
    t.is((await writer.order('storm')).error, undefined);
    await writer.kill();

    catalog = await lab.open();
    volume = catalog.find('v');
    t.true(volume.deltasCompleteSince(base.baseEpoch), `kill ${kill}`);
    t.regex(lab.log, /"volume\.bits-recovered"/);
    const planned = new Set<number>();
    const frozen = await volume.freeze({ kind: 'incremental', base });
    for (const { firstBlock, blockCount } of frozen.extents()) {
      for (let i = 0; i < blockCount; i++) planned.add(firstBlock + i);
    }
    await frozen.release();
    await catalog.close();
    const changed = differingBlocks(readFileSync(dataPath), before, volume.geometry.blockBytes);
    t.true(changed.length > 5, `the writer has written ${changed.length} blocks`);
    const unmarked = changed.filter((block) => !planned.has(block));
    t.deepEqual(unmarked, [], `kill ${kill}`);
  }
});
