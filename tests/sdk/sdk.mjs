// The official client libraries, unmodified, against simulated providers of both dialects behind the gateway: only the
// base URL and the key differ from their defaults. Each case runs against a provider of the client's own dialect and of
// the other. Prints failures and a last line "N passed, N failed".
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import assert from "node:assert/strict";
import { clientKey, startGateway, startSimulator } from "./lib/gateway.mjs";

const simulator = await startSimulator();
const key = { keys: ["env:SDK_PROVIDER_KEY"] };
const gateway = await startGateway({
  providers: {
    oai: { adapter: "openai", base_url: `${simulator.url}/v1`, ...key },
    ant: { adapter: "anthropic", base_url: `${simulator.url}/v1`, ...key },
  },
  routes: { "to-openai": { targets: ["oai/gpt-5-mini"] }, "to-anthropic": { targets: ["ant/claude-haiku-4-5"] } },
}, "sdk");
const openai = new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1`, maxRetries: 0, timeout: 20000 });
const anthropic = new Anthropic({ apiKey: clientKey, baseURL: gateway.url, maxRetries: 0, timeout: 20000 });

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const weather = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const routes = ["to-openai", "to-anthropic"];

let passed = 0, failed = 0;
async function test(name, fn) {
  for (const route of routes) {
    try {
      await fn(route);
      passed++;
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name}, ${route}: ${error.stack?.split("\n").slice(0, 4).join("\n        ")}`);
    }
  }
}

const user = (text) => [{ role: "user", content: text }];

// ---- openai
// ------------------------------------------------------------------------------------------------------------

await test("openai chat", async (model) => {
  const answer = await openai.chat.completions.create({ model,
    messages: user("Hi [[simulate text=\"Bonjour \u{1F600}\"]]") });
  assert.equal(answer.choices[0].message.content, "Bonjour \u{1F600}");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

await test("openai stream", async (model) => {
  const stream = await openai.chat.completions.create({
    model, messages: user("Hi [[simulate text=\"one two three four\"]]"), stream: true,
      stream_options: { include_usage: true },
  });
  let text = "", usage = null, chunks = 0, finish = null;
  for await (const chunk of stream) {
    chunks++;
    text += chunk.choices[0]?.delta.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, "one two three four");
  assert.equal(finish, "stop");
  assert.ok(chunks > 4 && usage.completion_tokens > 0);
});

await test("openai stream without asking for usage gets no usage chunk", async (model) => {
  const stream = await openai.chat.completions.create({ model, messages: user("Hi"), stream: true });
  for await (const chunk of stream) assert.equal(chunk.choices.length, 1);
});

await test("openai tools over several turns", async (model) => {
  const tools = [{ type: "function", function: { name: "get_weather", description: "w", parameters: weather } },
    { type: "function", function: { name: "get_time", parameters: { type: "object", properties: {} } } }];
  for (const streamed of [false, true]) {
    const messages = [{ role: "system", content: "Be brief." },
      ...user("Paris? [[simulate tools=get_weather,get_time]]")];
    const first = streamed
      ? await openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion()
      : await openai.chat.completions.create({ model, messages, tools, tool_choice: "auto",
        parallel_tool_calls: true });
    const calls = first.choices[0].message.tool_calls;
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.deepEqual(calls.map((c) => c.function.name), ["get_weather", "get_time"]);
    assert.equal(typeof JSON.parse(calls[0].function.arguments).city, "string");
    assert.notEqual(calls[0].id, calls[1].id);
    messages.push({ role: "assistant", content: null, tool_calls: calls.map(({ id, type, function: f }) =>
      ({ id, type, function: { name: f.name, arguments: f.arguments } })) });
    for (const call of calls) messages.push({ role: "tool", tool_call_id: call.id, content: "{\"ok\":true}" });
    messages.push(...user("And now? [[simulate text=done]]"));
    const second = await openai.chat.completions.create({ model, messages, tools });
    assert.equal(second.choices[0].message.content, "done");
    messages.push(second.choices[0].message, ...user("Once more [[simulate text=again]]"));
    assert.equal((await openai.chat.completions.create({ model, messages, tools })).choices[0].message.content,
      "again");
  }
});

await test("openai images", async (model) => {
  const answer = await openai.chat.completions.create({ model, messages: [{ role: "user", content: [
    { type: "text", text: "What is this? [[simulate text=seen]]" },
    { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } },
  ] }] });
  assert.equal(answer.choices[0].message.content, "seen");
});

await test("openai options: limits, sampling, stop, JSON", async (model) => {
  const answer = await openai.chat.completions.create({
    model, messages: user("Hi [[simulate text=ok]]"), max_completion_tokens: 50, temperature: 0.5, stop: ["END"],
      user: "u1",
  });
  assert.equal(answer.choices[0].message.content, "ok");
  const short = await openai.chat.completions.create({ model, messages: user("Hi [[simulate finish=length]]") });
  assert.equal(short.choices[0].finish_reason, "length");
});

await test("openai error classes", async (model) => {
  const rows = [[400, OpenAI.BadRequestError], [429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError]];
  for (const [status, wanted] of rows) {
    for (const stream of [false, true]) {
      await assert.rejects(openai.chat.completions.create({ model, stream,
        messages: user(`Hi [[simulate status=${status}]]`) }),
        (error) => error instanceof wanted && error.status === status && typeof error.message === "string"
          && !!error.requestID);
    }
  }
  const stranger = new OpenAI({ apiKey: "mg-wrong", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model, messages: user("Hi") }), OpenAI.AuthenticationError);
  await assert.rejects(openai.chat.completions.create({ model: "no-such-route", messages: user("Hi") }),
    OpenAI.NotFoundError);
});

