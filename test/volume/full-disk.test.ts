import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlanKind } from '../../src/volume/volume-api.ts';
import { openReaper } from '../support/reaper.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { DiskLab, newVolume } from './disk-lab.ts';

const MIB = 1 << 20;
const FULL: PlanKind = { kind: 'full', reason: 'requested' };

requires('root')(
  'a full disk is said to be so, costs no bit, and volumes can be deleted',
  async (t) => {
    const lab = new DiskLab(t);
    const reaper = await openReaper();
    t.teardown(() => reaper.done());
    const stateDir = join(lab.stateDir, 'small');
    mkdirSync(stateDir);
    await reaper.mount(stateDir);
    await runCommand(reaper, 'mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', stateDir]);
    const catalog = await lab.open({ stateDir });
    const volume = await catalog.create(newVolume(16 * MIB, 65_536));
    const ballast = join(stateDir, 'ballast');
    writeFileSync(ballast, new Uint8Array(MIB));
    const view = await volume.freeze(FULL);
    const tip = {
      repositoryId: 'r',
      baseEpoch: view.epoch,
      cloudsnapId: 'c/1',
      manifestSha256: 'f'.repeat(64),
      sequence: 1,
      incrementals: 0,
    };
    await volume.commitChain(tip);
    await view.release();

    const fill = async () => {
      for (let at = 0; at < 16 * MIB; at += 65_536) {
        await volume.write(at, new Uint8Array(65_536).fill(3));
      }
    };
    const error = await t.throwsAsync(fill(), { code: 'volume/no-space' });
    t.is(error?.message, 'volume v could not be written: there is no space left on this host');
    const { dirtyBlocks } = await volume.inspect();
    t.true(dirtyBlocks > 16);
    await t.throwsAsync(volume.freeze(FULL), { code: 'volume/no-space' });
    t.is((await volume.inspect()).dirtyBlocks, dirtyBlocks, 'a freeze that fails loses no bits');
    const other = await t.throwsAsync(catalog.create(newVolume(MIB, 65_536, 'w')));
    t.regex(String(other && 'code' in other && other.code), /^(host|volume)\/no-space$/);

    rmSync(ballast);
    const next = await volume.freeze({ kind: 'incremental', base: tip });
    t.is(next.plannedBlocks, dirtyBlocks);
    await next.release();

    await t.throwsAsync(fill(), { code: 'volume/no-space' });
    await catalog.delete(volume);
    const after = await catalog.create(newVolume(MIB, 65_536));
    await after.write(0, new Uint8Array(MIB).fill(1));
    await catalog.close();
  },
);
