// A process of the load generator: commands on its standard input, one line of JSON for each.
// `load/src/control.rs` is the other end. It ends when its input does.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { placed } from "./placement.mjs";

export class LoadProcess {
  #child;
  /** Lines that nobody has asked for yet. */
  #lines = [];
  #waiting;
  #ended;

  constructor(binary, port, { kind, ...options }, isOnOneCore) {
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const command = [binary, "--port", String(port), "--load", kind, ...words];
    const [file, ...args] = placed(command, isOnOneCore);
    this.#child = spawn(file, args, {
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#lines.push(JSON.parse(line));
      this.#settle();
    });
    // A process that ended has said why on its last line; writing to it says nothing more.
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.#end(error));
    this.#child.on("close", (code) => this.#end(new Error(`the load generator ended: ${code}`)));
  }

  /** Have this many clients in all. */
  open(clients) {
    return this.#ask(`open ${clients}`, "opened");
  }

  /** Cut all clients off, without a goodbye. */
  cut() {
    return this.#ask("cut", "cut");
  }

  /** Begin with this many units; returns at once. */
  run(units) {
    return this.#ask(`run ${units}`, "running");
  }

  /** Wait until they are done, none missing. */
  done() {
    return this.#answer("done");
  }

  /** Ends the process; a packet too many, seen only now, is a fault. */
  async quit() {
    this.#child.stdin.end("quit\n");
    const code = await new Promise((resolve) => {
      if (this.#ended) resolve(this.#child.exitCode);
      else this.#child.once("close", resolve);
    });
    const fault = this.#lines.find((line) => line.failed !== undefined);
    if (code !== 0) throw new Error(`load: ${fault?.failed ?? `exit code ${code}`}`);
  }

  kill() {
    this.#child.kill("SIGKILL");
  }

  #ask(command, name) {
    this.#child.stdin.write(`${command}\n`);
    return this.#answer(name);
  }

  #answer(name) {
    return new Promise((resolve, reject) => {
      this.#waiting = { name, resolve, reject };
      this.#settle();
    });
  }

  #end(error) {
    this.#ended = error;
    this.#settle();
  }

  #settle() {
    if (this.#waiting === undefined) return;
    const { name, resolve, reject } = this.#waiting;
    const line = this.#lines.shift();
    if (line === undefined && this.#ended === undefined) return;
    this.#waiting = undefined;
    if (line === undefined) reject(this.#ended);
    else if (line[name] !== undefined) resolve(line);
    else reject(new Error(`load: ${line.failed ?? `${JSON.stringify(line)} instead of ${name}`}`));
  }
}
