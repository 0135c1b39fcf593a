// upstream: serves recorded answers. The model of a request names the recording; "ID~cut=5,900" writes the answer in
// pieces that end there. Keeps the last body received for each model.
import http from "node:http";

const paths = { "openai.chat": "/v1/chat/completions", "anthropic.messages": "/v1/messages" };

export async function startUpstream(recordings) {
  const received = new Map(), wrong = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (c) => chunks.push(c));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const model = JSON.parse(body).model;
      const [id, plan] = model.split("~cut=");
      const r = recordings.get(id);
      received.set(model, { body, headers: request.headers, path: request.url });
      if (!r) return response.writeHead(404, { "content-type": "application/json" }).end(
        '{"error":{"message":"no recording"}}');
      if (!request.url.startsWith(paths[r.protocol])) wrong.push(`${request.url} for ${id}`);
      const bytes = Buffer.from(r.response_body, "utf8");
      const headers = { "content-type": r.response_headers?.["content-type"] ?? (r.stream_framing ? "text/event-stream"
        : "application/json") };
      for (const name of ["retry-after"]) if (r.response_headers?.[name]) headers[name] = r.response_headers[name];
      if (!r.stream_framing) headers["content-length"] = bytes.length;
      response.writeHead(r.status, headers);
      response.socket.setNoDelay(true);
      const cuts = [...(plan ?? "").split(",").filter(Boolean).map(Number), bytes.length];
      let at = 0;
      const next = () => {
        const end = cuts.shift();
        if (end > at) response.write(bytes.subarray(at, end));
        at = Math.max(at, end);
        if (cuts.length) setTimeout(next, 1);
        else response.end();
      };
      next();
    });
  });
  server.keepAliveTimeout = 60000;
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`, received, wrong,
    stop: () => { server.closeAllConnections?.(); server.close(); },
  };
}
