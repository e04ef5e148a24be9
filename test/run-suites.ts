/**
 * Runs suites and sums them up: `run-suites.ts native unit long mounting`. The last line of the
 * output is `N passed, N failed, N skipped`; the exit code is 0 only if tests ran and none failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sourceFiles } from './support/source-files.ts';
import { addCounts, readCounts, type Counts } from './support/suite-counts.ts';

const ROOT = join(import.meta.dirname, '..');
const AVA = join(ROOT, 'node_modules/ava/entrypoints/cli.js');
/** Two cores are what the smallest machine has; more files at a time do not end sooner there. */
const CONCURRENCY = 2;
/** Their tests mount by their nature, whatever they import. */
const FOLDERS_THAT_MOUNT = ['test/e2e/', 'test/volume/', 'test/frontend/'];
/** Whole lives, and every object broken in every way: too long to wait for before a commit. */
const LONG = [
  'test/backup/failed-backup.test.ts',
  'test/backup/fault-campaign.test.ts',
  'test/backup/repair.test.ts',
  'test/backup/resume-encrypted.test.ts',
  'test/backup/simulation.test.ts',
  'test/cloudsnap/change-passphrase.test.ts',
  'test/cloudsnap/encryption.test.ts',
  'test/cloudsnap/damage.test.ts',
  'test/cloudsnap/delete-cloudsnap.test.ts',
  'test/cloudsnap/round-trip.test.ts',
  'test/cloudsnap/sweep-interrupted.test.ts',
  'test/cloudsnap/sweep-simulation.test.ts',
  'test/cloudsnap/verify.test.ts',
  'test/daemon/agent-process.test.ts',
  'test/daemon/retention.test.ts',
  'test/daemon/schedule-retention.test.ts',
  'test/demo/tree.test.ts',
  'test/format/fuzz.test.ts',
  'test/store/directory.test.ts',
  'test/store/layers/contract-directory.test.ts',
  'test/store/layers/contract-memory.test.ts',
];

type Kind = 'unit' | 'long' | 'mounting';

const SUITES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  /** The C++ core under its sanitizers. */
  native: async () => ['make', '-s', '-C', join(ROOT, 'native'), 'test'],
  unit: async () => ava(CONCURRENCY, await testFiles('unit')),
  long: async () => ava(CONCURRENCY, await testFiles('long')),
  /** Files that mount, loop or start agents: one at a time. */
  mounting: async () => ava(1, await testFiles('mounting')),
};

function ava(concurrency: number, files: readonly string[]): string[] {
  return [process.execPath, AVA, `--concurrency=${concurrency}`, ...files];
}

async function testFiles(wanted: Kind): Promise<string[]> {
  const files = await sourceFiles(ROOT, 'test', '.test.ts');
  const unknown = LONG.filter((path) => !files.includes(path));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}`);
  const kinds = await Promise.all(files.map(kindOf));
  return files.filter((_, index) => kinds[index] === wanted);
}

/** A file that mounts says so by what it imports: a reaper, an agent, a need of the host. */
async function kindOf(path: string): Promise<Kind> {
  const source = await readFile(join(ROOT, path), 'utf8');
  const mounts =
    FOLDERS_THAT_MOUNT.some((folder) => path.startsWith(folder)) ||
    /support\/(?:agent|reaper|requires)\.ts'/.test(source);
  return mounts ? 'mounting' : LONG.includes(path) ? 'long' : 'unit';
}

/** Shows the output as it comes and counts what it reports. */
async function runSuite(name: string): Promise<Counts> {
  const command = await SUITES[name]?.();
  if (!command) throw new Error(`there is no suite '${name}': ${Object.keys(SUITES).join(', ')}`);
  const [program = '', ...args] = command;
  process.stdout.write(`\n== ${name}\n`);
  const started = performance.now();
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const counts = readCounts(output, code);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`\n== ${name}: ${summary(counts)} (${seconds} s)\n`);
  return counts;
}

function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

let total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const name of process.argv.slice(2)) total = addCounts(total, await runSuite(name));
process.stdout.write(`\n${summary(total)}\n`);
process.exitCode = total.passed > 0 && total.failed === 0 ? 0 : 1;
