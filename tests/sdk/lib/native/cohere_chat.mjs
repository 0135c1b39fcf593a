// native/cohere_chat: reads answers of Cohere's chat, version 2. Written from the provider's documentation; knows
// nothing of Moongate. A tool plan is the model thinking about which tools to call.
import { sseEvents } from "../framing.mjs";
import { args, blank, counted, joined } from "./meaning.mjs";

const reasons = {
  COMPLETE: "stop",
  STOP_SEQUENCE: "stop",
  MAX_TOKENS: "length",
  TOOL_CALL: "tool",
  ERROR: "error",
  ERROR_TOXIC: "filter",
  ERROR_LIMIT: "length",
  TIMEOUT: "error",
};

function usageOf(u) {
  if (!u?.tokens) return null;
  return counted({
    input: u.tokens.input_tokens + (u.tokens.image_tokens ?? 0),
    output: u.tokens.output_tokens,
    cached: u.cached_tokens,
    reasoning: u.tokens.reasoning_tokens,
  });
}

export function whole(body) {
  const m = body.message ?? {},
    out = blank();
  out.text = joined(m.content, "text", "text");
  out.thinking = (m.tool_plan ?? "") + joined(m.content, "thinking", "thinking");
  out.calls = (m.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name, args: args(c.function.arguments) }));
  out.finish = reasons[body.finish_reason] ?? "stop";
  out.refused = out.finish === "filter";
  out.usage = usageOf(body.usage);
  return out;
}

export function ofEvents(events) {
  const out = blank(),
    calls = [];
  for (const e of events) {
    const m = e.delta?.message;
    switch (e.type) {
      case "message-start":
      case "tool-plan-delta":
        out.thinking += m?.tool_plan ?? "";
        break;
      case "content-start":
      case "content-delta":
        out.text += m?.content?.text ?? "";
        out.thinking += m?.content?.thinking ?? "";
        break;
      case "tool-call-start":
      case "tool-call-delta": {
        const c = (calls[e.index] ??= { id: null, name: "", text: "" }),
          from = m.tool_calls;
        c.id ??= from.id ?? null;
        c.name ||= from.function?.name ?? "";
        c.text += from.function?.arguments ?? "";
        break;
      }
      case "message-end":
        out.finish = reasons[e.delta.finish_reason] ?? "stop";
        if (out.finish === "error") out.error = { message: e.delta.error ?? "" };
        out.usage = usageOf(e.delta.usage) ?? out.usage;
        break;
    }
  }
  out.calls = calls.filter(Boolean).map((c) => ({ id: c.id, name: c.name, args: args(c.text) }));
  out.refused = out.finish === "filter";
  return out;
}

export function stream(bytes) {
  return ofEvents(
    sseEvents(bytes.toString())
      .filter((e) => e.data !== "[DONE]")
      .map((e) => JSON.parse(e.data)),
  );
}
