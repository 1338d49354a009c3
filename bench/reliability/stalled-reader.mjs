// A client that joins a room and then never reads again, yet answers heartbeats without having seen them: the peer that no ping
// timeout ends. Frames by hand, because every WebSocket library reads.

import { once } from "node:events";
import { connect } from "node:net";

/** Less than the default `pingInterval` and `pingTimeout` together. */
const PONG_EVERY_MS = 20_000;

export class StalledReader {
  #stream;
  #pongs;
  hasEnded = false;

  /** Connects, and resolves when the server has said that the room is joined. */
  static async join(port, room) {
    const reader = new StalledReader();
    await reader.#join(port, room);
    return reader;
  }

  async #join(port, room) {
    const stream = connect(port, "127.0.0.1");
    this.#stream = stream;
    stream.on("error", () => {}); // a reset by the server is one of the expected ends
    stream.on("close", () => this.#end());
    stream.write(
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await this.#until('0{"sid"');
    stream.write(textFrame("40"));
    await this.#until('40{"sid"');
    stream.write(textFrame(`420["join",${JSON.stringify(room)}]`));
    await this.#until("430");
    stream.pause();
    this.#pongs = setInterval(() => stream.write(textFrame("3")), PONG_EVERY_MS);
  }

  /** Reads until the text has come. */
  async #until(text) {
    let seen = "";
    while (!seen.includes(text)) {
      const [chunk] = await once(this.#stream, "data", { signal: AbortSignal.timeout(30_000) });
      seen += chunk.toString("latin1");
    }
  }

  #end() {
    this.hasEnded = true;
    clearInterval(this.#pongs);
  }

  destroy() {
    this.#stream.destroy();
  }
}

/** A masked text frame of fewer than 126 bytes; the mask is zero, which RFC 6455 allows. */
function textFrame(text) {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}
