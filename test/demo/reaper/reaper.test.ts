import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { readLoopDevices } from '../../../src/demo/reaper/loop-devices.ts';
import { readMounts } from '../../../src/demo/reaper/mount-table.ts';
import { processStart } from '../../../src/demo/reaper/process-start.ts';
import { eventually } from '../../support/eventually.ts';
import { requires } from '../../support/requires.ts';
import type { Made } from './subject.ts';

const ROOT = join(import.meta.dirname, '../../..');
const hostTest = requires('root', 'loop', 'losetup');

hostTest('a normal end leaves nothing of what was registered', async (t) => {
  const { child, base, made } = await startSubject('done');
  const [code] = (await once(child, 'exit')) as [number | null];
  t.is(code, 0);
  t.deepEqual(await leftOf(base, made), []);
  await rm(base, { recursive: true });
});

for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
  hostTest(`nothing is left after ${signal}`, async (t) => {
    const { child, base, made } = await startSubject('hang');
    t.not((await leftOf(base, made)).length, 0, 'the subject made nothing');
    // To the whole group, as a terminal does it for Ctrl-C: the reaper must not be in it.
    process.kill(-(child.pid ?? 0), signal);
    await nothingLeft(t, base, made);
  });
}

hostTest('nothing is left after a test that timed out', async (t) => {
  const base = await newBase();
  const project = join(base, 'project');
  await mkdir(project);
  await symlink(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  await writeFile(join(project, 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(project, 'hangs.test.js'),
    `import { writeFileSync } from 'node:fs';
     import test from 'ava';
     import { makeThings } from '${ROOT}/test/demo/reaper/subject.ts';
     test('hangs', async () => {
       const { made } = await makeThings('${base}');
       writeFileSync('${base}/made', JSON.stringify(made));
       await new Promise((resolve) => setTimeout(resolve, 60_000));
     });`,
  );
  const ava = join(ROOT, 'node_modules/ava/entrypoints/cli.js');
  const child = spawn(process.execPath, [ava, '--no-worker-threads', '--timeout=3s'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = text(child.stdout);
  const [code] = (await once(child, 'exit')) as [number | null];
  t.not(code, 0, await output);
  const made = JSON.parse(await readFile(join(base, 'made'), 'utf8')) as Made;
  await nothingLeft(t, base, made);
});

async function startSubject(way: 'done' | 'hang') {
  const base = await newBase();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'subject.ts'), way, base], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, base, made: JSON.parse(line.toString()) as Made };
}

async function newBase(): Promise<string> {
  return realpath(await mkdtemp(join(tmpdir(), 'cloudvol-reaper-')));
}

async function nothingLeft(t: ExecutionContext, base: string, made: Made): Promise<void> {
  await eventually(
    'the reaper has cleaned up',
    async () => (await leftOf(base, made)).length === 0,
  );
  t.pass();
  await rm(base, { recursive: true });
}

/** What is still there of the things the subject made. */
async function leftOf(base: string, { sleeper, loop }: Made): Promise<string[]> {
  return [
    ...(processStart(sleeper) === undefined ? [] : [`process ${sleeper}`]),
    ...readMounts()
      .filter(({ path }) => path.startsWith(`${base}/`))
      .map(({ path }) => path),
    ...readLoopDevices()
      .filter(({ backing }) => backing.startsWith(`${base}/`))
      .map(({ path }) => `${path} (was ${loop})`),
    ...(await readdir(base)).filter((name) => name === 'guarded'),
  ];
}
