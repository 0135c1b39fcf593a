// upstream: serves recorded answers. The model of a request names the recording; "ID~cut=5,900" writes the answer in
// pieces that end there; any other "ID~…" tells requests apart. Keeps the last request received for each model, and
// what it finds wrong with a path.
import http from "node:http";
import { answerBytes } from "./framing.mjs";
import { modelOf, pathOf } from "./wire.mjs";

const kept = ["retry-after", "x-amzn-errortype"];

function headersOf(r, bytes) {
  const usual = { sse: "text/event-stream", "aws-eventstream": "application/vnd.amazon.eventstream" };
  const headers = {
    "content-type": r.response_headers?.["content-type"] ?? usual[r.stream_framing] ?? "application/json",
  };
  for (const name of kept) if (r.response_headers?.[name]) headers[name] = r.response_headers[name];
  if (!r.stream_framing) headers["content-length"] = bytes.length;
  return headers;
}

// Pieces of bytes that end at the places given, each in a write of its own.
function writePieces(response, bytes, cuts) {
  const ends = [...cuts, bytes.length];
  let at = 0;
  const next = () => {
    const end = ends.shift();
    if (end > at) response.write(bytes.subarray(at, end));
    at = Math.max(at, end);
    if (ends.length) setTimeout(next, 1);
    else response.end();
  };
  next();
}

export async function startUpstream(recordings) {
  const received = new Map(),
    wrong = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (c) => chunks.push(c));
    request.on("end", () => {
      const body = Buffer.concat(chunks),
        model = modelOf(request.url, body);
      const [id, plan] = model.split("~");
      const cuts = plan?.startsWith("cut=") ? plan.slice(4).split(",").map(Number) : [];
      const r = recordings.get(id);
      received.set(model, { body, headers: request.headers, path: request.url });
      if (!r)
        return response
          .writeHead(404, { "content-type": "application/json" })
          .end('{"error":{"message":"no recording"}}');
      // An array is what a recorded server sent though SSE could be asked for.
      const fits = [r.stream_framing, null].some(
        (framing) => request.url === pathOf(r.dialect, model, r.streaming, framing),
      );
      if (!fits && r.dialect && r.stream_framing && !request.url.startsWith("/raw/"))
        wrong.push(`${request.url} for ${id}`);
      const bytes = answerBytes(r);
      response.writeHead(r.status, headersOf(r, bytes));
      response.socket.setNoDelay(true);
      writePieces(response, bytes, cuts);
    });
  });
  server.keepAliveTimeout = 60000;
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    received,
    wrong,
    stop: () => {
      server.closeAllConnections?.();
      server.close();
    },
  };
}
