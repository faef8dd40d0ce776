// The OpenAPI document of a server, and answers held against it. An object that the document describes
// may have no field here that the document does not name.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { get } from './client.mjs';

const require = createRequire(new URL('../../package.json', import.meta.url));

// Why it cannot be done here, or false: `skip` of a test that needs what npm brings.
export let noOpenapiTools = false;
let Ajv2020;
try {
  Ajv2020 = require('ajv/dist/2020').default;
} catch {
  noOpenapiTools = 'tests/node_modules has no ajv: scripts/install-deps could not fetch it';
}

// The path of a linter's program.
export function linter(name) {
  const path = fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const resolve = (document, node) =>
  node?.$ref ? node.$ref.slice(2).split('/').reduce((at, step) => at[step.replace('~1', '/')], document) : node;

// The parts of an allOf as one object: closed each alone, none would let the others' properties in.
function united(document, { allOf, ...rest }) {
  const parts = allOf.map((part) => resolve(document, part));
  return {
    ...rest,
    type: 'object',
    required: parts.flatMap((part) => part.required ?? []),
    properties: Object.assign({}, ...parts.map((part) => part.properties)),
  };
}

// Closes every object schema whose properties are listed.
function close(document, node) {
  if (node === null || typeof node !== 'object') return node;
  if (Array.isArray(node)) return node.map((each) => close(document, each));
  if (node.allOf) return close(document, united(document, node));
  const out = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, close(document, value)]));
  if (node.type !== undefined && node.properties && node.additionalProperties === undefined) out.additionalProperties = false;
  return out;
}

// A schema as text whose references lead to where the validator has the document's schemas.
const locally = (schema) => JSON.stringify(schema).replaceAll('"#/components/schemas/', '"api#/$defs/');

export class Contract {
  static async of(server) {
    return new Contract((await get(server, '/api/openapi.json')).json);
  }

  constructor(document) {
    this.document = document;
    this.ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true });
    this.ajv.addVocabulary(['example']);
    this.ajv.addFormat('date-time', { type: 'string', validate: (text) => TIME.test(text) && !Number.isNaN(Date.parse(text)) });
    this.ajv.addFormat('date', { type: 'string', validate: (text) => /^\d{4}-\d\d-\d\d$/.test(text) });
    this.ajv.addSchema({ $id: 'api', $defs: JSON.parse(locally(close(document, document.components.schemas))) });
    this.compiled = new Map();
    this.seen = new Set(); // "get /api/debates 200 application/json"
  }

  // [{method, path, operation}]
  operations() {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })));
  }

  // "" or what is wrong with a value under a schema of the document.
  problem(schema, value) {
    const text = locally(close(this.document, schema));
    if (!this.compiled.has(text)) this.compiled.set(text, this.ajv.compile(JSON.parse(text)));
    const validate = this.compiled.get(text);
    return validate(value) ? '' : this.ajv.errorsText(validate.errors.slice(0, 6), { separator: '\n  ' });
  }

  // An answer to a request of an operation: its status, its type and its body are described.
  check(method, path, answer, { allowDefault = true } = {}) {
    const operation = this.document.paths[path]?.[method];
    assert.ok(operation, `${method} ${path} is not in the document`);
    const name = operation.responses[answer.status] ? answer.status : 'default';
    assert.ok(name !== 'default' || (allowDefault && answer.status >= 400), `${method} ${path}: ${answer.status} is not described`);
    const response = resolve(this.document, operation.responses[name]);
    const type = (answer.headers.get('content-type') ?? '').split(';')[0];
    const media = response.content?.[type];
    assert.ok(media, `${method} ${path}: ${answer.status} as "${type}" is not described`);
    this.seen.add(`${method} ${path} ${answer.status} ${type}`);
    if (type !== 'application/json') return;
    const problem = this.problem(media.schema, answer.json);
    assert.equal(problem, '', `${method} ${path} ${answer.status}:\n  ${problem}\n${answer.text.slice(0, 600)}`);
  }

  checkSchema(name, value) {
    const problem = this.problem({ $ref: `#/components/schemas/${name}` }, value);
    assert.equal(problem, '', `${name}:\n  ${problem}\n${JSON.stringify(value).slice(0, 600)}`);
  }

  // Every example of the document as {where, schema, value}.
  examples() {
    const found = [];
    const visit = (node, where) => {
      if (node === null || typeof node !== 'object') return;
      const schema = node.schema ?? (node.type || node.oneOf || node.anyOf || node.$ref ? node : undefined);
      if (schema && node.example !== undefined) found.push({ where, schema, value: node.example });
      for (const [name, { value }] of Object.entries(node.schema && node.examples ? node.examples : {}))
        found.push({ where: `${where}/${name}`, schema, value });
      if (node.type && Array.isArray(node.examples))
        for (const value of node.examples) found.push({ where, schema, value });
      for (const [name, child] of Object.entries(node))
        if (name !== 'example' && name !== 'examples') visit(child, `${where}/${name}`);
    };
    visit(this.document, '#');
    return found;
  }
}
