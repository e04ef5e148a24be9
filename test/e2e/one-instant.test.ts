import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { TestAgent } from '../support/agent.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { checkInstant, SLOTS, STAMPED_BYTES } from './stamps.ts';

const STAMPS = join(import.meta.dirname, 'stamps.ts');

test('the check of stamps accepts every instant and refuses every other image', (t) => {
  t.deepEqual(checkInstant(Array.from({ length: SLOTS }, () => 0)), []);
  const image = Array.from({ length: SLOTS }, () => 0);
  let beforeLast = image;
  for (let stamp = 1; stamp <= 2 * SLOTS + 7; stamp++) {
    beforeLast = [...image];
    image[(stamp * 739) % SLOTS] = stamp;
    if (stamp % 97 === 0) t.deepEqual(checkInstant(image), []);
  }
  const missesOne = image.with((SLOTS * 739 + 3 * 739) % SLOTS, beforeLast.length + 3 - SLOTS);
  t.is(checkInstant(missesOne).length, 1);
  const hasOneTooMany = image.with(((2 * SLOTS + 9) * 739) % SLOTS, 2 * SLOTS + 9);
  t.is(checkInstant(hasOneTooMany).length, 1);
});

requires('root', 'fuse')(
  'a cloudsnap that is taken while a program writes is the volume at one instant',
  async (t) => {
    const agent = await TestAgent.start(t);
    const file = await agent.createAttached('stamped', STAMPED_BYTES);
    const writer = spawn(process.execPath, [STAMPS, 'write', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await agent.reaper.pid(writer);
    await once(writer.stdout, 'data');
    const taken = [];
    for (let count = 0; count < 4; count++) taken.push(await agent.backup('stamped'));
    t.is(writer.exitCode, null, 'the writer ended before the backups');
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    t.deepEqual(
      taken.map(({ result }) => result['kind']),
      ['full', 'incremental', 'incremental', 'incremental'],
    );
    const instants: number[] = [];
    for (const [index, { cloudsnapId }] of taken.entries()) {
      const name = `instant-${index}`;
      await agent.restore(cloudsnapId, name);
      const restored = await agent.attach(name);
      const read = await runCommand(agent.reaper, process.execPath, [STAMPS, 'read', restored]);
      const stamps = JSON.parse(read) as number[];
      t.deepEqual(checkInstant(stamps).slice(0, 5), [], cloudsnapId);
      instants.push(Math.max(...stamps));
    }
    t.log(`instants: ${instants.join(', ')}`);
    t.true(instants.every((instant, index) => index === 0 || instant > (instants[index - 1] ?? 0)));
  },
);
