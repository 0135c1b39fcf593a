// order: is a stream of a dialect put together as its provider does? One checker a dialect (order/), each a small state
// machine over the bytes; they are run on every stream that the gateway writes in these tests. A stream that ends with
// an error of its dialect is well ordered when nothing follows the error.
import { anthropicMessages } from "./order/anthropic_messages.mjs";
import { bedrockConverse } from "./order/bedrock_converse.mjs";
import { cohereChat } from "./order/cohere_chat.mjs";
import { gemini } from "./order/gemini.mjs";
import { openaiChat } from "./order/openai_chat.mjs";
import { openaiResponses } from "./order/openai_responses.mjs";

const checkers = {
  "openai.chat": openaiChat,
  "openai.responses": openaiResponses,
  "anthropic.messages": anthropicMessages,
  gemini,
  "cohere.chat": cohereChat,
  "bedrock.converse": bedrockConverse,
};

// What is wrong with a whole stream, as sentences. framing: "json-array" for Gemini without SSE.
export function orderFaults(dialect, bytes, { framing } = {}) {
  const faults = [];
  const must = (fact, text) => {
    if (!fact && faults.length < 10) faults.push(text);
  };
  try {
    checkers[dialect](bytes, must, framing);
  } catch (error) {
    faults.push(`${error.constructor.name}: ${error.message}`);
  }
  return faults;
}
