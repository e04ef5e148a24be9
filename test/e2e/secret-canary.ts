import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { TestAgent } from '../support/agent.ts';

/** Files of the agent's state, and its log, in which one of the secrets can be read. */
export function filesWith(agent: TestAgent, secrets: readonly string[]): string[] {
  const state = join(agent.directory, 'state');
  const files = readdirSync(state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  if (files.length === 0) throw new Error(`there is no file in ${state}`);
  const texts = files.map((file) => [file, readFileSync(file).toString('latin1')] as const);
  return [...texts, ['the log', agent.log()] as const]
    .filter(([, text]) => secrets.some((secret) => text.includes(secret)))
    .map(([file]) => file);
}
