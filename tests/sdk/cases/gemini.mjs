// Cases of the Google Gen AI package.
import { ApiError, FunctionCallingConfigMode } from "@google/genai";
import assert from "node:assert/strict";
import { embeds, pdf, pixel, signs, settled, steer, takesNoPdf } from "../lib/cases.mjs";

const user = (...parts) => ({ role: "user", parts: parts.map((p) => (typeof p === "string" ? { text: p } : p)) });
const generate = (t, body) => t.clients.gemini.models.generateContent({ model: t.model, ...body });
const object = (properties, required) => ({ type: "OBJECT", properties, required });
const place = object({ city: { type: "STRING", description: "a city" } }, ["city"]);
const tools = [
  {
    functionDeclarations: [
      { name: "get_weather", description: "w", parameters: place },
      { name: "get_time", description: "t", parametersJsonSchema: { type: "object", properties: {} } },
    ],
  },
];

async function gathered(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const partsOf = (answers) => answers.flatMap((a) => a.candidates?.[0]?.content?.parts ?? []);
const textOf = (answers) =>
  partsOf(answers)
    .filter((p) => !p.thought)
    .map((p) => p.text ?? "")
    .join("");

export const dialect = "gemini";
export const cases = {
  async chat(t) {
    const answer = await generate(t, {
      contents: steer('text="Hola \u{1F600}"'),
      config: { systemInstruction: "Be brief." },
    });
    assert.equal(answer.text, "Hola \u{1F600}");
    assert.equal(answer.candidates[0].finishReason, "STOP");
    const u = answer.usageMetadata;
    assert.ok(
      u.promptTokenCount > 0 &&
        u.candidatesTokenCount > 0 &&
        u.totalTokenCount === u.promptTokenCount + u.candidatesTokenCount,
    );
    assert.ok(t.arrived().includes("Be brief."), "the system instruction arrived");
  },

  async stream(t) {
    const chunks = await gathered(
      await t.clients.gemini.models.generateContentStream({
        model: t.model,
        contents: steer('text="one two three four"'),
      }),
    );
    assert.equal(textOf(chunks), "one two three four");
    assert.ok(chunks.length > 2);
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
    assert.ok(chunks.at(-1).usageMetadata.candidatesTokenCount > 0);
  },

  async "tools over several turns"(t) {
    for (const streamed of [false, true]) {
      const contents = [user(steer("tools=get_weather,get_time"))],
        config = { tools };
      const answers = streamed
        ? await gathered(await t.clients.gemini.models.generateContentStream({ model: t.model, contents, config }))
        : [await generate(t, { contents, config })];
      const calls = partsOf(answers)
        .filter((p) => p.functionCall)
        .map((p) => p.functionCall);
      assert.deepEqual(
        calls.map((c) => c.name),
        ["get_weather", "get_time"],
      );
      assert.deepEqual(calls[0].args, { city: "simulated" });
      contents.push(
        { role: "model", parts: partsOf(answers) },
        {
          role: "user",
          parts: calls.map((c) => ({
            functionResponse: {
              name: c.name,
              ...(c.id ? { id: c.id } : {}),
              response: { output: `${c.name} says ok ${settled}` },
            },
          })),
        },
      );
      const told = await generate(t, { contents, config });
      assert.match(told.text, /get_weather.*get_time/s);
      contents.push({ role: "model", parts: partsOf([told]) }, user(steer("text=again")));
      assert.equal((await generate(t, { contents, config })).text, "again");
    }
  },

  async "a tool is demanded"(t) {
    for (const allowedFunctionNames of [["get_time"], undefined]) {
      const answer = await generate(t, {
        contents: "Hi",
        config: {
          tools,
          toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames } },
        },
      });
      assert.ok(answer.functionCalls.length > 0);
    }
  },

  async image(t) {
    const answer = await generate(t, {
      contents: [user({ inlineData: { mimeType: "image/png", data: pixel } }, steer("text=seen"))],
    });
    assert.equal(answer.text, "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async pdf(t) {
    const asked = generate(t, {
      contents: [user({ inlineData: { mimeType: "application/pdf", data: pdf } }, steer("text=read"))],
    });
    if (takesNoPdf.includes(t.to)) return assert.rejects(asked, (e) => e instanceof ApiError && e.status === 400);
    assert.equal((await asked).text, "read");
    assert.ok(t.arrived().includes(pdf), "the PDF arrived");
  },

  async "structured output"(t) {
    for (const config of [
      { responseSchema: place },
      { responseJsonSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
    ]) {
      const answer = await generate(t, {
        contents: "Where?",
        config: { responseMimeType: "application/json", ...config },
      });
      assert.deepEqual(JSON.parse(answer.text), { city: "simulated" });
    }
  },

  async "thinking comes back signed"(t) {
    const contents = [user(steer("thinking_text=pondering text=answer"))];
    const config = { maxOutputTokens: 4000, thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } };
    const whole = [await generate(t, { contents, config })];
    const streamed = await gathered(
      await t.clients.gemini.models.generateContentStream({ model: t.model, contents, config }),
    );
    for (const answers of [whole, streamed]) {
      assert.equal(textOf(answers), "answer");
      assert.equal(
        partsOf(answers)
          .filter((p) => p.thought)
          .map((p) => p.text)
          .join(""),
        "pondering",
      );
      const second = await generate(t, {
        config,
        contents: [...contents, { role: "model", parts: partsOf(answers) }, user(steer("text=again"))],
      });
      assert.equal(second.text, "again");
      if (signs.includes(t.to)) t.gaveBack();
    }
  },

  async limits(t) {
    const answer = await generate(t, {
      contents: steer("finish=length"),
      config: { maxOutputTokens: 50, temperature: 0.5, stopSequences: ["END"] },
    });
    assert.equal(answer.candidates[0].finishReason, "MAX_TOKENS");
  },

  async "error classes"(t) {
    const raised = (status) => (e) =>
      e instanceof ApiError &&
      e.status === status &&
      JSON.parse(e.message).error.code === status &&
      JSON.parse(e.message).error.message.length > 0;
    for (const status of [400, 429, 500, 503]) {
      await assert.rejects(generate(t, { contents: steer(`status=${status}`) }), raised(status));
      await assert.rejects(
        t.clients.gemini.models.generateContentStream({ model: t.model, contents: steer(`status=${status}`) }),
        raised(status),
      );
    }
    await assert.rejects(
      t.stranger.gemini.models.generateContent({ model: t.model, contents: "Hi" }),
      (e) => e instanceof ApiError && [400, 401, 403].includes(e.status),
    );
    await assert.rejects(generate(t, { model: "no-such-route", contents: "Hi" }), raised(404));
  },

  async "an error in mid-stream is raised"(t) {
    const stream = await t.clients.gemini.models.generateContentStream({
      model: t.model,
      contents: steer('text="a b c d e f" error_event=middle'),
    });
    await assert.rejects(gathered(stream), (e) => e instanceof ApiError);
  },

  async embeddings(t) {
    const asked = t.clients.gemini.models.embedContent({ model: t.embedding, contents: ["one", "two"] });
    if (!embeds.includes(t.to)) return assert.rejects(asked, ApiError);
    const { embeddings } = await asked;
    assert.equal(embeddings.length, 2);
    for (const e of embeddings) assert.ok(e.values.length > 1 && e.values.every(Number.isFinite));
    assert.notDeepEqual(embeddings[0].values, embeddings[1].values);
  },

  async abort(t) {
    const leave = new AbortController();
    let chunks = 0;
    await assert.rejects(async () => {
      const stream = await t.clients.gemini.models.generateContentStream({
        model: t.model,
        contents: steer("chunks=1000 chunk_ms=10 answer_bytes=5000"),
        config: { abortSignal: leave.signal },
      });
      for await (const _ of stream) if (++chunks === 5) leave.abort();
    }, /abort/i);
    assert.ok(chunks >= 5 && chunks < 900);
  },
};
