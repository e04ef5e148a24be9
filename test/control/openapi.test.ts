import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import test from 'ava';

import { silentLog } from '../../src/base/log.ts';
import { openApiDocument } from '../../src/control/openapi.ts';
import { ROUTES, type RouteName } from '../../src/control/routes.ts';
import { CALLS } from '../../src/control/schemas.ts';
import { buildServer } from '../../src/control/server.ts';
import { fakeHandlers } from './fake-handlers.ts';

type Media = Readonly<Record<string, { readonly schema?: object }>>;
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly required: boolean; readonly content: Media };
  readonly responses: Readonly<Record<string, { readonly content: Media }>>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const contentOf = ({ content }: { readonly content: Media }) => content;

async function served(): Promise<Document> {
  const answer = await buildServer(fakeHandlers({}), silentLog).inject('/v1/openapi.json');
  return answer.json<Document>();
}

test('the agent serves its OpenAPI document: every call with all of its inputs', async (t) => {
  const { paths } = await served();
  const found = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const calls = Object.keys(ROUTES) as RouteName[];
  t.deepEqual(found.map(({ operation }) => operation.operationId).toSorted(), calls.toSorted());
  for (const { path, method, operation } of found) {
    const name = operation.operationId as RouteName;
    const { input } = CALLS[name];
    t.is(path, ROUTES[name].path.replaceAll(/:(\w+)/g, '{$1}'));
    t.is(method.toUpperCase(), ROUTES[name].method);
    const inPath = (operation.parameters ?? []).map((each) => each.name);
    t.deepEqual(
      [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
      inPath,
      name,
    );
    const body = operation.requestBody?.content['application/json']?.schema as
      | { properties: object; required?: string[] }
      | undefined;
    t.deepEqual(
      [...inPath, ...Object.keys(body?.properties ?? {})].toSorted(),
      Object.keys(input.properties).toSorted(),
      name,
    );
    const required: readonly string[] = input.required ?? [];
    t.deepEqual([...inPath, ...(body?.required ?? [])].toSorted(), required.toSorted(), name);
  }
});

test('the document is valid: its schemas compile, its references lead somewhere', async (t) => {
  const document = await served();
  t.deepEqual(document, JSON.parse(JSON.stringify(openApiDocument())) as Document);
  t.regex(document.openapi, /^3\.1\./);
  t.truthy(document.info.title && document.info.version);
  const ajv = addFormats.default(new Ajv2020({ strict: false }));
  ajv.addSchema({ $id: 'doc', ...document });
  const compile = (schema: object, where: string) => {
    const local = JSON.stringify(schema).replaceAll('"#/components', '"doc#/components');
    t.notThrows(() => ajv.compile(JSON.parse(local) as object), where);
  };
  for (const [name, schema] of Object.entries(document.components.schemas)) compile(schema, name);
  for (const methods of Object.values(document.paths)) {
    for (const { operationId, requestBody, responses } of Object.values(methods)) {
      const contents = [requestBody?.content ?? {}, ...Object.values(responses).map(contentOf)];
      t.deepEqual(Object.keys(responses).toSorted(), ['200', 'default']);
      for (const { schema } of contents.flatMap((content) => Object.values(content))) {
        if (schema) compile(schema, operationId);
      }
    }
  }
  const references = [
    ...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g),
  ];
  t.true(references.length > 20);
  for (const [, name = ''] of references) t.true(name in document.components.schemas, name);
});