await test("openai error in mid-stream is raised", async (model) => {
  await assert.rejects(async () => {
    const stream = await openai.chat.completions.create({ model, stream: true,
      messages: user("Hi [[simulate text=\"a b c d e f\" error_event=middle]]") });
    let chunks = 0;
    for await (const chunk of stream) chunks += chunk.choices.length;
    assert.fail(`ended well after ${chunks} chunks`);
  }, (error) => error instanceof OpenAI.APIError);
});

await test("openai abort", async (model) => {
  const stream = await openai.chat.completions.create({ model, stream: true,
    messages: user("Hi [[simulate chunks=1000 chunk_ms=10 answer_bytes=5000]]") });
  let chunks = 0;
  for await (const chunk of stream) {
    chunks += chunk.choices.length;
    if (chunks === 5) stream.controller.abort();
  }
  assert.ok(chunks >= 5 && chunks < 100);
});

await test("openai models", async (route) => {
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes(route), ids.join());
});

await test("openai retries what it may", async (model) => {
  const retrying = new OpenAI({ apiKey: clientKey, baseURL: `${gateway.url}/v1`, maxRetries: 2, timeout: 20000 });
  const name = `retry-${model}-${Math.floor(process.uptime() * 1e6)}`;
  const target = model === "to-openai" ? `oai/${name}` : `ant/${name}`;
  const answer = await retrying.chat.completions.create({ model: target,
    messages: user("Hi [[simulate fail_first=1 status=503 text=back]]") });
  assert.equal(answer.choices[0].message.content, "back");
});

// ---- anthropic
// -----------------------------------------------------------------------------------------------------------

const base = { max_tokens: 512 };

await test("anthropic message", async (model) => {
  const answer = await anthropic.messages.create({ ...base, model, system: "Be brief.",
    messages: user("Hi [[simulate text=\"Salut \u{1F600}\"]]") });
  assert.equal(answer.content.find((b) => b.type === "text").text, "Salut \u{1F600}");
  assert.equal(answer.stop_reason, "end_turn");
  assert.equal(answer.role, "assistant");
  assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
});

await test("anthropic stream", async (model) => {
  const stream = anthropic.messages.stream({ ...base, model, messages: user(
    "Hi [[simulate text=\"one two three four\"]]") });
  const seen = [];
  stream.on("text", (text) => seen.push(text));
  const message = await stream.finalMessage();
  assert.equal(seen.join(""), "one two three four");
  assert.equal(message.content.map((b) => b.text ?? "").join(""), "one two three four");
  assert.equal(message.stop_reason, "end_turn");
  assert.ok(seen.length > 1 && message.usage.output_tokens > 0);
});

