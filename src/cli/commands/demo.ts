import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  examples: ['cloudvol demo', 'cloudvol demo --keep --dir /var/tmp'],
  arguments: [],
  options: {
    keep: { kind: 'flag', about: 'leave the agent and the volumes running, say how to go on' },
    dir: { kind: 'text', about: 'folder to work in, in a folder of its own (default: temporary)' },
  },
  async run({ output, signal }, { keep, dir }) {
    const { runDemo } = await import('../../demo/demo.ts');
    const directory = resolve(dir ?? tmpdir());
    await runDemo({ directory, keep, signal, say: (line) => output.line(line) });
  },
});
