import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { hasCode } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/seeded-random.ts';
import { scanJournal } from '../../src/cloudsnap/scan-journal.ts';
import { PackRecord } from '../../src/format/pack-record.ts';
import {
  decodeRecord,
  encodeAttempt,
  encodeHead,
  encodeRecord,
} from '../../src/format/upload-journal.ts';

const random = seededRandom(11);
const HEAD = {
  cloudsnapId: '5f0c3a52-8d9b-4f43-b0c4-1f2e3d4c5b6a/77-312345678-incr',
  repositoryId: 'directory:/var/lib/x/5f0c3a52-8d9b-4f43-b0c4-1f2e3d4c5b6a',
  keyId: '',
  blockBytes: 4096,
  blockCount: 1000,
  parent: {
    cloudsnapId: '5f0c3a52-8d9b-4f43-b0c4-1f2e3d4c5b6a/77-212345678',
    manifestSha256: 'ab'.repeat(32),
  },
};
const ATTEMPT = { createdMs: 1_700_000_000_000, beganMs: 1_700_000_000_123 };

function packRecord(blocks: readonly number[]): Uint8Array {
  const record = new PackRecord();
  let offsetBytes = 40;
  for (const block of blocks) {
    const payloadBytes = 100 + block;
    record.add({ block, offsetBytes, payloadBytes, encoding: 2, hash: random.bytes(32) });
    offsetBytes += 44 + payloadBytes;
  }
  const packId = Buffer.from(random.bytes(16)).toString('hex');
  return encodeRecord('pack', record.encode(packId, offsetBytes));
}

const RECORDS = [
  encodeHead(HEAD),
  encodeAttempt(ATTEMPT),
  packRecord([0, 1, 2, 9]),
  packRecord([10, 300, 999]),
];
const WHOLE = Buffer.concat(RECORDS);
/** Where each record ends. */
const ENDS = RECORDS.map((_, i) => Buffer.concat(RECORDS.slice(0, i + 1)).length);

async function scan(bytes: Uint8Array) {
  const directory = await mkdtemp(join(tmpdir(), 'cloudvol-journal-'));
  const path = join(directory, 'journal');
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    return await scanJournal(file, 1 << 20);
  } finally {
    await file.close();
    await rm(directory, { recursive: true });
  }
}

test('what was written is read: head, attempt, packs with all frames', async (t) => {
  const [head, attempt, pack] = RECORDS.map((record) => decodeRecord(record));
  t.deepEqual(head, { kind: 'head', head: HEAD });
  t.deepEqual(attempt, { kind: 'attempt', attempt: ATTEMPT });
  t.true(pack?.kind === 'pack');
  if (pack?.kind !== 'pack') return;
  t.deepEqual([...pack.pack.frames.blocks], [0, 1, 2, 9]);
  t.deepEqual([...pack.pack.frames.payloadBytes], [100, 101, 102, 109]);
  t.deepEqual([...pack.pack.frames.offsets], [40, 184, 329, 475]);
  const found = await scan(WHOLE);
  t.is(found?.packs.length, 2);
  t.is(found?.lengthBytes, WHOLE.length);
});

test('a tail that is torn at any byte is cut, and nothing before it is lost', async (t) => {
  for (let length = 0; length <= WHOLE.length; length++) {
    const found = await scan(WHOLE.subarray(0, length));
    const whole = ENDS.filter((end) => end <= length);
    if (whole.length < 2) t.is(found, undefined, `${length} bytes`);
    else {
      t.is(found?.lengthBytes, whole.at(-1), `${length} bytes`);
      t.is(found?.packs.length, whole.length - 2, `${length} bytes`);
    }
  }
});

test('a byte that was altered anywhere ends the journal before its record', async (t) => {
  for (let at = 0; at < WHOLE.length; at++) {
    const altered = Buffer.from(WHOLE);
    altered[at] = altered[at]! ^ (1 + (at % 255));
    const before = ENDS.filter((end) => end <= at);
    const found = await scan(altered);
    if (before.length < 2) t.is(found, undefined, `byte ${at}`);
    else t.is(found?.lengthBytes, before.at(-1), `byte ${at}`);
  }
});

test('a record is read, or it is corrupt: no bytes do anything else', (t) => {
  for (let round = 0; round < 5000; round++) {
    const record = Buffer.from(RECORDS[random.below(RECORDS.length)]!);
    for (let i = 0; i <= random.below(4); i++)
      record[random.below(record.length)] = random.below(256);
    const bytes = record.subarray(0, random.below(record.length + 1));
    try {
      decodeRecord(bytes);
    } catch (error) {
      if (!hasCode(error, 'format/corrupt')) throw error;
    }
  }
  t.pass();
});
