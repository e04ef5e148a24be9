import test from 'ava';
import { namesOfPath } from '../../src/catalog/catalog-path.ts';

test('a path is the same with and without slashes at its ends', (t) => {
  for (const path of ['/a/b', 'a/b', './a//b/', '/./a/./b/.']) {
    t.deepEqual(namesOfPath(path), ['a', 'b'], path);
  }
  for (const path of ['', '/', '.', './']) t.deepEqual(namesOfPath(path), [], path);
  t.deepEqual(namesOfPath('/...'), ['...']);
});

test('a path that leads upwards or has a zero byte is refused', (t) => {
  for (const path of ['..', '/a/../b', 'a/..', '/x\0y']) {
    t.throws(() => namesOfPath(path), { code: 'catalog/bad-path' }, path);
  }
});
