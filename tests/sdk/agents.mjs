// Agents as clients: each agent library works through a scripted task of six tool turns, some with parallel calls,
// over a context of 100 KB, against simulated models of every dialect behind the gateway, whole and streamed. The
// script is in the tools: each result tells the simulator what the model calls next. Prints failures and "N passed, N
// failed".
//     node tests/sdk/agents.mjs [WORD] [DIALECT,…]     only agents with WORD in their name; only these providers
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { Agent, OpenAIResponsesModel, run, setTracingDisabled, tool as agentTool } from "@openai/agents";
import { generateText, jsonSchema, stepCountIs, streamText, tool as aiTool } from "ai";
import assert from "node:assert/strict";
import path from "node:path";
import OpenAI from "openai";
import { askedOf } from "./lib/native/asked.mjs";
import { endOrder } from "./lib/order.mjs";
import { startReport } from "./lib/report.mjs";
import { simulated, startStage } from "./lib/stage.mjs";
import * as wire from "./lib/wire.mjs";

const [word = "", only] = process.argv.slice(2);
const here = path.dirname(new URL(import.meta.url).pathname);
// What the agents speak.
const spoken = ["openai.chat", "openai.responses", "anthropic.messages", "gemini"];
const to = only ? only.split(",") : wire.dialects;

const turns = [
  ["look_up", "read_file"],
  ["read_file", "add"],
  ["add"],
  ["look_up", "add", "write_note"],
  ["write_note"],
  ["finish"],
];
const text = { type: "string" },
  number = { type: "number" };
const schemas = {
  look_up: { term: text },
  read_file: { path: text, lines: { type: "integer" } },
  add: { a: number, b: number },
  write_note: { note: { type: "string", enum: ["kept", "lost"] }, tags: { type: "array", items: text } },
  finish: { summary: text },
};
const expected = {
  look_up: { term: "simulated" },
  read_file: { path: "simulated", lines: 1 },
  add: { a: 1, b: 1 },
  write_note: { note: "kept", tags: [] },
  finish: { summary: "simulated" },
};
const schemaOf = (name) => ({
  type: "object",
  properties: schemas[name],
  required: Object.keys(schemas[name]),
  additionalProperties: false,
});
const line = 'Das Archiv – Zeile für Zeile, mit "Anführungen", Umlauten und 😀 – soll gelesen werden.\n';
const context = line.repeat(Math.ceil((100 * 1024) / Buffer.byteLength(line)));
const instructions = "Work through the archive with the tools.";

// The tools, and what they were called with. A turn is over when all its calls have run.
function startTask() {
  const ran = [];
  let left = 0,
    turn = 0;
  return {
    ran,
    names: Object.keys(schemas),
    prompt: `${context}[[simulate tools=${turns[0].join(",")}]]`,
    execute(name, input) {
      if (left === 0) left = turns[turn++]?.length ?? 0;
      left--;
      ran.push([name, input]);
      const next = turns[turn] ? `tools=${turns[turn].join(",")}` : "text=complete";
      return `${name} is done: ${name === "read_file" ? line.repeat(40) : "well"} [[simulate ${next}]]`;
    },
  };
}

setTracingDisabled(true);

const agents = {
  "openai agents": (stage, model, task, streamed) => runOpenAI(stage, model, task, streamed, {}),

  // Its history stays with the server: each request holds what is new, and the id of the answer before.
  async "openai agents, remembered"(stage, model, task, streamed) {
    const client = new OpenAI({ apiKey: stage.key, baseURL: `${stage.url}/v1`, maxRetries: 0 });
    const { id } = await client.responses.create({ model, input: "[[simulate text=ready]]" });
    stage.clear();
    return runOpenAI(stage, model, task, streamed, { previousResponseId: id });
  },

  async "anthropic tool runner"(stage, model, task, streamed) {
    const client = new Anthropic({ apiKey: stage.key, baseURL: stage.url, maxRetries: 0 });
    const runner = client.beta.messages.toolRunner({
      model,
      max_tokens: 2000,
      system: instructions,
      stream: streamed,
      max_iterations: 12,
      messages: [{ role: "user", content: task.prompt }],
      tools: task.names.map((name) =>
        betaTool({
          name,
          description: `${name} it`,
          inputSchema: schemaOf(name),
          run: async (input) => task.execute(name, input),
        }),
      ),
    });
    const message = await runner.runUntilDone();
    return message.content.map((b) => b.text ?? "").join("");
  },
};

