import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { checkKey, compareKeys, isKeySegment, splitKey } from '../../src/store/key.ts';

const SEED = 11;

test(`keys compare as their UTF-8 bytes do (seed ${SEED})`, (t) => {
  const random = seededRandom(SEED);
  const alphabet = [
    'a',
    'b',
    '/',
    '-',
    '.',
    '0',
    'é',
    '\u07ff',
    '\ud7ff',
    '\ue000',
    '\ufffd',
    '😀',
    '\u{10ffff}',
  ];
  const word = () =>
    Array.from({ length: random.below(5) }, () => alphabet[random.below(alphabet.length)]).join('');
  for (let pair = 0; pair < 5000; pair++) {
    const [left, right] = [word(), word()];
    const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
    t.is(Math.sign(compareKeys(left, right)), expected, JSON.stringify([left, right]));
  }
});

test('a key splits into its folder and its name', (t) => {
  t.deepEqual(splitKey('a/b/c'), { folder: 'a/b', name: 'c' });
  t.deepEqual(splitKey('c'), { folder: '', name: 'c' });
  t.deepEqual(splitKey('a/'), { folder: 'a', name: '' });
});

test('an error about a key quotes it, shortens it and says what is wrong', (t) => {
  t.throws(() => checkKey('a//b'), {
    message: /^the object key "a\/\/b" begins or ends with a slash/,
  });
  const error = t.throws(() => checkKey('x'.repeat(1e6)));
  t.true(error.message.length < 200);
  t.throws(() => checkKey('a\nb'), { message: /"a\\nb" has a control character/ });
});

test('the name of the folder for temporary files is no part of any key', (t) => {
  t.false(isKeySegment('.tmp.'));
  t.true(isKeySegment('.tmp'));
});
