import { createVerify, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OwnGcs {
  /** URL. */
  readonly endpoint: string;
  /** JSON key of the service account that the server knows. */
  readonly jsonKey: string;
  stop(): Promise<void>;
}

const NO_OBJECTS = JSON.stringify({ kind: 'storage#objects' });

/** What the server does with a request for an object's body, in place of Google. */
export type AnswerBody = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * No Google: a contract server of our own, for what fake-gcs-server has not. It lets in who signs
 * with the key of its service account, lists nothing, and answers for bodies as the test tells.
 */
export async function startOwnGcs(answerBody: AnswerBody): Promise<OwnGcs> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const server = createServer((request, response) => {
    const signed = isSigned(request.headers.authorization ?? '', (text, signature) =>
      createVerify('RSA-SHA256').update(text).verify(publicKey, signature),
    );
    if (!signed) response.writeHead(401).end('{}');
    else if (request.url?.includes('alt=media')) answerBody(request, response);
    else response.writeHead(200, { 'content-type': 'application/json' }).end(NO_OBJECTS);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    jsonKey: serviceAccountKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** As Google makes it, without what nobody reads. */
export function serviceAccountKey(privateKey: string): string {
  const account = { type: 'service_account', project_id: 'test', client_email: 'a@test.invalid' };
  return JSON.stringify({ ...account, private_key: privateKey });
}

/** A self-signed JWT: three parts in base64url, with a scope and not expired. */
function isSigned(
  authorization: string,
  verify: (text: string, signature: Buffer) => boolean,
): boolean {
  const [, head, claims, signature] = /^Bearer (.+)\.(.+)\.(.+)$/.exec(authorization) ?? [];
  if (!head || !claims || !signature) return false;
  const { exp, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    readonly exp?: number;
    readonly scope?: string;
  };
  const alive = (exp ?? 0) * 1000 > Date.now() && /devstorage|cloud-platform/.test(scope ?? '');
  return alive && verify(`${head}.${claims}`, Buffer.from(signature, 'base64url'));
}
