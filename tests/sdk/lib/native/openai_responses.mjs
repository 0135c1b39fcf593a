// native/openai_responses: reads answers of the Responses API. Written from the provider's documentation; knows nothing
// of Moongate. Streams are put together from their deltas, not from the answer that their last event repeats.
import { sseEvents } from "../framing.mjs";
import { args, blank, counted, joined } from "./meaning.mjs";

function usageOf(u) {
  if (!u) return null;
  return counted({
    input: u.input_tokens,
    output: u.output_tokens,
    cached: u.input_tokens_details?.cached_tokens,
    written: u.input_tokens_details?.cache_write_tokens,
    reasoning: u.output_tokens_details?.reasoning_tokens,
  });
}

function finishOf(response, calls, refused) {
  const why = response.incomplete_details?.reason;
  if (why === "max_output_tokens") return "length";
  if (why === "content_filter") return "filter";
  return calls.length ? "tool" : refused ? "filter" : "stop";
}

// A custom tool takes text; elsewhere it is a tool with one field.
const callOf = (item) => ({
  id: item.call_id,
  name: item.name,
  args: item.type === "custom_tool_call" ? { input: item.input } : args(item.arguments),
});

export function whole(response) {
  const out = blank();
  if (typeof response.reasoning === "string") out.thinking = response.reasoning; // mistral.rs
  for (const item of response.output ?? []) {
    if (item.type === "message") {
      out.refused ||= item.content.some((p) => p.type === "refusal");
      for (const p of item.content) out.text += p.type === "refusal" ? p.refusal : (p.text ?? "");
    } else if (item.type === "reasoning") {
      out.thinking += joined(item.summary, "summary_text", "text") + joined(item.content, "reasoning_text", "text");
    } else if (item.type === "function_call" || item.type === "custom_tool_call") out.calls.push(callOf(item));
  }
  out.usage = usageOf(response.usage);
  out.finish = finishOf(response, out.calls, out.refused);
  if (response.status === "failed") out.error = response.error ?? {};
  out.pending = response.status === "queued" || response.status === "in_progress";
  return out;
}

export function stream(bytes) {
  const out = blank(),
    byItem = new Map(),
    heard = new Set();
  let last = {};
  for (const { data } of sseEvents(bytes.toString())) {
    if (data === "[DONE]") continue;
    const e = JSON.parse(data);
    const part = `${e.item_id}/${e.content_index ?? e.summary_index}`;
    switch (e.type) {
      case "response.output_text.delta":
        out.text += e.delta;
        break;
      case "response.refusal.delta":
        ((out.text += e.delta), (out.refused = true));
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        ((out.thinking += e.delta), heard.add(part));
        break;
      // Some send a thought only once it is over.
      case "response.reasoning_summary_text.done":
      case "response.reasoning_text.done":
        if (!heard.has(part)) out.thinking += e.text;
        break;
      case "response.output_item.done":
        if (e.item.type === "function_call" || e.item.type === "custom_tool_call")
          byItem.set(e.output_index, callOf(e.item));
        break;
      case "error":
        out.error = e.error ?? e;
        break;
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        last = e.response;
        break;
    }
  }
  out.calls = [...byItem].sort(([a], [b]) => a - b).map(([, call]) => call);
  out.usage = usageOf(last.usage);
  out.finish = finishOf(last, out.calls, out.refused);
  if (last.status === "failed") out.error = last.error ?? {};
  return out;
}
