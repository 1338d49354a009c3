// What every script shows of its work: a line when a step begins, a line with its time when it ends,
// and, when it cannot be done, one line with the reason and the way out.

/** What cannot be done, for a reason the reader can act on. */
export class StepFailure extends Error {
  /** Begins the line that tells of it. */
  where = "FAILED";

  /**
   * @param {string} reason what went wrong
   * @param {string} wayOut what to do about it
   */
  constructor(reason, wayOut) {
    super(`${reason}. ${wayOut}`);
    this.name = "StepFailure";
  }
}

/**
 * Runs one step. What `work` returns, if it is text, ends the step's last line.
 *
 * @param {string} name one word
 * @param {string} purpose what it does, as a command: "compile the Rust core"
 * @param {() => Promise<string | undefined>} work
 */
export async function step(name, purpose, work) {
  const startedAt = performance.now();
  say(name, `${purpose} …`);
  try {
    const outcome = await work();
    say(name, `done in ${secondsSince(startedAt)}${outcome ? `: ${outcome}` : ""}`);
  } catch (error) {
    if (error instanceof StepFailure)
      error.where = `[${name}] FAILED after ${secondsSince(startedAt)}`;
    throw error;
  }
}

/** Prints one line of a step. */
export function say(name, text) {
  console.log(`[${name}] ${text}`);
}

/** `"1.2 s"`, for a time taken with `performance.now()`. */
export function secondsSince(startedAt) {
  return `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`;
}

/**
 * Runs a whole script. A `StepFailure` is told in one line; anything else is a fault of the script
 * and shows its stack.
 *
 * @param {() => Promise<void>} script
 */
export async function runScript(script) {
  try {
    await script();
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof StepFailure) console.log(`${error.where}: ${error.message}`);
    else console.error(error);
  }
}
