import type { IncomingMessage } from 'node:http';

import { CloudvolError, errnoOf, messageOf } from '../base/errors.ts';
import { socketPathProblem } from '../config/socket-path.ts';
import { fromErrorBody } from './error-body.ts';
import { ROUTES, pathInputs, type CallName, type Route, type StreamName } from './routes.ts';
import type { Api } from './schemas.ts';
import { END_TRAILER, ERROR_TRAILER } from './stream-trailers.ts';

// An import of node:http would run every lazy getter of it, WebSocket's among them: half of a
// command's start.
const { request } = process.getBuiltinModule('node:http');

/**
 * Far above any answer (a history of 10,000 tasks has about 6 MB): whatever is on the socket cannot
 * fill the memory.
 */
const MAX_ANSWER_BYTES = 64 << 20;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Instead of the route's own. */
  readonly deadlineMs?: number;
}

/** Calls the agent; one connection per call. */
export class ControlClient {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /**
   * @throws CloudvolError the agent's own, or `agent/not-running`, `agent/denied`, `agent/timeout`,
   * `agent/connection-lost`, `agent/bad-answer`; the signal's reason when aborted
   */
  async call<Name extends CallName>(
    name: Name,
    input: Api[Name]['input'],
    { signal, deadlineMs = ROUTES[name].deadlineMs }: CallOptions = {},
  ): Promise<Api[Name]['output']> {
    signal?.throwIfAborted();
    const deadline = AbortSignal.timeout(deadlineMs);
    const either = signal ? AbortSignal.any([signal, deadline]) : deadline;
    try {
      const answer = await this.#ask(ROUTES[name], input, either);
      const body = await readJson(answer, this.socketPath);
      if (answer.statusCode === 200) return body as Api[Name]['output'];
      throw fromErrorBody(body) ?? badAnswer(this.socketPath);
    } catch (error) {
      if (error instanceof CloudvolError) throw error;
      signal?.throwIfAborted();
      throw this.#translate(error, deadline.aborted ? deadlineMs : undefined);
    }
  }

  /**
   * Asks for an answer that comes as it is made: there is no limit to how long it takes, only to
   * how long it takes to begin.
   * @throws as `call` does; an answer that does not say that it is complete is
   * `agent/connection-lost`
   */
  async *stream<Name extends StreamName>(
    name: Name,
    input: Api[Name]['input'],
    { signal, deadlineMs = ROUTES[name].deadlineMs }: CallOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    signal?.throwIfAborted();
    const beginning = new AbortController();
    const timer = setTimeout(() => beginning.abort(), deadlineMs);
    const either = signal ? AbortSignal.any([signal, beginning.signal]) : beginning.signal;
    try {
      const answer = await this.#ask(ROUTES[name], input, either);
      clearTimeout(timer);
      if (answer.statusCode !== 200) {
        throw fromErrorBody(await readJson(answer, this.socketPath)) ?? badAnswer(this.socketPath);
      }
      yield* answer as AsyncIterable<Buffer>;
      requireComplete(answer);
    } catch (error) {
      if (error instanceof CloudvolError) throw error;
      signal?.throwIfAborted();
      throw this.#translate(error, beginning.signal.aborted ? deadlineMs : undefined);
    } finally {
      clearTimeout(timer);
    }
  }

  #ask(route: Route, input: object, signal: AbortSignal): Promise<IncomingMessage> {
    const tooLong = socketPathProblem(this.socketPath);
    if (tooLong) throw new CloudvolError('usage/bad-socket', tooLong, { hint: 'shorten it' });
    const { path, rest } = placeInputs(route, input);
    const body = route.method === 'GET' ? undefined : JSON.stringify(rest);
    // Node sends no length with the body of a DELETE unless it is told.
    const headers = body !== undefined && {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: this.socketPath,
          path,
          method: route.method,
          headers: headers || {},
          signal,
          agent: false,
        },
        resolve,
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  #translate(error: unknown, exceededMs: number | undefined): CloudvolError {
    const at = this.socketPath;
    if (exceededMs !== undefined) {
      const message = `the agent at ${at} did not answer within ${exceededMs / 1000} s`;
      return new CloudvolError('agent/timeout', message, {
        hint: 'what was asked for may still happen; look at the log of the agent',
        cause: error,
      });
    }
    switch (errnoOf(error)) {
      case 'ENOENT':
      case 'ECONNREFUSED':
      case 'ENOTSOCK':
        return new CloudvolError('agent/not-running', `no agent is running at ${at}`, {
          hint: 'start cloudvol-agent, or name its socket with --socket',
          cause: error,
        });
      case 'EACCES':
      case 'EPERM':
        return new CloudvolError('agent/denied', `you may not talk to the agent at ${at}`, {
          hint: "use sudo, or join the group of the agent's socket",
          cause: error,
        });
      default:
        return new CloudvolError(
          'agent/connection-lost',
          `the connection to the agent at ${at} was lost: ${messageOf(error)}`,
          { hint: 'look whether the agent is still running, and at its log', cause: error },
        );
    }
  }
}

function placeInputs(route: Route, input: object): { path: string; rest: Record<string, unknown> } {
  const rest: Record<string, unknown> = { ...input };
  let { path } = route;
  for (const name of pathInputs(route)) {
    path = path.replace(`:${name}`, encodeURIComponent(String(rest[name])));
    delete rest[name];
  }
  return { path, rest };
}

/** @throws the error that the agent sent at the end, or one for an end that says nothing */
function requireComplete({ trailers }: IncomingMessage): void {
  if (trailers[END_TRAILER] === 'complete') return;
  const error = trailers[ERROR_TRAILER];
  const told = error === undefined ? undefined : fromErrorBody(parseTrailer(error));
  throw told ?? new Error('the answer was cut off');
}

function parseTrailer(text: string): unknown {
  try {
    return JSON.parse(decodeURIComponent(text));
  } catch {
    // Whatever it is, it is no error of an agent.
    return undefined;
  }
}

async function readJson(answer: IncomingMessage, socketPath: string): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw badAnswer(socketPath);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (error) {
    throw badAnswer(socketPath, error);
  }
}

function badAnswer(socketPath: string, cause?: unknown): CloudvolError {
  return new CloudvolError(
    'agent/bad-answer',
    `what answers on ${socketPath} is not a cloudvol agent`,
    {
      hint: 'look at --socket; the command and the agent may have different versions',
      cause,
    },
  );
}
