// A server that is a program of its own and no JavaScript: the same questions as to `server-process.mjs`, as far as it can
// answer them. It knows one command, a broadcast; its accounts are taken from outside.

import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { freePort } from "./free-port.mjs";
import { placed } from "./placement.mjs";
import { programOf } from "./servers.mjs";

export class ProgramProcess {
  #child;
  #waiting;
  #listening;
  #begunUs = 0;

  constructor(server, isOnOneCore) {
    this.#listening = this.#start(server, isOnOneCore);
  }

  /** Waits until the server can be reached at `port`. */
  listening() {
    return this.#listening;
  }

  async #start(server, isOnOneCore) {
    this.port = await freePort();
    const [file, ...args] = placed([programOf(server), String(this.port)], isOnOneCore);
    this.#child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout }).on("line", () => this.#waiting?.resolve());
    // A process that ended says so below; writing to it says nothing more.
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.#waiting?.reject(error));
    this.#child.on("exit", (code, signal) => {
      this.#waiting?.reject(new Error(`the server process ended: ${signal ?? code}`));
    });
    await this.#line();
  }

  /** Begins an account of CPU time. There is no event loop whose delay could be told. */
  async start() {
    this.#begunUs = await this.#cpuUs();
  }

  /** Ends the account and returns it. */
  async stop() {
    return { cpuUs: (await this.#cpuUs()) - this.#begunUs };
  }

  /** Lets the program broadcast; returns when the order has arrived. */
  broadcast({ text, count, batch = 1, intervalMs = 0 }) {
    const line = this.#line();
    this.#child.stdin.write(`broadcast ${count} ${batch} ${intervalMs} ${text}\n`);
    return line;
  }

  kill() {
    this.#child?.kill("SIGKILL");
  }

  /** Of all its threads. The kernel brings an account up to date when a thread sleeps, as all do between two runs. */
  async #cpuUs() {
    const folder = `/proc/${this.#child.pid}/task`;
    const threads = await readdir(folder);
    const texts = threads.map((thread) => readFile(`${folder}/${thread}/schedstat`, "utf8"));
    const nanoseconds = (await Promise.all(texts)).map((text) => Number(text.split(" ")[0]));
    return nanoseconds.reduce((sum, one) => sum + one, 0) / 1000;
  }

  #line() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }
}
