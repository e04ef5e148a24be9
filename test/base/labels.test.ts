import test from 'ava';

import { checkLabels, MAX_LABELS } from '../../src/base/labels.ts';

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, 'x']));

test('labels that a manifest cannot hold are refused before anything is written', (t) => {
  const code = { code: 'volume/bad-labels' };
  t.throws(() => checkLabels(many(MAX_LABELS + 1)), code);
  t.throws(() => checkLabels({ a: 'ä'.repeat(128) }), { ...code, message: /"a" is too long/ });
  t.throws(() => checkLabels({ ['k'.repeat(256)]: '' }), code);
  t.throws(() => checkLabels({ a: '\ud800' }), code);
  const most = { ...many(MAX_LABELS - 1), ['k'.repeat(255)]: 'v'.repeat(255) };
  t.is(checkLabels(most), most);
});
