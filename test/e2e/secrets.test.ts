import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';

import { TestAgent } from '../support/agent.ts';
import { eventually } from '../support/eventually.ts';
import { requires } from '../support/requires.ts';
import { runCommand } from '../support/run-command.ts';
import { circle, login, said, secretFile } from './cloud-circle.ts';
import { filesWith } from './secret-canary.ts';

const CLI = join(import.meta.dirname, '../../bin/cloudvol');
const LOGIN = 'c4n4ry-of-the-secret-store';
const PASSPHRASE = 'c4n4ry-of-the-cloudsnaps';
const PASSPHRASE_FILE = 'CLOUDVOL_SECRETS_PASSPHRASE_FILE';

const hostTest = requires('root', 'fuse');

hostTest('a read that waits for a locked credential goes on after the login', async (t) => {
  const agent = await TestAgent.start(t);
  await login(t, agent, LOGIN);
  const create = ['credentials', 'create', '--provider', 'directory', '--path'];
  const enc = ['--enc', secretFile(agent, 'enc', PASSPHRASE)];
  said(t, await agent.cli(...create, join(agent.directory, 'store'), ...enc, 'sealed'));
  const cloudsnap = await circle(t, agent, 'sealed');
  const from = ['--snap', cloudsnap, '--cred-id', 'sealed', '--lazy', '--no-hydrate'];
  said(t, await agent.cli('cloudsnap', 'restore', ...from, '-v', 'lazy'));

  await agent.kill();
  await agent.startAgain();
  const [origin, lazy] = [await agent.attach('origin'), await agent.attach('lazy')];
  const comparing = runCommand(agent.reaper, 'cmp', [origin, lazy]);
  await eventually('the read meets the locked store', async () =>
    /restore\.open-failed.*secrets\/locked/.test(agent.log()) ? true : undefined,
  );
  await login(t, agent, LOGIN);
  await comparing;
  t.deepEqual(filesWith(agent, ['c4n4ry']), []);
  for (const volume of ['origin', 'lazy']) said(t, await agent.cli('volume', 'detach', volume));
});

test.serial(
  'an agent with a passphrase file, or a systemd credential, unlocks itself',
  async (t) => {
    const agent = await TestAgent.start(t);
    await login(t, agent, LOGIN);
    const status = () => agent.cli('secrets', 'kvdb', 'status', '--json');
    const isUnlocked = async () =>
      (JSON.parse((await status()).stdout) as { unlocked: boolean }).unlocked;
    const file = join(agent.directory, 'cloudvol-secrets');
    writeFileSync(file, `${LOGIN}\n`, { mode: 0o600 });
    const startWith = async (name: string, value: string) => {
      await agent.stop();
      process.env[name] = value;
      try {
        await agent.startAgain();
      } finally {
        delete process.env[name];
      }
    };
    await startWith(PASSPHRASE_FILE, file);
    t.true(await isUnlocked());
    await startWith('CREDENTIALS_DIRECTORY', agent.directory);
    t.true(await isUnlocked());
    writeFileSync(file, 'another');
    await startWith(PASSPHRASE_FILE, file);
    t.false(await isUnlocked());
    await startWith(PASSPHRASE_FILE, '/nowhere');
    t.false(await isUnlocked());
    t.regex(agent.log(), /secrets\.not-unlocked/);
  },
);

test.serial(
  'on a terminal a passphrase is asked for, twice when it is new, and not shown',
  async (t) => {
    const agent = await TestAgent.start(t);
    // script(1) gives a terminal; it types what comes in by its own standard input.
    const type = async (typed: string, ...args: string[]) => {
      const line = [CLI, ...args, '--socket', agent.socketPath].join(' ');
      const child = spawn('script', ['-qec', line, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (/(assphrase|again): $/.test(chunk.toString())) child.stdin.write(`${lines.shift()}\r`);
      });
      const lines = typed.split('\n');
      const [code] = (await once(child, 'close')) as [number];
      return { code, shown: Buffer.concat(chunks).toString() };
    };
    const differing = await type(`${LOGIN}\nother`, 'secrets', 'kvdb', 'login');
    t.not(differing.code, 0);
    t.regex(differing.shown, /two passphrases are not the same/);
    const first = await type(`${LOGIN}\nx\u007f${LOGIN}`, 'secrets', 'kvdb', 'login');
    t.regex(first.shown, /New passphrase: \r\nThe same again: \r\nSuccessful Login/);
    const next = await type(LOGIN, 'secrets', 'kvdb', 'login');
    t.regex(next.shown, /^Passphrase: \r\nSuccessful Login/);
    t.deepEqual([first.code, next.code], [0, 0]);
    for (const { shown } of [differing, first, next]) t.false(shown.includes(LOGIN));
  },
);

test.serial('a secret on the command line is not to be seen in /proc for long', async (t) => {
  const agent = await TestAgent.start(t);
  const args = ['--provider', 'azure', '--azure-account-name', 'account', '--azure-sas-token'];
  const child = spawn(CLI, ['credentials', 'create', ...args, PASSPHRASE, '--enc', '-', 'x'], {
    env: { ...process.env, CLOUDVOL_SOCKET: agent.socketPath },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  await eventually('the arguments are hidden', async () =>
    readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith('cloudvol credentials create')
      ? true
      : undefined,
  );
  t.false(readFileSync(`/proc/${child.pid}/cmdline`, 'latin1').includes(PASSPHRASE));
  child.stdin.end(PASSPHRASE);
  t.deepEqual(await ended, [77, null]);
  t.false((await output).join('').includes(PASSPHRASE));
});
