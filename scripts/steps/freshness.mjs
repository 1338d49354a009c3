// Whether the output of a build step still belongs to its inputs. A stamp under target/ keeps a hash
// of what went in and of what came out; the step is skipped while both still hold.
// Contents are compared, not times: a git checkout or an unpacked archive gives every file a new time.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "./command.mjs";

/** Folders that hold results, never inputs. */
const RESULT_FOLDERS = new Set(["target", "node_modules"]);

/**
 * Runs `work` unless the stamp of `name` says that nothing has changed.
 *
 * @param {string} name names the stamp
 * @param {{inputs: string[], outputs: string[]}} paths files and folders, from the root of the checkout;
 *   those that do not exist count as empty
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} whether the work was done
 */
export async function unlessFresh(name, { inputs, outputs }, work) {
  const stampFile = join(ROOT, "target", "stamps", `${name}.json`);
  const inputsHash = hashOf(inputs);
  const stamp = readStamp(stampFile);
  if (stamp?.inputs === inputsHash && stamp.outputs === hashOf(outputs)) return false;

  await work();
  mkdirSync(join(ROOT, "target", "stamps"), { recursive: true });
  writeFileSync(stampFile, JSON.stringify({ inputs: inputsHash, outputs: hashOf(outputs) }));
  return true;
}

function readStamp(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function hashOf(paths) {
  const hash = createHash("sha256");
  for (const file of paths.flatMap((path) => filesUnder(join(ROOT, path)))) {
    hash.update(`${relative(ROOT, file)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

function filesUnder(path) {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return [];
  if (entry.isFile()) return [path];
  return readdirSync(path)
    .filter((name) => !RESULT_FOLDERS.has(name))
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}
