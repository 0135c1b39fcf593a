// wire: how a request of each dialect is addressed and what the smallest one holds; the recorded exchanges. Used by the
// replay and by the server that plays the provider.
import fs from "node:fs";
import path from "node:path";
import { dialectOf } from "./native.mjs";

export const dialects = [
  "openai.chat",
  "openai.responses",
  "anthropic.messages",
  "gemini",
  "cohere.chat",
  "bedrock.converse",
];

// The recordings, by id, each with its `dialect` (null where its protocol is none of the six).
export function loadRecordings(folder, only) {
  const recordings = new Map();
  for (const row of JSON.parse(fs.readFileSync(path.join(folder, "INDEX.json"), "utf8"))) {
    if (only && !row.id.includes(only)) continue;
    const r = JSON.parse(fs.readFileSync(path.join(folder, row.file), "utf8"));
    recordings.set(row.id, { ...r, dialect: dialectOf(r.protocol) });
  }
  return recordings;
}

// Where a client posts. framing: "json-array" for a Gemini client that does not ask for SSE.
export function pathOf(dialect, model, stream, framing) {
  const name = encodeURIComponent(model);
  switch (dialect) {
    case "openai.chat":
      return "/v1/chat/completions";
    case "openai.responses":
      return "/v1/responses";
    case "anthropic.messages":
      return "/v1/messages";
    case "cohere.chat":
      return "/v2/chat";
    case "bedrock.converse":
      return `/model/${name}/converse${stream ? "-stream" : ""}`;
    case "gemini":
      return `/v1beta/models/${name}:${
        !stream
          ? "generateContent"
          : framing === "json-array"
            ? "streamGenerateContent"
            : "streamGenerateContent?alt=sse"
      }`;
  }
}

// The dialect of a client's path, or null.
export function dialectOfPath(target) {
  const found = [
    [/^\/v1\/chat\/completions/, "openai.chat"],
    [/^\/v1\/responses/, "openai.responses"],
    [/^\/v1\/messages/, "anthropic.messages"],
    [/^\/v2\/chat/, "cohere.chat"],
    [/^\/v1beta\/models\/.*:/, "gemini"],
    [/^\/model\//, "bedrock.converse"],
  ];
  return found.find(([pattern]) => pattern.test(target))?.[1] ?? null;
}

export const modelIsInPath = (dialect) => dialect === "gemini" || dialect === "bedrock.converse";

// The model that a request asks for, out of its path or its body. "/raw/NAME/…" is the path of no API: it names itself.
export function modelOf(url, body) {
  const match =
    url.match(/^\/raw\/([^/]+)\//) ?? url.match(/\/models\/([^/?]+):\w+/) ?? url.match(/\/model\/([^/?]+)\//);
  return match ? decodeURIComponent(match[1]) : JSON.parse(body).model;
}

// "go on", with what the dialect demands and with usage asked for.
export function smallest(dialect, model, stream) {
  const messages = [{ role: "user", content: "go on" }],
    flag = stream ? { stream } : {};
  switch (dialect) {
    case "openai.chat":
      return { model, messages, ...flag, ...(stream ? { stream_options: { include_usage: true } } : {}) };
    case "openai.responses":
      return { model, input: "go on", ...flag };
    case "anthropic.messages":
      return { model, max_tokens: 1024, messages, ...flag };
    case "cohere.chat":
      return { model, messages, stream };
    case "gemini":
      return { contents: [{ role: "user", parts: [{ text: "go on" }] }] };
    case "bedrock.converse":
      return { messages: [{ role: "user", content: [{ text: "go on" }] }] };
  }
}
