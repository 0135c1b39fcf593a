// Cases of the `ai` package with its openai (both APIs), anthropic and google packages: the same cases for each.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import assert from "node:assert/strict";
import { embeds, pdf, pixel, settled, signs, steer, takesNoPdf, weather } from "../lib/cases.mjs";

const models = {
  "openai.chat": (t, key) => createOpenAI({ apiKey: key, baseURL: `${t.url}/v1` }).chat(t.model),
  "openai.responses": (t, key) => createOpenAI({ apiKey: key, baseURL: `${t.url}/v1` }).responses(t.model),
  "anthropic.messages": (t, key) => createAnthropic({ apiKey: key, baseURL: `${t.url}/v1` })(t.model),
  gemini: (t, key) => createGoogleGenerativeAI({ apiKey: key, baseURL: `${t.url}/v1beta` })(t.model),
};

const embedders = {
  "openai.chat": (t) => createOpenAI({ apiKey: t.key, baseURL: `${t.url}/v1` }).embedding(t.embedding),
  gemini: (t) => createGoogleGenerativeAI({ apiKey: t.key, baseURL: `${t.url}/v1beta` }).embedding(t.embedding),
};

const casesOf = (dialect) => {
  const ask = (t, body, key = t.key) => ({ model: models[dialect](t, key), maxRetries: 0, ...body });
  const user = (...content) => [
    { role: "user", content: content.map((c) => (typeof c === "string" ? { type: "text", text: c } : c)) },
  ];
  const described = { description: "w", inputSchema: jsonSchema(weather) };

  return {
    async chat(t) {
      const answer = await generateText(ask(t, { system: "Be brief.", prompt: steer('text="Oi \u{1F600}"') }));
      assert.equal(answer.text, "Oi \u{1F600}");
      assert.equal(answer.finishReason, "stop");
      assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
      assert.ok(t.arrived().includes("Be brief."), "the system prompt arrived");
    },

    async stream(t) {
      const seen = [],
        stream = streamText(ask(t, { prompt: steer('text="one two three four"'), onError() {} }));
      for await (const text of stream.textStream) seen.push(text);
      assert.equal(seen.join(""), "one two three four");
      assert.ok(seen.length > 1);
      assert.equal(await stream.finishReason, "stop");
      assert.ok((await stream.usage).outputTokens > 0);
    },

    async "tools over several turns"(t) {
      const ran = [],
        tools = {
          get_weather: tool({
            ...described,
            execute: async ({ city }) => {
              ran.push(city);
              return settled;
            },
          }),
          get_time: tool({
            ...described,
            execute: async ({ city }) => {
              ran.push(city);
              return settled;
            },
          }),
        };
      for (const streamed of [false, true]) {
        ran.length = 0;
        const request = ask(t, {
          prompt: steer("tools=get_weather,get_time"),
          tools,
          stopWhen: stepCountIs(2),
          onError() {},
        });
        const answer = streamed ? streamText(request) : await generateText(request);
        if (streamed) await answer.consumeStream();
        assert.deepEqual(ran, ["simulated", "simulated"]);
        const steps = await answer.steps;
        assert.deepEqual(
          steps[0].toolCalls.map((c) => c.toolName),
          ["get_weather", "get_time"],
        );
        assert.equal(steps[0].finishReason, "tool-calls");
      }
    },

    // What it leaves with the server and only names from then on, whoever the provider is.
    ...(dialect === "openai.responses"
      ? {
          async "texts and thoughts are left with the server"(t) {
            const keptByProvider = t.to === "openai.responses",
              tools = { get_weather: tool({ ...described, execute: async () => settled }) };
            const thinks = { openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true } };
            for (const streamed of [false, true]) {
              const messages = [];
              const say = async (words, more) => {
                messages.push(...user(steer(words)));
                const request = ask(t, {
                  messages,
                  providerOptions: thinks,
                  maxOutputTokens: 4000,
                  onError() {},
                  ...more,
                });
                const answer = streamed ? streamText(request) : await generateText(request);
                if (streamed) await answer.consumeStream();
                messages.push(...(await answer.response).messages);
                return await answer.text;
              };
              assert.equal(await say('thinking_text=pondering text="the first"'), "the first");
              await say("tools=get_weather", { tools, stopWhen: stepCountIs(3) });
              assert.equal(await say('thinking_text=musing text="the third"'), "the third");
              assert.equal(await say("text=last"), "last");
              const references = JSON.parse(t.asked()).input.filter((item) => item.type === "item_reference");
              assert.ok(references.length >= 4, `${references.length} references`);
              const sent = t.arrived();
              assert.equal(sent.includes("item_reference"), keptByProvider);
              if (keptByProvider) for (const { id } of references) assert.ok(sent.includes(id), "they pass by");
              else for (const said of ["the first", "the third"]) assert.ok(sent.includes(said), `${said}: arrived`);
              if (signs.includes(t.to) && !keptByProvider) t.gaveBack();
            }
          },
        }
      : {}),

    async image(t) {
      const answer = await generateText(
        ask(t, {
          messages: user(steer("text=seen"), {
            type: "image",
            image: Buffer.from(pixel, "base64"),
            mediaType: "image/png",
          }),
        }),
      );
      assert.equal(answer.text, "seen");
      assert.ok(t.arrived().includes(pixel), "the image arrived");
    },

    async pdf(t) {
      const asked = generateText(
        ask(t, {
          messages: user(steer("text=read"), {
            type: "file",
            data: Buffer.from(pdf, "base64"),
            filename: "report.pdf",
            mediaType: "application/pdf",
          }),
        }),
      );
      if (takesNoPdf.includes(t.to))
        return assert.rejects(asked, (e) => APICallError.isInstance(e) && e.statusCode === 400);
      assert.equal((await asked).text, "read");
      assert.ok(t.arrived().includes(pdf), "the PDF arrived");
    },

    async "structured output"(t) {
      const answer = await generateText(
        ask(t, { prompt: "Where?", output: Output.object({ schema: jsonSchema(weather) }) }),
      );
      assert.deepEqual(answer.output, { city: "simulated" });
    },

    async "error classes"(t) {
      for (const status of [400, 429, 500]) {
        await assert.rejects(
          generateText(ask(t, { prompt: steer(`status=${status}`) })),
          (e) => APICallError.isInstance(e) && e.statusCode === status && e.message.length > 0,
        );
      }
      await assert.rejects(
        generateText(ask(t, { prompt: "Hi" }, "mg-wrong")),
        (e) => APICallError.isInstance(e) && [401, 403].includes(e.statusCode),
      );
    },

    ...(embedders[dialect]
      ? {
          async embeddings(t) {
            const asked = embedMany({ model: embedders[dialect](t), values: ["one", "two"], maxRetries: 0 });
            if (!embeds.includes(t.to)) return assert.rejects(asked, (e) => APICallError.isInstance(e));
            const { embeddings } = await asked;
            assert.equal(embeddings.length, 2);
            assert.notDeepEqual(embeddings[0], embeddings[1]);
          },
        }
      : {}),

    async abort(t) {
      const leave = new AbortController(),
        stream = streamText(
          ask(t, {
            prompt: steer("chunks=1000 chunk_ms=10 answer_bytes=5000"),
            abortSignal: leave.signal,
            onError() {},
          }),
        );
      let pieces = 0;
      for await (const part of stream.fullStream) if (part.type === "text-delta" && ++pieces === 5) leave.abort();
      assert.ok(pieces >= 5 && pieces < 900);
    },
  };
};

export const suites = Object.keys(models).map((dialect) => ({
  name: `ai, ${dialect}`,
  dialect,
  cases: casesOf(dialect),
}));
