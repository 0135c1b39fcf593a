// post: requests with exact bytes, over connections that are kept.
import http from "node:http";

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

// { status, headers, body (Buffer) }. text: null for a request without a body.
export function send(method, url, key, text) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    if (text !== null)
      Object.assign(headers, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    const request = http.request(url, { method, agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (c) => chunks.push(c));
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
      );
      response.on("error", reject);
    });
    request.setTimeout(20000, () => request.destroy(new Error("no answer in 20 s")));
    request.on("error", reject);
    request.end(text ?? undefined);
  });
}
