// A fresh process of the server under test, and the questions that can be put to it.
// One question at a time; the process is this runner's own child and is ended by its handle.

import { fork } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.mjs";
import { placed } from "./placement.mjs";
import { SERVERS } from "./servers.mjs";

const APPLICATION = fileURLToPath(new URL("../server.cjs", import.meta.url));

export class ServerProcess {
  #child;
  #waiting;
  #listening;

  constructor(packageName, { listeners = [], options = {}, exposeGc = false }, isOnOneCore) {
    const { run } = SERVERS[packageName];
    const command = placed(exposeGc ? [...run, "--expose-gc"] : run, isOnOneCore);
    this.#listening = this.#start(command, packageName, { listeners, options });
  }

  /** Waits until the server can be reached at `port`. */
  listening() {
    return this.#listening;
  }

  async #start([execPath, ...execArgv], packageName, settings) {
    this.port = await freePort();
    const settingsJson = JSON.stringify({ ...settings, port: this.port });
    this.#child = fork(APPLICATION, [packageName, settingsJson], {
      execPath,
      execArgv,
      // What the application prints must not get into the table.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child.on("message", ({ answer }) => this.#waiting?.resolve(answer));
    this.#child.on("error", (error) => this.#waiting?.reject(error));
    this.#child.on("exit", (code, signal) => {
      this.#waiting?.reject(new Error(`the server process ended: ${signal ?? code}`));
    });
    await this.#answer();
  }

  /** Begins an account of CPU time, and of event-loop delay if asked for. */
  start({ withDelay = false } = {}) {
    return this.#ask("start", { withDelay });
  }

  /** Ends the account and returns it. */
  stop() {
    return this.#ask("stop");
  }

  /** Lets the application broadcast; returns when the order has arrived. */
  broadcast(order) {
    return this.#ask("broadcast", order);
  }

  /** Begins to note how late the event loop is. */
  watchDelay() {
    return this.#ask("watchDelay");
  }

  /** Ends that, and returns [milliseconds, milliseconds late] pairs. */
  delaySeen() {
    return this.#ask("delaySeen");
  }

  /** Connections, disconnections and upgrades that the application has seen. */
  counts() {
    return this.#ask("counts");
  }

  /** Memory after garbage collection; needs `exposeGc`. */
  memory() {
    return this.#ask("memory");
  }

  /** Resident memory at this moment, in bytes, and open descriptors. */
  async footprint() {
    const folder = `/proc/${this.#child.pid}`;
    const status = await readFile(`${folder}/status`, "utf8");
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
    return { rss: kilobytes * 1024, descriptors: (await readdir(`${folder}/fd`)).length };
  }

  kill() {
    this.#child?.kill("SIGKILL");
  }

  #ask(command, details = {}) {
    const answer = this.#answer();
    this.#child.send({ command, ...details });
    return answer;
  }

  #answer() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }
}
