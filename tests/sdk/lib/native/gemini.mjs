// native/gemini: reads answers of generateContent and streamGenerateContent, as SSE and as a JSON array. Written from
// the provider's documentation; knows nothing of Moongate.
import { sseEvents } from "../framing.mjs";
import { blank, counted } from "./meaning.mjs";

const reasons = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "filter",
  RECITATION: "filter",
  BLOCKLIST: "filter",
  PROHIBITED_CONTENT: "filter",
  SPII: "filter",
  IMAGE_SAFETY: "filter",
};

function usageOf(u) {
  return counted({
    input: (u.promptTokenCount ?? 0) + (u.toolUsePromptTokenCount ?? 0),
    output: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0),
    cached: u.cachedContentTokenCount,
    reasoning: u.thoughtsTokenCount,
  });
}

function gathered(chunks) {
  const out = blank();
  let finish = null;
  for (const chunk of chunks) {
    if (chunk.error) out.error = chunk.error;
    if (chunk.promptFeedback?.blockReason) finish = "SAFETY";
    const candidate = chunk.candidates?.find((c) => (c.index ?? 0) === 0);
    for (const part of candidate?.content?.parts ?? []) {
      if (part.functionCall) {
        out.calls.push({
          id: part.functionCall.id ?? null,
          name: part.functionCall.name,
          args: part.functionCall.args ?? {},
        });
      } else if (typeof part.text === "string") out[part.thought ? "thinking" : "text"] += part.text;
    }
    finish = candidate?.finishReason ?? finish;
    if (chunk.usageMetadata) out.usage = usageOf(chunk.usageMetadata);
  }
  out.finish = reasons[finish] ?? "stop";
  if (out.finish === "stop" && out.calls.length) out.finish = "tool";
  out.refused = out.finish === "filter";
  return out;
}

export const whole = (body) => gathered([body]);
export const ofChunks = gathered;

export function stream(bytes) {
  const text = bytes.toString();
  return gathered(/^\s*\[/.test(text) ? JSON.parse(text) : sseEvents(text).map((e) => JSON.parse(e.data)));
}
