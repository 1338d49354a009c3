// The rules of `contract.md`, the list of every behaviour of engine and server and of the tests that hold it: how a line is
// read, when it is sound, and what a run of the tests says of it. No files and no processes: who collects the names
// and the outcomes of the tests is `scripts/steps/contract.mjs`.
"use strict";

const { tableRows } = require("./table.cjs");

/**
 * What holds a behaviour: a case of Jest by its name, one that runs on that carrier alone or among the adapters, a test of Rust by its path,
 * or a row of `unsupported.md`, which says that sio-rs differs here and why.
 *
 * @typedef {{kind: "jest" | "adopted" | "bridge" | "adapters" | "rust" | "unsupported", name: string}} Holder
 *
 * @typedef {object} Behaviour
 * @property {number} line where it stands in the file
 * @property {string} id
 * @property {string} sentence
 * @property {Holder[]} holders
 *
 * @typedef {object} KnownTests
 * @property {ReadonlySet<string>} jest the cases, named as `jestName` does
 * @property {ReadonlySet<string>} rust the tests, named `<target>::<path of the test>`
 * @property {ReadonlyMap<string, string>} unsupported the carrier of each row of `unsupported.md`, by `suite › case`
 *
 * @typedef {object} Outcome
 * @property {string} name named as in `KnownTests`; of Rust without the target
 * @property {boolean} passed
 */

/** Lower case words between dots, the topic first: `poll.overlap`, `ws.close-code.1009`. */
const ID = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/;

/** What a title is put together with, as Jest prints it. */
const SEPARATOR = " › ";

/** The label that `describeBoth` gives to an implementation, or those of a cluster; the same case has the same name on all. */
const IMPLEMENTATION = /^(socket\.io|sio-rs \(\w+\))(, (socket\.io|sio-rs \(\w+\)))*$/;

/**
 * The name of a case in the ledger: its suites and its title, without the implementation.
 *
 * @param {{ancestorTitles: string[], title: string}} assertion an entry of Jest's report
 */
function jestName({ ancestorTitles, title }) {
  const suites = ancestorTitles.filter((name) => !IMPLEMENTATION.test(name));
  return [...suites, title].join(SEPARATOR);
}

/**
 * @param {string} markdown
 * @returns {{behaviours: Behaviour[], faults: string[]}} a fault for each line that cannot be read or says nothing
 */
function parseContract(markdown) {
  const behaviours = [];
  const faults = [];
  const lineOfId = new Map();
  for (const { line, text, cells } of tableRows(markdown)) {
    const fault = (reason) => faults.push(`contract.md:${line}: ${reason}`);
    const [id = "", sentence = "", heldBy = ""] = cells;
    if (cells.length !== 3 || sentence === "") {
      fault(`not a row "| id | behaviour | held by |": ${text}`);
      continue;
    }
    if (!ID.test(id)) {
      fault(`"${id}" is no id: lower case words between dots, such as poll.overlap`);
      continue;
    }
    if (lineOfId.has(id)) {
      fault(`${id} stands in line ${lineOfId.get(id)} already; give one of them another id`);
      continue;
    }
    lineOfId.set(id, line);
    const holders = heldBy.split("<br>").map(holderOf);
    if (holders.includes(undefined)) {
      fault(`${id}: held by "${heldBy}". ${HOW_TO_HOLD}`);
      continue;
    }
    behaviours.push({ line, id, sentence, holders });
  }
  return { behaviours, faults };
}

const HOW_TO_HOLD =
  'A behaviour is held by "suite › case", "rust: target::path::test" or "unsupported: suite › case", ' +
  "several of them with <br> between; write the test if there is none";

const PREFIXED = /^\s*(?:(adopted|bridge|adapters|rust|unsupported): )?(.*?)\s*$/;

/**
 * @param {string} text
 * @returns {Holder | undefined}
 */
