import { parseByteSize } from '../../../base/byte-size.ts';
import { CloudvolError } from '../../../base/errors.ts';
import { defineCommand } from '../../command.ts';
import { hydrationLines } from '../../hydration-lines.ts';
import { printable } from '../../output.ts';
import { parseSeconds } from '../../parse-seconds.ts';

export const command = defineCommand({
  examples: [
    'cloudvol volume hydrate db',
    'cloudvol volume hydrate db --pause',
    'cloudvol volume hydrate db --resume --rate 20M',
  ],
  arguments: [{ name: 'volume', about: 'volume, by name or id', required: true }],
  options: {
    pause: { kind: 'flag', about: 'fetch nothing in the background' },
    resume: { kind: 'flag', about: 'fetch the rest in the background' },
    rate: { kind: 'text', about: 'bytes per second in the background; 0: no limit' },
    'absent-timeout': {
      kind: 'text',
      about: 'seconds that a reader waits for the store; 0: for ever',
    },
  },
  async run({ client, output, json, signal }, options, [name]) {
    if (options.pause && options.resume) {
      throw new CloudvolError('usage/bad-option', '--pause and --resume exclude each other');
    }
    const timeout = options['absent-timeout'];
    const volume = await client.call(
      'hydrateVolume',
      {
        volume: name,
        ...((options.pause || options.resume) && { active: options.resume }),
        ...(options.rate !== undefined && { rateBytesPerSecond: parseByteSize(options.rate) }),
        ...(timeout !== undefined && {
          absentTimeoutSeconds: parseSeconds('absent-timeout', timeout),
        }),
      },
      { signal },
    );
    if (json) return output.json(volume);
    for (const [label, value] of hydrationLines(volume)) {
      output.line(`${label.padEnd(18)} :  ${printable(value)}`);
    }
  },
});
