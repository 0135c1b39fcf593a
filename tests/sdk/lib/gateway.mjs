// gateway: starts the real binary (and its simulator) for a test and stops it; keeps what they print under TEST_LOGS.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

export const binary = process.env.MOONGATE ?? "build/moongate";
export const logs = process.env.TEST_LOGS ?? "build/test-logs/sdk";
export const clientKey = "mg-canary7Q-sdk-0123456789abcdef";

const environment = { SDK_PROVIDER_KEY: "sk-canary7Q-sdk-provider", SDK_CLIENT_KEY: clientKey };

// A config value as Lua source. Strings "env:NAME" become secret references.
function lua(value) {
  if (Array.isArray(value)) return `{ ${value.map(lua).join(", ")} }`;
  if (value && typeof value === "object") {
    return `{ ${Object.entries(value)
      .map(([k, v]) => `[${JSON.stringify(k)}] = ${lua(v)}`)
      .join(", ")} }`;
  }
  if (typeof value === "string" && value.startsWith("env:")) return `env ${JSON.stringify(value.slice(4))}`;
  return JSON.stringify(value);
}

// Runs argv until a line of its output matches `ready`; resolves to { child, match, stop }.
function start(name, argv, ready) {
  fs.mkdirSync(logs, { recursive: true });
  const log = path.join(logs, name);
  const child = spawn(argv[0], argv.slice(1), {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  fs.writeFileSync(`${log}.out`, "");
  fs.writeFileSync(`${log}.err`, "");
  child.stderr.on("data", (bytes) => fs.appendFileSync(`${log}.err`, bytes));
  const ended = new Promise((done) => child.on("exit", (code, signal) => done(code ?? signal)));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} is not ready after 60 s`)), 60000);
    child.on("error", reject);
    ended.then((code) => reject(new Error(`${name} ended with ${code}: ${out}${fs.readFileSync(`${log}.err`)}`)));
    child.stdout.on("data", (bytes) => {
      fs.appendFileSync(`${log}.out`, bytes);
      out += bytes;
      const match = out.match(ready);
      if (!match) return;
      clearTimeout(timer);
      const stop = async () => {
        child.kill("SIGTERM");
        const status = await ended;
        if (status !== 0) throw new Error(`${name} ended with ${status}: ${fs.readFileSync(`${log}.err`)}`);
      };
      resolve({ child, match, stop });
    });
  });
}

// A gateway with these providers and routes. { url, stop(), traces() }
export async function startGateway(config, name = "gateway") {
  fs.mkdirSync(logs, { recursive: true });
  const file = path.join(logs, `${name}.lua`);
  const traceFile = path.resolve(logs, `${name}-traces.jsonl`);
  fs.rmSync(traceFile, { force: true });
  fs.writeFileSync(
    file,
    `return ${lua({
      listen: "127.0.0.1:0",
      admin: { listen: "127.0.0.1:0" },
      workers: 1,
      trace: { file: traceFile },
      // Providers fail here on purpose: each failure is to be seen, none is to keep a target or its key from the next.
      health: { eject: "0s", key_bench: "0s" },
      teams: { sdk: {} },
      keys: [{ name: "sdk", team: "sdk", key: "env:SDK_CLIENT_KEY" }],
      ...config,
    })}\n`,
  );
  const running = await start(name, [binary, "run", "--config", file], /moongate: ready on 127\.0\.0\.1:(\d+)/);
  return {
    url: `http://127.0.0.1:${running.match[1]}`,
    stop: running.stop,
    traces: () =>
      fs
        .readFileSync(traceFile, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
  };
}

// `moongate simulate`: { url, stop() }
export async function startSimulator(name = "simulator", options = []) {
  const running = await start(
    name,
    [binary, "simulate", "--listen", "127.0.0.1:0", ...options],
    /listening on \S*?:(\d+)/,
  );
  return { url: `http://127.0.0.1:${running.match[1]}`, stop: running.stop };
}
