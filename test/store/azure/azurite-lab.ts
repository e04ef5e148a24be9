import type { ExecutionContext } from 'ava';
import { systemClock } from '../../../src/base/clock.ts';
import { AzureStore } from '../../../src/store/azure.ts';
import type { AzuriteServer } from '../../support/servers/azurite.ts';

/** Small, so that listings of tests cross pages. */
const PAGE_SIZE = 100;
let containers = 0;

/** An empty store in a container of its own; the server forgets it when it ends. */
export async function openContainer(t: ExecutionContext, server: AzuriteServer) {
  const target = server.target(`box-${process.pid}-${++containers}`);
  const store = await AzureStore.open(target, { clock: systemClock, pageSize: PAGE_SIZE });
  t.teardown(() => store.close());
  return store;
}
