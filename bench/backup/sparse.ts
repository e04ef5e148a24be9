import { join } from 'node:path';
import { runCommand } from '../../test/support/run-command.ts';
import type { BenchAgent } from '../bench-agent.ts';
import { Cloudvol } from './cloudvol.ts';
import type { Figures } from './contestant.ts';

const PROGRAM = join(import.meta.dirname, 'image-program.ts');

/**
 * Incrementals of as many scattered blocks in a volume that holds little else, to show that its
 * size costs nothing.
 */
export async function measureSparse(
  bench: BenchAgent,
  credential: string,
  sizeBytes: number,
  blocks: number,
  rounds: number,
): Promise<Figures[]> {
  const { agent, reaper } = bench;
  const volume = `sparse-${sizeBytes}`;
  await agent.client.call('createVolume', { name: volume, sizeBytes, fileSystem: 'none' });
  const { path } = await agent.client.call('attachVolume', { volume });
  if (path === null) throw new Error('the volume was attached without a path');
  const change = async (seed: number) => {
    const args = ['change', path, sizeBytes, blocks, seed].map(String);
    await runCommand(reaper, process.execPath, [PROGRAM, ...args]);
  };
  const cool = async () => {};
  const contestant = new Cloudvol({ bench, name: volume, volume, credential, change, cool });
  await change(0);
  await contestant.full();
  const measured: Figures[] = [];
  for (let round = 1; round <= rounds; round++) {
    await change(round);
    measured.push(await contestant.incremental());
  }
  await contestant.reset();
  await agent.client.call('detachVolume', { volume });
  await agent.client.call('deleteVolume', { volume });
  return measured;
}
