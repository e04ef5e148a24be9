import test from 'ava';
import { simulate, type Tally } from '../model/simulation.ts';

/**
 * `SEEDS=200` simulates seeds 1 to 200, `SEEDS=57-57` one of them again. The default keeps the unit
 * tests short.
 */
const [first, last] = seedsOf(process.env['SEEDS'] ?? '20');
const OPERATIONS = 1000;

const total: Tally = new Map();

for (let seed = first; seed <= last; seed++) {
  test.serial(
    `nothing is lost and nothing wrong is restored in the life of seed ${seed}`,
    async (t) => {
      const tally = await simulate(seed, OPERATIONS);
      t.true((tally.get('crash') ?? 0) >= 5, `seed ${seed} crashes too seldom`);
      for (const [what, times] of tally) total.set(what, (total.get(what) ?? 0) + times);
    },
  );
}

test.serial('the simulation reaches what it is meant to reach', (t) => {
  t.log(Object.fromEntries(total));
  const seeds = last - first + 1;
  for (const what of [
    'backup done',
    'restore done',
    'delete done',
    'demand read done',
    'hydrate done',
    'crash in a backup',
    'backup failed',
    'backup went on',
    'lazy restore',
    'hydrate failed',
    'backup beside another done',
  ]) {
    t.true((total.get(what) ?? 0) >= Math.floor(seeds / 10), what);
  }
});

function seedsOf(text: string): readonly [number, number] {
  const match = /^(?:(\d+)-)?(\d+)$/.exec(text);
  if (!match) throw new Error(`SEEDS=${text}: give a number or a range such as 21-200`);
  return [Number(match[1] ?? 1), Number(match[2])];
}
