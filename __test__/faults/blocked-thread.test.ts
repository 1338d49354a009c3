// A JavaScript thread that is blocked for ten seconds: nobody is dropped for it, what clients send meanwhile takes bounded memory and arrives
// afterwards, all of it and in order; and with sio-rs the core goes on with the heartbeats of WebSockets.

import type { Socket as ClientSocket } from "socket.io-client";
import { type Child, startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { once, within } from "../harness/events";
import {
  describeBoth,
  type Implementation,
  it,
  loadImplementation,
} from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { RawWebSocket } from "../harness/raw-websocket";

const BLOCK_MS = 10_000;
const TIMEOUT_MS = 60_000;
/** For what is waited for until the block is over, and the flood is read. */
const AFTER_MS = 40_000;

/** Ten times what the server may read ahead of JavaScript for each client. */
const FLOOD = { messages: 100, bytes: 100_000, clients: 8 };
const MAX_GROWTH_KIB = 48 * 1024;

async function startBlocking(
  implementation: Implementation,
  options: object = {},
): Promise<Child & { port: number; connect(options?: object): Promise<ClientSocket> }> {
  const args = ["block on demand", JSON.stringify(options)];
  const child = startFixture(implementation, "server.cjs", args);
  const port = Number(await child.nextLine());
  const connect = async (clientOptions = {}): Promise<ClientSocket> => {
    const client = openClient(`http://127.0.0.1:${port}`, clientOptions);
    await once(client, "connect");
    return client;
  };
  return { ...child, port, connect };
}

/** Has the server block, and resolves with its account once it does. */
async function block(
  client: ClientSocket,
): Promise<{ isOver: () => boolean; done: Promise<{ grownKiB: number }> }> {
  const begun = once(client, "before");
  let isOver = false;
  const done = within(
    client.emitWithAck("block soon", BLOCK_MS),
    "the block did not end",
    AFTER_MS,
  );
  done.then(
    () => {
      isOver = true;
    },
    () => {}, // whoever waits for it hears of it
  );
  await begun;
  return { isOver: () => isOver, done };
}

describeBoth("blocked thread", (implementation) => {
  it(
    "after ten seconds everything that clients sent meanwhile arrives in order, nobody is dropped, and memory is bounded",
    async () => {
      const { connect } = await startBlocking(implementation);
      const blocker = await connect();
      const flooding = [];
      for (let count = 0; count < FLOOD.clients; count += 1) {
        flooding.push(await connect());
      }
      const polling = await connect({ transports: ["polling"] });
      const all = [blocker, polling, ...flooding];
      const dropped: string[] = [];
      for (const client of all) {
        client.on("disconnect", (reason) => dropped.push(reason));
      }
      const { isOver, done } = await block(blocker);
      const padding = "x".repeat(FLOOD.bytes);
      for (const client of flooding) {
        for (let index = 0; index < FLOOD.messages; index += 1) {
          client.emit("n", index, padding);
        }
      }
      for (let index = 0; index < 1_000; index += 1) {
        polling.emit("n", index);
      }
      const counted = (client: ClientSocket, count: number): Promise<void> =>
        within(
          client.emitWithAck("count").then((found) => expect(found).toBe(count)),
          "not everything came",
          AFTER_MS,
        );
      const counts = [
        ...flooding.map((client) => counted(client, FLOOD.messages)),
        counted(polling, 1_000),
      ];
      expect(isOver()).toBe(false);
      const { grownKiB } = await done;
      expect(grownKiB).toBeLessThan(MAX_GROWTH_KIB);
      await Promise.all(counts);
      expect(dropped).toEqual([]);
      expect(all.every(({ connected }) => connected)).toBe(true);
    },
    TIMEOUT_MS,
  );
});

const isAdopted = process.env.SIO_RS_CARRIER !== "bridge";

// socket.io's clients are dropped after `pingInterval` and `pingTimeout`; so are those whose bytes JavaScript carries.
(isAdopted ? describe : describe.skip)("heartbeats of a blocked thread", () => {
  const ours = loadImplementation("sio-rs");

  test(
    "WebSockets are pinged on and keep their sessions, and polling sessions are not timed out",
    async () => {
      const heartbeat = { pingInterval: 1_000, pingTimeout: 1_000 };
      const { port, connect } = await startBlocking(ours, heartbeat);
      const blocker = await connect();
      const client = await connect();
      const dropped: string[] = [];
      for (const each of [blocker, client]) {
        each.on("disconnect", (reason) => dropped.push(reason));
      }
      const polling = await PollingPeer.join(port);
      const peer = await RawWebSocket.join(port);
      const { isOver, done } = await block(blocker);
      let pings = 0;
      while (!isOver()) {
        await Promise.race([peer.expectText("2"), done]);
        pings += isOver() ? 0 : 1;
        peer.send("3");
      }
      await done;
      // One each second and a moment for the answer.
      expect(pings).toBeGreaterThanOrEqual(6);
      expect(await polling.poll()).toBe("2");
      await polling.send("3");
      await polling.send('420["count"]');
      expect(await polling.poll()).toMatch(/^(2.)?430\[0\]/);
      expect(await client.emitWithAck("count")).toBe(0);
      expect(dropped).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
