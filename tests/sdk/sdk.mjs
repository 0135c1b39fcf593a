// The official client libraries, unmodified, against simulated providers of all six dialects behind the gateway: only
// the base URL and the key differ from their defaults. Each case runs against a provider of each dialect. Between SDK
// and gateway, and between gateway and provider, stands a tap: every stream that an SDK received is checked for the
// order of its events, and what a provider was sent can be looked at. Prints a table, failures and a last line "N
// passed, N failed".
//     node tests/sdk/sdk.mjs [WORD] [DIALECT,…]     only cases with WORD in "SDK, case"; only these providers
import path from "node:path";
import * as aws from "@aws-sdk/client-bedrock-runtime";
import * as anthropic from "./cases/anthropic.mjs";
import * as bedrock from "./cases/bedrock.mjs";
import * as cohere from "./cases/cohere.mjs";
import * as gemini from "./cases/gemini.mjs";
import * as mistral from "./cases/mistral.mjs";
import * as chat from "./cases/openai_chat.mjs";
import * as responses from "./cases/openai_responses.mjs";
import { suites as vercel } from "./cases/vercel.mjs";
import { awsPair, connect, handler } from "./lib/clients.mjs";
import { endOrder } from "./lib/order.mjs";
import { startReport } from "./lib/report.mjs";
import { simulated, startStage } from "./lib/stage.mjs";
import * as wire from "./lib/wire.mjs";

const [word = "", only] = process.argv.slice(2);
const here = path.dirname(new URL(import.meta.url).pathname);
const suites = [
  { name: "openai, chat", ...chat },
  { name: "openai, responses", ...responses },
  { name: "anthropic", ...anthropic },
  { name: "google genai", ...gemini },
  { name: "cohere", ...cohere },
  { name: "aws bedrock", ...bedrock },
  { name: "mistral", ...mistral },
  ...vercel,
];
const to = only ? only.split(",") : wire.dialects;
const stage = await startStage(to, "sdk");
const clients = connect(stage.url, stage.key),
  stranger = connect(stage.url, "mg-wrong"),
  patient = connect(stage.url, stage.key, { retries: 2 });
const signing = (credentials) =>
  new aws.BedrockRuntimeClient({
    region: "us-east-1",
    endpoint: stage.url,
    maxAttempts: 1,
    credentials,
    requestHandler: handler(),
  });
const signed = signing(awsPair(stage.key)),
  forged = signing({ ...awsPair(stage.key), secretAccessKey: "another" });
const report = startReport(path.join(here, "sdk-exceptions.json"));
let names = 0;

// What a case is given.
function testOf(dialect) {
  const { name, embedding } = simulated[dialect];
  return {
    to: dialect,
    model: `to-${name}`,
    provider: name,
    embedding: `${name}/${embedding}`,
    url: stage.url,
    key: stage.key,
    clients,
    stranger,
    patient,
    signed,
    forged,
    fresh: (prefix) => `${prefix}-${++names}`,
    arrived: () => stage.sent().at(-1),
    asked: () => stage.asked().at(-1),
    gaveBack: () => stage.checkSignature(dialect),
  };
}

for (const { name, cases } of suites) {
  for (const [title, run] of Object.entries(cases)) {
    if (!`${name}, ${title}`.includes(word)) continue;
    for (const dialect of to) {
      await report.check(name, dialect, `${name}, ${title}, ${dialect}`, async () => {
        stage.clear();
        await run(testOf(dialect));
        await stage.checkOrder();
      });
    }
  }
}

await stage.stop();
report.failures.push(...endOrder(word || only ? [] : wire.dialects));
report.print(to, { whole: !word && !only });
process.exit(report.failures.length ? 1 : 0);
