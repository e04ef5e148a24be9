import { globSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Api } from '../../src/control/schemas.ts';
import { TestAgent } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';

const MIB = 1 << 20;
const HOUR = 3_600_000;
const hostTest = requires('root', 'fuse');

async function fill(agent: TestAgent, file: string): Promise<void> {
  const args = ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=1', 'conv=notrunc,fsync'];
  await runCommand(agent.reaper, 'dd', [...args, 'status=none']);
}

async function digest(agent: TestAgent, volume: string): Promise<string> {
  const file = await agent.attach(volume);
  return (await runCommand(agent.reaper, 'sha256sum', [file])).split(' ')[0] ?? '';
}

/** Cells of a table, without its head. */
const cells = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/));

/** Ids of the cloudsnaps that the repository shows, in the order of creation. */
async function listed(agent: TestAgent): Promise<string[]> {
  return (await agent.client.call('listCloudsnaps', {})).map(({ id }) => id);
}

hostTest('cloudsnaps that no rule keeps are pruned, and what is left is whole', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('v', 4 * MIB);
  const ids: string[] = [];
  for (let round = 0; round < 4; round++) {
    await fill(agent, file);
    const { code, stdout } = await agent.cli('cs', 'backup', 'v', '-i', '2', '--wait');
    t.is(code, 0, stdout);
    ids.push((await listed(agent)).at(-1) ?? '');
  }
  t.deepEqual(
    ids.map((id) => id.endsWith('-incr')),
    [false, true, false, true],
  );
  const content = await digest(agent, 'v');

  const none = await agent.cli('cloudsnap', 'prune', 'v');
  t.is(none.code, 2);
  t.regex(none.stderr, /^cloudvol: nothing says which cloudsnaps to keep\nhint: give --keep-last/);
  t.is((await agent.cli('cs', 'prune', 'nobody', '--keep-last', '1')).code, 3);

  const dry = await agent.cli('cs', 'prune', 'v', '--keep-last', '1', '--dry-run');
  t.is(dry.code, 0, dry.stderr);
  t.deepEqual(
    cells(dry.stdout).map(([, id, , type, action, reason]) => [id, type, action, reason]),
    [
      [ids[0], 'Manual', 'remove', 'no rule keeps it'],
      [ids[1], 'Manual', 'remove', 'no rule keeps it'],
      [ids[2], 'Manual', 'keep', `as the base of ${ids[3]}`],
      [ids[3], 'Manual', 'keep', 'last 1; newest intact one of the volume'],
      [undefined, undefined, undefined, undefined],
    ],
  );
  t.regex(dry.stdout, /\n2 cloudsnaps would be removed \(.* MiB\); nothing was changed\n$/);
  t.deepEqual(await listed(agent), ids);

  // A volume that reads from a cloudsnap holds it and its base.
  const lazy = { cloudsnap: ids[1] ?? '', name: 'lazy', lazy: true, hydrate: false };
  await agent.client.call('restore', lazy);
  const held = await agent.cli('cs', 'prune', '--all', '--keep-last', '1', '--json');
  t.is(held.code, 0, held.stderr);
  const answer = JSON.parse(held.stdout) as Api['pruneCloudsnaps']['output'];
  t.is(answer.task, null);
  t.deepEqual(answer.cloudsnaps[1]?.reasons, ['volume lazy still reads from it']);
  await agent.client.call('deleteVolume', { volume: 'lazy' });

  const pruned = await agent.cli('cs', 'prune', 'v', '--keep-last', '1');
  t.is(pruned.code, 0, pruned.stderr);
  t.regex(pruned.stdout, /\n2 cloudsnaps removed \(.* MiB\)\n$/);
  t.deepEqual(await listed(agent), ids.slice(2));
  t.is((await agent.restore(ids[3] ?? '', 'back')).state, 'Done');
  t.is(await digest(agent, 'back'), content);

  // One that is known to be damaged takes nobody's place.
  t.is((await agent.backup('v', { full: true })).state, 'Done');
  const damaged = (await listed(agent)).at(-1) ?? '';
  const store = join(agent.directory, 'state/objectstore');
  for (const pack of globSync(join(store, damaged, 'pack-*'))) unlinkSync(pack);
  t.is((await agent.cli('cs', 'verify', '--snap', damaged, '--wait')).code, 65);
  const wary = await agent.cli('cs', 'prune', 'v', '--keep-last', '1');
  t.deepEqual(
    cells(wary.stdout).map(([, id, , , action, reason]) => [id, action, reason]),
    [
      [ids[2], 'keep', `as the base of ${ids[3]}`],
      [ids[3], 'keep', 'last 1; newest intact one of the volume'],
      [damaged, 'keep', 'last 1; no newer one is intact'],
      [undefined, undefined, undefined],
    ],
  );

  // The volume is gone, and its cloudsnaps are not: --all sees them.
  for (const volume of ['v', 'back']) {
    await agent.client.call('detachVolume', { volume });
    await agent.client.call('deleteVolume', { volume });
  }
  const gone = await agent.cli('cs', 'prune', '--all', '--keep-daily', '1', '-n');
  t.deepEqual(
    cells(gone.stdout).map((row) => row[4]),
    ['keep', 'keep', 'keep', undefined],
  );
});

