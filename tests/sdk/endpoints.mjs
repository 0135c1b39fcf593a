// Plays the recorded exchanges of all other APIs through the running gateway, and every exchange raw:
//   raw      each of them, by /providers/NAME/…: status and body byte for byte
//   same     embeddings, rerank, completions, moderations, images, token counts: by the gateway's own endpoint, both
//            bodies byte for byte (but the model's name)
//   sdk      embeddings and rankings, asked for by the official SDKs of OpenAI, Google and Cohere from each other's
//            providers: the same vectors, the same ranking; errors raise the class that the SDK has for them
// Exceptions stand in endpoints-exceptions.json. Prints a table by API and a last line "N passed, N failed".
//     node tests/sdk/endpoints.mjs [WORD]     only recordings with WORD in their id
import path from "node:path";
import { connect, errorClass } from "./lib/clients.mjs";
import { difference } from "./lib/compare.mjs";
import { answerBytes } from "./lib/framing.mjs";
import { clientKey, startGateway } from "./lib/gateway.mjs";
import { rankingOf, vectorsOf } from "./lib/native/embeddings.mjs";
import { send } from "./lib/post.mjs";
import { inParallel, startReport } from "./lib/report.mjs";
import { startUpstream } from "./lib/upstream.mjs";
import { loadRecordings } from "./lib/wire.mjs";

const here = path.dirname(new URL(import.meta.url).pathname);
const folder = path.join(process.env.MOONGATE_SHARED ?? path.join(here, "../../../shared"), "wire");
const word = process.argv[2] ?? "";
const WIDTH = 8;

const everything = loadRecordings(folder);
const recordings = [...everything.values()].filter((r) => r.id.includes(word));
const upstream = await startUpstream(everything);
const key = { keys: ["env:SDK_PROVIDER_KEY"] };
const gateway = await startGateway(
  {
    providers: {
      raw: { adapter: "openai-compatible", base_url: `${upstream.url}/raw`, ...key },
      openai: { adapter: "openai-compatible", base_url: `${upstream.url}/v1`, ...key },
      responses: { adapter: "openai", dialect: "openai.responses", base_url: `${upstream.url}/v1`, ...key },
      anthropic: { adapter: "anthropic", base_url: `${upstream.url}/v1`, ...key },
      gemini: { adapter: "gemini", base_url: `${upstream.url}/v1beta`, ...key },
      cohere: { adapter: "cohere", base_url: `${upstream.url}/v2`, ...key },
      bedrock: { adapter: "bedrock", region: "us-east-1", base_url: upstream.url, ...key },
    },
  },
  "endpoints",
);
const clients = connect(gateway.url, clientKey);
const report = startReport(path.join(here, "endpoints-exceptions.json"));

// By protocol: the provider that speaks it, and where its clients post; MODEL stands for the model.
const homes = {
  "openai.embeddings": ["openai", "/v1/embeddings"],
  "openai.completions": ["openai", "/v1/completions"],
  "openai.moderations": ["openai", "/v1/moderations"],
  "openai.images": ["openai", "/v1/images/generations"],
  "openai.responses.input_tokens": ["responses", "/v1/responses/input_tokens"],
  "jina.rerank": ["openai", "/v1/rerank"],
  "voyage.rerank": ["openai", "/v1/rerank"],
  "cohere.v2.rerank": ["cohere", "/v2/rerank"],
  "cohere.v2.embed": ["cohere", "/v2/embed"],
  "anthropic.count_tokens": ["anthropic", "/v1/messages/count_tokens"],
  "gemini.batchEmbedContents": ["gemini", "/v1beta/models/MODEL:batchEmbedContents"],
  "bedrock.count_tokens": ["bedrock", "/model/MODEL/count-tokens"],
  "gemini.embedContent": ["gemini", "/v1beta/models/MODEL:embedContent"],
  "gemini.countTokens": ["gemini", "/v1beta/models/MODEL:countTokens"],
};

function homeOf(r) {
  if (!r.protocol.startsWith("bedrock.invoke.")) return homes[r.protocol];
  return ["bedrock", `/model/MODEL/${r.streaming ? "invoke-with-response-stream" : "invoke"}`];
}

function mustEqual(answer, r) {
  const recorded = answerBytes(r);
  if (answer.status !== r.status)
    throw new Error(`status ${answer.status}, recorded ${r.status}: ${answer.body.subarray(0, 300)}`);
  if (!answer.body.equals(recorded))
    throw new Error(`body differs: ${difference(answer.body.toString("latin1"), recorded.toString("latin1"))}`);
}

async function raw(r) {
  const text = r.request_body === null ? null : JSON.stringify(r.request_body);
  const place = r.path.replace(/[<>]/g, encodeURIComponent),
    target = `/providers/raw/${r.id}${place}`; // "<PROJECT>"
  const answer = await send(r.method, gateway.url + target, clientKey, text),
    got = upstream.received.get(r.id);
  if (!got) throw new Error(`the provider was not asked: ${answer.status} ${answer.body.subarray(0, 300)}`);
  if (got.path !== `/raw/${r.id}${place}`) throw new Error(`path upstream ${got.path}`);
  if (text !== null && got.body.toString() !== text)
    throw new Error(`body upstream differs: ${difference(got.body.toString(), text)}`);
  mustEqual(answer, r);
}