await test("anthropic tools over several turns", async (model) => {
  const tools = [{ name: "get_weather", description: "w", input_schema: weather },
    { name: "get_time", input_schema: { type: "object", properties: {} } }];
  for (const streamed of [false, true]) {
    const messages = user("Paris? [[simulate tools=get_weather,get_time]]");
    const request = { ...base, model, messages, tools, tool_choice: { type: "auto" } };
    const first = streamed ? await anthropic.messages.stream(request).finalMessage()
      : await anthropic.messages.create(request);
    const uses = first.content.filter((b) => b.type === "tool_use");
    assert.equal(first.stop_reason, "tool_use");
    assert.deepEqual(uses.map((b) => b.name), ["get_weather", "get_time"]);
    assert.equal(typeof uses[0].input.city, "string");
    messages.push({ role: "assistant", content: first.content });
    messages.push({ role: "user", content: [
      ...uses.map((b, i) => ({ type: "tool_result", tool_use_id: b.id, content: i ? [{ type: "text", text: "noon" }]
        : "sunny", is_error: false })),
      { type: "text", text: "And now? [[simulate text=done]]" },
    ] });
    const second = await anthropic.messages.create({ ...base, model, messages, tools });
    assert.equal(second.content.find((b) => b.type === "text").text, "done");
  }
});

await test("anthropic images", async (model) => {
  const answer = await anthropic.messages.create({ ...base, model, messages: [{ role: "user", content: [
    { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } },
    { type: "text", text: "What is this? [[simulate text=seen]]" },
  ] }] });
  assert.equal(answer.content.find((b) => b.type === "text").text, "seen");
});

await test("anthropic thinking, whole and streamed", async (model) => {
  const request = { model, max_tokens: 4000, thinking: { type: "enabled", budget_tokens: 1024 },
    messages: user("Hi [[simulate thinking_text=pondering text=answer]]") };
  for (const message of [await anthropic.messages.create(request),
    await anthropic.messages.stream(request).finalMessage()]) {
    assert.equal(message.content.find((b) => b.type === "text").text, "answer");
    // Chat Completions of OpenAI itself shows no thinking.
    if (model === "to-anthropic") assert.equal(message.content.find((b) => b.type === "thinking")?.thinking,
      "pondering");
  }
});

await test("anthropic limits", async (model) => {
  const answer = await anthropic.messages.create({ ...base, model, temperature: 0.5, stop_sequences: ["END"],
    messages: user("Hi [[simulate finish=length]]") });
  assert.equal(answer.stop_reason, "max_tokens");
});

await test("anthropic error classes", async (model) => {
  const rows = [[400, Anthropic.BadRequestError], [429, Anthropic.RateLimitError], [500, Anthropic.InternalServerError],
    [529, Anthropic.InternalServerError]];
  for (const [status, wanted] of rows) {
    for (const stream of [false, true]) {
      await assert.rejects(anthropic.messages.create({ ...base, model, stream,
        messages: user(`Hi [[simulate status=${status}]]`) }),
        (error) => error instanceof wanted && error.error?.type === "error" && !!error.error.error.message);
    }
  }
  const stranger = new Anthropic({ apiKey: "mg-wrong", baseURL: gateway.url, maxRetries: 0 });
  await assert.rejects(stranger.messages.create({ ...base, model, messages: user("Hi") }),
    Anthropic.AuthenticationError);
  await assert.rejects(anthropic.messages.create({ ...base, model: "no-such-route", messages: user("Hi") }),
    Anthropic.NotFoundError);
});

await test("anthropic error in mid-stream is raised", async (model) => {
  const stream = anthropic.messages.stream({ ...base, model, messages: user(
    "Hi [[simulate text=\"a b c d e f\" error_event=middle]]") });
  await assert.rejects(stream.finalMessage(), (error) => error instanceof Anthropic.APIError
    || error instanceof Anthropic.AnthropicError);
});

await test("anthropic abort", async (model) => {
  const stream = anthropic.messages.stream({ ...base, model, messages: user(
    "Hi [[simulate chunks=1000 chunk_ms=10 answer_bytes=5000]]") });
  let pieces = 0;
  stream.on("text", () => { if (++pieces === 5) stream.abort(); });
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
});

await test("anthropic models", async (route) => {
  const ids = [];
  for await (const model of anthropic.models.list()) ids.push(model.id);
  assert.ok(ids.includes(route), ids.join());
});

await test("anthropic bearer token instead of x-api-key", async (model) => {
  const bearer = new Anthropic({ authToken: clientKey, apiKey: null, baseURL: gateway.url, maxRetries: 0 });
  const answer = await bearer.messages.create({ ...base, model, messages: user("Hi [[simulate text=ok]]") });
  assert.equal(answer.content[0].text, "ok");
});

await gateway.stop();
await simulator.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
