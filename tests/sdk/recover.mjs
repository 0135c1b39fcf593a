// The official client libraries on routes with `recover`: a simulated provider of each dialect breaks its stream off, a
// second one goes on in the same answer, and each SDK rebuilds one message of it. A tap in front of the gateway checks
// the order of every stream's events. Prints failures and a last line "N passed, N failed".
//     node tests/sdk/recover.mjs [WORD]     only cases with WORD in "mode: provider's dialect, client's dialect"
import assert from "node:assert/strict";
import { ask, connect } from "./lib/clients.mjs";
import { clientKey, startGateway, startSimulator } from "./lib/gateway.mjs";
import { endOrder, framingOf, orderFaults } from "./lib/order.mjs";
import { simulated } from "./lib/stage.mjs";
import { startTap } from "./lib/tap.mjs";
import * as wire from "./lib/wire.mjs";

const [word = ""] = process.argv.slice(2);
const began = "one two three",
  rest = "and the rest",
  between = "\n\n[The answer broke off here. It starts over.]\n\n";
const says = (text) => `text=%22${text.replaceAll(" ", "%20")}%22`;
const modes = ["continue", "restart"];

const simulator = await startSimulator("recover-simulator", ["--quiet"]);
const provider = (dialect, path) => ({
  adapter: simulated[dialect].adapter,
  dialect,
  base_url: `${simulator.url}/s/${path}${simulated[dialect].end}`,
  keys: ["env:SDK_PROVIDER_KEY"],
  ...(simulated[dialect].region ? { region: simulated[dialect].region } : {}),
});
const secondOf = (dialect) => (dialect === "anthropic.messages" ? "chat" : "anthropic");
const price = { input: "1", output: "1", can: "tools prefill" };
const providers = {},
  routes = {},
  prices = {};
for (const dialect of wire.dialects) {
  const { name } = simulated[dialect];
  providers[name] = provider(dialect, `${says(`${began} four five six`)},reset=middle`);
  prices[`${name}/m`] = price;
}
for (const name of ["chat", "anthropic"]) {
  const dialect = Object.keys(simulated).find((d) => simulated[d].name === name);
  providers[`${name}-well`] = provider(dialect, says(rest));
  prices[`${name}-well/m`] = price;
}
for (const mode of modes) {
  for (const dialect of wire.dialects) {
    const { name } = simulated[dialect];
    routes[`${mode}-${name}`] = { targets: [`${name}/m`, `${secondOf(dialect)}-well/m`], recover: mode };
  }
}
const gateway = await startGateway(
  { providers, routes, prices, retry_budget: { percent: 1000, per_s: 1000 } },
  "recover-gateway",
);
let verdicts = [];
const front = await startTap(gateway.url, (exchange) => {
  const dialect = wire.dialectOfPath(exchange.path);
  const framing = framingOf(exchange.type, exchange.path);
  if (exchange.status === 200) verdicts.push(orderFaults(dialect, exchange.answer, { framing, whole: exchange.whole }));
});
const clients = connect(front.url, clientKey);

let passed = 0;
const failures = [];
for (const mode of modes) {
  for (const dialect of wire.dialects) {
    for (const client of wire.dialects) {
      const title = `${mode}: ${dialect}, ${client}`;
      if (!title.includes(word)) continue;
      try {
        verdicts = [];
        const answer = await ask(clients, client, `${mode}-${simulated[dialect].name}`, true);
        const joins = mode === "restart" && ["openai.chat", "gemini"].includes(client);
        assert.equal(answer.text, began + (joins ? between : "") + rest);
        assert.deepEqual((await Promise.all(verdicts)).flat(), []);
        passed += 1;
      } catch (error) {
        failures.push(`${title}: ${error.message}`);
      }
    }
  }
}
front.stop();
await gateway.stop();
await simulator.stop();
for (const { outcome, attempts } of word ? [] : gateway.traces()) {
  if (outcome !== "ok" || !attempts[1]?.recovered) failures.push(`a trace says ${outcome}, ${attempts.length} attempts`);
}
failures.push(...endOrder(word ? [] : wire.dialects));
for (const failure of failures) console.log(`FAILED  ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
