// native/asked: what a request of each dialect holds that must survive being carried to another: { texts, calls,
// tools, results, media, only, also }. only: the tools that may be called, where the request names them; null: all.
// also: texts that stand there as values. Written from the providers' documentation; knows nothing of Moongate. It
// does NOT check values of options.
import { args } from "./meaning.mjs";

const list = (value) => (Array.isArray(value) ? value : value == null ? [] : [value]);
const empty = () => ({ texts: [], calls: [], tools: [], results: 0, media: 0, only: null, also: [] });

function addText(out, text) {
  if (typeof text === "string" && text.trim()) out.texts.push(text);
}

// All strings in a value: documents and results may be objects.
function stringsIn(value) {
  if (typeof value === "string") return [value];
  return value && typeof value === "object" ? Object.values(value).flatMap(stringsIn) : [];
}

function chat(body) {
  const out = empty();
  for (const m of body.messages) {
    if (m.role === "tool" || m.role === "function") out.results++;
    if (typeof m.content === "string") addText(out, m.content);
    for (const p of typeof m.content === "string" ? [] : list(m.content)) {
      if (p.type === "text") addText(out, p.text);
      else if (p.type === "refusal") addText(out, p.refusal);
      else if (["image_url", "file", "input_audio", "document_url"].includes(p.type)) out.media++;
    }
    addText(out, m.refusal);
    for (const c of m.tool_calls ?? []) out.calls.push({ name: c.function.name, args: args(c.function.arguments) });
    if (m.function_call) out.calls.push({ name: m.function_call.name, args: args(m.function_call.arguments) });
  }
  out.tools = [...list(body.tools).map((t) => t.function?.name), ...list(body.functions).map((f) => f.name)].filter(
    Boolean,
  );
  const choice = body.tool_choice;
  if (choice === "none") out.only = [];
  else if (choice?.function) out.only = [choice.function.name];
  else if (choice?.allowed_tools) out.only = choice.allowed_tools.tools.map((t) => t.function.name);
  return out;
}

function responses(body) {
  const out = empty();
  addText(out, body.instructions);
  if (typeof body.input === "string") addText(out, body.input);
  for (const item of typeof body.input === "string" ? [] : list(body.input)) {
    if (item.type === "function_call") out.calls.push({ name: item.name, args: args(item.arguments) });
    else if (item.type === "function_call_output") {
      out.results++;
      for (const p of list(item.output)) {
        addText(out, p.text ?? p);
        if (p.type === "input_image" || p.type === "input_file") out.media++;
      }
    } else if (item.content !== undefined && item.type !== "reasoning") {
      for (const p of list(item.content)) {
        addText(out, typeof p === "string" ? p : (p.text ?? p.refusal));
        if (["input_image", "input_file", "input_audio"].includes(p.type)) out.media++;
      }
    }
  }
  out.tools = list(body.tools)
    .filter((t) => t.type === "function")
    .map((t) => t.name);
  const choice = body.tool_choice;
  if (choice === "none") out.only = [];
  else if (choice?.type === "function") out.only = [choice.name];
  else if (choice?.type === "allowed_tools") out.only = choice.tools.map((t) => t.name);
  return out;
}

function addBlock(out, b) {
  if (b.type === "text") addText(out, b.text);
  else if (b.type === "image") out.media++;
  else if (b.type === "document" && b.source?.type === "text") addText(out, b.source.data);
  else if (b.type === "document" && b.source?.type === "content")
    list(b.source.content).forEach((c) => addText(out, c.text ?? c));
  else if (b.type === "document") out.media++;
  else if (b.type === "tool_use") out.calls.push({ name: b.name, args: b.input });
  else if (b.type === "tool_result") {
    out.results++;
    for (const inner of list(b.content))
      addBlock(out, typeof inner === "string" ? { type: "text", text: inner } : inner);
  }
}

function anthropic(body) {
  const out = empty();
  for (const s of list(body.system)) addText(out, s.text ?? s);
  for (const m of body.messages) {
    for (const b of list(m.content)) addBlock(out, typeof b === "string" ? { type: "text", text: b } : b);
  }
  out.tools = list(body.tools)
    .filter((t) => t.input_schema)
    .map((t) => t.name);
  if (body.tool_choice?.type === "none") out.only = [];
  if (body.tool_choice?.type === "tool") out.only = [body.tool_choice.name];
  return out;
}