function holderOf(text) {
  const [, prefix, name] = PREFIXED.exec(text) ?? [];
  const kind = prefix ?? "jest";
  const isName = kind === "rust" ? name?.includes("::") : name;
  return isName ? { kind, name } : undefined;
}

/**
 * Whether each test that is named exists.
 *
 * @param {Behaviour[]} behaviours
 * @param {KnownTests} known
 * @returns {string[]} the faults
 */
function judgeHolders(behaviours, known) {
  const faults = [];
  for (const { line, id, holders } of behaviours) {
    for (const holder of holders) {
      const reason = faultOf(holder, known);
      if (reason) faults.push(`contract.md:${line}: ${id}: ${reason}`);
    }
  }
  return faults;
}

/**
 * @param {Holder} holder
 * @param {KnownTests} known
 */
function faultOf({ kind, name }, known) {
  const carrier = known.unsupported.get(name);
  switch (kind) {
    case "rust":
      if (known.rust.has(name)) return undefined;
      return `cargo has no test "${name}"; correct the path, which begins with the target, or write the test`;
    case "unsupported":
      if (carrier !== undefined) return undefined;
      return `unsupported.md has no row "${name}"; name the test itself if sio-rs passes it now`;
    default:
      if (!known.jest.has(name)) {
        return `Jest has no case "${name}"; correct its title or write the test`;
      }
      // A case that one carrier excuses holds the behaviour on the other alone, which the line has to say.
      if (carrier === undefined || (kind !== "jest" && ![kind, "any"].includes(carrier))) {
        return undefined;
      }
      return `"${name}" is expected to fail, unsupported.md says; write "unsupported: ${name}"`;
  }
}

/**
 * What a whole run says of each behaviour. A case counts as passed when it ran on both carriers, or in the run that the
 * line names, and passed wherever it ran; a run of adapters that there was not says nothing; cargo's output does not tell targets apart, so every test of that path has to have passed.
 *
 * @param {Behaviour[]} behaviours
 * @param {{jest: {run: string, outcomes: Outcome[]}[], rust: Outcome[]}} results
 * @returns {{held: number, excused: number, missing: string[]}} `excused` are those of the held that a row of
 *   `unsupported.md` excuses; `missing` has a line for each behaviour that is not held
 */
function judgeRun(behaviours, { jest, rust }) {
  const jestRuns = jest.map(({ run, outcomes }) => ({ run, verdicts: verdictsOf(outcomes) }));
  const rustVerdicts = verdictsOf(rust);
  const reasonsOf = ({ kind, name }) => {
    const isNamed = ["adopted", "bridge", "adapters"].includes(kind);
    const runs =
      kind === "rust"
        ? [{ run: "cargo test", verdict: rustVerdicts.get(name.slice(name.indexOf("::") + 2)) }]
        : jestRuns
            .filter(({ run }) => (isNamed ? run === kind : run !== "adapters"))
            .map(({ run, verdicts }) => ({ run, verdict: verdicts.get(name) }));
    return runs
      .filter(({ verdict }) => verdict !== true)
      .map(
        ({ run, verdict }) => `"${name}" ${verdict === false ? "failed" : "did not run"} (${run})`,
      );
  };

  const missing = [];
  let excused = 0;
  for (const { id, holders } of behaviours) {
    const reasons = holders.flatMap(reasonsOf);
    if (reasons.length > 0) missing.push(`${id}: ${reasons.join(", ")}`);
    else if (holders.some(({ kind }) => kind === "unsupported")) excused += 1;
  }
  return { held: behaviours.length - missing.length, excused, missing };
}

/** @param {Outcome[]} outcomes */
function verdictsOf(outcomes) {
  const verdicts = new Map();
  for (const { name, passed } of outcomes) {
    verdicts.set(name, passed && (verdicts.get(name) ?? true));
  }
  return verdicts;
}

module.exports = { jestName, judgeHolders, judgeRun, parseContract };
