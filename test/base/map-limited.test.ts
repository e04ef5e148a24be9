import test from 'ava';
import { mapLimited } from '../../src/base/map-limited.ts';

test('results stand in the order of the items, whatever order they finish in', async (t) => {
  let underWay = 0;
  let most = 0;
  const work = async (item: number, index: number) => {
    most = Math.max(most, ++underWay);
    for (let turn = 0; turn < item; turn++) await new Promise(setImmediate);
    underWay--;
    return item * 10 + index;
  };
  t.deepEqual(await mapLimited([5, 0, 3, 1], work, { limit: 2 }), [50, 1, 32, 13]);
  t.is(most, 2);
});

test('after a failure nothing more starts, and what is under way is awaited', async (t) => {
  const started: number[] = [];
  let finished = false;
  const work = async (item: number) => {
    started.push(item);
    if (item === 1) throw new Error('first');
    await new Promise(setImmediate);
    finished = true;
  };
  await t.throwsAsync(mapLimited([0, 1, 2, 3], work, { limit: 2 }), { message: 'first' });
  t.deepEqual(started, [0, 1]);
  t.true(finished);
});

test('an abort stops before the next item', async (t) => {
  const controller = new AbortController();
  const started: number[] = [];
  const work = async (item: number) => {
    started.push(item);
    controller.abort(new Error('enough'));
  };
  const options = { limit: 1, signal: controller.signal };
  await t.throwsAsync(mapLimited([0, 1], work, options), { message: 'enough' });
  t.deepEqual(started, [0]);
});
