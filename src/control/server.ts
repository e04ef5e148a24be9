import { chmod, lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { CloudvolError, errnoOf, messageOf } from '../base/errors.ts';
import { translateHostError } from '../base/host-error.ts';
import type { Log } from '../base/log.ts';
import { toErrorBody } from './error-body.ts';
import { httpStatusOf } from './http-status.ts';
import { openApiDocument } from './openapi.ts';
import { ROUTES, pathInputs, type CallName, type Route, type RouteName } from './routes.ts';
import { CALLS, type Api } from './schemas.ts';
import { sendStream } from './send-stream.ts';

/** Largest request: 64 labels of 4 KiB each and their JSON. */
const MAX_BODY_BYTES = 1 << 20;

/**
 * Ids and names are far shorter; a longer one must reach its own check, so that the answer names
 * what is wrong.
 */
const MAX_PARAM_CHARACTERS = 8192;

/** Read and write for the owner and the group: who may connect rules the agent. */
const SOCKET_MODE = 0o660;

/** Where the API describes itself. */
const OPENAPI_PATH = '/v1/openapi.json';

/**
 * `signal` is aborted when the caller hangs up: for calls that only wait or look. An answer that
 * streams is what its handler yields; what it throws before that is answered like any error.
 */
export type Handlers = {
  readonly [Name in RouteName]: (
    input: Api[Name]['input'],
    signal: AbortSignal,
  ) => Name extends CallName
    ? Promise<Api[Name]['output']> | Api[Name]['output']
    : AsyncIterable<Uint8Array>;
};

export interface ServerOptions {
  readonly socketPath: string;
  readonly handlers: Handlers;
  readonly log: Log;
}

/** The API on a Unix socket, until close(). */
export class ControlServer {
  readonly #fastify: FastifyInstance;
  readonly #socketPath: string;

  private constructor(fastify: FastifyInstance, socketPath: string) {
    this.#fastify = fastify;
    this.#socketPath = socketPath;
  }

  /**
   * Listens; the socket file of a dead agent is replaced.
   * @throws CloudvolError `agent/already-running` when somebody answers on the socket,
   * `agent/bad-socket`
   */
  static async open({ socketPath, handlers, log }: ServerOptions): Promise<ControlServer> {
    const fastify = buildServer(handlers, log);
    await removeStaleSocket(socketPath);
    try {
      await fastify.listen({ path: socketPath });
      await chmod(socketPath, SOCKET_MODE);
    } catch (error) {
      await fastify.close();
      throw cannotListen(socketPath, error);
    }
    return new ControlServer(fastify, socketPath);
  }

  /** Takes no more calls, waits up to `graceMs` for the answers under way, removes the socket. */
  async close(graceMs: number): Promise<void> {
    const cut = setTimeout(() => this.#fastify.server.closeAllConnections(), graceMs);
    try {
      await this.#fastify.close();
    } finally {
      clearTimeout(cut);
    }
    await rm(this.#socketPath, { force: true });
  }
}

/** Exported for tests, which call it without a socket. */
export function buildServer(handlers: Handlers, log: Log): FastifyInstance {
  const fastify = Fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_PARAM_CHARACTERS },
    // Fastify's own choice drops unknown fields and turns "1" into 1: here both are mistakes to be
    // told about.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  });
  fastify.removeContentTypeParser('text/plain');
  fastify.setErrorHandler((error, request, reply) => sendError(error, request, reply, log));
  fastify.setNotFoundHandler((request, reply) => {
    const error = new CloudvolError(
      'request/not-found',
      `the agent has no call ${request.method} ${request.url}`,
      { hint: 'the command and the agent may have different versions' },
    );
    return reply.code(httpStatusOf(error.code)).send(toErrorBody(error));
  });
  for (const name of Object.keys(ROUTES) as RouteName[]) addRoute(fastify, name, handlers, log);
  fastify.get(OPENAPI_PATH, (_request, reply) =>
    reply.type('application/json').send(JSON.stringify(openApiDocument())),
  );
  return fastify;
}

function addRoute(fastify: FastifyInstance, name: RouteName, handlers: Handlers, log: Log): void {
  const route: Route = ROUTES[name];
  const { input } = CALLS[name];
  const inPath = pathInputs(route);
  // The schema of the call says which inputs there are; their names decide where they travel.
  const handler = handlers[name] as (input: unknown, signal: AbortSignal) => unknown;
  fastify.route({
    method: route.method,
    url: route.path,
    schema: {
      querystring: objectSchema(input, []),
      params: objectSchema(input, inPath),
      ...(route.method !== 'GET' && {
        body: objectSchema(
          input,
          Object.keys(input.properties).filter((property) => !inPath.includes(property)),
        ),
      }),
    },
    // No body says the same as an empty one: `curl -X DELETE` sends none.
    preValidation: async (request) => {
      if (route.method !== 'GET') request.body ??= {};
    },
    handler: async (request, reply) => {
      const merged = { ...(request.body as object | undefined), ...(request.params as object) };
      const answer = handler(merged, hangUpSignal(reply));
      if (route.streams !== undefined) {
        const chunks = answer as AsyncIterable<Uint8Array>;
        return sendStream(reply, route.streams, chunks, (thrown) =>
          toldError(thrown, request, log),
        );
      }
      return reply.type('application/json').send(JSON.stringify(await answer));
    },
  });
}

/** The part of a call's input schema that travels in one place. */
function objectSchema(input: (typeof CALLS)[RouteName]['input'], names: readonly string[]): object {
  const properties: Readonly<Record<string, object>> = input.properties;
  const required: readonly string[] = input.required ?? [];
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
    required: required.filter((name) => names.includes(name)),
  };
}

function hangUpSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (reply.raw.writableFinished) return;
    controller.abort(new CloudvolError('request/cancelled', 'the caller hung up'));
  });
  return controller.signal;
}

