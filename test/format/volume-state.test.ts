import { hash } from 'node:crypto';
import test from 'ava';
import { CloudvolError, hasCode } from '../../src/base/errors.ts';
import {
  decodeVolumeState,
  encodeVolumeState,
  MAX_VOLUME_STATE_BYTES,
  type VolumeState,
} from '../../src/format/volume-state.ts';

const STATE: VolumeState = {
  id: '4611686018427387905',
  name: 'größe-1',
  sizeBytes: 1 << 30,
  blockBytes: 65_536,
  fileSystem: 'ext4',
  labels: { team: 'storage', 'with "quotes"': 'and\nlines' },
  createdMs: 1_700_000_000_000,
  phase: 'ready',
  inUse: true,
  session: 'ab'.repeat(16),
  bootId: '0e4a1c8e-0000-4000-8000-000000000000',
  epoch: 12,
  bitsLostBefore: 4,
  chains: [
    {
      repositoryId: 'r1',
      baseEpoch: 9,
      cloudsnapId: 'c/1-2',
      manifestSha256: 'f'.repeat(64),
      sequence: 7,
      incrementals: 6,
    },
  ],
  pendingCommits: [{ repositoryId: 'r2', cloudsnapId: 'c/1-3', epoch: 11, createdMs: 5 }],
  backing: { credentialId: 'k', cloudsnapId: 'c/1-1', hydrate: true },
  attachment: { loop: true, mountPath: '/mnt/a b', byMount: false },
};

/** A file whose checksum is right, whatever the text says. */
function sealed(text: string, version = 1): string {
  return `${JSON.stringify({ version, sha256: hash('sha256', text, 'hex') })}\n${text}\n`;
}

function reasonOf(content: string): string {
  try {
    decodeVolumeState(content, 'volume.json');
    return 'accepted';
  } catch (error) {
    if (!hasCode(error, 'volume/corrupt-state')) throw error;
    return error.message;
  }
}

test('a state comes back as it was written', (t) => {
  t.deepEqual(decodeVolumeState(encodeVolumeState(STATE), 'x'), STATE);
  const plain = { ...STATE, backing: null, attachment: null, chains: [], pendingCommits: [] };
  t.deepEqual(decodeVolumeState(encodeVolumeState(plain), 'x'), plain);
});

test('a change of any one byte is refused', (t) => {
  const content = Buffer.from(encodeVolumeState(STATE));
  for (let at = 0; at < content.length; at++) {
    for (const change of [0x01, 0x20, 0x80]) {
      const altered = Buffer.from(content);
      altered.writeUInt8(altered.readUInt8(at) ^ change, at);
      t.not(reasonOf(altered.toString('utf8')), 'accepted', `byte ${at} with bit ${change}`);
    }
  }
});

test('a file that was cut or added to is refused at every length', (t) => {
  const content = encodeVolumeState(STATE);
  for (let length = 0; length < content.length; length++) {
    t.not(reasonOf(content.slice(0, length)), 'accepted', `${length} characters`);
  }
  for (const more of ['\n', ' ', content]) t.not(reasonOf(content + more), 'accepted');
});

test('another version is refused by its number, whatever follows', (t) => {
  const text = JSON.stringify(STATE, undefined, 2);
  t.is(reasonOf(sealed(text, 1)), 'accepted');
  t.regex(reasonOf(sealed(text, 2)), /its version 2 is not known here/);
  t.regex(reasonOf('{"version":3,"sha256":""}\n?'), /its version 3 is not known here/);
});

test('a field that is missing, of another kind, or not known is refused', (t) => {
  for (const field of Object.keys(STATE) as (keyof VolumeState)[]) {
    const { [field]: _, ...rest } = STATE;
    t.regex(reasonOf(sealed(JSON.stringify(rest))), /a field is missing/, field);
    for (const odd of [{ a: 1 }, -1, 0.5, [[]]]) {
      const altered = sealed(JSON.stringify({ ...STATE, [field]: odd }));
      t.regex(reasonOf(altered), /of the wrong kind/, `${field}: ${JSON.stringify(odd)}`);
    }
  }
  const odd: readonly Partial<Record<keyof VolumeState | 'more', unknown>>[] = [
    { id: '../1' },
    { id: '0' },
    { phase: 'gone' },
    { chains: [{ ...STATE.chains[0], sequence: '7' }] },
    { chains: [{ ...STATE.chains[0], more: 1 }] },
    { pendingCommits: [{}] },
    { labels: { a: 1 } },
    { backing: { ...STATE.backing, hydrate: null } },
    { attachment: { loop: true } },
    { epoch: 2 ** 53 },
    { more: 1 },
  ];
  for (const fields of odd) {
    t.not(reasonOf(sealed(JSON.stringify({ ...STATE, ...fields }))), 'accepted');
  }
  for (const text of ['null', '[]', '1', '', '{', '"x"']) t.not(reasonOf(sealed(text)), 'accepted');
});

test('what would be too large to read is not written', (t) => {
  const labels = { long: 'x'.repeat(MAX_VOLUME_STATE_BYTES) };
  const error = t.throws(() => encodeVolumeState({ ...STATE, labels }), {
    instanceOf: CloudvolError,
  });
  t.is(error?.code, 'volume/bad-labels');
  t.regex(reasonOf(sealed(JSON.stringify({ ...STATE, labels }))), /too large/);
});

test('what could not be read again is not written', (t) => {
  t.throws(() => encodeVolumeState({ ...STATE, epoch: -1 }), { message: /can be read again/ });
});
