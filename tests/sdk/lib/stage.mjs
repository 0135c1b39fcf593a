// stage: simulated providers of all dialects behind a gateway, with a tap on either side. Every stream that a client
// receives is checked for the order of its events; what a provider was sent and answered can be looked at.
import { clientKey, startGateway, startSimulator } from "./gateway.mjs";
import { framingOf, orderFaults } from "./order.mjs";
import { startTap } from "./tap.mjs";
import * as wire from "./wire.mjs";

// By dialect. name: of the provider; end: of its base URL; embedding: a model of it that embeds, where it has one.
export const simulated = {
  "openai.chat": {
    name: "chat",
    adapter: "openai",
    end: "/v1",
    model: "gpt-5-mini",
    embedding: "text-embedding-3-small",
  },
  "openai.responses": {
    name: "responses",
    adapter: "openai",
    end: "/v1",
    model: "gpt-5-mini",
    embedding: "text-embedding-3-small",
  },
  "anthropic.messages": {
    name: "anthropic",
    adapter: "anthropic",
    end: "/v1",
    model: "claude-sonnet-4-5",
    embedding: "claude-sonnet-4-5",
  },
  gemini: {
    name: "gemini",
    adapter: "gemini",
    end: "/v1beta",
    model: "gemini-2.5-flash",
    embedding: "gemini-embedding-001",
  },
  "cohere.chat": {
    name: "cohere",
    adapter: "cohere",
    end: "/v2",
    model: "command-a-reasoning-08-2025",
    embedding: "embed-v4.0",
  },
  "bedrock.converse": {
    name: "bedrock",
    adapter: "bedrock",
    region: "us-east-1",
    end: "",
    model: "anthropic.claude-sonnet-4-5-20250929-v1:0",
    embedding: "cohere.embed-english-v3",
  },
};

// Where the dialect signs its thoughts, in the bytes of an answer.
const signatures = {
  "openai.responses": /"encrypted_content": ?"([^"]+)"/,
  "anthropic.messages": /"signature": ?"([^"]+)"/,
  gemini: /"thoughtSignature": ?"([^"]+)"/,
  "bedrock.converse": /"signature": ?"([^"]+)"/,
};

// Routes "to-NAME" to a provider of each dialect named. name: of the log files.
export async function startStage(dialects, name) {
  const verdicts = []; // promises of what is wrong with a stream
  const simulator = await startSimulator(`${name}-simulator`);
  const back = await startTap(simulator.url);
  const listed = dialects.map((dialect) => [dialect, simulated[dialect]]);
  const gateway = await startGateway(
    {
      providers: Object.fromEntries(
        listed.map(([dialect, s]) => [
          s.name,
          {
            adapter: s.adapter,
            dialect,
            base_url: back.url + s.end,
            keys: ["env:SDK_PROVIDER_KEY"],
            ...(s.region ? { region: s.region } : {}),
          },
        ]),
      ),
      routes: Object.fromEntries(listed.map(([, s]) => [`to-${s.name}`, { targets: [`${s.name}/${s.model}`] }])),
    },
    name,
  );
  const front = await startTap(gateway.url, (exchange) => {
    const dialect = wire.dialectOfPath(exchange.path);
    const framing = framingOf(exchange.type, exchange.path);
    if (exchange.status === 200 && dialect && framing)
      verdicts.push(orderFaults(dialect, exchange.answer, { framing, whole: exchange.whole }));
  });
  const posts = () => back.exchanges.filter((e) => e.method === "POST");

  return {
    url: front.url,
    key: clientKey,
    clear() {
      verdicts.length = back.exchanges.length = front.exchanges.length = 0;
    },
    // Throws when a stream since clear() was not well ordered.
    async checkOrder() {
      const faults = (await Promise.all(verdicts)).flat();
      if (faults.length) throw new Error(`order of events: ${faults.join("; ")}`);
    },
    // Bodies that the provider was sent since clear(), oldest first.
    sent: () => posts().map((e) => e.body.toString()),
    // Bodies that the client has sent since clear(), oldest first.
    asked: () => front.exchanges.filter((e) => e.method === "POST").map((e) => e.body.toString()),
    // A signature of an earlier answer of the provider stands, byte for byte, in the last request that it got.
    checkSignature(dialect) {
      const list = posts(),
        body = list.at(-1).body.toString();
      const signed = list
        .slice(0, -1)
        .map((e) => e.answer.toString("latin1").match(signatures[dialect])?.[1])
        .filter(Boolean);
      if (!signed.length) throw new Error("the provider signed nothing");
      if (!signed.some((signature) => body.includes(signature))) {
        throw new Error(`the provider did not get back its signature ${signed.join(" or ")}: ${body.slice(0, 800)}`);
      }
    },
    async stop() {
      front.stop();
      back.stop();
      await gateway.stop();
      await simulator.stop();
    },
  };
}
