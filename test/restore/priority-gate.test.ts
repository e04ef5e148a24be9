import test from 'ava';
import { newTicket, PriorityGate, type Ticket } from '../../src/restore/priority-gate.ts';
import type { FetchPriority } from '../../src/volume/backing-source.ts';

const never = new AbortController().signal;

/**
 * Requests that go on until the test ends them; `started` is the order in which they were admitted.
 */
function harness() {
  const gate = new PriorityGate();
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const enter = (name: string, priority: FetchPriority, signal = never): Ticket => {
    const ticket = newTicket(priority);
    const work = () => {
      started.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    };
    // The one rejection here is the abort of a waiting request, which the test looks for itself.
    gate.run(ticket, work, signal).catch(() => started.push(`${name} gave up`));
    return ticket;
  };
  const many = (count: number, name: string, priority: FetchPriority) => {
    for (let i = 0; i < count; i++) enter(`${name}${i}`, priority);
  };
  /** Lets everything start that may. */
  const settled = () => new Promise(setImmediate);
  const end = async (name: string) => {
    ends.get(name)?.();
    await settled();
  };
  return { gate, started, enter, many, end, settled };
}

test('a demand read starts at once, however many background requests wait', async (t) => {
  const { gate, started, enter, many, settled } = harness();
  many(100, 'background', 'background');
  many(100, 'prefetch', 'prefetch');
  const before = gate.active;
  for (let i = 0; i < 4; i++) {
    enter(`demand${i}`, 'demand');
    await settled();
    t.is(started.at(-1), `demand${i}`);
  }
  t.is(gate.active, before + 4);
});

test('at most sixteen requests are under way', (t) => {
  const { gate, many } = harness();
  many(40, 'demand', 'demand');
  t.is(gate.active, 16);
  t.is(gate.waiting, 24);
});

test('a free slot goes to demand, then prefetch, then background', async (t) => {
  const { started, enter, many, end, settled } = harness();
  many(16, 'first', 'demand');
  enter('b', 'background');
  enter('p', 'prefetch');
  enter('d', 'demand');
  await settled();
  const seen = started.length;
  for (let i = 0; i < 16; i++) await end(`first${i}`);
  t.deepEqual(started.slice(seen), ['d', 'p', 'b']);
});

test('while a reader waits the background keeps two requests going', async (t) => {
  const { started, enter, many, end, settled } = harness();
  enter('d', 'demand');
  many(10, 'b', 'background');
  await settled();
  t.deepEqual(started, ['d', 'b0', 'b1']);
  await end('d');
  t.is(started.length, 9);
});

test('background never takes more than eight slots, unasked work never more than twelve', (t) => {
  const { gate, many } = harness();
  many(20, 'b', 'background');
  t.is(gate.active, 8);
  many(20, 'p', 'prefetch');
  t.is(gate.active, 12);
});

test('a waiting request that a reader joins goes to the front', async (t) => {
  const { gate, started, enter, many, settled } = harness();
  many(8, 'b', 'background');
  const ticket = enter('wanted', 'background');
  await settled();
  t.false(started.includes('wanted'));
  gate.raise(ticket, 'demand');
  await settled();
  t.is(started.at(-1), 'wanted');
  gate.raise(ticket, 'background');
  t.is(ticket.priority, 'demand');
});

test('a request that gives up before its turn never starts and leaves the queue', async (t) => {
  const { gate, started, enter, many, end, settled } = harness();
  many(16, 'first', 'demand');
  await settled();
  const abort = new AbortController();
  enter('impatient', 'demand', abort.signal);
  abort.abort(new Error('enough'));
  t.is(gate.waiting, 0);
  await end('first0');
  t.is(started.at(-1), 'impatient gave up');
  t.false(started.includes('impatient'));
  t.is(gate.active, 15);
});

test('failed work gives its slot back', async (t) => {
  const gate = new PriorityGate();
  const failing = gate.run(newTicket('demand'), () => Promise.reject(new Error('no')), never);
  await t.throwsAsync(failing, { message: 'no' });
  t.is(gate.active, 0);
});
