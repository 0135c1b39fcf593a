// Plays every recorded exchange of openai.chat and anthropic.messages through the running gateway:
//   same     the client speaks the provider's dialect: both bodies byte for byte (but the model's name)
//   other    a client of the other dialect, the official SDK: equal text, tool calls, finish reason, usage
//   carried  the recorded request, sent to a provider of the other dialect: taken, and valid there
//   cuts     streams cut at random places, a few short ones at every byte, in both ways
// Exceptions stand in exceptions.json, each with its reason: one that is not listed is a failure, and so is a listed
// one
// that passes. Prints a table by provider and a last line "N passed, N failed".
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { clientKey, startGateway } from "./lib/gateway.mjs";
import * as native from "./lib/native.mjs";
import { startUpstream } from "./lib/upstream.mjs";

const here = path.dirname(new URL(import.meta.url).pathname);
const wire = path.join(process.env.MOONGATE_SHARED ?? path.join(here, "../../../shared"), "wire");
const only = process.argv[2];

const recordings = new Map();
for (const row of JSON.parse(fs.readFileSync(path.join(wire, "INDEX.json"), "utf8"))) {
  if (row.protocol !== "openai.chat" && row.protocol !== "anthropic.messages") continue;
  if (only && !row.id.includes(only)) continue;
  recordings.set(row.id, JSON.parse(fs.readFileSync(path.join(wire, row.file), "utf8")));
}
const dialects = ["openai.chat", "anthropic.messages"];
const otherOf = (dialect) => dialects[1 - dialects.indexOf(dialect)];
const paths = { "openai.chat": "/v1/chat/completions", "anthropic.messages": "/v1/messages" };
// Answers for requests that are carried to the other dialect: the shortest whole ones.
const plain = {};
for (const r of recordings.values()) {
  if (r.status === 200 && !r.stream_framing && (!plain[r.protocol]
    || r.response_body.length < plain[r.protocol].response_body.length)) {
    plain[r.protocol] = r;
  }
}

