// order/events: what the checkers of the dialects share.
import { sseEvents } from "../framing.mjs";

// JSON events of an SSE body; [DONE] is { done: true }.
export function jsonEvents(bytes, must) {
  const text = bytes.toString("utf8");
  must(/(\n|\r\n)(\n|\r\n)$/.test(text), "the last event lacks its blank line");
  must(!text.includes("\uFFFD"), "bytes that are no UTF-8");
  return sseEvents(text).map(({ name, data }) =>
    data === "[DONE]" ? { done: true, name } : { name, body: JSON.parse(data) },
  );
}

export const isCount = (n) => Number.isInteger(n) && n >= 0;
export const isText = (s) => typeof s === "string";
