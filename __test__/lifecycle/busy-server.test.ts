// A server whose JavaScript thread is busy: what was emitted before it blocked is on its way already,
// and what clients send meanwhile is neither lost nor reordered, nor read without limit.

import { startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";

/** The time for a flood on a slow, shared machine. */
const FLOOD_TIMEOUT_MS = 30_000;

/** How long the server blocks; long against any delay of a loaded machine. */
const BLOCK_MS = 600;

async function startBlocking(implementation: Implementation, options = {}) {
  const child = startFixture(implementation, "server.cjs", ["block on demand"]);
  const url = `http://127.0.0.1:${await child.nextLine()}`;
  const client = openClient(url, options);
  await once(client, "connect");
  return { url, client };
}

describeBoth("busy server", (implementation) => {
  it("what is emitted before a handler blocks arrives while it blocks", async () => {
    const { client } = await startBlocking(implementation);
    let isDone = false;
    const before = once(client, "before");
    const done = client.emitWithAck("block", BLOCK_MS).then(() => {
      isDone = true;
    });
    await before;
    expect(isDone).toBe(false);
    const arrived = Date.now();
    await done;
    expect(Date.now() - arrived).toBeGreaterThan(BLOCK_MS / 4);
  });

  for (const transports of [["websocket"], ["polling"]]) {
    it(
      `five thousand events that come over ${transports} while it blocks are delivered in order`,
      async () => {
        const { client } = await startBlocking(implementation, { transports });
        const before = once(client, "before");
        const done = client.emitWithAck("block", BLOCK_MS);
        await before;
        const padding = "x".repeat(transports[0] === "websocket" ? 1_000 : 40);
        for (let index = 0; index < 5_000; index += 1) {
          client.emit("n", index, padding);
        }
        await done;
        expect(await client.emitWithAck("count")).toBe(5_000);
      },
      FLOOD_TIMEOUT_MS,
    );
  }

  it("a large message that comes while it blocks is delivered", async () => {
    const { client } = await startBlocking(implementation);
    const before = once(client, "before");
    const done = client.emitWithAck("block", BLOCK_MS);
    await before;
    client.emit("n", 0, "x".repeat(900_000));
    client.emit("n", 1, Buffer.alloc(900_000));
    client.emit("n", 2);
    await done;
    expect(await client.emitWithAck("count")).toBe(3);
  });

  it("one client's flood does not keep another from being served", async () => {
    const { url, client } = await startBlocking(implementation);
    const other = openClient(url);
    await once(other, "connect");
    for (let index = 0; index < 20_000; index += 1) {
      client.emit("n", index, "x".repeat(200));
    }
    expect(await other.emitWithAck("count")).toBe(0);
    expect(await client.emitWithAck("count")).toBe(20_000);
  });
});
