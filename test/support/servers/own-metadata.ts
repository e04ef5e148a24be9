import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

const TOKEN = 'token-of-the-test';
const ROLE = 'role-of-the-test';
const ROLES = '/latest/meta-data/iam/security-credentials/';

/**
 * No EC2: a metadata service of our own (IMDSv2) that gives the keys of a role to whoever fetched a
 * token before. @returns its URL
 */
export async function startOwnMetadata(
  t: ExecutionContext,
  keys: { readonly accessKey: string; readonly secretKey: string },
): Promise<string> {
  const credentials = JSON.stringify({
    Code: 'Success',
    AccessKeyId: keys.accessKey,
    SecretAccessKey: keys.secretKey,
    // The keys are those of a user, which have none.
    Token: '',
    Expiration: new Date(Date.now() + 3_600_000).toISOString(),
  });
  const answers: Readonly<Record<string, string>> = {
    'PUT /latest/api/token': TOKEN,
    [`GET ${ROLES}`]: ROLE,
    [`GET ${ROLES}${ROLE}`]: credentials,
  };
  const server = createServer(({ method, url, headers }, response) => {
    const allowed = method === 'PUT' || headers['x-aws-ec2-metadata-token'] === TOKEN;
    const answer = allowed ? answers[`${method} ${url}`] : undefined;
    response.writeHead(answer === undefined ? 401 : 200).end(answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
