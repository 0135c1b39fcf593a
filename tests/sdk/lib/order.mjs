// order: is a stream that a client received put together as its provider does? The checkers are those of all tests
// (tests/lua/dialects/order.lua), one process of them a program; this hands over the bytes and counts the streams.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { dialects } from "./wire.mjs";

const here = path.dirname(new URL(import.meta.url).pathname);
const waiting = [],
  counts = new Map(dialects.map((dialect) => [dialect, { whole: 0, cut: 0 }]));
let tool = null;

function startTool() {
  tool = spawn("lua5.4", [path.join(here, "../../lua/dialects/order_tool.lua")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  readline.createInterface({ input: tool.stdout }).on("line", (line) => waiting.shift()(JSON.parse(line)));
  tool.on("exit", (code) => {
    for (const told of waiting.splice(0)) told([`the checker of the order of events ended with ${code}`]);
  });
}

// What is wrong with a stream (Buffer), as sentences. framing: "json-array" for Gemini without SSE; whole: false where
// it is the beginning of one.
export function orderFaults(dialect, bytes, { framing, whole = true } = {}) {
  if (!tool) startTool();
  counts.get(dialect)[whole ? "whole" : "cut"]++;
  tool.stdin.write(`${dialect} ${framing ?? "sse"} ${whole ? "whole" : "cut"} ${bytes.length}\n`);
  tool.stdin.write(bytes);
  return new Promise((told) => waiting.push(told));
}

// The framing of a streamed answer by its content type and the path that was asked, or null when it is none.
export function framingOf(type, target) {
  if (/amazon\.eventstream/.test(type)) return "aws";
  if (/event-stream/.test(type)) return "sse";
  return /application\/json/.test(type) && /:streamGenerateContent/.test(target) ? "json-array" : null;
}

// At the end of a program: prints how many streams of each dialect were checked; the list of what is missing, where
// each of `needed` must have had one.
export function endOrder(needed) {
  tool?.stdin.end();
  for (const [dialect, { whole, cut }] of counts) {
    console.log(`order of events: ${dialect.padEnd(20)} ${String(whole).padStart(6)} whole, ${cut} left by the client`);
  }
  return needed
    .filter((dialect) => !counts.get(dialect).whole)
    .map((dialect) => `order of events: no whole stream of ${dialect}`);
}
