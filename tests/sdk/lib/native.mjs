// native: reads recorded answers of both dialects into what must survive a translation: text, tool calls, the reason of
// the end, usage. Written from the providers' documentation; knows nothing of Moongate.

const parts = (content, type, key) => content.filter((p) => p.type === type).map((p) => p[key] ?? "").join("");

function textOf(content) {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? parts(content, "text", "text") : "";
}

// Data lines of an SSE body, in any line ending.
export function sseEvents(body) {
  const events = [];
  let name = null, data = [];
  for (const line of (body + "\n\n").replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    if (line === "") {
      if (data.length) events.push({ name, data: data.join("\n") });
      name = null;
      data = [];
    } else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    else if (line.startsWith("event:")) name = line.slice(6).trim();
  }
  return events;
}

// Arguments cut off by a length stop are no JSON: { cut_off: text }.
function args(text) {
  if (text === "" || text == null) return {};
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return { cut_off: text };
  }
}

function openaiFinish(reason, calls) {
  if (calls.length && (reason === "stop" || reason === "function_call" || !reason)) return "tool";
  return { stop: "stop", length: "length", model_length: "length", tool_calls: "tool",
    content_filter: "filter" }[reason] ?? "stop";
}

// Where reasoning is counted beside the completion (the total tells), or cached tokens beside the prompt (there are more
// of them than of the prompt), they are added.
function openaiUsage(usage) {
  if (!usage) return null;
  const prompt = usage.prompt_tokens ?? 0, completion = usage.completion_tokens ?? 0;
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  const beside = reasoning > 0 && usage.total_tokens === prompt + completion + reasoning;
  return { input: cached > prompt ? prompt + cached : prompt, output: beside ? completion + reasoning : completion };
}

function openaiWhole(body) {
  const choice = body.choices[0], m = choice.message ?? {};
  const calls = (m.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name,
    args: args(c.function.arguments) }));
  if (m.function_call?.name && !calls.length) calls.push({ id: null, name: m.function_call.name,
    args: args(m.function_call.arguments) });
  return {
    text: textOf(m.content) || m.refusal || "", refused: !!m.refusal, calls,
      finish: openaiFinish(choice.finish_reason, calls),
    usage: openaiUsage(body.usage),
  };
}

function openaiStream(body) {
  const out = { text: "", refused: false, calls: [], usage: null };
  let finish = null;
  const byIndex = new Map();
  for (const { data } of sseEvents(body)) {
    if (data === "[DONE]") continue;
    const chunk = JSON.parse(data);
    if (chunk.error) out.error = chunk.error;
    if (chunk.usage) out.usage = openaiUsage(chunk.usage);
    for (const choice of chunk.choices ?? []) {
      if (choice.usage && !out.usage) out.usage = openaiUsage(choice.usage);
      if ((choice.index ?? 0) !== 0) continue;
      const delta = choice.delta ?? {};
      out.text += textOf(delta.content) || delta.refusal || "";
      out.refused ||= !!delta.refusal;
      for (const [position, call] of (delta.tool_calls ?? []).entries()) {
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
      if (delta.function_call?.name || delta.function_call?.arguments) {
        if (!byIndex.has("f")) byIndex.set("f", { id: null, name: "", text: "" });
        const c = byIndex.get("f");
        c.name ||= delta.function_call.name ?? "";
        c.text += delta.function_call.arguments ?? "";
      }
      if (choice.finish_reason) finish = choice.finish_reason;
    }
  }
  out.calls = [...byIndex.values()].map((c) => ({ id: c.id, name: c.name, args: args(c.text) }));
  out.finish = openaiFinish(finish, out.calls);
  return out;
}

const anthropicReasons = {
  end_turn: "stop", stop_sequence: "stop", pause_turn: "stop", max_tokens: "length",
    model_context_window_exceeded: "length",
  tool_use: "tool", refusal: "filter",
};

function anthropicUsage(u) {
  return {
    input: (u.input_tokens ?? 0) + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0),
    output: u.output_tokens ?? 0,
  };
}

function anthropicWhole(body) {
  return {
    text: parts(body.content, "text", "text"), refused: body.stop_reason === "refusal",
    calls: body.content.filter((b) => b.type === "tool_use").map((b) => ({ id: b.id, name: b.name, args: b.input })),
    finish: anthropicReasons[body.stop_reason] ?? "stop", usage: anthropicUsage(body.usage),
  };
}

function anthropicStream(body) {
  let message = null, error = null;
  const inputs = new Map();
  for (const { data } of sseEvents(body)) {
    const event = JSON.parse(data);
    if (event.type === "message_start") message = structuredClone(event.message);
    else if (event.type === "content_block_start") message.content[event.index] = structuredClone(event.content_block);
    else if (event.type === "content_block_delta") {
      const block = message.content[event.index];
      if (event.delta.type === "text_delta") block.text += event.delta.text;
      if (event.delta.type === "input_json_delta") {
        inputs.set(event.index, (inputs.get(event.index) ?? "") + event.delta.partial_json);
      }
    } else if (event.type === "message_delta") {
      message.stop_reason = event.delta.stop_reason;
      for (const [k, v] of Object.entries(event.usage ?? {})) if (v != null) message.usage[k] = v;
    } else if (event.type === "error") error = event.error;
  }
  for (const [index, text] of inputs) message.content[index].input = args(text);
  if (!message) return { error };
  return { ...anthropicWhole(message), error };
}

// What recording r means.
export function read(r) {
  const stream = r.stream_framing === "sse";
  if (r.protocol === "openai.chat") return stream ? openaiStream(r.response_body)
    : openaiWhole(JSON.parse(r.response_body));
  return stream ? anthropicStream(r.response_body) : anthropicWhole(JSON.parse(r.response_body));
}

export const ofMessage = { "openai.chat": openaiWhole, "anthropic.messages": anthropicWhole };
export const ofStream = { "openai.chat": openaiStream, "anthropic.messages": anthropicStream };
