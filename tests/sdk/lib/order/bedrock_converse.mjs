// order/bedrock_converse: the order of events in a stream of ConverseStream.
import { awsEvents } from "../framing.mjs";
import { isCount, isText } from "./events.mjs";

const cited = new Set(["citation"]); // stands before and after the text that it belongs to

export function bedrockConverse(bytes, must) {
  const events = awsEvents(bytes);
  let state = "new",
    open = null,
    count = 0;
  for (const [at, { headers, name, exception, data }] of events.entries()) {
    const where = `message ${at} (${name ?? exception})`,
      e = JSON.parse(data);
    must(headers[":content-type"] === "application/json", `${where}: content type ${headers[":content-type"]}`);
    must(
      headers[":message-type"] === (exception ? "exception" : "event"),
      `${where}: message type ${headers[":message-type"]}`,
    );
    must(state !== "over", `${where}: something follows the end`);
    if (exception) {
      must(isText(e.message), `${where}: an exception without a message`);
      state = "over";
    } else if (name === "messageStart") {
      must(state === "new" && e.role === "assistant", `${where}: in state ${state}`);
      state = "open";
    } else if (name === "contentBlockStart") {
      must(
        state === "open" && !open && e.contentBlockIndex === count,
        `${where}: index ${e.contentBlockIndex}, not ${count}`,
      );
      const use = e.start?.toolUse;
      if (use)
        must(isText(use.toolUseId) && use.toolUseId && isText(use.name), `${where}: a call without toolUseId or name`);
      open = use ? "toolUse" : "other";
    } else if (name === "contentBlockDelta") {
      const kind = Object.keys(e.delta)[0];
      must(state === "open" && e.contentBlockIndex === count, `${where}: block ${e.contentBlockIndex} is not open`);
      must((kind === "toolUse") === (open === "toolUse"), `${where}: ${kind} in a block of type ${open}`);
      must(
        !open || open === kind || open === "other" || cited.has(kind),
        `${where}: ${kind} in a block of type ${open}`,
      );
      open ??= cited.has(kind) ? "other" : kind;
    } else if (name === "contentBlockStop") {
      must(open && e.contentBlockIndex === count, `${where}: block ${e.contentBlockIndex} is not open`);
      open = null;
      count++;
    } else if (name === "messageStop") {
      must(
        state === "open" && !open && isText(e.stopReason),
        `${where}: in state ${state}, ${open ?? "no"} block open`,
      );
      state = "stopped";
    } else if (name === "metadata") {
      const u = e.usage ?? {};
      must(state === "stopped", `${where}: in state ${state}`);
      must(
        isCount(u.inputTokens) && isCount(u.outputTokens) && isCount(u.totalTokens) && isCount(e.metrics?.latencyMs),
        `${where}: usage or metrics are not whole`,
      );
      state = "over";
    } else must(false, `${where}: unknown`);
  }
  must(state === "over", `ends in state ${state}`);
}
