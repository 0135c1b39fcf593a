// Plays every recorded exchange of the six dialects through the running gateway:
//   same     the client speaks the provider's dialect: both bodies byte for byte (but the model's name in the body)
//   sdk      a client of each dialect, its official SDK: equal text, thinking, tool calls, finish reason, usage; errors
//            raise the class that the SDK has for them
//   signed   what the provider signed of the model's thoughts is there for clients of other dialects, byte for byte
//   carried  the recorded request, sent to a provider of each other dialect: taken, and all of it is there
//   cuts     streams cut at random places, the shortest at every byte, in every dialect; the order of events is checked
// What a recording means is read by lib/native, which knows nothing of the gateway. Exceptions stand in
// exceptions.json, each with its reason. Prints a table by API and a last line "N passed, N failed".
//     node tests/sdk/replay.mjs [WORD] [DIALECT,…]     only recordings with WORD in their id; only these dialects
import fs from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ask, connect, errorClass } from "./lib/clients.mjs";
import { compare, compareAsked, difference } from "./lib/compare.mjs";
import { answerBytes } from "./lib/framing.mjs";
import { clientKey, startGateway } from "./lib/gateway.mjs";
import * as native from "./lib/native.mjs";
import { askedOf, refusals } from "./lib/native/asked.mjs";
import { endOrder, framingOf, orderFaults } from "./lib/order.mjs";
import { send } from "./lib/post.mjs";
import { inParallel, startReport } from "./lib/report.mjs";
import { startTap } from "./lib/tap.mjs";
import { startUpstream } from "./lib/upstream.mjs";
import * as wire from "./lib/wire.mjs";

const here = path.dirname(new URL(import.meta.url).pathname);
const folder = path.join(process.env.MOONGATE_SHARED ?? path.join(here, "../../../shared"), "wire");
const [word, names] = process.argv.slice(2);
const dialects = names ? names.split(",") : wire.dialects;
const WIDTH = 8;

const everything = wire.loadRecordings(folder);
const recordings = [...everything.values()].filter(
  (r) => dialects.includes(r.dialect) && (!word || r.id.includes(word)),
);
// Answers for requests that are carried to another dialect: the shortest whole ones.
const plain = {};
for (const r of everything.values()) {
  if (r.status !== 200 || r.stream_framing || r.streaming || !r.dialect) continue;
  const best = plain[r.dialect];
  if (!best || r.response_body.length < best.response_body.length) plain[r.dialect] = r;
}

const upstream = await startUpstream(everything);
const key = { keys: ["env:SDK_PROVIDER_KEY"] };
// name: adapter, dialect, where its base URL ends, region.
const providers = {
  openai: ["openai", "openai.chat", "/v1"],
  compatible: ["openai-compatible", "openai.chat", "/v1"],
  responses: ["openai", "openai.responses", "/v1"],
  anthropic: ["anthropic", "anthropic.messages", "/v1"],
  gemini: ["gemini", "gemini", "/v1beta"],
  cohere: ["cohere", "cohere.chat", "/v2"],
  bedrock: ["bedrock", "bedrock.converse", "", "us-east-1"],
};
const gateway = await startGateway(
  {
    providers: Object.fromEntries(
      Object.entries(providers)
        .filter(([, [, dialect]]) => dialects.includes(dialect))
        .map(([name, [adapter, dialect, end, region]]) => [
          name,
          { adapter, dialect, base_url: upstream.url + end, ...key, ...(region ? { region } : {}) },
        ]),
    ),
  },
  "replay",
);
// What clients receive in a dialect that is not the provider's own: the gateway wrote it. What passes as it is, `same`
// compares byte for byte.
const verdicts = [];
function judge(target, requestBody, status, type, answer, whole) {
  const client = wire.dialectOfPath(target),
    framing = framingOf(type ?? "", target);
  if (!client || !framing || status !== 200) return;
  const id = `${decodeURIComponent(target)} ${requestBody}`.match(/\/([\w.-]+)~(for|cut)=/)?.[1]; // not of `same`
  if (!id || everything.get(id).dialect === client) return;
  verdicts.push(
    orderFaults(client, answer, { framing, whole }).then((faults) =>
      faults.map((fault) => `order ${client} ${id}: ${fault}`),
    ),
  );
}
const front = await startTap(gateway.url, (e) => judge(e.path, e.body, e.status, e.type, e.answer, e.whole));
const clients = connect(front.url, clientKey);
const report = startReport(path.join(here, "exceptions.json"));

function providerOf(r) {
  if (r.dialect === "openai.chat") return r.provider === "openai" ? "openai" : "compatible";
  return Object.keys(providers).find((name) => providers[name][1] === r.dialect);
}