const upstream = await startUpstream(recordings);
const key = { keys: ["env:SDK_PROVIDER_KEY"] };
const gateway = await startGateway({
  providers: {
    openai: { adapter: "openai", base_url: `${upstream.url}/v1`, ...key },
    compatible: { adapter: "openai-compatible", base_url: `${upstream.url}/v1`, ...key },
    anthropic: { adapter: "anthropic", base_url: `${upstream.url}/v1`, ...key },
  },
  routes: { spare: { targets: ["openai/none"] } },
}, "replay");
const openai = new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1`, maxRetries: 0, timeout: 20000 });
const anthropic = new Anthropic({ apiKey: clientKey, baseURL: gateway.url, maxRetries: 0, timeout: 20000 });
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

function providerOf(r) {
  if (r.protocol === "anthropic.messages") return "anthropic";
  return r.provider === "openai" ? "openai" : "compatible";
}

// POST with exact bytes: { status, headers, body (Buffer) }
function post(dialect, text) {
  return new Promise((resolve, reject) => {
    const request = http.request(gateway.url + paths[dialect], {
      method: "POST", agent,
      headers: { authorization: `Bearer ${clientKey}`, "content-type": "application/json",
        "content-length": Buffer.byteLength(text) },
    }, (response) => {
      const chunks = [];
      response.on("data", (c) => chunks.push(c));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers,
        body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    request.setTimeout(20000, () => request.destroy(new Error("no answer in 20 s")));
    request.on("error", reject);
    request.end(text);
  });
}

function recordedBody(r, model) {
  const body = { ...r.request_body };
  if (!("model" in body)) return { model, ...body, ...(r.streaming ? { stream: true } : {}) };
  return { ...body, model };
}

// ---- same dialect ------------------------------------------------------------------------------------------------

async function same(r, cuts) {
  const name = cuts ? `${r.id}~cut=${cuts.join(",")}` : r.id;
  const target = `${providerOf(r)}/${name}`;
  const answer = await post(r.protocol, JSON.stringify(recordedBody(r, target)));
  const got = upstream.received.get(name);
  if (!got) throw new Error(`the provider was not asked: ${answer.status} ${answer.body.subarray(0, 300)}`);
  const expected = JSON.stringify(recordedBody(r, name));
  if (got.body.toString() !== expected) {
    // For accounting, the usage chunk may be asked for where the client did not.
    const { stream_options: asked, ...rest } = JSON.parse(got.body);
    const client = JSON.parse(expected);
    const only_usage = client.stream && !client.stream_options?.include_usage && asked?.include_usage === true;
    const { stream_options: _, ...clientRest } = client;
    if (!only_usage || !isDeepStrictEqual(rest, clientRest)) throw new Error(
      `body upstream differs: ${difference(got.body.toString(), expected)}`);
  }
  if (answer.status !== r.status) throw new Error(
    `status ${answer.status}, recorded ${r.status}: ${answer.body.subarray(0, 200)}`);
  if (answer.body.toString() !== r.response_body) throw new Error(
    `body differs: ${difference(answer.body.toString(), r.response_body)}`);
  if (!answer.headers["x-request-id"]) throw new Error("no x-request-id");
}

function difference(a, b) {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const piece = (s) => JSON.stringify(s.slice(i, i + 80));
  return `at ${i} of ${a.length}/${b.length}: ${piece(a)}, expected ${piece(b)}`;
}

// ---- the other dialect, by its SDK
// ------------------------------------------------------------------------------------

const openaiErrors = { 400: OpenAI.BadRequestError, 401: OpenAI.AuthenticationError, 403: OpenAI.PermissionDeniedError,
  404: OpenAI.NotFoundError, 422: OpenAI.UnprocessableEntityError, 429: OpenAI.RateLimitError,
    500: OpenAI.InternalServerError };
const anthropicErrors = { 400: Anthropic.BadRequestError, 401: Anthropic.AuthenticationError,
  403: Anthropic.PermissionDeniedError,
  404: Anthropic.NotFoundError, 422: Anthropic.UnprocessableEntityError, 429: Anthropic.RateLimitError,
    500: Anthropic.InternalServerError };

async function ask(client, model, streaming) {
  if (client === "openai.chat") {
    const body = { model, messages: [{ role: "user", content: "go on" }] };
    if (!streaming) return native.ofMessage[client](await openai.chat.completions.create(body));
    const stream = openai.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
    return native.ofMessage[client](await stream.finalChatCompletion());
  }
  const body = { model, max_tokens: 1024, messages: [{ role: "user", content: "go on" }] };
  if (!streaming) return native.ofMessage[client](await anthropic.messages.create(body));
  return native.ofMessage[client](await anthropic.messages.stream(body).finalMessage());
}

function compare(got, expected) {
  if (got.text !== expected.text) throw new Error(`text differs: ${difference(got.text, expected.text)}`);
  if (got.calls.length !== expected.calls.length) throw new Error(
    `${got.calls.length} tool calls, recorded ${expected.calls.length}`);
  expected.calls.forEach((call, i) => {
    const mine = got.calls[i];
    if (call.id && mine.id !== call.id) throw new Error(`id of tool call ${i}: ${mine.id}, recorded ${call.id}`);
    if (!mine.id) throw new Error(`tool call ${i} has no id`);
    if (mine.name !== call.name) throw new Error(`name of tool call ${i}: ${mine.name}, recorded ${call.name}`);
    if (!("cut_off" in call.args) && !isDeepStrictEqual(mine.args, call.args)) {
      throw new Error(
        `arguments of tool call ${i}: ${JSON.stringify(mine.args)}, recorded ${JSON.stringify(call.args)}`);
    }
  });
  const refusal = expected.refused && ["stop", "filter"].includes(got.finish);
  if (got.finish !== expected.finish && !refusal) throw new Error(`finish ${got.finish}, recorded ${expected.finish}`);
  if (expected.usage && !isDeepStrictEqual(got.usage, expected.usage)) {
    throw new Error(`usage ${JSON.stringify(got.usage)}, recorded ${JSON.stringify(expected.usage)}`);
  }
}

async function other(r) {
  const client = otherOf(r.protocol);
  const model = `${providerOf(r)}/${r.id}`;
  const expected = r.status === 200 ? native.read(r) : null;
  if (expected && !expected.error) return compare(await ask(client, model, r.stream_framing === "sse"), expected);
  let thrown = null;
  try {
    await ask(client, model, r.streaming);
  } catch (error) {
    thrown = error;
  }
  if (!thrown) throw new Error("an error was recorded, the SDK saw none");
  const wanted = r.status === 200 ? (client === "openai.chat" ? OpenAI.APIError : Anthropic.APIError)
    : (client === "openai.chat" ? openaiErrors : anthropicErrors)[r.status];
  if (!(thrown instanceof wanted)) throw new Error(
    `${thrown.constructor.name} (${thrown.message}), expected ${wanted.name}`);
  if (!thrown.message || /undefined|\[object/.test(thrown.message)) throw new Error(
    `message of the error: ${thrown.message}`);
}

// ---- requests carried over
// ---------------------------------------------------------------------------------------------

const rolesOf = { "openai.chat": ["system", "developer", "user", "assistant", "tool", "function"],
  "anthropic.messages": ["user", "assistant"] };

async function carried(r) {
  const dialect = otherOf(r.protocol);
  const answer = plain[dialect];
  const provider = providerOf(answer);
  const name = `${answer.id}~cut=`; // names of their own are not needed: one at a time is asked of each
  upstream.received.delete(name);
  const body = { ...recordedBody(r, `${provider}/${name}`), stream: false };
  delete body.stream_options;
  const got = await post(r.protocol, JSON.stringify(body));
  if (got.status !== 200) throw new Error(`status ${got.status}: ${got.body.subarray(0, 240)}`);
  const sent = JSON.parse(upstream.received.get(name).body);
  if (!Array.isArray(sent.messages) || !sent.messages.length) throw new Error("no messages upstream");
  for (const m of sent.messages) if (!rolesOf[dialect].includes(m.role)) throw new Error(`role ${m.role} upstream`);
  if (dialect === "anthropic.messages" && !(sent.max_tokens > 0)) throw new Error("no max_tokens upstream");
  const tools = (sent.tools ?? []).map((t) => t.function?.name ?? t.name);
  for (const t of r.request_body.tools ?? []) {
    const own = t.function?.name ?? (t.input_schema ? t.name : null);
    if (own && !tools.includes(own)) throw new Error(`tool ${own} is lost`);
  }
  const results = (messages, d) => d === "openai.chat"
    ? messages.filter((m) => m.role === "tool").length
    : messages.flatMap((m) => Array.isArray(m.content) ? m.content : []).filter((p) => p.type === "tool_result").length;
  const before = results(r.request_body.messages, r.protocol), after = results(sent.messages, dialect);
  if (before !== after) throw new Error(`${before} tool results became ${after}`);
}

// ---- cuts
// ------------------------------------------------------------------------------------------------------------------

let seed = 20240607;
const random = (n) => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8) % n;

async function otherRaw(r, cuts) { // the other dialect without the SDK: quick
  const client = otherOf(r.protocol);
  const body = { model: `${providerOf(r)}/${r.id}~cut=${cuts.join(",")}`, stream: true, max_tokens: 1024,
    messages: [{ role: "user", content: "go on" }], ...(client === "openai.chat"
      ? { stream_options: { include_usage: true } } : {}) };
  const answer = await post(client, JSON.stringify(body));
  if (answer.status !== 200) throw new Error(`status ${answer.status} ${answer.body.subarray(0, 200)}`);
  compare(native.ofStream[client](answer.body.toString()), native.read(r));
}

async function randomCuts(r) {
  const length = Buffer.byteLength(r.response_body);
  for (let round = 0; round < 2; round++) {
    const cuts = [...new Set(Array.from({ length: 6 }, () => random(length)))].sort((a, b) => a - b);
    await same(r, cuts);
    await otherRaw(r, cuts);
  }
}

async function everyCut(r) {
  const length = Buffer.byteLength(r.response_body);
  for (let at = 1; at < length; at += 8) {
    await Promise.all(Array.from({ length: Math.min(8, length - at) }, (_, i) => same(r, [at + i])));
    await Promise.all(Array.from({ length: Math.min(8, length - at) }, (_, i) => otherRaw(r, [at + i])));
  }
}

// ---- the run
// ---------------------------------------------------------------------------------------------------------------

const listed = JSON.parse(fs.readFileSync(path.join(here, "exceptions.json"), "utf8"));
const table = new Map(), failures = [], used = new Set();
let passed = 0, excepted = 0;

async function check(kind, r, fn) {
  const name = `${kind} ${r.id}`;
  const row = table.get(r.provider) ?? table.set(r.provider, {}).get(r.provider);
  const cell = row[kind] ??= { passed: 0, all: 0 };
  cell.all++;
  let fault = null;
  try {
    await fn(r);
  } catch (error) {
    fault = `${error.constructor.name === "Error" ? "" : `${error.constructor.name}: `}${error.message}`;
  }
  if (listed[name]) {
    used.add(name);
    if (fault) return void excepted++;
    return void failures.push(`${name}: passes, but is listed in exceptions.json`);
  }
  if (fault) return void failures.push(`${name}: ${fault}`);
  cell.passed++;
  passed++;
}

async function inParallel(list, fn) {
  const queue = [...list];
  await Promise.all(Array.from({ length: 4 }, async () => { for (let r; (r = queue.shift());) await fn(r); }));
}

const all = [...recordings.values()];
const goodStreams = all.filter((r) => r.stream_framing === "sse" && !native.read(r).error
  && !r.features.includes("truncated"));
await inParallel(all, (r) => check("same", r, same));
await inParallel(all, (r) => check("other", r, other));
for (const r of all) await check("carried", r, carried);
await inParallel(goodStreams.filter((r) => !listed[`same ${r.id}`] && !listed[`other ${r.id}`]),
  (r) => check("cuts", r, randomCuts));
for (const dialect of dialects) {
  const shortest = goodStreams.filter((r) => r.protocol === dialect && !listed[`same ${r.id}`]
    && !listed[`other ${r.id}`])
    .sort((a, b) => a.response_body.length - b.response_body.length);
  for (const r of shortest.slice(0, 2)) await check("every cut", r, everyCut);
}
if (!only) for (const name of Object.keys(listed)) if (!used.has(name)) failures.push(
  `${name} in exceptions.json names nothing that was run`);
for (const text of upstream.wrong) failures.push(`path upstream: ${text}`);
await gateway.stop();
upstream.stop();
agent.destroy();

const kinds = ["same", "other", "carried", "cuts", "every cut"];
console.log(`${"provider".padEnd(16)}${kinds.map((k) => k.padStart(11)).join("")}`);
for (const [provider, row] of [...table].sort()) {
  console.log(provider.padEnd(16) + kinds.map((k) => (row[k] ? `${row[k].passed}/${row[k].all}` : "").padStart(
    11)).join(""));
}
console.log(`${recordings.size} recorded exchanges replayed, ${excepted} listed exceptions`);
for (const name of used) console.log(`exception  ${name}: ${listed[name]}`);
for (const text of failures) console.log(`FAILED  ${text}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
