// order/anthropic_messages: the order of events in a stream of the Messages API.
import { isCount, isText, jsonEvents } from "./events.mjs";

const blockDeltas = {
  text: ["text_delta", "citations_delta"],
  thinking: ["thinking_delta", "signature_delta"],
  tool_use: ["input_json_delta"],
  server_tool_use: ["input_json_delta"],
};

export function anthropicMessages(bytes, must) {
  const events = jsonEvents(bytes, must);
  let block = null,
    count = 0,
    state = "new",
    json = "";
  for (const [at, { done, name, body: e }] of events.entries()) {
    if (done) {
      must(false, "[DONE] in a stream of Messages");
      continue;
    }
    const where = `event ${at} (${e.type})`;
    must(name === e.type, `${where}: its name is ${name}`);
    must(state !== "over", `${where}: something follows the end`);
    if (e.type === "ping") continue;
    if (e.type === "error") {
      must(isText(e.error?.type) && isText(e.error?.message), `${where}: an error without type or message`);
      state = "over";
    } else if (e.type === "message_start") {
      must(state === "new", `${where}: in state ${state}`);
      must(
        e.message.role === "assistant" &&
          e.message.type === "message" &&
          e.message.content.length === 0 &&
          isText(e.message.id) &&
          isText(e.message.model) &&
          isCount(e.message.usage?.input_tokens),
        `${where}: not a whole message`,
      );
      state = "open";
    } else if (e.type === "content_block_start") {
      must(state === "open" && !block, `${where}: in state ${state}, block ${block?.type ?? "none"} open`);
      must(e.index === count, `${where}: index ${e.index}, not ${count}`);
      block = e.content_block;
      json = "";
      if (block.type === "tool_use")
        must(
          isText(block.id) && block.id && isText(block.name) && block.input,
          `${where}: a call without id, name or input`,
        );
    } else if (e.type === "content_block_delta") {
      must(block && e.index === count, `${where}: block ${e.index} is not open`);
      must(
        (blockDeltas[block?.type] ?? []).includes(e.delta.type),
        `${where}: ${e.delta.type} in a block of type ${block?.type}`,
      );
      json += e.delta.partial_json ?? "";
    } else if (e.type === "content_block_stop") {
      must(block && e.index === count, `${where}: block ${e.index} is not open`);
      block = null;
      count++;
    } else if (e.type === "message_delta") {
      must(state === "open" && !block, `${where}: in state ${state}, block ${block?.type ?? "none"} open`);
      must(isText(e.delta.stop_reason) && isCount(e.usage?.output_tokens), `${where}: without stop_reason or usage`);
      state = "told";
    } else if (e.type === "message_stop") {
      must(state === "told", `${where}: in state ${state}`);
      state = "over";
    } else must(false, `${where}: unknown`);
  }
  must(state === "over", `ends in state ${state}`);
}
