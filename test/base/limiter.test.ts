import test from 'ava';
import { Limiter } from '../../src/base/limiter.ts';

test('no more than the limit is under way, and everything gets its turn', async (t) => {
  const limiter = new Limiter(3);
  let underWay = 0;
  let most = 0;
  const work = async (value: number) => {
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    underWay--;
    return value;
  };
  const values = Array.from({ length: 20 }, (_, index) => index);
  t.deepEqual(await Promise.all(values.map((value) => limiter.run(() => work(value)))), values);
  t.is(most, 3);
  t.is(limiter.active, 0);
});

test('the queue is served in order of arrival', async (t) => {
  const limiter = new Limiter(1);
  const order: number[] = [];
  const release = await limiter.acquire();
  const queued = [1, 2, 3].map((value) => limiter.run(async () => order.push(value)));
  t.is(limiter.waiting, 3);
  release();
  const late = limiter.run(async () => order.push(4));
  await Promise.all([...queued, late]);
  t.deepEqual(order, [1, 2, 3, 4]);
});

test('who is aborted in the queue leaves it, and takes no slot from the others', async (t) => {
  const limiter = new Limiter(1);
  const release = await limiter.acquire();
  const controller = new AbortController();
  const gaveUp = limiter.run(async () => t.fail('started after its abort'), controller.signal);
  const next = limiter.run(async () => 'ran');
  controller.abort(new Error('enough'));
  await t.throwsAsync(gaveUp, { message: 'enough' });
  t.is(limiter.waiting, 1);
  release();
  t.is(await next, 'ran');
  t.is(limiter.active, 0);
});

test('an aborted signal gets no slot, even when one is free', async (t) => {
  const limiter = new Limiter(1);
  await t.throwsAsync(limiter.acquire(AbortSignal.abort(new Error('enough'))), {
    message: 'enough',
  });
  t.is(limiter.active, 0);
});

test('giving a slot back twice frees it once', async (t) => {
  const limiter = new Limiter(2);
  const release = await limiter.acquire();
  await limiter.acquire();
  release();
  release();
  t.is(limiter.active, 1);
});

test('work that fails frees its slot', async (t) => {
  const limiter = new Limiter(1);
  await t.throwsAsync(
    limiter.run(() => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.is(await limiter.run(async () => 'next'), 'next');
});
