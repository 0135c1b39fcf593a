// Cases of the Cohere package, version 2 of its chat.
import assert from "node:assert/strict";
import { Cohere, CohereError } from "cohere-ai";
import { embeds, nothing, pixel, settled, steer, weather } from "../lib/cases.mjs";

const user = (content) => [{ role: "user", content }];
const create = (t, body) => t.clients.cohere.chat({ model: t.model, ...body });
const textOf = (answer) =>
  (answer.message.content ?? [])
    .filter((c) => c.type === "text")
    .map((c) => c.text)
    .join("");
const tools = [
  { type: "function", function: { name: "get_weather", description: "w", parameters: weather } },
  { type: "function", function: { name: "get_time", description: "t", parameters: nothing } },
];

async function gathered(t, body) {
  const events = [];
  for await (const e of await t.clients.cohere.chatStream({ model: t.model, ...body })) events.push(e);
  return events;
}

export const dialect = "cohere.chat";
export const cases = {
  async chat(t) {
    const answer = await create(t, {
      messages: [{ role: "system", content: "Be brief." }, ...user(steer('text="Hej \u{1F600}"'))],
    });
    assert.equal(textOf(answer), "Hej \u{1F600}");
    assert.equal(answer.finishReason, "COMPLETE");
    assert.ok(answer.usage.tokens.inputTokens > 0 && answer.usage.tokens.outputTokens > 0);
    assert.ok(t.arrived().includes("Be brief."), "the system message arrived");
  },

  async stream(t) {
    const events = await gathered(t, { messages: user(steer('text="one two three four"')) });
    const deltas = events.filter((e) => e.type === "content-delta").map((e) => e.delta.message.content.text);
    assert.equal(deltas.join(""), "one two three four");
    assert.ok(deltas.length > 1);
    assert.equal(events.at(-1).type, "message-end");
    assert.equal(events.at(-1).delta.finishReason, "COMPLETE");
    assert.ok(events.at(-1).delta.usage.tokens.outputTokens > 0);
  },

  async "tools over several turns"(t) {
    const messages = user(steer("tools=get_weather,get_time"));
    const first = await create(t, { messages, tools }),
      calls = first.message.toolCalls;
    assert.equal(first.finishReason, "TOOL_CALL");
    assert.deepEqual(
      calls.map((c) => c.function.name),
      ["get_weather", "get_time"],
    );
    assert.deepEqual(JSON.parse(calls[0].function.arguments), { city: "simulated" });
    const started = (await gathered(t, { messages, tools })).filter((e) => e.type === "tool-call-start");
    assert.deepEqual(
      started.map((e) => e.delta.message.toolCalls.function.name),
      ["get_weather", "get_time"],
    );
    messages.push({ role: "assistant", toolCalls: calls, toolPlan: first.message.toolPlan });
    for (const call of calls) messages.push({ role: "tool", toolCallId: call.id, content: `ok then ${settled}` });
    const told = await create(t, { messages, tools });
    assert.match(textOf(told), /get_weather.*get_time/s);
    messages.push({ role: "assistant", content: textOf(told) }, ...user(steer("text=again")));
    assert.equal(textOf(await create(t, { messages, tools })), "again");
  },

  async "a tool is demanded"(t) {
    const answer = await create(t, { messages: user("Hi"), tools, toolChoice: "REQUIRED" });
    assert.ok(answer.message.toolCalls.length > 0);
  },

  async image(t) {
    const answer = await create(t, {
      messages: user([
        { type: "text", text: steer("text=seen") },
        { type: "image_url", imageUrl: { url: `data:image/png;base64,${pixel}` } },
      ]),
    });
    assert.equal(textOf(answer), "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async "structured output"(t) {
    const answer = await create(t, {
      messages: user("Where?"),
      responseFormat: { type: "json_object", jsonSchema: weather },
    });
    assert.deepEqual(JSON.parse(textOf(answer)), { city: "simulated" });
  },

  async thinking(t) {
    const body = {
      messages: user(steer("thinking_text=pondering text=answer")),
      thinking: { type: "enabled", tokenBudget: 1024 },
      maxTokens: 4000,
    };
    const answer = await create(t, body);
    assert.equal(textOf(answer), "answer");
    assert.equal(
      answer.message.content
        .filter((c) => c.type === "thinking")
        .map((c) => c.thinking)
        .join(""),
      "pondering",
    );
    const events = await gathered(t, body);
    assert.equal(
      events.map((e) => (e.type === "content-delta" ? (e.delta.message.content.thinking ?? "") : "")).join(""),
      "pondering",
    );
    const second = await create(t, {
      ...body,
      messages: [
        ...body.messages,
        { role: "assistant", content: answer.message.content },
        ...user(steer("text=again")),
      ],
    });
    assert.equal(textOf(second), "again");
  },

  async limits(t) {
    const answer = await create(t, {
      messages: user(steer("finish=length")),
      maxTokens: 50,
      temperature: 0.5,
      stopSequences: ["END"],
      p: 0.9,
    });
    assert.equal(answer.finishReason, "MAX_TOKENS");
  },

  async "error classes"(t) {
    const rows = [
      [400, Cohere.BadRequestError],
      [429, Cohere.TooManyRequestsError],
      [500, Cohere.InternalServerError],
      [503, Cohere.ServiceUnavailableError],
    ];
    for (const [status, wanted] of rows) {
      const messages = user(steer(`status=${status}`)),
        raised = (e) => e instanceof wanted && e.body.message.length > 0;
      await assert.rejects(create(t, { messages }), raised);
      await assert.rejects(gathered(t, { messages }), raised);
    }
    await assert.rejects(t.stranger.cohere.chat({ model: t.model, messages: user("Hi") }), Cohere.UnauthorizedError);
    await assert.rejects(create(t, { model: "no-such-route", messages: user("Hi") }), Cohere.NotFoundError);
  },

  // Its SDK raises nothing in a stream: the last event says so.
  async "an error in mid-stream is told"(t) {
    try {
      const events = await gathered(t, { messages: user(steer('text="a b c d e f" error_event=middle')) });
      assert.equal(events.at(-1).type, "message-end");
      assert.equal(events.at(-1).delta.finishReason, "ERROR");
    } catch (error) {
      assert.ok(error instanceof CohereError, error.stack);
    }
  },

  async embeddings(t) {
    const asked = t.clients.cohere.embed({
      model: t.embedding,
      texts: ["one", "two"],
      inputType: "search_document",
      embeddingTypes: ["float"],
    });
    if (!embeds.includes(t.to)) return assert.rejects(asked, CohereError);
    const { float } = (await asked).embeddings;
    assert.equal(float.length, 2);
    for (const vector of float) assert.ok(vector.length > 1 && vector.every(Number.isFinite));
    assert.notDeepEqual(float[0], float[1]);
  },

  async abort(t) {
    const leave = new AbortController();
    let deltas = 0;
    await assert.rejects(async () => {
      const stream = await t.clients.cohere.chatStream(
        { model: t.model, messages: user(steer("chunks=1000 chunk_ms=10 answer_bytes=5000")) },
        { abortSignal: leave.signal },
      );
      for await (const e of stream) if (e.type === "content-delta" && ++deltas === 5) leave.abort();
      throw new Error("aborted without a word");
    }, /abort/i);
    assert.ok(deltas >= 5 && deltas < 900);
  },
};
