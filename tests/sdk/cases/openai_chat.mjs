// Cases of the openai package with Chat Completions.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { embeds, nothing, pdf, pixel, signs, settled, steer, takesNoPdf, weather } from "../lib/cases.mjs";

const user = (content) => [{ role: "user", content }];
const create = (t, body) => t.clients.openai.chat.completions.create({ model: t.model, ...body });
const tools = [
  { type: "function", function: { name: "get_weather", description: "w", parameters: weather } },
  { type: "function", function: { name: "get_time", parameters: nothing } },
];

export const dialect = "openai.chat";
export const cases = {
  async chat(t) {
    const answer = await create(t, { messages: user(steer('text="Bonjour \u{1F600}"')) });
    assert.equal(answer.choices[0].message.content, "Bonjour \u{1F600}");
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.ok(answer.usage.prompt_tokens > 0 && answer.usage.completion_tokens > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },

  async stream(t) {
    const stream = await create(t, {
      messages: user(steer('text="one two three four"')),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "",
      usage = null,
      chunks = 0,
      finish = null;
    for await (const chunk of stream) {
      chunks++;
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, "one two three four");
    assert.equal(finish, "stop");
    assert.ok(chunks > 4 && usage.completion_tokens > 0);
  },

  async "no usage chunk where none is asked for"(t) {
    for await (const chunk of await create(t, { messages: user("Hi"), stream: true }))
      assert.equal(chunk.choices.length, 1);
  },

  async "tools over several turns"(t) {
    for (const streamed of [false, true]) {
      const messages = [{ role: "system", content: "Be brief." }, ...user(steer("tools=get_weather,get_time"))];
      const first = streamed
        ? await t.clients.openai.chat.completions.stream({ model: t.model, messages, tools }).finalChatCompletion()
        : await create(t, { messages, tools, tool_choice: "auto", parallel_tool_calls: true });
      const calls = first.choices[0].message.tool_calls;
      assert.equal(first.choices[0].finish_reason, "tool_calls");
      assert.deepEqual(
        calls.map((c) => c.function.name),
        ["get_weather", "get_time"],
      );
      assert.deepEqual(JSON.parse(calls[0].function.arguments), { city: "simulated" });
      assert.notEqual(calls[0].id, calls[1].id);
      messages.push({
        role: "assistant",
        content: null,
        tool_calls: calls.map(({ id, type, function: f }) => ({
          id,
          type,
          function: { name: f.name, arguments: f.arguments },
        })),
      });
      for (const call of calls)
        messages.push({ role: "tool", tool_call_id: call.id, content: `{"ok":true} ${settled}` });
      const told = await create(t, { messages, tools });
      assert.match(told.choices[0].message.content, /get_weather.*get_time/s);
      messages.push(told.choices[0].message, ...user(steer("text=again")));
      assert.equal((await create(t, { messages, tools })).choices[0].message.content, "again");
    }
  },

  async "a named tool and a required one"(t) {
    const named = await create(t, {
      messages: user("Hi"),
      tools,
      tool_choice: { type: "function", function: { name: "get_time" } },
    });
    assert.ok(named.choices[0].message.tool_calls?.length > 0);
    const required = await create(t, { messages: user("Hi"), tools, tool_choice: "required" });
    assert.equal(required.choices[0].finish_reason, "tool_calls");
  },

  async image(t) {
    const answer = await create(t, {
      messages: user([
        { type: "text", text: steer("text=seen") },
        { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } },
      ]),
    });
    assert.equal(answer.choices[0].message.content, "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async pdf(t) {
    const asked = create(t, {
      messages: user([
        { type: "text", text: steer("text=read") },
        { type: "file", file: { filename: "report.pdf", file_data: `data:application/pdf;base64,${pdf}` } },
      ]),
    });
    if (takesNoPdf.includes(t.to)) return assert.rejects(asked, OpenAI.BadRequestError);
    assert.equal((await asked).choices[0].message.content, "read");
    assert.ok(t.arrived().includes(pdf), "the PDF arrived");
  },

  async "structured output"(t) {
    const answer = await t.clients.openai.chat.completions.parse({
      model: t.model,
      messages: user("Where?"),
      response_format: { type: "json_schema", json_schema: { name: "place", schema: weather, strict: true } },
    });
    assert.deepEqual(answer.choices[0].message.parsed, { city: "simulated" });
  },

  async "thinking comes back signed"(t) {
    const messages = user(steer("thinking_text=pondering text=answer"));
    const first = await create(t, { messages, reasoning_effort: "low", max_completion_tokens: 4000 });
    assert.equal(first.choices[0].message.content, "answer");
    assert.equal(first.choices[0].message.reasoning_content, "pondering");
    messages.push(first.choices[0].message, ...user(steer("text=again")));
    const second = await create(t, { messages, reasoning_effort: "low", max_completion_tokens: 4000 });
    assert.equal(second.choices[0].message.content, "again");
    if (signs.includes(t.to)) t.gaveBack();
  },

  async "limits, sampling, stop"(t) {
    const answer = await create(t, {
      messages: user(steer("text=ok")),
      max_completion_tokens: 50,
      temperature: 0.5,
      stop: ["END"],
      user: "u1",
    });
    assert.equal(answer.choices[0].message.content, "ok");
    const short = await create(t, { messages: user(steer("finish=length")) });
    assert.equal(short.choices[0].finish_reason, "length");
  },

  async "error classes"(t) {
    const rows = [
      [400, OpenAI.BadRequestError],
      [429, OpenAI.RateLimitError],
      [500, OpenAI.InternalServerError],
    ];
    for (const [status, wanted] of rows) {
      for (const stream of [false, true]) {
        await assert.rejects(
          create(t, { stream, messages: user(steer(`status=${status}`)) }),
          (error) =>
            error instanceof wanted &&
            error.status === status &&
            typeof error.message === "string" &&
            !!error.requestID,
        );
      }
    }
    await assert.rejects(
      t.stranger.openai.chat.completions.create({ model: t.model, messages: user("Hi") }),
      OpenAI.AuthenticationError,
    );
    await assert.rejects(create(t, { model: "no-such-route", messages: user("Hi") }), OpenAI.NotFoundError);
  },

  async "an error in mid-stream is raised"(t) {
    await assert.rejects(
      async () => {
        const stream = await create(t, {
          stream: true,
          messages: user(steer('text="a b c d e f" error_event=middle')),
        });
        let chunks = 0;
        for await (const chunk of stream) chunks += chunk.choices.length;
        assert.fail(`ended well after ${chunks} chunks`);
      },
      (error) => error instanceof OpenAI.APIError,
    );
  },

  async abort(t) {
    const stream = await create(t, {
      stream: true,
      messages: user(steer("chunks=1000 chunk_ms=10 answer_bytes=5000")),
    });
    let chunks = 0;
    for await (const chunk of stream) {
      chunks += chunk.choices.length;
      if (chunks === 5) stream.controller.abort();
    }
    assert.ok(chunks >= 5 && chunks < 900);
  },

  async embeddings(t) {
    const asked = t.clients.openai.embeddings.create({ model: t.embedding, input: ["one", "two"] });
    if (!embeds.includes(t.to)) return assert.rejects(asked, OpenAI.APIError);
    const { data, usage } = await asked;
    assert.deepEqual(
      data.map((d) => d.index),
      [0, 1],
    );
    for (const d of data) assert.ok(d.embedding.length > 1 && d.embedding.every(Number.isFinite));
    assert.notDeepEqual(data[0].embedding, data[1].embedding);
    assert.ok(usage.prompt_tokens > 0);
  },

  async models(t) {
    const ids = [];
    for await (const model of t.clients.openai.models.list()) ids.push(model.id);
    assert.ok(ids.includes(t.model), ids.join());
  },

  async "retries what it may"(t) {
    const answer = await t.patient.openai.chat.completions.create({
      model: `${t.provider}/${t.fresh("retry")}`,
      messages: user(steer("fail_first=1 status=503 text=back")),
    });
    assert.equal(answer.choices[0].message.content, "back");
  },
};
