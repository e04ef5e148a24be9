import test from 'ava';
import { canonicalJson, type JsonValue } from '../../src/format/canonical-json.ts';
import {
  MAX_MANIFEST_BYTES,
  decodeManifest,
  encodeManifest,
} from '../../src/format/manifest-codec.ts';
import { CLUSTER, MANIFEST, SNAP_NAMES } from './samples.ts';

const CORRUPT = { code: 'format/corrupt' };

/** The manifest with the value at a path such as `volume.name` replaced; undefined removes it. */
function changed(path: string, value: unknown): Uint8Array {
  const copy = structuredClone(MANIFEST) as unknown as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop()!;
  let at = copy;
  for (const name of names) at = at[name] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return Buffer.from(canonicalJson(copy as JsonValue));
}

test('a manifest comes out as it went in', (t) => {
  t.deepEqual(decodeManifest(encodeManifest(MANIFEST)), MANIFEST);
});

test('equal manifests have equal bytes, whatever the order of their fields', (t) => {
  const reversed = Object.fromEntries(Object.entries(MANIFEST).toReversed());
  t.deepEqual(
    Buffer.from(canonicalJson(reversed as JsonValue)),
    Buffer.from(encodeManifest(MANIFEST)),
  );
});

test('canonical JSON sorts keys by code units and has no white space', (t) => {
  t.is(
    canonicalJson({ b: [1, { z: null, a: true }], a: 'x"\n', 10: 1, 9: 2, '\u20ac': 0, é: 1 }),
    '{"10":1,"9":2,"a":"x\\"\\n","b":[1,{"a":true,"z":null}],"é":1,"€":0}',
  );
});

test('another format version is refused in one sentence', (t) => {
  t.throws(() => decodeManifest(changed('formatVersion', 2)), {
    code: 'format/unsupported',
    message: 'the cloudsnap has format version 2, and this cloudvol reads version 1',
  });
});

test('a field that is missing, of another type or out of bounds is refused', (t) => {
  const fields = Object.keys(MANIFEST) as (keyof typeof MANIFEST)[];
  for (const field of fields) {
    t.throws(() => decodeManifest(changed(field, undefined)), CORRUPT, `no ${field}`);
    for (const wrong of [[], {}, true, -1, 1.5, 2 ** 60, 'x'.repeat(300)]) {
      t.throws(
        () => decodeManifest(changed(field, wrong)),
        undefined,
        `${field}: ${JSON.stringify(wrong)}`,
      );
    }
  }
  const lies: readonly (readonly [string, unknown])[] = [
    ['extra', 1],
    ['volume.extra', 1],
    ['volume.id', '0'],
    ['volume.id', '12345678901234567890'],
    ['volume.name', ''],
    ['volume.name', '../x'],
    ['volume.name', 'a\u0000b'],
    ['volume.name', 'line\nbreak'],
    ['volume.sizeBytes', 2 ** 53 - 1],
    ['volume.sizeBytes', 0],
    ['volume.sizeBytes', -65_536],
    ['volume.blockBytes', 0],
    ['volume.blockBytes', 3000],
    ['volume.fileSystem', 'ext4; rm -rf /'],
    ['volume.labels', { a: 1 }],
    ['volume.labels', { a: { b: 'c' } }],
    ['volume.labels', ['a']],
    ['volume.labels', { a: '\ud800' }],
    ['volume.labels', Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, '']))],
    ['sequence', 9],
    ['cloudsnapId', `${CLUSTER}/${SNAP_NAMES[0]}`],
    ['cloudsnapId', `other/${SNAP_NAMES[1]}`],
    ['cloudsnapId', `${CLUSTER}/../${SNAP_NAMES[1]}`],
    ['clusterId', '..'],
    ['parent', null],
    ['parent.cloudsnapId', `${CLUSTER}/${SNAP_NAMES[1]}`],
    ['parent.cloudsnapId', `${CLUSTER}/77-712345678`],
    ['parent.manifestSha256', 'AB'.repeat(32)],
    ['incrementals', 0],
    ['fullReason', 'first'],
    ['createdMs', 8.65e15],
    ['type', 'Hourly'],
    ['consistency', 'none'],
    ['root.object', '../root'],
    ['root.lengthBytes', 0],
    ['root.lengthBytes', 1 << 30],
    ['root.sha256', 'x'.repeat(64)],
    ['statistics.plannedBlocks', 641],
    ['statistics.uploadedPlainBytes', 1],
    ['statistics.packs', -1],
  ];
  for (const [path, value] of lies) {
    t.throws(() => decodeManifest(changed(path, value)), CORRUPT, `${path}: ${String(value)}`);
  }
});

test('JSON that says the same in another way is refused', (t) => {
  const text = Buffer.from(encodeManifest(MANIFEST)).toString();
  const others = [
    ` ${text}`,
    `${text}\n`,
    text.replace('"sequence":8', '"sequence":8,"sequence":8'),
    text.replace('"sequence":8', '"sequence":8.0'),
    text.replace('database', '\\u0064atabase'),
    `\ufeff${text}`,
  ];
  for (const other of others) t.throws(() => decodeManifest(Buffer.from(other)), CORRUPT, other);
});

test('what is too long, too deep or no JSON at all is refused', (t) => {
  const hostile = [
    Buffer.alloc(MAX_MANIFEST_BYTES + 1, 32),
    Buffer.alloc(MAX_MANIFEST_BYTES, '['),
    Buffer.from('['.repeat(30_000) + ']'.repeat(30_000)),
    Buffer.from('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)),
    Buffer.alloc(0),
    Buffer.from('null'),
    Buffer.from('"text"'),
    Buffer.of(0xff, 0xfe, 0x00),
  ];
  for (const bytes of hostile) t.throws(() => decodeManifest(bytes), CORRUPT);
});

test('a label called __proto__ is a label', (t) => {
  const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
  const manifest = { ...MANIFEST, volume: { ...MANIFEST.volume, labels } };
  const decoded = decodeManifest(encodeManifest(manifest));
  t.deepEqual(Object.entries(decoded.volume.labels), Object.entries(labels));
});

test('a manifest that would be too long is not written', (t) => {
  const labels = Object.fromEntries(
    Array.from({ length: 64 }, (_, i) => [`${'\u0001'.repeat(200)}${i}`, '\u0001'.repeat(255)]),
  );
  const manifest = { ...MANIFEST, volume: { ...MANIFEST.volume, labels } };
  t.throws(() => encodeManifest(manifest), { code: 'format/too-large' });
});