function gemini(body) {
  const out = empty();
  for (const content of [body.systemInstruction ?? body.system_instruction, ...list(body.contents)].filter(Boolean)) {
    for (const p of list(content.parts)) {
      if (!p.thought) addText(out, p.text);
      if (p.inlineData ?? p.inline_data ?? p.fileData ?? p.file_data) out.media++;
      const call = p.functionCall ?? p.function_call,
        result = p.functionResponse ?? p.function_response;
      if (call) out.calls.push({ name: call.name, args: call.args ?? {} });
      if (result) {
        out.results++;
        out.media += list(result.parts).length;
        out.also.push(JSON.stringify(result.response ?? {}));
        for (const text of stringsIn(result.response)) addText(out, text);
      }
    }
  }
  out.tools = list(body.tools)
    .flatMap((t) => t.functionDeclarations ?? t.function_declarations ?? [])
    .map((f) => f.name);
  const config = (body.toolConfig ?? body.tool_config)?.functionCallingConfig;
  if (config?.mode === "NONE") out.only = [];
  if (config?.allowedFunctionNames) out.only = config.allowedFunctionNames;
  return out;
}

function cohere(body) {
  const out = empty();
  for (const m of body.messages) {
    if (m.role === "tool") out.results++;
    if (m.tool_plan) addText(out, m.tool_plan);
    for (const p of list(m.content)) {
      if (typeof p === "string" || p.type === "text") addText(out, p.text ?? p);
      if (p.type === "document")
        for (const text of stringsIn(p.document.data?.text ?? p.document.data)) addText(out, text);
      if (p.type === "image_url") out.media++;
    }
    for (const c of m.tool_calls ?? []) out.calls.push({ name: c.function.name, args: args(c.function.arguments) });
  }
  for (const d of list(body.documents)) for (const text of stringsIn(d.data?.text ?? d.data ?? d)) addText(out, text);
  out.tools = list(body.tools).map((t) => t.function.name);
  if (body.tool_choice === "NONE") out.only = [];
  return out;
}

// The text of a document that is text.
function textsOf(document) {
  const { text, content, bytes } = document.source;
  if (text !== undefined) return [text];
  if (content) return content.map((c) => c.text ?? "");
  return bytes && ["txt", "md", "csv", "html"].includes(document.format)
    ? [Buffer.from(bytes, "base64").toString()]
    : null;
}

function bedrock(body) {
  const out = empty();
  const add = (b) => {
    addText(out, b.text);
    if (b.image ?? b.video) out.media++;
    const texts = b.document && textsOf(b.document);
    if (texts) texts.forEach((text) => addText(out, text));
    else if (b.document) out.media++;
    if (b.json !== undefined) addText(out, JSON.stringify(b.json));
    if (b.toolUse && b.toolUse.type !== "server_tool_use")
      out.calls.push({ name: b.toolUse.name, args: b.toolUse.input });
    if (b.toolResult && !/^nova_/.test(b.toolResult.type ?? "")) {
      out.results++;
      for (const inner of list(b.toolResult.content)) add(inner);
    }
  };
  for (const b of [...list(body.system), ...body.messages.flatMap((m) => list(m.content))]) add(b);
  out.tools = list(body.toolConfig?.tools)
    .filter((t) => t.toolSpec)
    .map((t) => t.toolSpec.name);
  if (body.toolConfig?.toolChoice?.tool) out.only = [body.toolConfig.toolChoice.tool.name];
  return out;
}

export const askedOf = {
  "openai.chat": chat,
  "openai.responses": responses,
  "anthropic.messages": anthropic,
  gemini,
  "cohere.chat": cohere,
  "bedrock.converse": bedrock,
};

const roles = {
  "openai.chat": ["system", "developer", "user", "assistant", "tool", "function"],
  "anthropic.messages": ["user", "assistant"],
  gemini: ["user", "model"],
  "bedrock.converse": ["user", "assistant"],
  "cohere.chat": ["system", "user", "assistant", "tool"],
};

// What a provider of the dialect would refuse outright in a body that the gateway wrote. Sentences.
export function refusals(dialect, body) {
  const faults = [],
    turns = body.messages ?? body.contents ?? body.input;
  if (!Array.isArray(turns) && typeof turns !== "string") return [`no turns in ${Object.keys(body)}`];
  if (turns.length === 0) faults.push("no turns");
  if (dialect === "openai.responses") return faults;
  for (const m of turns) if (!roles[dialect].includes(m.role)) faults.push(`role ${m.role}`);
  if (dialect === "anthropic.messages" && !(body.max_tokens > 0)) faults.push("no max_tokens");
  // Gemini wants results of functions in a turn of their own; the next may be the user's too.
  const hasResults = (m) => m.parts?.some((p) => p.functionResponse);
  for (const [i, m] of dialect === "bedrock.converse" || dialect === "gemini" ? turns.entries() : []) {
    const before = turns[i - 1];
    if (before?.role === m.role && !hasResults(before) && !hasResults(m))
      faults.push(`turn ${i} has the role of the one before`);
    if (!(m.content ?? m.parts)?.length) faults.push(`turn ${i} is empty`);
  }
  return faults;
}
