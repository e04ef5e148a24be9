import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { hasAll, requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { startRgw, type RgwServer } from '../support/servers/rgw.ts';
import { ResumeLab } from './resume-lab.ts';
import { checkInstant, STAMPED_BYTES } from './stamps.ts';

const MIB = 1 << 20;
/** Seven packs of 16 MiB and some more. */
const SIZE_MIB = 116;
const STAMPS = join(import.meta.dirname, 'stamps.ts');
/** Two packs and some more. */
const NOISE_MIB = 40;
/** Long enough for a pack on a busy machine. */
const STALL_LIMIT = '8s';

/** The ways in which a backup ends before it is done; each leaves an agent that can be asked. */
const CUTS: Readonly<
  Record<string, (lab: ResumeLab, task: string, t: ExecutionContext) => Promise<void>>
> = {
  SIGKILL: async ({ agent }) => {
    await agent.kill();
    await agent.startAgain();
  },
  'cloudsnap stop': async (lab, task, t) => {
    t.is((await lab.agent.cli('cloudsnap', 'stop', '--name', task)).code, 0);
    t.is((await lab.ended(task)).state, 'Stopped');
  },
  'a lost network': async (lab, task, t) => {
    lab.lose();
    t.is((await lab.ended(task)).state, 'Failed');
  },
  SIGTERM: async ({ agent }) => {
    await agent.stop();
    // For the next one: a store that hangs.
    process.env['CLOUDVOL_STALL_LIMIT'] = STALL_LIMIT;
    await agent.startAgain();
  },
  'a store that hangs': async (lab, task, t) => {
    const { state, info } = await lab.ended(task);
    t.is(state, 'Failed');
    t.regex(info.join('\n'), /nothing moved for 8 seconds/);
    t.regex(info.join('\n'), /the next backup of the volume goes on with them/);
    await lab.agent.stop();
    delete process.env['CLOUDVOL_STALL_LIMIT'];
    await lab.agent.startAgain();
  },
};

const needs = ['root', 'fuse', 'radosgw'] as const;
let server: RgwServer;
test.before(async () => {
  if (hasAll(...needs)) server = await startRgw();
});
test.after.always(() => server?.stop());

const PASSPHRASE = 'correct horse battery staple';
const EVERY_CUT = Object.keys(CUTS);
/** Of an encrypted one, the cut after which nothing is left but state and passphrase, twice. */
const CASES = [
  { kind: 'a clear', passphrase: undefined, cuts: EVERY_CUT },
  { kind: 'an encrypted', passphrase: PASSPHRASE, cuts: ['SIGKILL', 'cloudsnap stop', 'SIGKILL'] },
];
for (const { kind, passphrase, cuts } of CASES) {
  requires(...needs)(
    `to ${kind} repository: cut ${cuts.length} times, each pack is brought there once`,
    async (t) => {
      const lab = await ResumeLab.open(t, server, passphrase);
      const { agent } = lab;
      let file = await agent.createAttached('v', SIZE_MIB * MIB);
      await noise(lab, file, 0, SIZE_MIB);
      let arrivedBytes = 0;
      let changes = 0;
      for (const how of cuts) {
        const task = await lab.beginAndHang('v', 1);
        await CUTS[how]?.(lab, task, t);
        lab.heal();
        const arrived = lab.takeArrived();
        t.is(arrived.length, 1, how);
        arrivedBytes += arrived[0]?.bytes ?? 0;
        file = await agent.attach('v').catch(() => file);
        // One block each of what has arrived, and of what has not.
        await noise(lab, file, 1 + 16 * changes, 1);
        await noise(lab, file, SIZE_MIB - 1 - changes, 1);
        changes++;
      }
      const { state, result, info, cloudsnapId } = await lab.ended(await lab.begin('v'));
      t.is(state, 'Done');
      t.true(
        info.some((note) => note.startsWith('Went on with ')),
        info.join('\n'),
      );
      const lastBytes = lab.takeArrived().reduce((sum, { bytes }) => sum + bytes, 0);
      t.log(`${kind}: ${arrivedBytes} bytes before, ${lastBytes} in the last run`, result);
      // What was changed since it had arrived is brought anew; nothing else is.
      t.true(Number(result['reusedBytes']) >= arrivedBytes - changes * MIB - MIB);
      t.true(arrivedBytes + lastBytes < (SIZE_MIB + changes + 1) * MIB);
      t.true(lastBytes < (SIZE_MIB - 16 * (changes - 1)) * MIB);
      await agent.client
        .call('restore', { cloudsnap: cloudsnapId, credential: 'cloud', name: 'restored' })
        .then(({ task }) => lab.ended(task.id));
      await runCommand(agent.reaper, 'cmp', [file, await agent.attach('restored')]);
    },
  );
}

requires(...needs)(
  'a volume that is written through cut and resume is of one instant',
  async (t) => {
    const lab = await ResumeLab.open(t, server, PASSPHRASE);
    const { agent } = lab;
    const file = await agent.createAttached('stamped', STAMPED_BYTES + NOISE_MIB * MIB);
    // Stamps compress to next to nothing: it is the noise behind them that fills packs.
    await noise(lab, file, STAMPED_BYTES / MIB, NOISE_MIB);
    const writer = spawn(process.execPath, [STAMPS, 'write', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await agent.reaper.pid(writer);
    await once(writer.stdout, 'data');
    const task = await lab.beginAndHang('stamped', 1);
    await agent.client.call('stopTask', { task });
    t.is((await lab.ended(task)).state, 'Stopped');
    lab.heal();
    const done = await lab.ended(await lab.begin('stamped'));
    t.is(writer.exitCode, null, 'the writer ended before the backup');
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    t.is(done.state, 'Done');
    t.true(Number(done.result['reusedBytes']) > 0, 'it began anew');
    const { cloudsnapId } = done;
    const restore = await agent.client.call('restore', {
      cloudsnap: cloudsnapId,
      credential: 'cloud',
      name: 'instant',
    });
    t.is((await lab.ended(restore.task.id)).state, 'Done');
    const restored = await agent.attach('instant');
    const read = await runCommand(agent.reaper, process.execPath, [STAMPS, 'read', restored]);
    t.deepEqual(checkInstant(JSON.parse(read) as number[]).slice(0, 5), []);
  },
);

async function noise(lab: ResumeLab, file: string, atMib: number, mib: number): Promise<void> {
  const operands = ['bs=1M', 'conv=notrunc,fsync', 'if=/dev/urandom', `of=${file}`];
  await runCommand(lab.agent.reaper, 'dd', [...operands, `seek=${atMib}`, `count=${mib}`]);
}
