import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { TestAgent } from '../support/agent.ts';

const MIB = 1 << 20;
const fioTest = requires('root', 'fuse', 'fio');

/** What every run has in common: direct, 16 requests at a time, every block checked. */
const VERIFY = [
  '--ioengine=libaio',
  '--direct=1',
  '--iodepth=16',
  '--verify=crc32c',
  '--verify_fatal=1',
  '--verify_state_save=0',
  '--do_verify=1',
  '--norandommap=0',
  '--randrepeat=1',
];

fioTest('random writes at queue depth 16 read back as they were written', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('verified', 256 * MIB);
  await runCommand(agent.reaper, 'fio', [
    '--name=random',
    `--filename=${file}`,
    '--rw=randwrite',
    '--bsrange=4k-128k',
    '--blockalign=4k',
    '--size=256m',
    '--io_size=384m',
    '--verify_backlog=512',
    ...VERIFY,
  ]);
  t.pass();
});

fioTest('writes that are verified while a backup reads its view keep their bytes', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('busy', 128 * MIB);
  await runCommand(agent.reaper, 'fio', [
    '--name=fill',
    `--filename=${file}`,
    '--rw=write',
    '--bs=1m',
    '--size=128m',
    '--direct=1',
  ]);
  const writer = runCommand(agent.reaper, 'fio', [
    '--name=under-backup',
    `--filename=${file}`,
    '--rw=randwrite',
    '--bs=4k',
    '--size=128m',
    '--io_size=96m',
    '--verify_backlog=1024',
    ...VERIFY,
  ]);
  const backUp = async () => {
    for (let count = 0; count < 3; count++) await agent.backup('busy');
  };
  await Promise.all([writer, backUp()]);
  t.pass();
});