async function same(r) {
  const [provider, target] = homeOf(r),
    model = `${provider}/${r.id}`,
    body = { ...r.request_body };
  const named = !target.includes("MODEL");
  upstream.received.delete(r.id);
  const asked = named ? { ...body, model } : body;
  const answer = await send(
    "POST",
    gateway.url + target.replace("MODEL", encodeURIComponent(model)),
    clientKey,
    JSON.stringify(asked),
  );
  const got = upstream.received.get(r.id),
    expected = named
      ? JSON.stringify({ ...body, model: r.id })
      : JSON.stringify(body).replace(/"model":"models\/[^"]*"/g, `"model":"models/${r.id}"`); // Gemini repeats it
  if (!got) throw new Error(`the provider was not asked: ${answer.status} ${answer.body.subarray(0, 300)}`);
  // For accounting, the usage chunk may be asked for where the client did not.
  const sent = got.body
    .toString()
    .replace('"stream_options":{"include_usage":true},', (s) => (body.stream && !body.stream_options ? "" : s));
  if (sent !== expected) throw new Error(`body upstream differs: ${difference(sent, expected)}`);
  mustEqual(answer, r);
}

let turn = 0; // tells requests for the same recording apart

const texts = (n) => Array.from({ length: n }, (_, i) => `text ${i}`);

const embed = {
  "openai.chat": async (model, n) =>
    (await clients.openai.embeddings.create({ model, input: texts(n) })).data.map((d) => d.embedding),
  gemini: async (model, n) =>
    (await clients.gemini.models.embedContent({ model, contents: texts(n) })).embeddings.map((e) => e.values),
  "cohere.chat": async (model, n) =>
    (await clients.cohere.embed({ model, texts: texts(n), inputType: "search_document", embeddingTypes: ["float"] }))
      .embeddings.float,
};

// OpenAI's SDK asks for base64 of float32 and gives back numbers: what that keeps of them.
const kept = (client, values) => values.map((v) => (client === "openai.chat" ? Math.fround(v) : v));

async function bySdk(r, client) {
  const name = `${r.id}~for=${turn++}`,
    model = `${homeOf(r)[0]}/${name}`,
    isRerank = /rerank$/.test(r.protocol);
  if (r.status !== 200) {
    const asked = isRerank
      ? clients.cohere.rerank({ model, query: "q", documents: texts(2) })
      : embed[client](model, 1);
    const thrown = await asked.then(
        () => null,
        (error) => error,
      ),
      wanted = errorClass(client, r.status);
    if (!(thrown instanceof wanted))
      throw new Error(`${thrown?.constructor.name} (${thrown?.message}), expected ${wanted.name}`);
    if (!upstream.received.has(name)) throw new Error(`the provider was not asked: ${thrown.message}`);
    return;
  }
  const body = JSON.parse(r.response_body);
  if (isRerank) {
    const expected = rankingOf(r.protocol, body);
    const got = await clients.cohere.rerank({
      model,
      query: "q",
      documents: texts(Math.max(0, ...expected.map((e) => e.index)) + 1),
    });
    const told = JSON.stringify(got.results.map((x) => ({ index: x.index, score: x.relevanceScore })));
    if (told !== JSON.stringify(expected)) throw new Error(`ranking ${told}, recorded ${JSON.stringify(expected)}`);
    return;
  }
  const expected = vectorsOf(r.protocol, body),
    got = await embed[client](model, expected.length);
  if (got.length !== expected.length) throw new Error(`${got.length} vectors, recorded ${expected.length}`);
  expected.forEach((v, i) => {
    const a = JSON.stringify(kept(client, got[i])),
      b = JSON.stringify(kept(client, v));
    if (a !== b) throw new Error(`vector ${i} differs: ${difference(a, b)}`);
  });
}

const others = recordings.filter(homeOf);
// An SDK is not answered by its own provider in a shape that it did not ask for.
const unasked = (r, client) =>
  r.status === 200 &&
  ((client === "openai.chat" && r.protocol === "openai.embeddings" && r.request_body.encoding_format !== "base64") ||
    (client === "gemini" && r.protocol === "gemini.embedContent"));
const pairs = others
  .filter((r) => /embed|rerank/i.test(r.protocol))
  .flatMap((r) => (/rerank$/.test(r.protocol) ? ["cohere.chat"] : Object.keys(embed)).map((client) => ({ r, client })))
  .filter(({ r, client }) => !unasked(r, client));
await inParallel(recordings, WIDTH, (r) => report.check(r.api, "raw", `raw ${r.id}`, () => raw(r)));
await inParallel(others, WIDTH, (r) => report.check(r.api, "same", `same ${r.id}`, () => same(r)));
await inParallel(pairs, WIDTH, ({ r, client }) =>
  report.check(r.api, "sdk", `sdk ${client} ${r.id}`, () => bySdk(r, client)),
);
await gateway.stop();
upstream.stop();
console.log(`${recordings.length} recorded exchanges`);
report.print(["raw", "same", "sdk"], { whole: !word });
process.exit(report.failures.length ? 1 : 0);
