// Cases of the Mistral package: it speaks Chat Completions. Its embeddings demand an `id` in the answer, which only
// Mistral's own has.
import { Mistral } from "@mistralai/mistralai";
import * as errors from "@mistralai/mistralai/models/errors";
import assert from "node:assert/strict";
import { nothing, pixel, settled, steer, weather } from "../lib/cases.mjs";

const client = (t) => new Mistral({ apiKey: t.key, serverURL: t.url });
const user = (content) => [{ role: "user", content }];
const complete = (t, body) => client(t).chat.complete({ model: t.model, ...body });
const tools = [
  { type: "function", function: { name: "get_weather", description: "w", parameters: weather } },
  { type: "function", function: { name: "get_time", parameters: nothing } },
];

export const dialect = "openai.chat";
export const cases = {
  async chat(t) {
    const answer = await complete(t, {
      messages: user(steer('text="Ahoj \u{1F600}"')),
      maxTokens: 100,
      temperature: 0.5,
    });
    assert.equal(answer.choices[0].message.content, "Ahoj \u{1F600}");
    assert.equal(answer.choices[0].finishReason, "stop");
    assert.equal(answer.usage.totalTokens, answer.usage.promptTokens + answer.usage.completionTokens);
  },

  async stream(t) {
    let text = "",
      finish = null;
    for await (const { data } of await client(t).chat.stream({
      model: t.model,
      messages: user(steer('text="one two three"')),
    })) {
      text += data.choices[0]?.delta.content ?? "";
      finish = data.choices[0]?.finishReason ?? finish;
    }
    assert.equal(text, "one two three");
    assert.equal(finish, "stop");
  },

  async "tools over several turns"(t) {
    const messages = user(steer("tools=get_weather,get_time")),
      first = await complete(t, { messages, tools, toolChoice: "auto" });
    const calls = first.choices[0].message.toolCalls;
    assert.deepEqual(
      calls.map((c) => c.function.name),
      ["get_weather", "get_time"],
    );
    messages.push(
      first.choices[0].message,
      ...calls.map((c) => ({ role: "tool", name: c.function.name, toolCallId: c.id, content: `fine ${settled}` })),
    );
    const told = await complete(t, { messages, tools });
    assert.match(told.choices[0].message.content, /get_weather.*get_time/s);
    const any = await complete(t, { messages: user("Hi"), tools, toolChoice: "required" });
    assert.equal(any.choices[0].finishReason, "tool_calls");
  },

  async image(t) {
    const answer = await complete(t, {
      messages: user([
        { type: "text", text: steer("text=seen") },
        { type: "image_url", imageUrl: `data:image/png;base64,${pixel}` },
      ]),
    });
    assert.equal(answer.choices[0].message.content, "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async "structured output"(t) {
    const answer = await complete(t, {
      messages: user("Where?"),
      responseFormat: { type: "json_schema", jsonSchema: { name: "place", schemaDefinition: weather, strict: true } },
    });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { city: "simulated" });
  },

  async errors(t) {
    for (const status of [400, 429, 500]) {
      await assert.rejects(
        complete(t, { messages: user(steer(`status=${status}`)) }),
        (e) => e instanceof errors.MistralError && e.statusCode === status && e.body.includes("message"),
      );
    }
  },
};
