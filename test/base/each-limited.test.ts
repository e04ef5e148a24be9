import test from 'ava';
import { eachLimited } from '../../src/base/each-limited.ts';

async function* numbers(to: number): AsyncGenerator<number> {
  for (let number = 0; number < to; number++) yield number;
}

test('does every piece of work, never more at once than the limit', async (t) => {
  const done: number[] = [];
  let active = 0;
  let most = 0;
  const work = async (number: number) => {
    most = Math.max(most, ++active);
    await new Promise(setImmediate);
    active--;
    done.push(number);
  };
  await eachLimited(numbers(20), work, { limit: 3 });
  t.deepEqual(
    done.toSorted((a, b) => a - b),
    [...Array(20).keys()],
  );
  t.is(most, 3);
});

test('the first failure ends it, closes the source, and leaves nothing under way', async (t) => {
  let closed = false;
  let active = 0;
  async function* endless() {
    try {
      for (let number = 0; ; number++) yield number;
    } finally {
      closed = true;
    }
  }
  const work = async (number: number) => {
    active++;
    await new Promise(setImmediate);
    active--;
    if (number === 5) throw new Error('five');
  };
  await t.throwsAsync(eachLimited(endless(), work, { limit: 2 }), { message: 'five' });
  t.true(closed);
  t.is(active, 0);
});

test('a source that fails, and an aborted signal, end it with their reasons', async (t) => {
  async function* broken() {
    yield 1;
    throw new Error('broken off');
  }
  await t.throwsAsync(
    eachLimited(broken(), async () => {}, { limit: 2 }),
    {
      message: 'broken off',
    },
  );
  const controller = new AbortController();
  const stop = async () => controller.abort(new Error('enough'));
  const { signal } = controller;
  await t.throwsAsync(eachLimited(numbers(9), stop, { limit: 1, signal }), { message: 'enough' });
});
