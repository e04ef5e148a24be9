import { defineCommand } from '../../../command.ts';

export const command = defineCommand({
  examples: ['cloudvol secrets kvdb status'],
  arguments: [],
  options: {},
  async run({ client, output, json, signal }) {
    const state = await client.call('inspectSecrets', {}, { signal });
    if (json) return output.json(state);
    if (!state.hasPassphrase) output.line('No passphrase is set: the first login sets it');
    else output.line(state.unlocked ? 'Logged in' : 'Locked: cloudvol secrets kvdb login');
  },
});
