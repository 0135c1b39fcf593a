// native: reads recorded answers of all six dialects into what must survive a translation (native/meaning.mjs). One
// reader a dialect, written from the providers' documentation; none knows anything of Moongate.
import { answerBytes, awsEvents, sseEvents } from "./framing.mjs";
import * as anthropic from "./native/anthropic_messages.mjs";
import * as bedrock from "./native/bedrock_converse.mjs";
import * as chat from "./native/openai_chat.mjs";
import * as cohere from "./native/cohere_chat.mjs";
import * as gemini from "./native/gemini.mjs";
import * as responses from "./native/openai_responses.mjs";

export const readers = {
  "openai.chat": chat,
  "openai.responses": responses,
  "anthropic.messages": anthropic,
  gemini,
  "cohere.chat": cohere,
  "bedrock.converse": bedrock,
};

// The dialect of a recording's protocol, or null.
export function dialectOf(protocol) {
  if (protocol === "gemini.generateContent" || protocol === "gemini.streamGenerateContent") return "gemini";
  if (protocol === "cohere.v2.chat") return "cohere.chat";
  return protocol in readers ? protocol : null;
}

// What recording r means.
export function read(r) {
  const reader = readers[dialectOf(r.protocol)];
  return r.stream_framing ? reader.stream(answerBytes(r)) : reader.whole(JSON.parse(r.response_body));
}

const ownTools = ["toolCall", "toolResponse", "executableCode", "codeExecutionResult"];

// The signatures that a provider put on what the model thought in recording r, as they stand there. Those on calls of
// tools that it runs itself, and its compacted histories, are for its own clients only.
export function signaturesOf(r) {
  const found = new Set(),
    keys = {
      "anthropic.messages": "signature",
      "bedrock.converse": "signature",
      gemini: "thoughtSignature",
      "openai.responses": "encrypted_content",
    };
  const walk = (value) => {
    if (!value || typeof value !== "object" || value.type === "compaction" || ownTools.some((key) => key in value))
      return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === keys[r.dialect] && typeof inner === "string" && inner) found.add(inner);
      else walk(inner);
    }
  };
  if (!r.stream_framing) walk(JSON.parse(r.response_body));
  else if (r.stream_framing === "aws-eventstream") awsEvents(answerBytes(r)).forEach((e) => walk(JSON.parse(e.data)));
  else if (r.stream_framing === "json-array") walk(JSON.parse(r.response_body));
  // Responses encrypts anew each time that it repeats a thought: what counts is the item when it is done.
  else
    sseEvents(r.response_body)
      .map((e) => (e.data === "[DONE]" ? {} : JSON.parse(e.data)))
      .filter((e) => r.dialect !== "openai.responses" || e.type === "response.output_item.done")
      .forEach(walk);
  return [...found];
}
