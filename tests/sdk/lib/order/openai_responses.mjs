// order/openai_responses: the order of events in a stream of the Responses API.
import { isText, jsonEvents } from "./events.mjs";

const partNames = {
  output_text: "output_text",
  refusal: "refusal",
  reasoning_text: "reasoning_text",
  summary_text: "reasoning_summary_text",
};

export function openaiResponses(bytes, must) {
  const events = jsonEvents(bytes, must),
    items = [];
  const terminal = ["response.completed", "response.incomplete", "response.failed", "error"];
  must(
    events[0]?.body?.type === "response.created" || events[0]?.body?.type === "error",
    "does not begin with response.created",
  );
  must(terminal.includes(events.at(-1)?.body?.type), `ends with ${events.at(-1)?.body?.type ?? "[DONE]"}`);
  let id = null;
  for (const [at, { done, name, body: e }] of events.entries()) {
    if (done) {
      must(false, "[DONE] in a stream of Responses");
      continue;
    }
    const where = `event ${at} (${e.type})`;
    must(name === e.type, `${where}: its name is ${name}`);
    // A stream that the gateway has to break off ends with an error that does not know its number.
    must(
      e.sequence_number === at || (e.type === "error" && e.sequence_number === 0),
      `${where}: sequence_number ${e.sequence_number}`,
    );
    // OpenAI tells an error twice: by itself, and as the end of the answer.
    const told = e.type === "error" && events[at + 1]?.body?.type === "response.failed";
    must(!terminal.includes(e.type) || at === events.length - 1 || told, `${where}: something follows the end`);
    if (e.response) {
      id ??= e.response.id;
      must(e.response.id === id && e.response.object === "response", `${where}: another response`);
    }
    responsesStep(e, items, must, where);
    if (e.type === "response.completed" || e.type === "response.incomplete")
      responsesEnd(e.response, items, must, where);
  }
}

function responsesStep(e, items, must, where) {
  const item = items[e.output_index];
  if (e.type === "response.output_item.added") {
    must(e.output_index === items.length, `${where}: output_index ${e.output_index} of ${items.length}`);
    must(
      items.every((i) => i.over),
      `${where}: the item before is still open`,
    );
    must(isText(e.item.id), `${where}: an item without id`);
    items.push({ id: e.item.id, type: e.item.type, parts: [], text: "", over: null, argued: false });
    return;
  }
  if (e.output_index === undefined) return;
  must(item && !item.over, `${where}: item ${e.output_index} is not open`);
  if (!item) return;
  if (e.item_id !== undefined) must(e.item_id === item.id, `${where}: item_id ${e.item_id}`);
  if (e.type === "response.output_item.done") {
    must(e.item.id === item.id && e.item.type === item.type, `${where}: not the item that was added`);
    must(
      item.parts.every((p) => p.over),
      `${where}: a part is still open`,
    );
    if (item.type === "function_call") {
      must(e.item.arguments === item.text, `${where}: arguments are not those of the deltas`);
      must(item.argued, `${where}: no response.function_call_arguments.done`);
      must(e.item.call_id && e.item.name, `${where}: a call without call_id or name`);
    }
    item.over = e.item;
  } else if (/function_call_arguments/.test(e.type)) {
    must(item.type === "function_call", `${where}: of a ${item.type}`);
    if (e.type.endsWith(".delta")) item.text += e.delta;
    else (must(e.arguments === item.text, `${where}: not the sum of the deltas`), (item.argued = true));
  } else responsesPart(e, item, must, where);
}

function responsesPart(e, item, must, where) {
  const at = e.content_index ?? e.summary_index;
  if (at === undefined) return;
  const part = item.parts[at];
  if (/part\.added$/.test(e.type)) {
    must(at === item.parts.length, `${where}: part ${at} of ${item.parts.length}`);
    item.parts.push({ kind: e.part.type, text: "", told: false, over: false });
    return;
  }
  must(part && !part.over, `${where}: part ${at} is not open`);
  if (!part) return;
  if (/part\.done$/.test(e.type)) {
    must((e.part.text ?? e.part.refusal) === part.text, `${where}: not the sum of the deltas`);
    must(part.told, `${where}: its text was not declared done`);
    part.over = true;
    return;
  }
  const [, kind, step] = e.type.match(/^response\.(\w+)\.(delta|done)$/) ?? [];
  if (!kind) return; // annotations
  must(kind === partNames[part.kind], `${where}: in a part of type ${part.kind}`);
  if (step === "delta") part.text += e.delta;
  else (must((e.text ?? e.refusal) === part.text, `${where}: not the sum of the deltas`), (part.told = true));
}

// OpenAI encrypts anew each time that it repeats a thought.
const asSent = (item) => JSON.stringify({ ...item, encrypted_content: undefined });

function responsesEnd(response, items, must, where) {
  must(response.output.length === items.length, `${where}: ${response.output.length} items, ${items.length} were sent`);
  must(
    items.every((i) => i.over),
    `${where}: an item is still open`,
  );
  for (const [i, item] of response.output.entries()) {
    must(asSent(item) === asSent(items[i]?.over), `${where}: item ${i} is not what was sent`);
  }
  must(response.status === where.match(/response\.(\w+)/)[1], `${where}: status ${response.status}`);
}
