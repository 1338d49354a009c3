// A `wsEngine` without any frames: it answers the opening handshake and gives the engine a WebSocket that the test plays by hand.

import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { eventually } from "./events";

/** What the engine has handed to `send`. */
export interface Sending {
  data: string | Buffer;
  /** The arguments, to see that there are no others. */
  count: number;
  /** Says that the WebSocket has taken it, or why not. */
  done: (error?: Error) => void;
}

/** As little of a WebSocket as an engine may offer: no state, no `pause`, no `terminate`. */
export class ScriptedWebSocket extends EventEmitter {
  readonly sendings: Sending[] = [];
  closes = 0;
  /** Whether messages count as taken at once. */
  isFree = true;

  send(data: string | Buffer, done: (error?: Error) => void, ...more: unknown[]): void {
    this.sendings.push({ data, count: 2 + more.length, done });
    if (this.isFree) {
      setImmediate(done);
    }
  }

  close(): void {
    this.closes += 1;
  }

  /** What was sent so far, once it is as much as that. */
  async sent(count: number): Promise<(string | Buffer)[]> {
    await eventually(
      () => this.sendings.length >= count,
      `only ${this.sendings.length} of ${count} messages were sent`,
    );
    return this.sendings.map(({ data }) => data);
  }

  /** A message from the peer. */
  receive(data: string | Uint8Array): void {
    this.emit("message", Buffer.from(data as string), typeof data !== "string");
  }
}

/** Makes the class to be given as `wsEngine`; what it made and was asked is on the class. */
export function scriptedWsEngine() {
  return class ScriptedEngine {
    static readonly options: object[] = [];
    static readonly websockets: ScriptedWebSocket[] = [];
    static closes = 0;

    constructor(options: object) {
      ScriptedEngine.options.push(options);
    }

    handleUpgrade(
      _req: unknown,
      stream: Duplex,
      _head: Buffer,
      callback: (websocket: ScriptedWebSocket) => void,
    ): void {
      stream.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n");
      stream.on("end", () => stream.destroy()).resume(); // so that the http server can close
      const websocket = new ScriptedWebSocket();
      ScriptedEngine.websockets.push(websocket);
      callback(websocket);
    }

    close(): void {
      ScriptedEngine.closes += 1;
    }
  };
}