function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply, log: Log) {
  const known = toldError(thrown, request, log);
  return reply.code(httpStatusOf(known.code)).send(toErrorBody(known));
}

/** What the caller is to hear of an error; the log hears all. */
function toldError(thrown: unknown, request: FastifyRequest, log: Log): CloudvolError {
  const error = translateHostError(thrown);
  const known = error instanceof CloudvolError ? error : (requestError(error) ?? internal(error));
  const fields = { call: `${request.method} ${request.url}`, error };
  if (known.code === 'agent/internal') log.error('call.failed', fields);
  else log.info('call.refused', fields);
  return known;
}

/** What Fastify throws about the request itself carries a status below 500. */
function requestError(error: unknown): CloudvolError | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const status = Number(error.statusCode);
  if (status < 400 || status >= 500) return undefined;
  const code =
    status === 413
      ? 'request/too-large'
      : status === 415
        ? 'request/unsupported-type'
        : 'request/invalid';
  return new CloudvolError(code, `the request was refused: ${error.message}`, {
    hint: 'the command and the agent may have different versions',
    cause: error,
  });
}

function internal(error: unknown): CloudvolError {
  return new CloudvolError('agent/internal', `the agent failed: ${messageOf(error)}`, {
    hint: 'this is a mistake in cloudvol; the log of the agent has the details',
    cause: error,
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const outcome = await tryToConnect(path);
  if (outcome === 'ENOENT') return;
  // Refused: a socket whose process is gone, or something else of that name, which is not ours to
  // remove.
  if (outcome === 'ECONNREFUSED' && (await lstat(path)).isSocket()) {
    return rm(path, { force: true });
  }
  throw outcome === undefined
    ? new CloudvolError('agent/already-running', `another agent answers on ${path}`, {
        hint: 'stop it first, or give this one another --runtime-dir',
      })
    : cannotListen(path, new Error(outcome));
}

/** undefined when somebody answered, else the errno name. */
function tryToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(errnoOf(error) ?? messageOf(error)));
  });
}

function cannotListen(path: string, error: unknown): CloudvolError {
  return new CloudvolError('agent/bad-socket', `cannot listen on ${path}: ${messageOf(error)}`, {
    hint: 'choose another --runtime-dir',
    cause: error,
  });
}
