// meaning: what must survive a translation, in no dialect: { text, refused, thinking, calls, finish, usage, error }.
// calls: { id, name, args }; finish: stop, length, tool, filter; usage: { input, output, cached, written, reasoning },
// input with cached and written tokens, output with reasoning. A count that was not told is absent.

export const blank = () => ({
  text: "",
  refused: false,
  thinking: "",
  calls: [],
  finish: null,
  usage: null,
  error: null,
});

// Arguments as a value. Those cut off by a length stop are no JSON: { cut_off: text }.
export function args(text) {
  if (text === "" || text == null) return {};
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return { cut_off: text };
  }
}

export const joined = (list, type, key) =>
  (Array.isArray(list) ? list : [])
    .filter((p) => p?.type === type)
    .map((p) => p[key] ?? "")
    .join("");

// Without the counts that are undefined.
export function counted(usage) {
  return Object.fromEntries(Object.entries(usage).filter(([, v]) => v != null));
}
