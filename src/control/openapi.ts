/**
 * The API as an OpenAPI 3.1 document, made of the same tables that the server is made of: it cannot
 * say anything else. https://spec.openapis.org/oas/v3.1.1
 */
import { packageVersion } from '../base/version.ts';
import { pathInputs, ROUTES, type Route, type RouteName } from './routes.ts';
import { scheduleView } from './schema/schedule-calls.ts';
import {
  cloudsnapView,
  credentialView,
  taskView,
  verificationView,
  volumeView,
} from './schema/views.ts';
import { CALLS } from './schemas.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = Readonly<Record<string, Json>>;

/** Shapes that many calls answer with; others stand where they are used. */
const NAMED: Readonly<Record<string, object>> = {
  Volume: volumeView,
  Credential: credentialView,
  Cloudsnap: cloudsnapView,
  Schedule: scheduleView,
  Task: taskView,
  Verification: verificationView,
};

const ERROR: JsonObject = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', description: 'area/reason: what programs look at' },
        message: { type: 'string', description: 'one sentence that names the thing' },
        hint: { type: 'string', description: 'the way out' },
        details: { type: 'object' },
      },
    },
  },
};

export function openApiDocument(): JsonObject {
  const paths: Record<string, Record<string, Json>> = {};
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    const { method, path } = ROUTES[name];
    const template = path.replaceAll(/:(\w+)/g, '{$1}');
    paths[template] = { ...paths[template], [method.toLowerCase()]: operationOf(name) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'cloudvol agent',
      version: packageVersion(),
      description: 'HTTP/1.1 on a Unix socket. Unknown fields are refused, nothing is coerced.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://agent', description: 'on /run/cloudvol/agent.sock' }],
    paths,
    components: {
      schemas: {
        ...Object.fromEntries(
          Object.entries(NAMED).map(([name, schema]) => [name, withReferences(schema, name)]),
        ),
        Error: ERROR,
      },
    },
  };
}

function operationOf(name: RouteName): JsonObject {
  const route: Route = ROUTES[name];
  const { input, output } = CALLS[name];
  const inPath = pathInputs(route);
  const body = bodyOf(input, inPath);
  return {
    operationId: name,
    summary: wordsOf(name),
    tags: [route.path.split('/')[2] ?? ''],
    ...(inPath.length > 0 && {
      parameters: inPath.map((each) => ({
        name: each,
        in: 'path',
        required: true,
        schema: withReferences((input.properties as Readonly<Record<string, object>>)[each] ?? {}),
      })),
    }),
    ...(route.method !== 'GET' && {
      requestBody: { required: body.isRequired, content: json(body.schema) },
    }),
    responses: {
      200: { description: 'done', content: contentOf(route, withReferences(output)) },
      default: {
        description: 'an error; the status follows from its code',
        content: json({ $ref: '#/components/schemas/Error' }),
      },
    },
  };
}

/** The inputs that do not travel in the path. */
function bodyOf(
  input: (typeof CALLS)[RouteName]['input'],
  inPath: readonly string[],
): { readonly schema: Json; readonly isRequired: boolean } {
  const properties: Readonly<Record<string, object>> = input.properties;
  const names = Object.keys(properties).filter((name) => !inPath.includes(name));
  const all: readonly string[] = input.required ?? [];
  const required = all.filter((name) => names.includes(name));
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      names.map((name) => [name, withReferences(properties[name] ?? {})]),
    ),
    ...(required.length > 0 && { required }),
  };
  return { schema, isRequired: required.length > 0 };
}

/** The schema as JSON has it, with shapes that have a name by their name. */
function withReferences(schema: object, self?: string): Json {
  const [name] = Object.entries(NAMED).find(([, named]) => named === schema) ?? [];
  if (name !== undefined && name !== self) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(schema)) return schema.map(valueOf);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, valueOf(value)]));
}

function valueOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? withReferences(value) : (value as Json);
}

/** Of a stream of JSON lines the schema is that of a line; other streams are bytes. */
function contentOf({ streams }: Route, schema: Json): JsonObject {
  if (streams === undefined) return json(schema);
  return { [streams]: streams === 'application/x-ndjson' ? { schema } : {} };
}

function json(schema: Json): JsonObject {
  return { 'application/json': { schema } };
}

/** `listTasks` → `list tasks` */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