hostTest('a schedule removes what it has made, and nothing that was made by hand', async (t) => {
  const agent = await TestAgent.start(t);
  const file = await agent.createAttached('v', 4 * MIB);
  await fill(agent, file);
  const plan = ['-p', '1', '--max', '1', '--full', '--retention', '0'];
  const created = await agent.cli('cs', 'sched', 'create', 'v', ...plan);
  t.is(created.stdout, 'Cloudsnap schedule created successfully\n', created.stderr);
  t.is((await agent.backup('v', { full: true })).state, 'Done');
  const [manual = ''] = await listed(agent);

  const made: string[] = [];
  let seen = '';
  for (let round = 0; round < 3; round++) {
    await agent.stop();
    // As if the agent had not run for an hour: what was missed is made up for once.
    rewind(join(agent.directory, 'state/agent.db'));
    await agent.startAgain();
    const retention = await eventually('the schedule has run and cleaned up', async () => {
      const [schedule] = await agent.client.call('listSchedules', {});
      const { lastRetention } = schedule ?? {};
      return lastRetention && lastRetention.ended !== seen ? lastRetention : undefined;
    });
    seen = retention.ended;
    t.like(retention, { removed: round === 0 ? 0 : 1, failure: null });
    const ids = await listed(agent);
    t.is(ids.length, 2);
    t.is(ids[0], manual);
    t.false(made.includes(ids[1] ?? ''));
    made.push(ids[1] ?? '');
  }
  const { stdout } = await agent.cli('cs', 'sched', 'list');
  const [row = []] = cells(stdout);
  t.deepEqual(row.slice(2, 6), ['1', 'true', 'periodic 1m', 'last 1']);
  const history = await agent.cli('cs', 'history');
  t.is(history.stdout.match(/Prune-Done/g)?.length, 2);
  t.is(history.stdout.match(/Delete-Done/g)?.length, 2);

  // Its objects are gone as well, not only its name.
  const store = join(agent.directory, 'state/objectstore');
  const left = await eventually('the objects are removed', () => {
    const folders = readdirSync(join(store, manual.split('/')[0] ?? ''));
    return made.slice(0, 2).some((id) => folders.includes(id.split('/')[1] ?? ''))
      ? undefined
      : folders;
  });
  t.true(left.includes(manual.split('/')[1] ?? ''));
});

function rewind(path: string): void {
  const database = new DatabaseSync(path);
  try {
    const change = 'UPDATE schedule SET handled_ms = handled_ms - ?, created_ms = created_ms - ?';
    database.prepare(change).run(HOUR, HOUR);
  } finally {
    database.close();
  }
}
