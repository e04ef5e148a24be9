import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { SweepSimulation } from './sweep-simulation.ts';

/** `SEEDS=200` simulates seeds 1 to 200, `SEEDS=57-57` one of them again. */
const [first, last] = seedsOf(process.env['SEEDS'] ?? '6');
const OPERATIONS = Number(process.env['OPERATIONS'] ?? 60);

test('published-keeps-its-objects, dead-uploads-go: whatever two hosts do', async (t) => {
  t.timeout(600_000 + (last - first) * 60_000);
  const directory = mkdtempSync(join(tmpdir(), 'cloudvol-sweep-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const total = new Map<string, number>();
  for (let seed = first; seed <= last; seed++) {
    const simulation = await SweepSimulation.open(seed, join(directory, String(seed)));
    try {
      await simulation.run(OPERATIONS);
      await simulation.finish();
    } catch (error) {
      t.log(`seed ${seed}`, simulation.story.slice(-12));
      throw error;
    }
    for (const [what, count] of simulation.tally) {
      total.set(what, (total.get(what) ?? 0) + count);
    }
  }
  t.log(Object.fromEntries([...total].sort(([a], [b]) => (a < b ? -1 : 1))));
  const seeds = last - first + 1;
  for (const what of ['upload: done', 'killed asleep', 'delete: done', 'leftover removed']) {
    t.true((total.get(what) ?? 0) >= seeds / 2, what);
  }
  t.true((total.get('published cloudsnaps read') ?? 0) > 10 * seeds);
});

function seedsOf(text: string): readonly [number, number] {
  const match = /^(?:(\d+)-)?(\d+)$/.exec(text);
  if (!match) throw new Error(`SEEDS=${text}: give a number or a range such as 21-200`);
  return [Number(match[1] ?? 1), Number(match[2])];
}
