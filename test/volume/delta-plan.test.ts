import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { planDeltas } from '../../src/volume/delta-plan.ts';

test('what nobody asks for is dropped, and neighbours between two bases are folded', (t) => {
  t.deepEqual(planDeltas([1, 2, 3], []), { drop: [1, 2, 3], fold: [] });
  t.deepEqual(planDeltas([1, 2, 3, 4, 5], [2, 4]), { drop: [1, 2], fold: [[3, 4]] });
  t.deepEqual(planDeltas([1, 2, 3, 4], [0]), { drop: [], fold: [[1, 2, 3, 4]] });
  t.deepEqual(planDeltas([], [3]), { drop: [], fold: [] });
});

test('after dropping and folding every base finds exactly the bits that it found before', (t) => {
  const seed = 20_301;
  const random = seededRandom(seed);
  for (let run = 0; run < 2_000; run++) {
    const sealed = [...Array(30).keys()].filter(() => random.chance(0.5));
    const bases = Array.from({ length: random.below(5) }, () => random.below(32));
    // One bit per delta, so that nothing hides.
    const bits = new Map(sealed.map((epoch) => [epoch, new Set([epoch])]));
    const bitsAfter = (base: number) =>
      [...bits]
        .filter(([epoch]) => epoch > base)
        .flatMap(([, set]) => [...set])
        .toSorted((a, b) => a - b);
    const before = bases.map(bitsAfter);
    const { drop, fold } = planDeltas(sealed, bases);
    for (const epoch of drop) bits.delete(epoch);
    for (const group of fold) {
      const all = new Set(group.flatMap((epoch) => [...(bits.get(epoch) ?? [])]));
      for (const epoch of group) bits.delete(epoch);
      bits.set(group.at(-1) ?? -1, all);
    }
    const where = `seed ${seed}, run ${run}: sealed ${sealed.join()}, bases ${bases.join()}`;
    t.deepEqual(bases.map(bitsAfter), before, where);
    // As few files as there can be: at most one between two neighbouring bases.
    t.true(bits.size <= new Set(bases).size, where);
  }
});
