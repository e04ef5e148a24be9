import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';

test('one seed gives one sequence, another seed another', (t) => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return [random.next(), random.below(100), random.chance(0.5), [...random.bytes(7)]];
  };
  t.deepEqual(draw(7), draw(7));
  t.notDeepEqual(draw(7), draw(8));
});

test('numbers stay in their range and spread over it', (t) => {
  const random = seededRandom(1);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let draw = 0; draw < 10_000; draw++) counts[random.below(10)]! += 1;
  t.true(
    counts.every((count) => count > 850 && count < 1150),
    counts.join(' '),
  );
});
