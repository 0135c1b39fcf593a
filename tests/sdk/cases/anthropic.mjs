// Cases of the Anthropic package.
import Anthropic from "@anthropic-ai/sdk";
import assert from "node:assert/strict";
import { nothing, pdf, pixel, signs, settled, steer, takesNoPdf, weather } from "../lib/cases.mjs";

const user = (content) => [{ role: "user", content }];
const base = (t, body) => ({ model: t.model, max_tokens: 512, ...body });
const create = (t, body) => t.clients.anthropic.messages.create(base(t, body));
const stream = (t, body) => t.clients.anthropic.messages.stream(base(t, body));
const textOf = (message) => message.content.map((b) => b.text ?? "").join("");
const tools = [
  { name: "get_weather", description: "w", input_schema: weather },
  { name: "get_time", input_schema: nothing },
];

export const dialect = "anthropic.messages";
export const cases = {
  async chat(t) {
    const answer = await create(t, { system: "Be brief.", messages: user(steer('text="Salut \u{1F600}"')) });
    assert.equal(textOf(answer), "Salut \u{1F600}");
    assert.equal(answer.stop_reason, "end_turn");
    assert.equal(answer.role, "assistant");
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  },

  async stream(t) {
    const seen = [],
      events = stream(t, { messages: user(steer('text="one two three four"')) });
    events.on("text", (text) => seen.push(text));
    const message = await events.finalMessage();
    assert.equal(seen.join(""), "one two three four");
    assert.equal(textOf(message), "one two three four");
    assert.equal(message.stop_reason, "end_turn");
    assert.ok(seen.length > 1 && message.usage.output_tokens > 0);
  },

  async "tools over several turns"(t) {
    for (const streamed of [false, true]) {
      const messages = user(steer("tools=get_weather,get_time")),
        request = { messages, tools, tool_choice: { type: "auto" } };
      const first = streamed ? await stream(t, request).finalMessage() : await create(t, request);
      const uses = first.content.filter((b) => b.type === "tool_use");
      assert.equal(first.stop_reason, "tool_use");
      assert.deepEqual(
        uses.map((b) => b.name),
        ["get_weather", "get_time"],
      );
      assert.deepEqual(uses[0].input, { city: "simulated" });
      messages.push({ role: "assistant", content: first.content });
      messages.push({
        role: "user",
        content: uses.map((b, i) => ({
          type: "tool_result",
          tool_use_id: b.id,
          content: i ? [{ type: "text", text: `noon ${settled}` }] : "sunny",
          is_error: false,
        })),
      });
      const told = await create(t, { messages, tools });
      assert.match(textOf(told), /get_weather: sunny.*get_time: noon/s);
      messages.push({ role: "assistant", content: told.content }, ...user(steer("text=again")));
      assert.equal(textOf(await create(t, { messages, tools })), "again");
    }
  },

  async "a named tool and any tool"(t) {
    for (const tool_choice of [{ type: "tool", name: "get_time" }, { type: "any" }]) {
      const answer = await create(t, { messages: user("Hi"), tools, tool_choice });
      assert.equal(answer.stop_reason, "tool_use");
    }
  },

  async image(t) {
    const answer = await create(t, {
      messages: user([
        { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } },
        { type: "text", text: steer("text=seen") },
      ]),
    });
    assert.equal(textOf(answer), "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async pdf(t) {
    const asked = create(t, {
      messages: user([
        { type: "document", title: "report", source: { type: "base64", media_type: "application/pdf", data: pdf } },
        { type: "text", text: steer("text=read") },
      ]),
    });
    if (takesNoPdf.includes(t.to)) return assert.rejects(asked, Anthropic.BadRequestError);
    assert.equal(textOf(await asked), "read");
    assert.ok(t.arrived().includes(pdf), "the PDF arrived");
  },

  async "structured output"(t) {
    const answer = await create(t, {
      messages: user("Where?"),
      output_config: { format: { type: "json_schema", schema: weather } },
    });
    assert.deepEqual(JSON.parse(textOf(answer)), { city: "simulated" });
  },

  async "thinking comes back signed"(t) {
    const messages = user(steer("thinking_text=pondering text=answer"));
    const request = { max_tokens: 4000, thinking: { type: "enabled", budget_tokens: 1024 } };
    for (const message of [
      await create(t, { ...request, messages }),
      await stream(t, { ...request, messages }).finalMessage(),
    ]) {
      assert.equal(textOf(message), "answer");
      assert.equal(message.content.find((b) => b.type === "thinking")?.thinking, "pondering");
      const second = await create(t, {
        ...request,
        messages: [...messages, { role: "assistant", content: message.content }, ...user(steer("text=again"))],
      });
      assert.equal(textOf(second), "again");
      if (signs.includes(t.to)) t.gaveBack();
    }
  },

  async limits(t) {
    const answer = await create(t, {
      temperature: 0.5,
      stop_sequences: ["END"],
      messages: user(steer("finish=length")),
    });
    assert.equal(answer.stop_reason, "max_tokens");
  },

  async "error classes"(t) {
    const rows = [
      [400, Anthropic.BadRequestError],
      [429, Anthropic.RateLimitError],
      [500, Anthropic.InternalServerError],
      [503, Anthropic.InternalServerError],
    ];
    for (const [status, wanted] of rows) {
      for (const streamed of [false, true]) {
        await assert.rejects(
          create(t, { stream: streamed, messages: user(steer(`status=${status}`)) }),
          (error) => error instanceof wanted && error.error?.type === "error" && !!error.error.error.message,
        );
      }
    }
    await assert.rejects(
      t.stranger.anthropic.messages.create(base(t, { messages: user("Hi") })),
      Anthropic.AuthenticationError,
    );
    await assert.rejects(create(t, { model: "no-such-route", messages: user("Hi") }), Anthropic.NotFoundError);
  },

  async "an error in mid-stream is raised"(t) {
    await assert.rejects(
      stream(t, { messages: user(steer('text="a b c d e f" error_event=middle')) }).finalMessage(),
      (error) => error instanceof Anthropic.APIError || error instanceof Anthropic.AnthropicError,
    );
  },

  async abort(t) {
    const events = stream(t, { messages: user(steer("chunks=1000 chunk_ms=10 answer_bytes=5000")) });
    let pieces = 0;
    events.on("text", () => {
      if (++pieces === 5) events.abort();
    });
    await assert.rejects(events.finalMessage(), Anthropic.APIUserAbortError);
  },

  async models(t) {
    const ids = [];
    for await (const model of t.clients.anthropic.models.list()) ids.push(model.id);
    assert.ok(ids.includes(t.model), ids.join());
  },

  async "a bearer token instead of x-api-key"(t) {
    const bearer = new Anthropic({ authToken: t.key, apiKey: null, baseURL: t.url, maxRetries: 0 });
    assert.equal(textOf(await bearer.messages.create(base(t, { messages: user(steer("text=ok")) }))), "ok");
  },
};
