import { defineCommand } from '../../../command.ts';
import { hideArguments } from '../../../hide-arguments.ts';
import { readSecret, SECRET_FORMS } from '../../../read-secret.ts';

export const command = defineCommand({
  examples: [
    'cloudvol secrets kvdb put-secret db-password @FILE',
    'cloudvol secrets kvdb put-secret db-password -',
  ],
  arguments: [
    { name: 'name', about: 'name of the secret', required: true },
    { name: 'value', about: `its value ${SECRET_FORMS}`, required: true },
  ],
  options: {},
  async run(context, _options, [name, given]) {
    const { client, output, json, signal } = context;
    hideArguments('secrets kvdb put-secret');
    const value = await readSecret('value', given, context);
    await client.call('putSecret', { name, value }, { signal });
    if (json) output.json({});
    else output.line('Secret stored successfully');
  },
});
