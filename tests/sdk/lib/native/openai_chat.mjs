// native/openai_chat: reads answers of Chat Completions, of OpenAI and of the many that speak it in their own way.
// Written from the providers' documentation; knows nothing of Moongate.
import { sseEvents } from "../framing.mjs";
import { args, blank, counted, joined } from "./meaning.mjs";

function textOf(content) {
  return typeof content === "string" ? content : joined(content, "text", "text");
}

// Mistral: parts of the content; others: a field, by one of two names; OpenRouter repeats it in detail.
export function thinkingOf(m) {
  const plain = m.reasoning_content || m.reasoning;
  if (typeof plain === "string" && plain) return plain;
  const parts = (Array.isArray(m.content) ? m.content : [])
    .filter((p) => p.type === "thinking")
    .flatMap((p) => p.thinking ?? []);
  const details = m.reasoning_details ?? [];
  return joined(parts, "text", "text") || details.map((d) => d.text ?? d.summary ?? "").join("");
}

function finishOf(reason, calls) {
  if (calls.length && (reason === "stop" || reason === "function_call" || !reason)) return "tool";
  return (
    { stop: "stop", length: "length", model_length: "length", tool_calls: "tool", content_filter: "filter" }[reason] ??
    "stop"
  );
}

// Some count beside the prompt what others count in it: cached tokens (there are more of them than of the prompt),
// audio and, beside the completion, reasoning (the total tells).
function usageOf(usage) {
  if (!usage) return null;
  const prompt = usage.prompt_tokens ?? 0,
    completion = usage.completion_tokens ?? 0,
    total = usage.total_tokens;
  const { cached_tokens, cache_write_tokens: written, audio_tokens: audio } = usage.prompt_tokens_details ?? {};
  const reasoning = usage.completion_tokens_details?.reasoning_tokens;
  const cached = cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.num_cached_tokens;
  const input =
    cached > prompt ? prompt + cached : audio > 0 && total === prompt + audio + completion ? prompt + audio : prompt;
  const output = reasoning > 0 && total === prompt + completion + reasoning ? completion + reasoning : completion;
  return counted({ input, output, cached, written, reasoning });
}

export function whole(body) {
  const choice = body.choices[0],
    m = choice.message ?? {};
  const calls = (m.tool_calls ?? []).map((c) => ({
    id: c.id,
    name: c.function.name,
    args: args(c.function.arguments),
  }));
  if (m.function_call?.name && !calls.length) {
    calls.push({ id: null, name: m.function_call.name, args: args(m.function_call.arguments) });
  }
  return {
    ...blank(),
    text: textOf(m.content) || m.refusal || "",
    refused: !!m.refusal,
    thinking: thinkingOf(m),
    calls,
    finish: finishOf(choice.finish_reason, calls),
    usage: usageOf(body.usage),
  };
}

// One fragment of a call into those gathered so far. Some give no index, some a new id under an old index.
function addCall(byIndex, position, call) {
  let index = call.index ?? position;
  const known = byIndex.get(index);
  if (known && call.id && known.id && call.id !== known.id && call.function?.name) index = `${index}/${call.id}`;
  if (!byIndex.has(index)) byIndex.set(index, { id: null, name: "", text: "" });
  const c = byIndex.get(index);
  if (call.id) c.id ??= call.id;
  if (call.function?.name && !c.name) c.name = call.function.name;
  const more = call.function?.arguments;
  c.text += typeof more === "string" ? more : more ? JSON.stringify(more) : "";
}

export function stream(bytes) {
  const out = blank(),
    byIndex = new Map();
  let finish = null;
  for (const { data } of sseEvents(bytes.toString())) {
    if (data === "[DONE]") continue;
    const chunk = JSON.parse(data);
    if (chunk.error) out.error = chunk.error;
    if (chunk.usage) out.usage = usageOf(chunk.usage);
    for (const choice of chunk.choices ?? []) {
      if (choice.usage && !out.usage) out.usage = usageOf(choice.usage);
      if ((choice.index ?? 0) !== 0) continue;
      const delta = choice.delta ?? {};
      out.text += textOf(delta.content) || delta.refusal || "";
      out.refused ||= !!delta.refusal;
      out.thinking += thinkingOf(delta);
      for (const [position, call] of (delta.tool_calls ?? []).entries()) addCall(byIndex, position, call);
      const old = delta.function_call;
      if (old?.name || old?.arguments) addCall(byIndex, "f", { index: "f", function: old });
      if (choice.finish_reason) finish = choice.finish_reason;
    }
  }
  out.calls = [...byIndex.values()].map((c) => ({ id: c.id, name: c.name, args: args(c.text) }));
  out.finish = finishOf(finish, out.calls);
  return out;
}
