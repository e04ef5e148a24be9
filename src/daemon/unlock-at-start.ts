import { readFile } from 'node:fs/promises';

import type { Log } from '../base/log.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { EmbeddedSecretStore } from '../secrets/embedded-secret-store.ts';

/**
 * Logs in with the passphrase file that the agent was given, if any. Never throws: an agent whose
 * secrets stay locked still serves its volumes, and says in its log why.
 */
export async function unlockAtStart(
  { secretsPassphraseFile: path }: AgentConfig,
  secrets: EmbeddedSecretStore,
  log: Log,
): Promise<void> {
  if (path === undefined) return;
  try {
    const text = await readFile(path, 'utf8');
    // Editors and `echo` end a file with a line break that nobody types at a prompt.
    const login = await secrets.login(text.replace(/\r?\n$/, ''));
    log.info('secrets.unlocked', { login, path });
  } catch (error) {
    log.error('secrets.not-unlocked', { path, error });
  }
}
