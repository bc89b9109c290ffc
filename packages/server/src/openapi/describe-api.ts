import { IMAGE_TYPES, problemResponse, problems, type ProblemCode } from '@imgup/shared';
import { toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { operations, schemas, type Operation } from './operations.ts';

export interface Route {
  method: string;
  /** As Hono has it: `/api/images/:id`. */
  path: string;
}

interface DescribeApiOptions {
  version: string;
  /** Those of the app; what is not for one method alone is none. */
  routes: Route[];
}

const TOKEN_PROBLEMS: ProblemCode[] = ['token_missing', 'token_invalid', 'token_expired', 'token_revoked'];
const JSON_PROBLEMS: ProblemCode[] = [
  'invalid_json',
  'invalid_request',
  'body_incomplete',
  'request_timeout',
  'body_too_large',
  'content_type_unsupported',
];

/** By what it must be sent with: the schemes of which one will do, and what refuses the others. */
const SECURITY = {
  token: { schemes: ['accessToken'], problems: [...TOKEN_PROBLEMS, 'key_only_uploads'] },
  'token or key': { schemes: ['accessToken', 'uploadKey'], problems: TOKEN_PROBLEMS },
  'metrics token': { schemes: ['metricsToken'], problems: ['token_missing', 'token_invalid'] },
} as const;

/**
 * The API in OpenAPI 3.1, out of the schemas that both sides check with.
 *
 * @throws Error where a route has no description, or a description no route
 */
export function describeApi({ version, routes }: DescribeApiOptions): object {
  const own = routes.filter(({ method }) => method !== 'ALL');
  const known = new Set(own.map(({ method, path }) => `${method} ${path}`));
  const gone = Object.keys(operations).find((key) => !known.has(key));
  if (gone !== undefined) throw new Error(`openapi/operations.ts describes ${gone}, which is no route.`);

  const paths: Record<string, Record<string, object>> = {};
  for (const key of known) {
    const operation = operations[key];
    if (operation === undefined) throw new Error(`openapi/operations.ts does not describe ${key}.`);
    const [method = '', path = ''] = key.split(' ');
    const item = (paths[path.replaceAll(/:(\w+)/g, '{$1}')] ??= {});
    item[method.toLowerCase()] = describeOperation(operation, path);
    if (operation.head === true) item['head'] = withoutContent(operation, path);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'imgup',
      version,
      description: 'A self-hosted image host. Errors are problems of RFC 9457: go by their `code` alone.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries({ ...schemas, Problem: problemResponse }).map(([name, schema]) => [name, jsonSchema(schema)]),
      ),
      securitySchemes: {
        accessToken: bearer('An access token, which logging in gives.'),
        uploadKey: bearer('An upload key.'),
        metricsToken: bearer('The token that the server was given for its metrics.'),
      },
    },
  };
}

function describeOperation(operation: Operation, path: string): object {
  const { summary, auth, parameters = [], takes, answers } = operation;
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    in: 'path',
    name,
    required: true,
    schema: { type: 'string' },
  }));
  return {
    summary,
    // None, rather than nothing said: only then is it known to need none.
    security: auth === undefined ? [] : SECURITY[auth].schemes.map((scheme) => ({ [scheme]: [] })),
    parameters: [...inPath, ...parameters],
    ...(takes && { requestBody: { required: true, content: takes === 'picture' ? picture() : json(takes) } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)])),
      ...describeProblems(operation),
    },
  };
}

function describeAnswer(answer: Operation['answers'][number]): object {
  if (typeof answer === 'string') return { description: answer, headers: REQUEST_ID, content: json(answer) };
  const { description, type } = answer;
  return { description, headers: REQUEST_ID, ...(type && { content: { [type]: {} } }) };
}

/** By status; `default` is what may go wrong anywhere. */
function describeProblems({ auth, takes, problems: own = [] }: Operation): Record<string, object> {
  const takesJson = takes !== undefined && takes !== 'picture';
  const codes = new Set<ProblemCode>([
    ...(auth === undefined ? [] : SECURITY[auth].problems),
    ...(takesJson ? JSON_PROBLEMS : []),
    ...own,
  ]);
  const byStatus = new Map<string, ProblemCode[]>();
  for (const code of codes) {
    const status = `${problems[code].status}`;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const described: Record<string, object> = { default: problem('Any other problem.') };
  for (const [status, all] of byStatus) described[status] = problem(`\`code\` is ${all.join(' or ')}.`);
  return described;
}

const REQUEST_ID = {
  'X-Request-Id': { description: 'What the log of the server calls this request.', schema: { type: 'string' } },
};

function problem(description: string): object {
  const schema = { $ref: '#/components/schemas/Problem' };
  return { description, headers: REQUEST_ID, content: { 'application/problem+json': { schema } } };
}

/** HEAD is answered as GET is, without the body. */
function withoutContent(operation: Operation, path: string): object {
  const answers: Operation['answers'] = {};
  for (const [status, answer] of Object.entries(operation.answers)) {
    answers[Number(status)] = { description: typeof answer === 'string' ? answer : answer.description };
  }
  return describeOperation({ ...operation, answers }, path);
}

function json(name: string): object {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } };
}

function picture(): object {
  const file = { type: 'object', required: ['file'], properties: { file: { type: 'string', format: 'binary' } } };
  return {
    ...Object.fromEntries(Object.keys(IMAGE_TYPES).map((type) => [type, {}])),
    'multipart/form-data': { schema: file },
  };
}

function bearer(description: string): object {
  return { type: 'http', scheme: 'bearer', description };
}

function jsonSchema(schema: v.GenericSchema): object {
  const { $schema: _, ...rest } = toJsonSchema(schema, { target: 'draft-2020-12', typeMode: 'output' });
  return rest;
}
