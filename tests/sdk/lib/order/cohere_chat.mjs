// order/cohere_chat: the order of events in a stream of Cohere's chat, version 2.
import { isText, jsonEvents } from "./events.mjs";

export function cohereChat(bytes, must) {
  const events = jsonEvents(bytes, must);
  let state = "new",
    content = null,
    contents = 0,
    call = null,
    calls = 0,
    failed = false;
  for (const [at, { done, name, body: e }] of events.entries()) {
    if (done) {
      must(state === "over" && at === events.length - 1, "[DONE] before message-end");
      state = "done";
      continue;
    }
    const where = `event ${at} (${e.type})`,
      m = e.delta?.message;
    must(name === e.type, `${where}: its name is ${name}`);
    must(state === (e.type === "message-start" ? "new" : "open"), `${where}: in state ${state}`);
    switch (e.type) {
      case "message-start":
        must(isText(e.id) && m?.role === "assistant", `${where}: without id or role`);
        state = "open";
        break;
      case "content-start":
        must(
          !content && !call && e.index === contents && ["text", "thinking"].includes(m.content.type),
          `${where}: index ${e.index}`,
        );
        content = m.content.type;
        break;
      case "content-delta":
        must(content && e.index === contents && isText(m.content[content]), `${where}: block ${e.index} is not open`);
        break;
      case "content-end":
        must(content && e.index === contents, `${where}: block ${e.index} is not open`);
        content = null;
        contents++;
        break;
      case "tool-plan-delta":
        must(calls === 0 && isText(m.tool_plan), `${where}: a plan after a call`);
        break;
      case "tool-call-start":
        must(!call && !content && e.index === calls, `${where}: index ${e.index}`);
        call = m.tool_calls;
        must(
          isText(call.id) && call.id && call.type === "function" && isText(call.function?.name),
          `${where}: a call without id, type or name`,
        );
        call = { text: call.function?.arguments ?? "" };
        break;
      case "tool-call-delta":
        must(call && e.index === calls, `${where}: call ${e.index} is not open`);
        if (call) call.text += m.tool_calls.function.arguments;
        break;
      case "tool-call-end":
        must(call && e.index === calls, `${where}: call ${e.index} is not open`);
        call = null;
        calls++;
        break;
      case "citation-start":
      case "citation-end":
        break;
      case "message-end":
        must(isText(e.delta.finish_reason), `${where}: no finish_reason`);
        failed = ["ERROR", "TIMEOUT"].includes(e.delta.finish_reason);
        must(failed || (!content && !call), `${where}: something is still open`);
        state = "over";
        break;
      default:
        must(false, `${where}: unknown`);
    }
  }
  must(state === (failed ? "over" : "done"), `ends in state ${state}`);
}
