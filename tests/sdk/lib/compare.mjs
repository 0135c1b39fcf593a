// compare: is what a client got what was recorded? Throws an Error with the first difference.
import { isDeepStrictEqual } from "node:util";

export function difference(a, b) {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const piece = (s) => JSON.stringify(s.slice(i, i + 80));
  return `at ${i} of ${a.length}/${b.length}: ${piece(a)}, expected ${piece(b)}`;
}

// Counts that a dialect has a place for, beside input and output.
const counts = {
  "openai.chat": ["cached", "reasoning"],
  "openai.responses": ["cached", "reasoning"],
  "anthropic.messages": ["cached", "written", "reasoning"],
  gemini: ["cached", "reasoning"],
  "cohere.chat": ["cached"],
  "bedrock.converse": ["cached", "written"],
};

function compareUsage(got, expected, client) {
  if (!got) throw new Error(`no usage, recorded ${JSON.stringify(expected)}`);
  for (const key of ["input", "output", ...counts[client]]) {
    const told = expected[key] ?? 0;
    if ((got[key] ?? 0) !== told) throw new Error(`usage ${JSON.stringify(got)}, recorded ${JSON.stringify(expected)}`);
  }
}

// Where thoughts are put together of several parts, the dialects differ in what stands between.
const squeezed = (text) => text.replace(/\s+/g, "");

// client: the dialect that got it; own: the provider speaks it too.
export function compare(got, expected, client, own = false) {
  if (got.text !== expected.text) throw new Error(`text differs: ${difference(got.text, expected.text)}`);
  if (squeezed(got.thinking) !== squeezed(expected.thinking)) {
    throw new Error(`thinking differs: ${difference(got.thinking, expected.thinking)}`);
  }
  if (got.calls.length !== expected.calls.length) {
    throw new Error(`${got.calls.length} tool calls, recorded ${expected.calls.length}`);
  }
  const ids = new Set(got.calls.map((c) => c.id));
  if (!own && ids.size !== got.calls.length) throw new Error("two tool calls have one id");
  expected.calls.forEach((call, i) => {
    const mine = got.calls[i];
    if (call.id && mine.id !== call.id) throw new Error(`id of tool call ${i}: ${mine.id}, recorded ${call.id}`);
    if (!own && !mine.id) throw new Error(`tool call ${i} has no id`);
    if (mine.name !== call.name) throw new Error(`name of tool call ${i}: ${mine.name}, recorded ${call.name}`);
    if (!("cut_off" in Object(call.args)) && !isDeepStrictEqual(mine.args, call.args)) {
      throw new Error(
        `arguments of tool call ${i}: ${JSON.stringify(mine.args)}, recorded ${JSON.stringify(call.args)}`,
      );
    }
  });
  const refusal = expected.refused && ["stop", "filter"].includes(got.finish);
  if (got.finish !== expected.finish && !refusal) throw new Error(`finish ${got.finish}, recorded ${expected.finish}`);
  if (expected.usage) compareUsage(got.usage, expected.usage, client);
}

// Is everything of the request `before` (native/asked.mjs) in the request `after`?
export function compareAsked(after, before) {
  // A provider that cannot be told which tools may be called is not told of the others.
  const needed = before.only ? before.tools.filter((name) => before.only.includes(name)) : before.tools;
  for (const name of needed) if (!after.tools.includes(name)) throw new Error(`tool ${name} is lost`);
  if (after.results !== before.results) throw new Error(`${before.results} tool results became ${after.results}`);
  if (after.media !== before.media) throw new Error(`${before.media} images or files became ${after.media}`);
  const calls = (a) => a.calls.map((c) => `${c.name}(${JSON.stringify(sorted(c.args))})`).join("\n");
  if (calls(after) !== calls(before)) throw new Error(`tool calls differ: ${difference(calls(after), calls(before))}`);
  const all = squeezed([...after.texts, ...after.also].join(""));
  for (const text of before.texts) {
    if (!all.includes(squeezed(text))) throw new Error(`a text is lost: ${JSON.stringify(text.slice(0, 120))}`);
  }
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((k) => [k, sorted(value[k])]),
  );
}
