// order/gemini: the order of events in a stream of streamGenerateContent, as SSE and as a JSON array.
import { isCount, isText, jsonEvents } from "./events.mjs";

export function gemini(bytes, must, framing) {
  const text = bytes.toString("utf8");
  const chunks =
    framing === "json-array"
      ? JSON.parse(text)
      : jsonEvents(bytes, must).map(({ name, done, body }) => {
          must(name === null && !done, "an event name or [DONE] in a stream of Gemini");
          return body;
        });
  must(Array.isArray(chunks) && chunks.length > 0, "no chunk");
  let id = null,
    finished = new Set(),
    over = false;
  for (const [at, chunk] of chunks.entries()) {
    const where = `chunk ${at}`;
    must(!over, `${where}: something follows the error`);
    if (chunk.error) {
      must(
        isCount(chunk.error.code) && isText(chunk.error.message) && isText(chunk.error.status),
        `${where}: an error without code, message or status`,
      );
      over = true;
      continue;
    }
    id ??= chunk.responseId;
    must(isText(chunk.responseId) && chunk.responseId === id, `${where}: responseId ${chunk.responseId}`);
    must(isText(chunk.modelVersion), `${where}: no modelVersion`);
    for (const c of chunk.candidates ?? []) geminiCandidate(c, finished, must, where);
    if (chunk.usageMetadata)
      must(isCount(chunk.usageMetadata.promptTokenCount), `${where}: usage without promptTokenCount`);
  }
  must(over || finished.size > 0 || chunks.at(-1)?.promptFeedback, "no candidate finishes");
}

function geminiCandidate(c, finished, must, where) {
  const index = c.index ?? 0;
  must(!finished.has(index), `${where}: candidate ${index} goes on after its finishReason`);
  if (c.content)
    must(
      c.content.role === "model" && Array.isArray(c.content.parts ?? []),
      `${where}: content of role ${c.content.role}`,
    );
  for (const part of c.content?.parts ?? []) {
    must(Object.keys(part).length > 0, `${where}: an empty part`);
    if (part.functionCall)
      must(
        isText(part.functionCall.name) && typeof (part.functionCall.args ?? {}) === "object",
        `${where}: a call without name or args`,
      );
  }
  if (c.finishReason) finished.add(index);
}
