// Cases of the AWS package for Bedrock, with Converse: by API key, and signed with the pair derived from the virtual
// key.
import * as aws from "@aws-sdk/client-bedrock-runtime";
import assert from "node:assert/strict";
import { nothing, pdf, pixel, signs, settled, steer, takesNoPdf, weather } from "../lib/cases.mjs";

const user = (...content) => ({ role: "user", content: content.map((c) => (typeof c === "string" ? { text: c } : c)) });
const converse = (t, body) => t.clients.bedrock.send(new aws.ConverseCommand({ modelId: t.model, ...body }));
const textOf = (answer) => answer.output.message.content.map((c) => c.text ?? "").join("");
const toolConfig = {
  tools: [
    { toolSpec: { name: "get_weather", description: "w", inputSchema: { json: weather } } },
    { toolSpec: { name: "get_time", inputSchema: { json: nothing } } },
  ],
};

async function gathered(t, body) {
  const events = [],
    answer = await t.clients.bedrock.send(new aws.ConverseStreamCommand({ modelId: t.model, ...body }));
  for await (const e of answer.stream) events.push(e);
  return events;
}

// The message that a stream adds up to.
function messageOf(events) {
  const blocks = [];
  for (const { contentBlockStart: start, contentBlockDelta: delta } of events) {
    if (start?.start.toolUse) blocks[start.contentBlockIndex] = { toolUse: { ...start.start.toolUse, input: "" } };
    if (!delta) continue;
    const b = (blocks[delta.contentBlockIndex] ??= {}),
      d = delta.delta;
    if (d.text) b.text = (b.text ?? "") + d.text;
    if (d.toolUse) b.toolUse.input += d.toolUse.input;
    if (d.reasoningContent) {
      const r = (b.reasoningContent ??= { reasoningText: { text: "" } });
      r.reasoningText.text += d.reasoningContent.text ?? "";
      if (d.reasoningContent.signature) r.reasoningText.signature = d.reasoningContent.signature;
    }
  }
  for (const b of blocks) if (b.toolUse) b.toolUse.input = JSON.parse(b.toolUse.input || "{}");
  return { role: "assistant", content: blocks };
}

