// framing: takes streams of bytes apart as their standards say: SSE, AWS event stream (both CRCs checked), a JSON
// array. Knows nothing of Moongate. It does NOT read incrementally: the whole body is there.
import { crc32 } from "node:zlib";

// { name, data } of each event of an SSE body, in any line ending.
export function sseEvents(body) {
  const events = [];
  let name = null,
    lines = [];
  for (const line of (body + "\n\n").replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    if (line === "") {
      if (lines.length) events.push({ name, data: lines.join("\n") });
      name = null;
      lines = [];
    } else if (line.startsWith("data:")) lines.push(line.slice(5).replace(/^ /, ""));
    else if (line.startsWith("event:")) name = line.slice(6).trim();
  }
  return events;
}

function awsHeaders(bytes) {
  const headers = {};
  for (let at = 0; at < bytes.length;) {
    const name = bytes.toString("utf8", at + 1, at + 1 + bytes[at]);
    at += 1 + bytes[at];
    if (bytes[at] !== 7) throw new Error(`header ${name} of type ${bytes[at]}`);
    const length = bytes.readUInt16BE(at + 1);
    headers[name] = bytes.toString("utf8", at + 3, at + 3 + length);
    at += 3 + length;
  }
  return headers;
}

// { headers, name, exception, data } of each message of an AWS event stream.
export function awsEvents(bytes) {
  const events = [];
  for (let at = 0; at < bytes.length;) {
    const total = bytes.readUInt32BE(at),
      head = bytes.readUInt32BE(at + 4);
    if (at + total > bytes.length) throw new Error(`an AWS message of ${total} bytes is cut off`);
    if (crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32BE(at + 8)) throw new Error("CRC of an AWS prelude");
    if (crc32(bytes.subarray(at, at + total - 4)) !== bytes.readUInt32BE(at + total - 4)) {
      throw new Error("CRC of an AWS message");
    }
    const headers = awsHeaders(bytes.subarray(at + 12, at + 12 + head));
    events.push({
      headers,
      name: headers[":event-type"] ?? null,
      exception: headers[":exception-type"] ?? null,
      data: bytes.toString("utf8", at + 12 + head, at + total - 4),
    });
    at += total;
  }
  return events;
}

// The bytes that a recording's answer had.
export function answerBytes(r) {
  return Buffer.from(r.response_body, r.response_body_encoding === "base64" ? "base64" : "utf8");
}
