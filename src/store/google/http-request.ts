import * as http from 'node:http';
import * as https from 'node:https';
import { once } from 'node:events';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly agent: http.Agent;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends one request, once, and resolves when the head of the answer is there; its body is the
 * reader's. Aborting destroys the connection, also while the body comes.
 * @throws what node:http throws.
 */
export async function sendRequest(request: HttpRequest): Promise<http.IncomingMessage> {
  const { method, url, headers, body, agent, signal } = request;
  const { request: open } = url.protocol === 'https:' ? https : http;
  const length = method === 'POST' ? { 'content-length': String(body?.length ?? 0) } : {};
  const sent = open(url, {
    method,
    headers: { ...headers, ...length },
    agent,
    ...(signal ? { signal } : {}),
  });
  // Whatever comes after the answer is told by the answer's stream.
  sent.on('error', () => {});
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [http.IncomingMessage];
  return answer;
}

/** The whole body as JSON; an empty object when it is none. */
export async function readJson(answer: http.IncomingMessage): Promise<unknown> {
  const text = Buffer.concat(await answer.toArray()).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Proxies answer in HTML; the status says what is to be said.
    return {};
  }
}
