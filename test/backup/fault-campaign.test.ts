import test from 'ava';
import { MemoryStore } from '../../src/store/memory.ts';
import { FAULT_RATE, runCampaign } from '../model/fault-campaign.ts';
import type { Tally } from '../model/simulation.ts';
import { openTemporaryStore } from '../store/directory/temporary-store.ts';

/** `SEEDS=20` runs seeds 1 to 20, `SEEDS=7-7` one of them again; `BACKUPS=` in each of them. */
const [first, last] = seedsOf(process.env['SEEDS'] ?? '1');
const BACKUPS = Number(process.env['BACKUPS'] ?? 200);

const total: Tally = new Map();

for (let seed = first; seed <= last; seed++) {
  test.serial(
    `${BACKUPS} backups at 20 % faults, seed ${seed}: right or cleanly failed`,
    async (t) => {
      const { store } = await openTemporaryStore(t, 'in-memory');
      const tally = await runCampaign({
        seed,
        backups: BACKUPS,
        disks: [new MemoryStore(), store],
      });
      t.true((tally.get('point compared') ?? 0) > BACKUPS / 2, 'there was something to compare');
      for (const [what, times] of tally) total.set(what, (total.get(what) ?? 0) + times);
    },
  );
}

test.serial('every kind of fault hit every kind of request that it can, at its rate', (t) => {
  t.log(Object.fromEntries([...total].sort(([a], [b]) => (a < b ? -1 : 1))));
  const count = (what: string) => total.get(what) ?? 0;
  const backups = (last - first + 1) * BACKUPS;
  const expected = ['truncate of get', 'garble of get'];
  for (const verb of ['put', 'get', 'head', 'list', 'delete']) {
    for (const kind of ['error', 'lost-answer', 'hang']) expected.push(`${kind} of ${verb}`);
  }
  let faults = 0;
  for (const [what, times] of total) if (what.includes(' of ')) faults += times;
  const rate = faults / (faults + count('request'));
  t.true(Math.abs(rate - FAULT_RATE) < 0.03, `${rate} of all requests went wrong`);
  if (backups < 200) return t.log('too few backups to expect every kind of fault');
  for (const what of expected) t.true(count(what) > 0, what);
  const done = count('backup: done');
  const failed = count('backup: failed');
  t.true(done > backups / 3, `${done} done`);
  t.true(failed > 0, 'some fail, and cleanly');
  for (const what of ['restore: done', 'verify: done', 'delete: done'])
    t.true(count(what) > 0, what);
});

function seedsOf(text: string): readonly [number, number] {
  const match = /^(?:(\d+)-)?(\d+)$/.exec(text);
  if (!match) throw new Error(`SEEDS=${text}: give a number or a range such as 21-200`);
  return [Number(match[1] ?? 1), Number(match[2])];
}