export const dialect = "bedrock.converse";
export const cases = {
  async chat(t) {
    const answer = await converse(t, {
      system: [{ text: "Be brief." }],
      messages: [user(steer('text="Ciao \u{1F600}"'))],
    });
    assert.equal(textOf(answer), "Ciao \u{1F600}");
    assert.equal(answer.stopReason, "end_turn");
    const u = answer.usage;
    assert.ok(u.inputTokens > 0 && u.outputTokens > 0 && u.totalTokens >= u.inputTokens + u.outputTokens);
    assert.ok(t.arrived().includes("Be brief."), "the system prompt arrived");
  },

  async stream(t) {
    const events = await gathered(t, { messages: [user(steer('text="one two three four"'))] });
    const deltas = events.filter((e) => e.contentBlockDelta).map((e) => e.contentBlockDelta.delta.text);
    assert.equal(deltas.join(""), "one two three four");
    assert.ok(deltas.length > 1);
    assert.equal(events.find((e) => e.messageStop).messageStop.stopReason, "end_turn");
    assert.ok(events.at(-1).metadata.usage.outputTokens > 0);
  },

  async "signed with SigV4"(t) {
    for (const command of [aws.ConverseCommand, aws.ConverseStreamCommand]) {
      const answer = await t.signed.send(new command({ modelId: t.model, messages: [user(steer("text=ok"))] }));
      if (answer.output) assert.equal(textOf(answer), "ok");
      else for await (const e of answer.stream) assert.ok(e);
    }
    await assert.rejects(t.forged.send(new aws.ConverseCommand({ modelId: t.model, messages: [user("Hi")] })), (e) =>
      [401, 403].includes(e.$metadata.httpStatusCode),
    );
  },

  async "tools over several turns"(t) {
    for (const streamed of [false, true]) {
      const messages = [user(steer("tools=get_weather,get_time"))],
        request = { messages, toolConfig };
      const first = streamed ? messageOf(await gathered(t, request)) : (await converse(t, request)).output.message;
      const uses = first.content.filter((c) => c.toolUse).map((c) => c.toolUse);
      assert.deepEqual(
        uses.map((u) => u.name),
        ["get_weather", "get_time"],
      );
      assert.deepEqual(uses[0].input, { city: "simulated" });
      messages.push(first, {
        role: "user",
        content: uses.map((u) => ({
          toolResult: { toolUseId: u.toolUseId, status: "success", content: [{ text: `all well ${settled}` }] },
        })),
      });
      const told = await converse(t, request);
      assert.match(textOf(told), /get_weather.*get_time/s);
      messages.push(told.output.message, user(steer("text=again")));
      assert.equal(textOf(await converse(t, request)), "again");
    }
  },

  async "a named tool and any tool"(t) {
    for (const toolChoice of [{ tool: { name: "get_time" } }, { any: {} }]) {
      const answer = await converse(t, { messages: [user("Hi")], toolConfig: { ...toolConfig, toolChoice } });
      assert.equal(answer.stopReason, "tool_use");
    }
  },

  async image(t) {
    const answer = await converse(t, {
      messages: [
        user({ image: { format: "png", source: { bytes: Buffer.from(pixel, "base64") } } }, steer("text=seen")),
      ],
    });
    assert.equal(textOf(answer), "seen");
    assert.ok(t.arrived().includes(pixel), "the image arrived");
  },

  async pdf(t) {
    const asked = converse(t, {
      messages: [
        user(
          { document: { format: "pdf", name: "report", source: { bytes: Buffer.from(pdf, "base64") } } },
          steer("text=read"),
        ),
      ],
    });
    if (takesNoPdf.includes(t.to)) return assert.rejects(asked, aws.ValidationException);
    assert.equal(textOf(await asked), "read");
    assert.ok(t.arrived().includes(pdf), "the PDF arrived");
  },

  async "thinking comes back signed"(t) {
    const request = {
      inferenceConfig: { maxTokens: 4000 },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1024 } },
    };
    const messages = [user(steer("thinking_text=pondering text=answer"))];
    for (const message of [
      (await converse(t, { ...request, messages })).output.message,
      messageOf(await gathered(t, { ...request, messages })),
    ]) {
      assert.equal(message.content.map((c) => c.text ?? "").join(""), "answer");
      assert.equal(message.content.find((c) => c.reasoningContent)?.reasoningContent.reasoningText.text, "pondering");
      const second = await converse(t, { ...request, messages: [...messages, message, user(steer("text=again"))] });
      assert.equal(textOf(second), "again");
      if (signs.includes(t.to)) t.gaveBack();
    }
  },

  async limits(t) {
    const answer = await converse(t, {
      messages: [user(steer("finish=length"))],
      inferenceConfig: { maxTokens: 50, temperature: 0.5, stopSequences: ["END"] },
    });
    assert.equal(answer.stopReason, "max_tokens");
  },

  async "error classes"(t) {
    const rows = [
      [400, aws.ValidationException],
      [429, aws.ThrottlingException],
      [500, aws.InternalServerException],
      [503, aws.ServiceUnavailableException],
    ];
    for (const [status, wanted] of rows) {
      const messages = [user(steer(`status=${status}`))],
        raised = (e) => e instanceof wanted && e.message.length > 0;
      await assert.rejects(converse(t, { messages }), raised);
      await assert.rejects(gathered(t, { messages }), raised);
    }
    await assert.rejects(
      t.stranger.bedrock.send(new aws.ConverseCommand({ modelId: t.model, messages: [user("Hi")] })),
      (e) => e instanceof aws.BedrockRuntimeServiceException && [401, 403].includes(e.$metadata.httpStatusCode),
    );
    await assert.rejects(
      converse(t, { modelId: "no-such-route", messages: [user("Hi")] }),
      aws.ResourceNotFoundException,
    );
  },

  async "an error in mid-stream is raised"(t) {
    await assert.rejects(
      gathered(t, { messages: [user(steer('text="a b c d e f" error_event=middle'))] }),
      (e) => e instanceof aws.BedrockRuntimeServiceException,
    );
  },

  async abort(t) {
    const leave = new AbortController();
    let deltas = 0;
    await assert.rejects(async () => {
      const answer = await t.clients.bedrock.send(
        new aws.ConverseStreamCommand({
          modelId: t.model,
          messages: [user(steer("chunks=1000 chunk_ms=10 answer_bytes=5000"))],
        }),
        { abortSignal: leave.signal },
      );
      for await (const e of answer.stream) if (e.contentBlockDelta && ++deltas === 5) leave.abort();
      throw new Error("aborted without a word");
    }, /abort/i);
    assert.ok(deltas >= 5 && deltas < 900);
  },
};
