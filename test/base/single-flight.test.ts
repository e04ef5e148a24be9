import test from 'ava';
import { SingleFlight } from '../../src/base/single-flight.ts';

test('callers with one key share one piece of work; other keys have their own', async (t) => {
  const flights = new SingleFlight<string, string>();
  const started: string[] = [];
  const work = (key: string) => async () => {
    started.push(key);
    await new Promise(setImmediate);
    return key;
  };
  const results = ['a', 'a', 'b', 'a'].map((key) => flights.run(key, work(key)));
  t.deepEqual(await Promise.all(results), ['a', 'a', 'b', 'a']);
  t.deepEqual(started, ['a', 'b']);
  t.is(flights.size, 0);
});

test('a failure reaches every caller and is not remembered', async (t) => {
  const flights = new SingleFlight<number, string>();
  const fail = () => Promise.reject(new Error('broken'));
  const both = [flights.run(1, fail), flights.run(1, fail)];
  for (const one of both) await t.throwsAsync(one, { message: 'broken' });
  t.is(await flights.run(1, async () => 'better'), 'better');
});

test('one caller may give up; the work goes on for the others', async (t) => {
  const flights = new SingleFlight<number, string>();
  const gate = Promise.withResolvers<string>();
  const controller = new AbortController();
  let workSignal: AbortSignal | undefined;
  const work = (signal: AbortSignal) => {
    workSignal = signal;
    return gate.promise;
  };
  const impatient = flights.run(1, work, controller.signal);
  const patient = flights.run(1, work);
  controller.abort(new Error('enough'));
  await t.throwsAsync(impatient, { message: 'enough' });
  t.false(workSignal?.aborted);
  gate.resolve('done');
  t.is(await patient, 'done');
  t.false(workSignal?.aborted, 'work that ended is not aborted afterwards');
});

test('when the last caller gives up, the work is aborted and forgotten', async (t) => {
  const flights = new SingleFlight<number, string>();
  const controller = new AbortController();
  const aborted = Promise.withResolvers<void>();
  const hang = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => aborted.resolve());
    return new Promise<string>(() => {});
  };
  const only = flights.run(1, hang, controller.signal);
  controller.abort(new Error('enough'));
  await t.throwsAsync(only, { message: 'enough' });
  await aborted.promise;
  t.is(await flights.run(1, async () => 'fresh'), 'fresh');
});
