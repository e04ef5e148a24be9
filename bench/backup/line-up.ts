import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.ts';
import type { BenchAgent } from '../bench-agent.ts';
import { Borg } from './borg.ts';
import { Cloudvol } from './cloudvol.ts';
import type { Contestant } from './contestant.ts';
import { dropFromCache, type Image } from './image.ts';
import { isOnPath } from './on-path.ts';
import { Restic } from './restic.ts';

export const VOLUME = 'bench';
const PASSPHRASE = 'benchmark';

/** Everybody who takes part, each with an empty store in `directory`; says who is missing. */
export async function lineUp(
  bench: BenchAgent,
  image: Image,
  changedBlocks: number,
): Promise<Contestant[]> {
  const { directory, reaper, agent } = bench;
  const cool = async () => {
    await dropFromCache(reaper, [image.path, ...(await storedFiles(directory))]);
  };
  const { id } = await agent.client.call('createVolume', {
    name: VOLUME,
    sizeBytes: image.sizeBytes,
    fileSystem: 'none',
  });
  const attached = await agent.client.call('attachVolume', { volume: id });
  const file = attached.path;
  if (file === null) throw new Error('the volume was attached without a path');
  await image.copyTo(file);
  // The two cloudvol repositories share one volume: only the first changes it.
  const change = (seed: number) => image.changeIn(file, changedBlocks, seed);
  const shared = { bench, volume: VOLUME, cool };
  const contestants: Contestant[] = [];
  if (await addCredential(bench, 'encrypted', PASSPHRASE)) {
    const name = 'cloudvol, encrypted';
    contestants.push(new Cloudvol({ ...shared, name, credential: 'encrypted', change }));
  }
  await addCredential(bench, 'clear');
  const changeFirst = contestants.length === 0 ? change : async () => {};
  const name = 'cloudvol, clear';
  contestants.push(new Cloudvol({ ...shared, name, credential: 'clear', change: changeFirst }));
  const peer = { reaper, directory, image: image.path, cool };
  if (isOnPath('restic')) {
    const repository = join(directory, 'stores', 'restic');
    const empty = () => rm(repository, { recursive: true, force: true });
    contestants.push(new Restic({ ...peer, name: 'restic', repository, empty }));
  } else console.log('restic is missing: apt-get install restic');
  if (isOnPath('borg')) contestants.push(new Borg(peer));
  else console.log('borg is missing: apt-get install borgbackup');
  return contestants;
}

/** Whether this version can do it; says so when it cannot. */
async function addCredential(
  { agent, directory }: BenchAgent,
  name: string,
  passphrase?: string,
): Promise<boolean> {
  const path = join(directory, 'stores', name);
  await mkdir(path, { recursive: true });
  try {
    if (passphrase) await agent.client.call('loginSecrets', { passphrase });
    const secret = passphrase ? { passphrase } : {};
    await agent.client.call('createCredential', { name, provider: 'directory', path, ...secret });
    await agent.client.call('listCloudsnaps', { credential: name });
    return true;
  } catch (error) {
    if (!passphrase) throw error;
    console.log(`cloudvol, ${name}, is missing: ${messageOf(error)}`);
    return false;
  }
}

async function storedFiles(directory: string): Promise<string[]> {
  const stores = join(directory, 'stores');
  const entries = await readdir(stores, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
