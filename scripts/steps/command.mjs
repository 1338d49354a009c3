// Runs another program to its end. Nothing here knows what the program is for.
// A program that is not installed is an answer (`missing`), not an exception: the
// caller knows how to get it.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The root of the checkout; every program runs there. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * @param {string} program
 * @param {string[]} args
 * @param {object} [options]
 * @param {"show" | "keep" | "both"} [options.stdout] what becomes of its output: shown as it comes,
 *   kept for the caller, or both
 * @param {"show" | "keep"} [options.stderr] kept text is joined to `output` in the order it came
 * @param {Record<string, string | undefined>} [options.env] added to this process's own
 * @param {number} [options.limitMs] the program is killed when it takes longer
 * @returns {Promise<{ok: boolean, missing: boolean, timedOut: boolean, output: string}>}
 */
export function run(program, args, options = {}) {
  const { stdout = "show", stderr = "show", env = {}, limitMs } = options;
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: [
      "ignore",
      stdout === "show" ? "inherit" : "pipe",
      stderr === "show" ? "inherit" : "pipe",
    ],
  });

  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    output += text;
    if (stdout === "both") process.stdout.write(text);
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    output += text;
  });

  let timedOut = false;
  const limit =
    limitMs &&
    setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, limitMs);

  return new Promise((resolve, reject) => {
    child.on("error", (error) => {
      clearTimeout(limit);
      if (error.code === "ENOENT") {
        resolve({ ok: false, missing: true, timedOut, output });
      } else {
        reject(error);
      }
    });
    child.on("close", (code) => {
      clearTimeout(limit);
      resolve({ ok: code === 0, missing: false, timedOut, output });
    });
  });
}

/** npm itself is a script; Windows cannot start its `.cmd` wrapper without a shell, so Node starts it. */
export function runNpm(args, options) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith(".js")
    ? run(process.execPath, [npm, ...args], options)
    : run("npm", args, options);
}