async function post(target, text) {
  const answer = await send("POST", gateway.url + target, clientKey, text);
  judge(target, text, answer.status, answer.headers["content-type"], answer.body, true);
  return answer;
}

// The recorded body for a model; where the path names the model, it is not in the body.
function recordedBody(r, model) {
  const body = { ...r.request_body };
  if (wire.modelIsInPath(r.dialect)) return body;
  if (!("model" in body)) return { model, ...body, ...(r.streaming ? { stream: true } : {}) };
  return { ...body, model };
}

// ---- same dialect ----

async function same(r, cuts) {
  const name = cuts ? `${r.id}~cut=${cuts.join(",")}` : r.id,
    target = `${providerOf(r)}/${name}`;
  const answer = await post(
    wire.pathOf(r.dialect, target, r.streaming, r.stream_framing),
    JSON.stringify(recordedBody(r, target)),
  );
  const got = upstream.received.get(name);
  if (!got) throw new Error(`the provider was not asked: ${answer.status} ${answer.body.subarray(0, 300)}`);
  const expected = JSON.stringify(recordedBody(r, name));
  if (got.body.toString() !== expected) {
    // For accounting, the usage chunk may be asked for where the client did not.
    const { stream_options: asked, ...rest } = JSON.parse(got.body),
      client = JSON.parse(expected);
    const onlyUsage = client.stream && !client.stream_options?.include_usage && asked?.include_usage === true;
    const { stream_options: _, ...clientRest } = client;
    if (!onlyUsage || !isDeepStrictEqual(rest, clientRest)) {
      throw new Error(`body upstream differs: ${difference(got.body.toString(), expected)}`);
    }
  }
  if (answer.status !== r.status)
    throw new Error(`status ${answer.status}, recorded ${r.status}: ${answer.body.subarray(0, 200)}`);
  const recorded = answerBytes(r);
  if (!answer.body.equals(recorded))
    throw new Error(`body differs: ${difference(answer.body.toString("latin1"), recorded.toString("latin1"))}`);
  if (!answer.headers["x-request-id"]) throw new Error("no x-request-id");
}

// ---- every dialect, by its SDK ----

// An SDK reads its own protocol as its owner speaks it; what others make of it reaches clients as it came, and need not
// suit an SDK. Nor is one that asked for SSE sent an array.
const owners = {
  "openai.chat": "openai",
  "openai.responses": "openai",
  "anthropic.messages": "anthropic",
  gemini: "gemini",
  "cohere.chat": "cohere",
  "bedrock.converse": "bedrock",
};
const isOwners = (r) => r.api.startsWith(owners[r.dialect]) && r.stream_framing !== "json-array";

let turn = 0; // tells requests for the same recording apart

const streamed = (r) => r.stream_framing !== null;

async function bySdk(r, client) {
  const name = `${r.id}~for=${turn++}`,
    model = `${providerOf(r)}/${name}`,
    expected = r.status === 200 ? native.read(r) : null;
  // What is only queued is no answer for clients of another dialect: they cannot come back for it.
  const pending = expected?.pending && client !== r.dialect;
  if (expected && !expected.error && !pending)
    return compare(await ask(clients, client, model, streamed(r)), expected, client, client === r.dialect);
  let thrown = null;
  try {
    await ask(clients, client, model, r.streaming);
  } catch (error) {
    thrown = error;
  }
  if (!thrown) throw new Error("an error was recorded, the SDK saw none");
  if (!upstream.received.has(name)) throw new Error(`the provider was not asked: ${thrown.message}`);
  // Some recordings of Bedrock lack the header that tells the class.
  const untold =
    client === "bedrock.converse" &&
    client === r.dialect &&
    !/Validation|ResourceNot/.test(r.response_headers["x-amzn-errortype"]);
  const wanted = errorClass(client, untold ? 0 : r.status);
  if (!(thrown instanceof wanted))
    throw new Error(`${thrown.constructor.name} (${thrown.message}), expected ${wanted.name}`);
  if (!thrown.message || /undefined|\[object/.test(thrown.message))
    throw new Error(`message of the error: ${thrown.message}`);
}

// ---- signatures ----

// Each signature stands, byte for byte, in what a client of another dialect receives; in base64 where it wants bytes.
// That it comes back to the provider is tried with simulated ones (sdk.mjs).
async function signed(r, client) {
  const model = `${providerOf(r)}/${r.id}~for=${turn++}`,
    stream = streamed(r);
  const answer = await post(wire.pathOf(client, model, stream), JSON.stringify(wire.smallest(client, model, stream)));
  const plainText = answer.body.toString("latin1");
  const text = [
    plainText,
    ...(plainText.match(/[\w+/-]{16,}=*/g) ?? []).map((s) => Buffer.from(s, "base64").toString("latin1")),
  ].join("\n");
  for (const signature of native.signaturesOf(r)) {
    if (!text.includes(signature)) throw new Error(`a signature is lost: ${signature.slice(0, 60)}`);
  }
}

// ---- requests carried over ----

async function carried(r, dialect) {
  const answer = plain[dialect],
    name = `${answer.id}~for=${turn++}`,
    target = `${providerOf(answer)}/${name}`;
  const body = recordedBody(r, target);
  delete body.stream;
  delete body.stream_options;
  const got = await post(wire.pathOf(r.dialect, target, false), JSON.stringify(body));
  if (got.status !== 200) throw new Error(`status ${got.status}: ${got.body.subarray(0, 300)}`);
  const sent = JSON.parse(upstream.received.get(name).body);
  const faults = refusals(dialect, sent);
  if (faults.length) throw new Error(`the provider would refuse: ${faults.join("; ")}`);
  compareAsked(askedOf[dialect](sent), askedOf[r.dialect](r.request_body));
}

// ---- cuts ----

let seed = 20240607;
const random = (n) => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8) % n;

