import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What happens to a request instead of its plain way to the server: `undefined` lets it pass.
 *
 * - `reset`: the connection breaks before anything is sent on
 * - `lost-answer`: the server does it, and the connection breaks
 * - `truncate`: half of the body of the answer, then the connection breaks
 * - `short`: half of the body, as if it were the whole
 * - `garble`: one byte of the body is another, on its way
 * - `hang`: no answer at all
 * - a number: an answer with that status, as a proxy without a server behind it gives
 */
export type ProxyFault =
  | 'reset'
  | 'lost-answer'
  | 'truncate'
  | 'short'
  | 'garble'
  | 'hang'
  | number;
export type ProxyPlan = (request: IncomingMessage, count: number) => ProxyFault | undefined;

export interface FaultProxy {
  /** `host:port`. */
  readonly endpoint: string;
  /** Requests so far, those that came to grief included. */
  readonly count: number;
  stop(): Promise<void>;
}

/** Stands before a server that speaks plain http; the Host header passes, so signatures hold. */
export async function startFaultProxy(upstream: string, plan: ProxyPlan): Promise<FaultProxy> {
  let count = 0;
  const server = createServer((incoming, outgoing) => {
    const fault = plan(incoming, ++count);
    if (fault === 'reset') incoming.socket.destroy();
    else if (fault === 'hang') incoming.resume();
    else if (typeof fault === 'number') refuse(incoming, outgoing, fault);
    else pass(upstream, incoming, outgoing, fault);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `127.0.0.1:${port}`,
    get count() {
      return count;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, status: number): void {
  incoming.resume().on('end', () => {
    outgoing.writeHead(status).end('<html>no server behind this proxy</html>');
  });
}

function pass(
  upstream: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: ProxyFault | undefined,
): void {
  const { method, url: path, headers } = incoming;
  const [host, port] = upstream.split(':');
  const onward = request({ host, port, method, path, headers, agent: false }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => reply(answer, Buffer.concat(chunks), outgoing, fault));
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}

function reply(
  answer: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
  fault: ProxyFault | undefined,
): void {
  if (fault === 'lost-answer') {
    outgoing.destroy();
    return;
  }
  const half = body.subarray(0, body.length >> 1);
  const headers = { ...answer.headers };
  if (fault === 'short') {
    // Both together are no HTTP.
    delete headers['transfer-encoding'];
    headers['content-length'] = `${half.length}`;
  }
  if (fault === 'garble' && body.length > 0) body[body.length >> 1]! ^= 0xff;
  outgoing.writeHead(answer.statusCode ?? 500, headers);
  if (fault === 'short') outgoing.end(half);
  else if (fault === 'truncate') outgoing.write(half, () => outgoing.destroy());
  else outgoing.end(body);
}
