import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ExecutionContext } from 'ava';

import { followTask } from '../../src/demo/follow-task.ts';
import type { CommandResult, TestAgent } from '../support/agent.ts';
import { runCommand } from '../support/run-command.ts';

const SIZE_MIB = 8;

/** What a command said, when it ended as expected. */
export function said(t: ExecutionContext, result: CommandResult, code = 0): string {
  t.is(result.code, code, result.stdout + result.stderr);
  return result.stdout + result.stderr;
}

export async function login(
  t: ExecutionContext,
  agent: TestAgent,
  passphrase: string,
): Promise<void> {
  const text = said(t, await agent.cliWith(passphrase, 'secrets', 'kvdb', 'login', '-'));
  t.regex(text, /^Successful Login to Secrets Endpoint!$/m);
}

/** A file with a secret, as `@FILE` takes it. */
export function secretFile(agent: TestAgent, name: string, secret: string): string {
  const path = join(agent.directory, name);
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  return `@${path}`;
}

/**
 * Random bytes go to the store of a credential and come back in another volume.
 * @returns the id of the cloudsnap
 */
export async function circle(
  t: ExecutionContext,
  agent: TestAgent,
  credential: string,
): Promise<string> {
  const file = await agent.createAttached('origin', SIZE_MIB << 20);
  const operands = ['bs=1M', 'conv=notrunc', 'if=/dev/urandom', `of=${file}`, `count=${SIZE_MIB}`];
  await runCommand(agent.reaper, 'dd', operands);
  const backup = ['cloudsnap', 'backup', 'origin', '--cred-id', credential, '--wait'];
  t.regex(said(t, await agent.cli(...backup)), /^Backup-Done /m);
  const listed = await agent.cli('cloudsnap', 'list', '--cred-id', credential, '--json');
  const [cloudsnap] = JSON.parse(listed.stdout) as { ID: string }[];
  const { task } = await agent.client.call('restore', {
    cloudsnap: cloudsnap?.ID ?? '',
    credential,
    name: 'restored',
  });
  t.is((await followTask(agent.client, task.id)).state, 'Done');
  await runCommand(agent.reaper, 'cmp', [file, await agent.attach('restored')]);
  for (const volume of ['origin', 'restored']) {
    said(t, await agent.cli('volume', 'detach', volume));
  }
  return cloudsnap?.ID ?? '';
}