// Without the SDK: quick.
async function raw(r, client, cuts, framing) {
  const model = `${providerOf(r)}/${r.id}~cut=${cuts.join(",")}`;
  const answer = await post(
    wire.pathOf(client, model, true, framing),
    JSON.stringify(wire.smallest(client, model, true)),
  );
  if (answer.status !== 200) throw new Error(`status ${answer.status} ${answer.body.subarray(0, 200)}`);
  compare(native.readers[client].stream(answer.body), native.read(r), client);
}

async function randomCuts(r, client) {
  const length = answerBytes(r).length;
  for (let round = 0; round < 2; round++) {
    const cuts = [...new Set(Array.from({ length: 6 }, () => random(length)))].sort((a, b) => a - b);
    if (client === r.dialect) await same(r, cuts);
    else await raw(r, client, cuts, client === "gemini" && round === 1 ? "json-array" : null);
  }
}

async function everyCut(r) {
  const others = dialects.filter((d) => d !== r.dialect),
    places = Array.from({ length: answerBytes(r).length - 1 }, (_, i) => i + 1);
  await inParallel(places, WIDTH, async (at) => {
    await same(r, [at]);
    if (others.length) await raw(r, others[at % others.length], [at]);
  });
}

// ---- the run ----

const pairs = recordings.flatMap((r) => dialects.map((client) => ({ r, client })));
const others = pairs.filter(({ r, client }) => client !== r.dialect);
const good = recordings.filter(
  (r) => streamed(r) && r.status === 200 && !native.read(r).error && !r.features.includes("truncated"),
);
await inParallel(recordings, WIDTH, (r) => report.check(r.api, "same", `same ${r.id}`, () => same(r)));
await inParallel(
  pairs.filter(({ r, client }) => client !== r.dialect || isOwners(r)),
  WIDTH,
  ({ r, client }) => report.check(r.api, "sdk", `sdk ${client} ${r.id}`, () => bySdk(r, client)),
);
await inParallel(
  others.filter(({ r, client }) => client !== "cohere.chat" && r.status === 200 && native.signaturesOf(r).length),
  WIDTH,
  ({ r, client }) => report.check(r.api, "signed", `signed ${client} ${r.id}`, () => signed(r, client)),
);
await inParallel(others, WIDTH, ({ r, client }) =>
  report.check(r.api, "carried", `carried ${client} ${r.id}`, () => carried(r, client)),
);
await inParallel(
  good
    .flatMap((r) => dialects.map((client) => ({ r, client })))
    .filter(({ r, client }) => !report.isListed(`sdk ${client} ${r.id}`) && !report.isListed(`same ${r.id}`)),
  WIDTH,
  ({ r, client }) => report.check(r.api, "cuts", `cuts ${client} ${r.id}`, () => randomCuts(r, client)),
);
for (const dialect of dialects) {
  const fine = good.filter(
    (r) =>
      r.dialect === dialect &&
      !report.isListed(`same ${r.id}`) &&
      !dialects.some((client) => report.isListed(`sdk ${client} ${r.id}`)),
  );
  const [shortest] = fine.sort((a, b) => a.response_body.length - b.response_body.length);
  if (shortest) await report.check(shortest.api, "every cut", `every-cut ${shortest.id}`, () => everyCut(shortest));
}
for (const text of upstream.wrong) report.failures.push(`path upstream: ${text}`);
front.stop();
await gateway.stop();
upstream.stop();
report.failures.push(...new Set((await Promise.all(verdicts)).flat()), ...endOrder(word || names ? [] : wire.dialects));
console.log(`${recordings.length} recorded exchanges`);
report.print(["same", "sdk", "signed", "carried", "cuts", "every cut"], { whole: !word && !names });
process.exit(report.failures.length ? 1 : 0);
