// report: counts of a run by API and kind of case, its failures, and the exceptions that are listed with their reasons.
// One that is not listed is a failure, and so is a listed one that passes, or that names nothing that was run.
import fs from "node:fs";

// Keys "KIND ID" or, where several clients or providers are meant, "KIND A,B ID".
function load(file) {
  const listed = new Map();
  for (const [key, reason] of Object.entries(JSON.parse(fs.readFileSync(file, "utf8")))) {
    const [kind, ...rest] = key.split(" ");
    if (rest.length === 1) listed.set(key, reason);
    else for (const one of rest[0].split(",")) listed.set(`${kind} ${one} ${rest[1]}`, reason);
  }
  return listed;
}

export function startReport(file) {
  const listed = load(file),
    table = new Map(),
    used = new Map(),
    failures = [];
  let passed = 0;

  return {
    failures,
    isListed: (name) => listed.has(name),
    get passed() {
      return passed;
    },

    // Runs one case. row: of the table; kind: its column.
    async check(row, kind, name, fn) {
      const cells = table.get(row) ?? table.set(row, {}).get(row),
        cell = (cells[kind] ??= { passed: 0, all: 0 });
      let fault = null;
      cell.all++;
      try {
        await fn();
      } catch (error) {
        fault = `${error.constructor.name === "Error" ? "" : `${error.constructor.name}: `}${error.message}`;
      }
      if (listed.has(name)) {
        used.set(name, listed.get(name));
        if (!fault) failures.push(`${name}: passes, but is listed as an exception`);
        return;
      }
      if (fault) return void failures.push(`${name}: ${fault.slice(0, 600)}`);
      cell.passed++;
      passed++;
    },

    print(kinds, { whole = true } = {}) {
      if (whole)
        for (const name of listed.keys()) if (!used.has(name)) failures.push(`${name}: an exception that nothing ran`);
      const total = {};
      console.log(`${"".padEnd(28)}${kinds.map((k) => k.padStart(12)).join("")}`);
      for (const [row, cells] of [...table].sort()) {
        console.log(
          row.padEnd(28) +
            kinds.map((k) => (cells[k] ? `${cells[k].passed}/${cells[k].all}` : "").padStart(12)).join(""),
        );
        for (const k of kinds) {
          total[k] ??= [0, 0];
          total[k][0] += cells[k]?.passed ?? 0;
          total[k][1] += cells[k]?.all ?? 0;
        }
      }
      console.log("all".padEnd(28) + kinds.map((k) => total[k].join("/").padStart(12)).join(""));
      const reasons = new Map();
      for (const [name, reason] of used) reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
      for (const [reason, names] of reasons) console.log(`exceptions  ${names.length} × ${reason}`);
      for (const text of failures) console.log(`FAILED  ${text}`);
      console.log(`${passed} passed, ${failures.length} failed`);
    },
  };
}

// At most `width` of the list at a time.
export async function inParallel(list, width, fn) {
  const queue = [...list];
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (queue.length) await fn(queue.shift());
    }),
  );
}
