import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import test from 'ava';

import { TestAgent } from '../support/agent.ts';
import { login, said, secretFile } from './cloud-circle.ts';

const SECRET = 'c4n4ry-of-a-user';

test('secrets are kept sealed, shown after a login only, and survive a restart', async (t) => {
  const agent = await TestAgent.start(t);
  const kvdb = (...args: string[]) => agent.cli('secrets', 'kvdb', ...args);
  const file = secretFile(agent, 'secret', SECRET);
  t.regex(said(t, await kvdb('put-secret', 'mine', file), 77), /locked\nhint: .* kvdb login/);
  await login(t, agent, 'passphrase');
  said(t, await kvdb('put-secret', 'mine', file));
  said(t, await agent.cliWith('other\n', 'secrets', 'kvdb', 'put-secret', 'another', '-'));
  t.is(said(t, await kvdb('get-secret', 'mine')), `${SECRET}\n`);
  t.is(said(t, await kvdb('list-secrets')), 'NAME\nanother\nmine\n');
  t.regex(said(t, await kvdb('get-secret', 'nobody'), 3), /there is no secret "nobody"\nhint: /);
  // The secret parts of credentials are out of reach by this door.
  for (const name of ['../x', 'credential/x', 'a'.repeat(300)]) {
    t.regex(said(t, await kvdb('put-secret', name, 'x'), 2), /^cloudvol: .*secret name.*\nhint: /);
  }
  await agent.stop();
  await agent.startAgain();
  t.regex(said(t, await kvdb('get-secret', 'mine'), 77), /kvdb login/);
  t.is(said(t, await kvdb('list-secrets')), 'NAME\nanother\nmine\n');
  await login(t, agent, 'passphrase');
  t.is(
    (JSON.parse((await kvdb('get-secret', 'mine', '-j')).stdout) as { value: string }).value,
    SECRET,
  );
  const state = join(agent.directory, 'state');
  const files = readdirSync(state).filter((name) => name.startsWith('agent.db'));
  for (const name of files) t.false(readFileSync(join(state, name), 'latin1').includes(SECRET));
  t.false(agent.log().includes(SECRET));
});
