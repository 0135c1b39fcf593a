// tap: a proxy that changes nothing and keeps the last exchanges as bytes, so that tests can look at what an SDK
// received and at what a provider was sent. Streams pass as they come; who leaves early leaves on both sides.
import http from "node:http";

const KEPT = 40;

// target: URL of the server behind. onDone(exchange): called when an answer is over.
// exchange: { method, path, body, status, type, answer (Buffer), whole: it was not cut short }
export async function startTap(target, onDone = () => {}) {
  const exchanges = [],
    { hostname, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const received = [],
      answered = [];
    const exchange = {
      method: request.method,
      path: request.url,
      body: null,
      status: 0,
      type: "",
      answer: null,
      whole: false,
    };
    exchanges.push(exchange);
    if (exchanges.length > KEPT) exchanges.shift();
    const behind = http.request(
      { hostname, port, agent, method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        exchange.status = answer.statusCode;
        exchange.type = answer.headers["content-type"] ?? "";
        response.writeHead(answer.statusCode, answer.rawHeaders);
        const over = (whole) => {
          if (exchange.answer) return;
          exchange.answer = Buffer.concat(answered);
          exchange.whole = whole;
          onDone(exchange);
        };
        answer.on("data", (c) => {
          answered.push(c);
          response.write(c);
        });
        answer.on("end", () => {
          over(true);
          response.end();
        });
        answer.on("error", () => {
          over(false);
          response.destroy();
        });
      },
    );
    behind.on("error", () => response.destroy());
    response.on("close", () => {
      if (!response.writableFinished) behind.destroy();
    });
    request.on("data", (c) => {
      received.push(c);
      behind.write(c);
    });
    request.on("end", () => {
      exchange.body = Buffer.concat(received);
      behind.end();
    });
  });
  // A connection that is closed for having been idle is lost for the request that its client is just sending.
  server.keepAliveTimeout = server.requestTimeout = 0;
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    exchanges,
    // The last request that had a body, as text.
    lastBody: () => exchanges.findLast((e) => e.body?.length)?.body.toString() ?? "",
    last: () => exchanges.at(-1),
    stop: () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}
