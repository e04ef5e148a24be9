import test from 'ava';
import { isRootObject, MAX_ATTEMPTS, rootObject } from '../../src/format/root-object.ts';

test('each attempt of an upload has a root of its own name', (t) => {
  const names = [...Array(MAX_ATTEMPTS).keys()].map(rootObject);
  t.is(new Set(names).size, MAX_ATTEMPTS);
  t.true(names.every(isRootObject));
  t.is(names[0], 'root');
  t.is(names[1], 'root-1');
});

test('nothing else is a root', (t) => {
  for (const name of ['', 'root-', 'root-0', 'root-01', 'root-32', 'root-x', 'roots', 'a/root']) {
    t.false(isRootObject(name), name);
  }
});
