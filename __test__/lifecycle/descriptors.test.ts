// Processes in which the core cannot, or must not, take a descriptor: the byte bridge carries the connection then, and nobody notices.

import type { Socket as ClientSocket } from "socket.io-client";
import { type Child, startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";

/** Enough for Node and the core, and soon used up. */
const MAX_DESCRIPTORS = 256;
const CLIENTS = 20;

const isForced = process.env.SIO_RS_CARRIER === "bridge";

describeBoth("descriptors", (implementation) => {
  async function startServerProcess(setting: {
    env?: NodeJS.ProcessEnv;
    maxDescriptors?: number;
  }): Promise<Child & { url: string; connect(): Promise<ClientSocket> }> {
    const child = startFixture(implementation, "descriptors.cjs", [], setting);
    const url = `http://127.0.0.1:${await child.nextLine()}`;
    const connect = async (): Promise<ClientSocket> => {
      const client = openClient(url);
      await once(client, "connect");
      return client;
    };
    return { ...child, url, connect };
  }

  /** Nothing is lost on the way to the server and back, whoever carries it. */
  async function expectService(client: ClientSocket): Promise<void> {
    const values = [1, "é".repeat(40_000), Buffer.alloc(1_000, 7), null];
    const answers = values.map((value) => client.emitWithAck("echo", value));
    expect(await Promise.all(answers)).toEqual(values);
  }

  /** socket.io has no carriers. */
  async function expectCarrier(
    { name }: Implementation,
    client: ClientSocket,
    carrier: string,
  ): Promise<void> {
    const expected = name === "sio-rs" && !isForced ? carrier : "bridge";
    expect(await client.emitWithAck("carrier")).toBe(expected);
  }

  it("with one descriptor left a websocket is served, and those before and after it", async () => {
    const { connect } = await startServerProcess({ maxDescriptors: MAX_DESCRIPTORS });
    const first = await connect();
    await expectCarrier(implementation, first, "adopted");
    await expectService(first);
    expect(await first.emitWithAck("fill", 1)).toBeGreaterThan(0);
    const last = await connect();
    await expectCarrier(implementation, last, "bridge");
    await expectService(last);
    await first.emitWithAck("free");
    const after = await connect();
    await expectCarrier(implementation, after, "adopted");
    for (const client of [first, last, after]) {
      await expectService(client);
    }
  });

  it("with no descriptor left nobody new gets in and those present are served; with descriptors everybody is, again and again", async () => {
    const { connect, url } = await startServerProcess({ maxDescriptors: MAX_DESCRIPTORS });
    const present = [await connect()];
    const [first] = present as [ClientSocket];
    // Polling comes last: what it closes a moment later would leave descriptors in the next round.
    for (const transports of [["websocket"], ["websocket"], ["polling"]]) {
      expect(await first.emitWithAck("fill", 0)).toBeGreaterThan(0);
      const newcomer = openClient(url, { transports, reconnection: true, reconnectionDelay: 50 });
      // Node accepts it and hangs up, so that the backlog does not fill.
      await once(newcomer.io, "reconnect_error");
      await Promise.all(present.map(expectService));
      expect(newcomer.connected).toBe(false);
      const connected = once(newcomer, "connect");
      await first.emitWithAck("free");
      await connected;
      await expectService(newcomer);
      if (transports[0] === "websocket") {
        await expectCarrier(implementation, newcomer, "adopted");
        present.push(newcomer);
      }
    }
  });

  it("with io_uring in Node's event loop websockets are served; on Node 20 by the bridge", async () => {
    const { connect } = await startServerProcess({ env: { UV_USE_IO_URING: "1" } });
    const clients = await Promise.all(Array.from({ length: CLIENTS }, connect));
    const carrier = process.versions.node.startsWith("20.") ? "bridge" : "adopted";
    for (const client of clients) {
      await expectCarrier(implementation, client, carrier);
    }
    await Promise.all(clients.map(expectService));
  });

  it("SIO_RS_CARRIER=bridge chooses the bridge, any other value leaves the choice to sio-rs", async () => {
    for (const [value, carrier] of [
      ["bridge", "bridge"],
      ["adopted", "adopted"],
    ] as const) {
      const { connect } = await startServerProcess({ env: { SIO_RS_CARRIER: value } });
      const client = await connect();
      expect(await client.emitWithAck("carrier")).toBe(
        implementation.name === "sio-rs" ? carrier : "bridge",
      );
      await expectService(client);
    }
  });
});
