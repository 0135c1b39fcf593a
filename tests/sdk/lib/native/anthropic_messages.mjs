// native/anthropic_messages: reads answers of the Messages API. Written from the provider's documentation; knows
// nothing of Moongate.
import { sseEvents } from "../framing.mjs";
import { args, blank, counted, joined } from "./meaning.mjs";

const reasons = {
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool",
  refusal: "filter",
};

function usageOf(u) {
  const cached = u.cache_read_input_tokens,
    written = u.cache_creation_input_tokens;
  return counted({
    input: (u.input_tokens ?? 0) + (cached ?? 0) + (written ?? 0),
    output: u.output_tokens ?? 0,
    cached,
    written,
    reasoning: u.output_tokens_details?.thinking_tokens,
  });
}

export function whole(body) {
  return {
    ...blank(),
    text: joined(body.content, "text", "text"),
    refused: body.stop_reason === "refusal",
    thinking: joined(body.content, "thinking", "thinking"),
    calls: body.content.filter((b) => b.type === "tool_use").map((b) => ({ id: b.id, name: b.name, args: b.input })),
    finish: reasons[body.stop_reason] ?? "stop",
    usage: usageOf(body.usage),
  };
}

export function stream(bytes) {
  let message = null,
    error = null;
  const inputs = new Map();
  for (const { data } of sseEvents(bytes.toString())) {
    const event = JSON.parse(data);
    if (event.type === "message_start") message = structuredClone(event.message);
    else if (event.type === "content_block_start") message.content[event.index] = structuredClone(event.content_block);
    else if (event.type === "content_block_delta") {
      const block = message.content[event.index],
        d = event.delta;
      if (d.type === "text_delta") block.text += d.text;
      if (d.type === "thinking_delta") block.thinking += d.thinking;
      if (d.type === "input_json_delta") inputs.set(event.index, (inputs.get(event.index) ?? "") + d.partial_json);
    } else if (event.type === "message_delta") {
      message.stop_reason = event.delta.stop_reason;
      for (const [k, v] of Object.entries(event.usage ?? {})) if (v != null) message.usage[k] = v;
    } else if (event.type === "error") error = event.error;
  }
  for (const [index, text] of inputs) message.content[index].input = args(text);
  return message ? { ...whole(message), error } : { ...blank(), error: error ?? {} };
}
