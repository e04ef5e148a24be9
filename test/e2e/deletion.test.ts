import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestAgent } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const MIB = 1 << 20;
/** From the request to the SIGKILL: before it is marked, while objects go, after it is done. */
const KILL_AFTER_MS = [5, 20, 45, 150];
const hostTest = requires('root', 'fuse');

async function listed(agent: TestAgent): Promise<string[]> {
  return (await agent.client.call('listCloudsnaps', {})).map(({ id }) => id);
}

hostTest('deletion-goes-on: an agent killed at any moment of it ends it later', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('v', 4 * MIB);
  const args = ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=2', 'conv=notrunc,fsync'];
  await runCommand(agent.reaper, 'dd', [...args, 'status=none']);
  for (let round = 0; round <= KILL_AFTER_MS.length; round++) {
    t.is((await agent.backup('v', { full: true })).state, 'Done');
  }
  const store = join(agent.directory, 'state', 'objectstore');
  for (const killAfterMs of KILL_AFTER_MS) {
    const doomed = (await listed(agent))[0]!;
    t.true(existsSync(join(store, doomed)));
    const asking = agent.client.call('deleteCloudsnap', { cloudsnap: doomed });
    await delay(killAfterMs);
    await agent.kill();
    // Queued, or cut off by the kill: either will do.
    await asking.catch(() => {});
    await agent.startAgain();
    const isThere = (await listed(agent)).includes(doomed);
    t.log(`killed after ${killAfterMs} ms: ${isThere ? 'not marked yet' : 'marked'}`);
    if (isThere) {
      const again = await agent.cli('cloudsnap', 'delete', '--snap', doomed);
      t.is(again.code, 0, again.stderr);
      t.regex(again.stdout, /Cloudsnap deleted successfully/);
    }
    await eventually('its objects are gone', () => !existsSync(join(store, doomed)));
  }
  const [last] = await listed(agent);
  t.is((await agent.restore(last!, 'back')).state, 'Done');
  const swept = await agent.cli('cloudsnap', 'sweep');
  t.is(swept.code, 0, swept.stderr);
  t.regex(swept.stdout, /^0 of [0-9]+ objects \(0 B\) removed\n$/);
});
