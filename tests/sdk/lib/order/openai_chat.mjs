// order/openai_chat: the order of events in a stream of Chat Completions.
import { isCount, isText, jsonEvents } from "./events.mjs";

export function openaiChat(bytes, must) {
  const events = jsonEvents(bytes, must),
    last = events.at(-1) ?? {};
  const open = new Map(); // by choice: { finished, calls }
  let id = null,
    usages = 0;
  must(last.done || last.body?.error, "ends with neither [DONE] nor an error");
  for (const [at, { done, name, body }] of events.entries()) {
    const where = `chunk ${at}`,
      final = at === events.length - 1;
    must(name === null, `${where} has an event name`);
    if (done || body.error) {
      must(final, `${where}: something follows the end`);
      if (body?.error) must(isText(body.error.message), `${where}: an error without a message`);
      continue;
    }
    id ??= body.id;
    must(isText(body.id) && body.id === id, `${where}: its id changes`);
    must(body.object === "chat.completion.chunk", `${where}: object ${body.object}`);
    must(isCount(body.created) && isText(body.model), `${where}: created or model is missing`);
    must(Array.isArray(body.choices), `${where}: no choices`);
    if (body.usage) {
      usages++;
      must(usages === 1, `${where}: a second usage`);
      must(body.choices.length === 0, `${where}: usage beside choices`);
      const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = body.usage;
      must(isCount(input) && isCount(output) && total === input + output, `${where}: usage does not add up`);
    } else must(body.choices.length > 0, `${where}: neither choices nor usage`);
    must(!usages || body.choices.length === 0, `${where}: a choice after the usage`);
    for (const choice of body.choices) chatChoice(choice, open, must, where);
  }
  if (last.done) for (const [index, c] of open) must(c.finished, `choice ${index} has no finish reason`);
}

function chatChoice(choice, open, must, where) {
  const fresh = !open.has(choice.index),
    delta = choice.delta;
  if (fresh) open.set(choice.index, { finished: false, calls: [] });
  const c = open.get(choice.index);
  must(delta && typeof delta === "object", `${where}: a choice without a delta`);
  must(!c.finished, `${where}: choice ${choice.index} goes on after its finish reason`);
  must(fresh ? delta.role === "assistant" : delta.role === undefined, `${where}: role ${delta.role}`);
  for (const call of delta.tool_calls ?? []) {
    if (c.calls[call.index] === undefined) {
      must(call.index === c.calls.length, `${where}: index of a tool call jumps to ${call.index}`);
      must(
        isText(call.id) && call.id && call.type === "function" && call.function?.name,
        `${where}: a call begins without id, type or name`,
      );
      c.calls[call.index] = call.id;
    } else
      must(call.id === undefined && call.function.name === undefined, `${where}: a later fragment repeats id or name`);
    must(isText(call.function?.arguments), `${where}: arguments are no text`);
  }
  if (choice.finish_reason) {
    c.finished = true;
    const words = ["stop", "length", "tool_calls", "content_filter", "function_call"];
    must(words.includes(choice.finish_reason), `${where}: finish reason ${choice.finish_reason}`);
  }
}
