import test from 'ava';
import { startAzurite } from '../../support/servers/azurite.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { objectStoreContract } from '../../conformance/object-store.ts';
import { layeredContract } from '../layers/layered-contract.ts';
import { openContainer } from './azurite-lab.ts';

if (hasAll('azurite')) {
  const server = await startAzurite();
  test.after.always(() => server.stop());
  const open = (t: Parameters<typeof openContainer>[0]) => openContainer(t, server);
  // Two pages and a half; more would only test the emulator.
  const options = { folders: 'names', oneByOne: true } as const;
  objectStoreContract('azure', open, { ...options, manyKeys: 250 });
  layeredContract('azure', open, { ...options, manyKeys: 120 });
} else {
  requires('azurite')('the contract holds on Azure Blob Storage', (t) => t.fail());
}
