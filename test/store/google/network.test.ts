import { randomUUID } from 'node:crypto';
import test from 'ava';
import { GoogleStore } from '../../../src/store/google.ts';
import { hasAll, requires } from '../../support/requires.ts';
import { startFakeGcs, type FakeGcsServer } from '../../support/servers/fake-gcs.ts';
import { startFaultProxy } from '../../support/servers/fault-proxy.ts';
import { describeNetworkFaults } from '../network-faults.ts';

let server: FakeGcsServer;

if (hasAll('fake-gcs-server')) {
  test.before(async () => {
    server = await startFakeGcs();
  });
  test.after.always(() => server.stop());
}

describeNetworkFaults(requires('fake-gcs-server'), async (t, plan) => {
  let open = false;
  const proxy = await startFaultProxy(new URL(server.endpoint).host, (request, count) =>
    open ? plan(request, count) : undefined,
  );
  const target = { ...server.target(`t-${randomUUID()}`), endpoint: `http://${proxy.endpoint}` };
  const store = await GoogleStore.open(target);
  open = true;
  t.teardown(async () => {
    await store.close();
    await proxy.stop();
  });
  return store;
});
