import { constants, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { sha256 } from '../../src/format/content-hash.ts';
import { CLEAR_ENVELOPE_BYTES, seal, unseal } from '../../src/format/envelope.ts';

const CORRUPT = { code: 'format/corrupt' };

/** An envelope with a good checksum around whatever is claimed and stored. */
function forged(encoding: number, claimedBytes: number, stored: Uint8Array): Uint8Array {
  const header = Buffer.alloc(12);
  header.write('CVIP', 'latin1');
  header.writeUInt16LE(1, 4);
  header.writeUInt8(encoding, 6);
  header.writeUInt32LE(claimedBytes, 8);
  const body = Buffer.concat([header, stored]);
  return Buffer.concat([body, sha256(body)]);
}

test('a record comes out as it went in, compressed only where that pays', (t) => {
  const noise = seededRandom(1).bytes(5000);
  const sealedNoise = seal('CVIP', noise);
  t.is(sealedNoise.length, noise.length + CLEAR_ENVELOPE_BYTES);
  t.deepEqual(Buffer.from(unseal('CVIP', sealedNoise, 5000)), Buffer.from(noise));
  const text = new Uint8Array(5000).fill(65);
  const sealedText = seal('CVRT', text);
  t.true(sealedText.length < 200);
  t.deepEqual(Buffer.from(unseal('CVRT', sealedText, 5000)), Buffer.from(text));
  t.is(unseal('CVIP', seal('CVIP', new Uint8Array()), 0).length, 0);
});

test('every byte counts', (t) => {
  for (const record of [seededRandom(2).bytes(100), new Uint8Array(400).fill(7)]) {
    const sealed = seal('CVIP', record);
    for (let at = 0; at < sealed.length; at++) {
      t.throws(() => unseal('CVIP', sealed.with(at, sealed[at]! ^ 4), 1000), CORRUPT);
      t.throws(() => unseal('CVIP', sealed.subarray(0, at), 1000), CORRUPT);
    }
  }
});

test('one kind is not taken for the other', (t) => {
  t.throws(() => unseal('CVRT', seal('CVIP', new Uint8Array(10)), 10), CORRUPT);
});

test('a record that claims or has more than the limit is refused, compressed or not', (t) => {
  t.throws(() => unseal('CVIP', seal('CVIP', new Uint8Array(11)), 10), CORRUPT);
  const bomb = zstdCompressSync(new Uint8Array(64 << 20));
  t.true(bomb.length < 20_000);
  t.throws(() => unseal('CVIP', forged(2, 1000, bomb), 32_768), CORRUPT);
  t.throws(() => unseal('CVIP', forged(2, 0xffff_ffff, bomb), 32_768), CORRUPT);
});

test('a frame that wants a huge window is refused before it gets it', (t) => {
  const params = { [constants.ZSTD_c_contentSizeFlag]: 0 };
  const compressed = zstdCompressSync(seededRandom(3).bytes(1000), { params });
  // Window_Descriptor of RFC 8878, 3.1.1.1.2: it follows magic and frame header descriptor; 10 is
  // the least exponent.
  const asking = (windowLog: number) => compressed.with(5, (windowLog - 10) << 3);
  t.notThrows(() => unseal('CVIP', forged(2, 1000, asking(23)), 32_768));
  t.throws(() => unseal('CVIP', forged(2, 1000, asking(27)), 32_768), CORRUPT);
});

test('an encoding that is reserved or unknown is refused', (t) => {
  for (const encoding of [0, 3, 4, 255]) {
    t.throws(() => unseal('CVIP', forged(encoding, 3, Uint8Array.of(1, 2, 3)), 10), CORRUPT);
  }
});