async function runOpenAI(stage, model, task, streamed, options) {
  const client = new OpenAI({ apiKey: stage.key, baseURL: `${stage.url}/v1`, maxRetries: 0 });
  const agent = new Agent({
    name: "archivist",
    instructions,
    model: new OpenAIResponsesModel(client, model),
    tools: task.names.map((name) =>
      agentTool({
        name,
        description: `${name} it`,
        parameters: schemaOf(name),
        strict: true,
        execute: async (input) => task.execute(name, input),
      }),
    ),
  });
  const result = await run(agent, task.prompt, { maxTurns: 12, stream: streamed, ...options });
  if (streamed) await result.completed;
  return result.finalOutput;
}

const models = {
  "openai.chat": (stage, model) => createOpenAI({ apiKey: stage.key, baseURL: `${stage.url}/v1` }).chat(model),
  "openai.responses": (stage, model) =>
    createOpenAI({ apiKey: stage.key, baseURL: `${stage.url}/v1` }).responses(model),
  "anthropic.messages": (stage, model) => createAnthropic({ apiKey: stage.key, baseURL: `${stage.url}/v1` })(model),
  gemini: (stage, model) => createGoogleGenerativeAI({ apiKey: stage.key, baseURL: `${stage.url}/v1beta` })(model),
};
for (const [dialect, make] of Object.entries(models)) {
  agents[`ai, ${dialect}`] = async (stage, model, task, streamed) => {
    const tools = Object.fromEntries(
      task.names.map((name) => [
        name,
        aiTool({
          description: `${name} it`,
          inputSchema: jsonSchema(schemaOf(name)),
          execute: async (input) => task.execute(name, input),
        }),
      ]),
    );
    let failed = null;
    const request = {
      model: make(stage, model),
      maxRetries: 0,
      system: instructions,
      prompt: task.prompt,
      tools,
      stopWhen: stepCountIs(12),
      onError: ({ error }) => {
        failed = error;
      },
    };
    const result = streamed ? streamText(request) : await generateText(request);
    if (streamed) await result.consumeStream();
    if (failed) throw failed;
    return result.text;
  };
}

const stage = await startStage(to, "agents");
const report = startReport(path.join(here, "agents-exceptions.json"));

for (const [name, work] of Object.entries(agents)) {
  if (!name.includes(word)) continue;
  for (const dialect of to) {
    for (const streamed of [false, true]) {
      await report.check(name, dialect, `${name}, ${dialect}, ${streamed ? "streamed" : "whole"}`, async () => {
        const task = startTask();
        stage.clear();
        assert.equal(await work(stage, `to-${simulated[dialect].name}`, task, streamed), "complete");
        const calls = turns.flat();
        assert.deepEqual(task.ran.map(([called]) => called).sort(), [...calls].sort());
        for (const [called, input] of task.ran) assert.deepEqual(input, expected[called]);
        const sent = stage.sent(),
          last = askedOf[dialect](JSON.parse(sent.at(-1)));
        assert.equal(sent.length, turns.length + 1, "requests that the provider got");
        await stage.checkOrder();
        if (name.endsWith("remembered")) {
          const asked = askedOf["openai.responses"](JSON.parse(stage.asked().at(-1)));
          assert.equal(asked.results, turns.at(-1).length, "results in the agent's last request");
          assert.ok(!asked.texts.join("").includes(context), "it does not send the context again");
          // A provider of its own dialect gets what it sent.
          if (dialect === "openai.responses") {
            const { name: route, model } = simulated[dialect];
            return assert.equal(sent.at(-1), stage.asked().at(-1).replace(`"to-${route}"`, `"${model}"`));
          }
        }
        assert.deepEqual(
          last.calls.map((c) => c.name),
          calls,
          "calls in the last request",
        );
        assert.deepEqual(
          last.calls.map((c) => c.args),
          calls.map((c) => expected[c]),
        );
        assert.equal(last.results, calls.length, "results in the last request");
        assert.deepEqual(last.tools.sort(), task.names.sort());
        assert.ok(last.texts.join("").includes(context), "the context arrived as it was");
      });
    }
  }
}

await stage.stop();
report.failures.push(...endOrder(word || only ? [] : spoken));
report.print(to, { whole: !word && !only });
process.exit(report.failures.length ? 1 : 0);
