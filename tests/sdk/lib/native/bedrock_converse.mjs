// native/bedrock_converse: reads answers of Converse and ConverseStream. Written from the provider's documentation;
// knows nothing of Moongate. Calls of tools that the provider runs itself are no calls for the client.
import { awsEvents } from "../framing.mjs";
import { args, blank, counted } from "./meaning.mjs";

const reasons = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool",
  guardrail_intervened: "filter",
  content_filtered: "filter",
};

function usageOf(u) {
  if (!u) return null;
  const cached = u.cacheReadInputTokens,
    written = u.cacheWriteInputTokens;
  return counted({ input: u.inputTokens + (cached ?? 0) + (written ?? 0), output: u.outputTokens, cached, written });
}

const isOwn = (use) => use.type !== "server_tool_use";

function closed(out, reason) {
  out.finish = reasons[reason] ?? "stop";
  out.refused = out.finish === "filter";
  return out;
}

export function whole(body) {
  const out = blank();
  for (const b of body.output?.message?.content ?? []) {
    out.text += b.text ?? (b.citationsContent?.content ?? []).map((c) => c.text ?? "").join("");
    out.thinking += b.reasoningContent?.reasoningText?.text ?? "";
    if (b.toolUse && isOwn(b.toolUse)) {
      out.calls.push({ id: b.toolUse.toolUseId, name: b.toolUse.name, args: b.toolUse.input ?? {} });
    }
  }
  out.usage = usageOf(body.usage);
  return closed(out, body.stopReason);
}

// events: [name, body], as the SDK and the bytes both give them.
export function ofEvents(events) {
  const out = blank(),
    uses = new Map();
  let reason = null;
  for (const [name, e] of events) {
    if (name === "contentBlockStart" && e.start?.toolUse) {
      if (isOwn(e.start.toolUse)) uses.set(e.contentBlockIndex, { ...e.start.toolUse, text: "" });
    } else if (name === "contentBlockDelta") {
      out.text += e.delta.text ?? "";
      out.thinking += e.delta.reasoningContent?.text ?? "";
      const use = uses.get(e.contentBlockIndex);
      if (use) use.text += e.delta.toolUse?.input ?? "";
    } else if (name === "messageStop") reason = e.stopReason;
    else if (name === "metadata") out.usage = usageOf(e.usage);
  }
  out.calls = [...uses.values()].map((u) => ({ id: u.toolUseId, name: u.name, args: args(u.text) }));
  return closed(out, reason);
}

export function stream(bytes) {
  const events = awsEvents(bytes),
    failed = events.find((e) => e.exception);
  const out = ofEvents(events.filter((e) => e.name).map((e) => [e.name, JSON.parse(e.data)]));
  if (failed) out.error = { type: failed.exception, ...JSON.parse(failed.data) };
  return out;
}
