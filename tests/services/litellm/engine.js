// What LiteLLM's database client wants to talk to: Prisma's query engine, without its downloaded binary.
//
// The npm package of Prisma's client holds the same engine as WebAssembly, which speaks JSON and reaches
// PostgreSQL through node-postgres. The Python client speaks GraphQL over HTTP to a program. This file is
// that program: it answers the HTTP, turns GraphQL into the engine's JSON and the answers back.

if (process.argv.includes('--version')) {
  console.log('query-engine 393aa359c9ad4a4bb28630fb5613f9c281cde053');
  process.exit(0);
}

const fs = require('node:fs');
const http = require('node:http');
const { parse, valueFromASTUntyped } = require('graphql');
const { PrismaPg } = require('@prisma/adapter-pg');
const { bindAdapter } = require('@prisma/driver-adapter-utils');
const pg = require('pg');
const runtime = require('@prisma/client/runtime/query_engine_bg.postgresql.js');

const ACTIONS = [
  'findUniqueOrThrow', 'findUnique', 'findFirstOrThrow', 'findFirst', 'findMany', 'createOne', 'createMany',
  'updateOne', 'updateMany', 'upsertOne', 'deleteOne', 'deleteMany', 'aggregate', 'groupBy',
];
const datamodel = fs.readFileSync(process.env.PRISMA_DML_PATH, 'utf8')
  .replace(/generator client \{/, 'generator client {\n  previewFeatures = ["driverAdapters"]');
const models = new Set([...datamodel.matchAll(/^model (\w+)/gm)].map((match) => match[1]));
const jsonFields = new Set([...datamodel.matchAll(/^\s+(\w+)\s+Json\b/gm)].map((match) => match[1]));

function split(name) {
  if (name === 'queryRaw' || name === 'executeRaw') return { action: name };
  const action = ACTIONS.find((word) => name.startsWith(word) && models.has(name.slice(word.length)));
  if (!action) throw new Error(`unknown field ${name}`);
  return { action, modelName: name.slice(action.length) };
}

// JSON comes as text; the engine takes bare text for a JSON string.
function wrap(value) {
  if (Array.isArray(value)) return value.map(wrap);
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => {
    if (!jsonFields.has(key)) return [key, wrap(inner)];
    if (typeof inner === 'string') return [key, { $type: 'Json', value: inner }];
    if (typeof inner?.set === 'string') return [key, { set: { $type: 'Json', value: inner.set } }];
    return [key, wrap(inner)];
  }));
}

function argumentsOf(field) {
  const found = Object.fromEntries((field.arguments || []).map((one) => [one.name.value, valueFromASTUntyped(one.value)]));
  // node-postgres does not know arrays of the type "name"
  if (typeof found.query === 'string') found.query = found.query.replace(/ARRAY_AGG\((\w*name)\)/gi, 'ARRAY_AGG($1::text)');
  return wrap(found);
}

function selection(set) {
  return Object.fromEntries(set.selections.map((field) => [
    field.name.value,
    field.selectionSet ? { arguments: argumentsOf(field), selection: selection(field.selectionSet) } : true,
  ]));
}

function read(text) {
  const field = parse(text).definitions[0].selectionSet.selections[0];
  const inner = field.selectionSet ? selection(field.selectionSet) : {};
  return {
    alias: field.alias ? field.alias.value : field.name.value,
    query: { ...split(field.name.value), query: { arguments: argumentsOf(field), selection: inner } },
  };
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (!value || typeof value !== 'object') return value;
  if ('$type' in value) return value.$type === 'BigInt' ? String(value.value) : value.value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return text; }
}

function written(answer, alias) {
  if (answer.errors) return answer;
  const value = plain(Object.values(answer.data)[0]);
  if (value?.columns && value.types && value.rows) {
    const isJson = value.types.map((type) => type === 'json');
    value.rows = value.rows.map((row) => row.map((cell, at) => (isJson[at] && typeof cell === 'string' ? parsed(cell) : cell)));
  }
  return { data: { [alias]: value } };
}

async function answer(engine, request, body) {
  const transaction = request.headers['x-transaction-id'];
  if (request.url === '/status') return { status: 'ok' };
  if (request.url === '/transaction/start') return JSON.parse(await engine.startTransaction(body, '{}'));
  const end = request.url.match(/^\/transaction\/([^/]+)\/(commit|rollback)$/);
  if (end) return JSON.parse(await engine[`${end[2]}Transaction`](end[1], '{}'));
  const asked = JSON.parse(body);
  if (!asked.batch) {
    const one = read(asked.query);
    return written(JSON.parse(await engine.query(JSON.stringify(one.query), '{}', transaction)), one.alias);
  }
  const all = asked.batch.map((part) => read(part.query));
  const batch = { batch: all.map((one) => one.query), transaction: asked.transaction ? {} : undefined };
  const found = JSON.parse(await engine.query(JSON.stringify(batch), '{}', transaction));
  if (found.errors) return found;
  return { batchResult: found.batchResult.map((result, at) => written(result, all[at].alias)) };
}

async function main() {
  const wasm = fs.readFileSync(require.resolve('@prisma/client/runtime/query_engine_bg.postgresql.wasm'));
  runtime.__wbg_set_wasm(new WebAssembly.Instance(new WebAssembly.Module(wasm), { './query_engine_bg.js': runtime }).exports);
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 5 });
  const options = { datamodel, logLevel: 'error', logQueries: false, env: process.env, configDir: '.', ignoreEnvVarErrors: true, datasourceOverrides: {}, engineProtocol: 'json' };
  const engine = new runtime.QueryEngine(options, () => {}, bindAdapter(new PrismaPg(pool)));
  await engine.connect('{}');
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', async () => {
      response.setHeader('content-type', 'application/json');
      try {
        response.end(JSON.stringify(await answer(engine, request, body)));
      } catch (error) {
        const message = String(error);
        response.statusCode = 500;
        response.end(JSON.stringify({ errors: [{ error: message, user_facing_error: { message, is_panic: false, meta: {} } }] }));
      }
    });
  });
  server.listen(Number(process.argv[process.argv.indexOf('-p') + 1]), 'localhost');
}

for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => process.exit(0));
main().catch((error) => { console.error(error); process.exit(1); });
