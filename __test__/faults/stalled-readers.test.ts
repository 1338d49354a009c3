// Clients that do not read, among two thousand that do: broadcasts reach the others as fast as before, and the stalled ones, once they read
// again, whole and in order.

import type { Socket } from "node:net";
import { startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { once, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { RawWebSocket } from "../harness/raw-websocket";

const READERS = 2_000;
const STALLED = 5;
/** More than kernels take for a client that does not read. */
const LARGE_BYTES = 8 * 1024 * 1024;
const BROADCASTS = 3;
/** Opening at a time: what the listen queue holds. */
const OPENING = 100;
/** For two thousand connections on a slow, shared machine. */
const TIMEOUT_MS = 90_000;

/** A peer that tells its socket id. */
async function join(port: number): Promise<{ peer: RawWebSocket; id: string }> {
  const peer = await RawWebSocket.open(port);
  await peer.expectText(/^0\{/);
  peer.send("40");
  return { peer, id: JSON.parse((await peer.expectText(/^40\{/)).slice(2)).sid };
}

async function expectNumbers(peer: RawWebSocket, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number += 1) {
    await peer.expectText(`42["n",${number}]`);
  }
}

/** What a server puts around a text. */
function serverFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const isShort = payload.length < 126;
  const header = Buffer.alloc(isShort ? 2 : 10);
  header[0] = 0x81;
  header[1] = isShort ? payload.length : 127;
  if (!isShort) {
    header.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([header, payload]);
}

/** The next bytes of a stream that was paused. */
function readOn(stream: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let missing = length;
  return within(
    new Promise((resolve) => {
      stream.removeAllListeners("data");
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        missing -= chunk.length;
        if (missing <= 0) {
          resolve(Buffer.concat(chunks));
        }
      });
      stream.resume();
    }),
    () => `${missing} of ${length} bytes did not come`,
    TIMEOUT_MS / 3,
  );
}

describeBoth("stalled readers", (implementation) => {
  it(
    "five among two thousand slow nobody down, and get everything in order when they read again",
    async () => {
      // Peers that count what they get do not answer pings.
      const options = JSON.stringify({ pingInterval: 2 * TIMEOUT_MS });
      const child = startFixture(implementation, "server.cjs", ["send on demand", options]);
      const port = Number(await child.nextLine());
      const readers: RawWebSocket[] = [];
      while (readers.length < READERS) {
        const joined = await Promise.all(Array.from({ length: OPENING }, () => join(port)));
        readers.push(...joined.map(({ peer }) => peer));
      }
      const stalled = await Promise.all(Array.from({ length: STALLED }, () => join(port)));
      const control = openClient(`http://127.0.0.1:${port}`);
      await once(control, "connect");
      /** Milliseconds until all of these broadcasts are with everybody who reads. */
      const broadcast = async (from: number): Promise<number> => {
        const start = performance.now();
        control.emit("broadcast", from, from + BROADCASTS);
        const all = readers.map((peer) => expectNumbers(peer, from, from + BROADCASTS));
        await within(Promise.all(all), "not everybody got everything", TIMEOUT_MS / 3);
        return performance.now() - start;
      };
      const before = [await broadcast(0), await broadcast(BROADCASTS)];
      await Promise.all(stalled.map(({ peer }) => expectNumbers(peer, 0, 2 * BROADCASTS)));

      for (const { peer, id } of stalled) {
        peer.stream.pause();
        control.emit("send to", id, LARGE_BYTES);
        while ((await control.emitWithAck("buffered", id)) < LARGE_BYTES / 8);
      }
      const after = [await broadcast(2 * BROADCASTS), await broadcast(3 * BROADCASTS)];
      // Not slower than by what a busy machine does to any two measurements.
      expect(Math.min(...after)).toBeLessThan(2 * Math.min(...before) + 500);
      for (const { id } of stalled) {
        expect(await control.emitWithAck("buffered", id)).toBeGreaterThan(LARGE_BYTES / 8);
      }

      const numbers = Array.from({ length: 2 * BROADCASTS }, (_, count) => 2 * BROADCASTS + count);
      const missed = Buffer.concat([
        serverFrame(`42["large","${"x".repeat(LARGE_BYTES)}"]`),
        ...numbers.map((number) => serverFrame(`42["n",${number}]`)),
      ]);
      for (const { peer } of stalled) {
        expect(missed.equals(await readOn(peer.stream, missed.length))).toBe(true);
      }
    },
    TIMEOUT_MS,
  );
});
