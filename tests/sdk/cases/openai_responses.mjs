// Cases of the openai package with the Responses API.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { nothing, pdf, pixel, signs, settled, steer, takesNoPdf, weather } from "../lib/cases.mjs";

const create = (t, body) => t.clients.openai.responses.create({ model: t.model, ...body });
const user = (content) => [{ role: "user", content }];
const tools = [
  { type: "function", name: "get_weather", description: "w", parameters: weather, strict: true },
  { type: "function", name: "get_time", parameters: nothing, strict: false },
];

export const dialect = "openai.responses";
export const cases = {
  async chat(t) {
    const answer = await create(t, { input: steer('text="Bonjour \u{1F600}"'), instructions: "Be brief." });
    assert.equal(answer.output_text, "Bonjour \u{1F600}");
    assert.equal(answer.status, "completed");
    assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
    assert.ok(t.arrived().includes("Be brief."), "the instructions arrived");
  },

  async stream(t) {
    const seen = [],
      kinds = [];
    for await (const e of await create(t, { input: steer('text="one two three four"'), stream: true })) {
      kinds.push(e.type);
      if (e.type === "response.output_text.delta") seen.push(e.delta);
      if (e.type === "response.completed") assert.ok(e.response.usage.output_tokens > 0);
    }
    assert.equal(seen.join(""), "one two three four");
    assert.ok(seen.length > 1);
    assert.equal(kinds[0], "response.created");
    assert.equal(kinds.at(-1), "response.completed");
  },

  async "tools over several turns"(t) {
    for (const streamed of [false, true]) {
      const input = user(steer("tools=get_weather,get_time"));
      const first = streamed
        ? await t.clients.openai.responses.stream({ model: t.model, input, tools }).finalResponse()
        : await create(t, { input, tools, parallel_tool_calls: true });
      const calls = first.output.filter((i) => i.type === "function_call");
      assert.deepEqual(
        calls.map((c) => c.name),
        ["get_weather", "get_time"],
      );
      assert.deepEqual(JSON.parse(calls[0].arguments), { city: "simulated" });
      assert.notEqual(calls[0].call_id, calls[1].call_id);
      input.push(...first.output.map(({ parsed_arguments, ...item }) => item));
      for (const call of calls)
        input.push({ type: "function_call_output", call_id: call.call_id, output: `{"ok":true} ${settled}` });
      const told = await create(t, { input, tools });
      assert.match(told.output_text, /get_weather.*get_time/s);
      input.push(...told.output, ...user(steer("text=again")));
      assert.equal((await create(t, { input, tools })).output_text, "again");
    }
  },

  async "previous_response_id, over several turns"(t) {
    const keptByProvider = t.to === "openai.responses";
    const request = { tools, reasoning: { effort: "low", summary: "auto" }, max_output_tokens: 4000 };
    for (const streamed of [false, true]) {
      let last = null;
      const say = async (input) => {
        const body = { ...request, input, previous_response_id: last?.id };
        last = streamed
          ? await t.clients.openai.responses.stream({ model: t.model, ...body }).finalResponse()
          : await create(t, body);
        return last;
      };
      assert.equal((await say(steer('thinking_text=pondering text="the first"'))).output_text, "the first");
      const { output } = await say(steer("tools=get_weather,get_time"));
      const calls = output.filter((i) => i.type === "function_call");
      assert.equal(calls.length, 2);
      await say(
        calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: `{"ok":true} ${settled}` })),
      );
      const before = last.id;
      assert.equal((await say(user(steer("text=last")))).output_text, "last");
      const sent = t.arrived();
      assert.equal(sent.includes("previous_response_id"), keptByProvider);
      if (keptByProvider) assert.ok(sent.includes(before), "it passes by");
      else for (const said of ["the first", calls[0].call_id, calls[1].call_id]) assert.ok(sent.includes(said), said);
      if (!keptByProvider) {
        assert.equal(last.previous_response_id, before);
        const again = await t.clients.openai.responses.retrieve(last.id);
        assert.equal(again.output_text, "last");
        assert.deepEqual([again.id, again.created_at, again.usage], [last.id, last.created_at, last.usage]);
      }
      if (signs.includes(t.to) && !keptByProvider) t.gaveBack();
    }
    const unknown = create(t, { input: "Hi", previous_response_id: "resp_unknown" });
    if (keptByProvider) assert.ok((await unknown).output_text);
    else {
      await assert.rejects(
        unknown,
        (e) => e instanceof OpenAI.BadRequestError && e.param === "previous_response_id" && /store/.test(e.message),
      );
    }
  },

  async "a named tool and a required one"(t) {
    for (const tool_choice of [{ type: "function", name: "get_time" }, "required"]) {
      const answer = await create(t, { input: "Hi", tools, tool_choice });
      assert.ok(answer.output.some((i) => i.type === "function_call"));
    }
  },

  async image(t) {
    const answer = await create(t, {
      input: user([
        { type: "input_text", text: steer("text=seen") },
        { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${pixel}` },
      ]),
    });
    assert.equal(answer.output_text, "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async pdf(t) {
    const asked = create(t, {
      input: user([
        { type: "input_text", text: steer("text=read") },
        { type: "input_file", filename: "report.pdf", file_data: `data:application/pdf;base64,${pdf}` },
      ]),
    });
    if (takesNoPdf.includes(t.to)) return assert.rejects(asked, OpenAI.BadRequestError);
    assert.equal((await asked).output_text, "read");
    assert.ok(t.arrived().includes(pdf), "the PDF arrived");
  },

  async "structured output"(t) {
    const answer = await t.clients.openai.responses.parse({
      model: t.model,
      input: "Where?",
      text: { format: { type: "json_schema", name: "place", schema: weather, strict: true } },
    });
    assert.deepEqual(answer.output_parsed, { city: "simulated" });
  },

  async "thinking comes back signed"(t) {
    const input = user(steer("thinking_text=pondering text=answer"));
    const request = {
      reasoning: { effort: "low", summary: "auto" },
      include: ["reasoning.encrypted_content"],
      store: false,
      max_output_tokens: 4000,
    };
    for (const streamed of [false, true]) {
      const first = streamed
        ? await t.clients.openai.responses.stream({ model: t.model, input, ...request }).finalResponse()
        : await create(t, { input, ...request });
      assert.equal(first.output_text, "answer");
      const thought = first.output.find((i) => i.type === "reasoning");
      assert.equal([...thought.summary, ...(thought.content ?? [])].map((p) => p.text).join(""), "pondering");
      const second = await create(t, { input: [...input, ...first.output, ...user(steer("text=again"))], ...request });
      assert.equal(second.output_text, "again");
      if (signs.includes(t.to)) t.gaveBack();
    }
  },

  async limits(t) {
    const answer = await create(t, { input: steer("finish=length"), max_output_tokens: 50 });
    assert.equal(answer.status, "incomplete");
    assert.equal(answer.incomplete_details.reason, "max_output_tokens");
  },

  async "error classes"(t) {
    for (const [status, wanted] of [
      [400, OpenAI.BadRequestError],
      [429, OpenAI.RateLimitError],
      [500, OpenAI.InternalServerError],
    ]) {
      for (const stream of [false, true]) {
        await assert.rejects(
          create(t, { stream, input: steer(`status=${status}`) }),
          (error) => error instanceof wanted && error.status === status && !!error.message && !!error.requestID,
        );
      }
    }
    await assert.rejects(
      t.stranger.openai.responses.create({ model: t.model, input: "Hi" }),
      OpenAI.AuthenticationError,
    );
    await assert.rejects(create(t, { model: "no-such-route", input: "Hi" }), OpenAI.NotFoundError);
  },

  async "an error in mid-stream is told"(t) {
    let failed = null;
    try {
      for await (const e of await create(t, { stream: true, input: steer('text="a b c d e f" error_event=middle') })) {
        assert.notEqual(e.type, "response.completed");
        if (e.type === "response.failed") failed = e.response.error;
        if (e.type === "error") failed = e;
      }
    } catch (error) {
      assert.ok(error instanceof OpenAI.APIError, error.stack);
      failed = error;
    }
    assert.ok(failed?.message);
  },

  async abort(t) {
    const stream = await create(t, { stream: true, input: steer("chunks=1000 chunk_ms=10 answer_bytes=5000") });
    let deltas = 0;
    for await (const e of stream) {
      deltas += e.type === "response.output_text.delta";
      if (deltas === 5) stream.controller.abort();
    }
    assert.ok(deltas >= 5 && deltas < 900);
  },
};
