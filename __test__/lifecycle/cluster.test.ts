// A cluster of processes behind one port: sessions stick to their worker, whatever carries them; broadcasts reach the clients of every
// worker; a worker that dies takes only its own clients along, and is replaced.

import type { Socket as ClientSocket } from "socket.io-client";
import { type Child, startFixture } from "../harness/child";
import { openClient, TRANSPORTS } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { frame, RawWebSocket } from "../harness/raw-websocket";

const WORKERS = 3;

interface Cluster extends Child {
  port: number;
  connect(transports?: string[]): Promise<ClientSocket>;
}

async function startCluster(implementation: Implementation, kind: string): Promise<Cluster> {
  const child = startFixture(implementation, "cluster.cjs", [kind]);
  const lines = [];
  for (let count = 0; count < WORKERS + 1; count += 1) {
    lines.push(await child.nextLine());
  }
  const port = Number(lines.find((line) => line.startsWith("port "))?.slice(5));
  const connect = async (transports = ["websocket"]): Promise<ClientSocket> => {
    const client = openClient(`http://127.0.0.1:${port}`, { transports });
    await once(client, "connect");
    return client;
  };
  return { ...child, port, connect };
}

function workersOf(clients: ClientSocket[]): Promise<number[]> {
  return Promise.all(clients.map((client) => client.emitWithAck("who")));
}

describeBoth("cluster", (implementation) => {
  /** socket.io has no carriers. */
  const usualCarrier =
    implementation.name === "sio-rs" && process.env.SIO_RS_CARRIER !== "bridge"
      ? "adopted"
      : "bridge";

  it("sessions stick to their worker on every transport, and bodies in pieces reach it", async () => {
    const { connect } = await startCluster(implementation, "sticky");
    for (const { transports } of TRANSPORTS) {
      const clients = [];
      for (let count = 0; count < WORKERS; count += 1) {
        clients.push(await connect(transports));
      }
      const workers = await workersOf(clients);
      expect(new Set(workers).size).toBe(WORKERS);
      for (const client of clients) {
        if (transports.length === 2 && client.io.engine.transport.name === "polling") {
          await once(client.io.engine, "upgrade");
        }
        expect(await client.emitWithAck("address")).toMatch(/127\.0\.0\.1$/);
        // Past 64 KiB a body takes more than one read, so the primary forwards its pieces.
        const value = "é".repeat(100_000);
        expect(await client.emitWithAck("echo", value)).toBe(value);
        expect(await client.emitWithAck("echo", Buffer.alloc(300, 7))).toEqual(
          Buffer.alloc(300, 7),
        );
        if (transports[0] === "websocket") {
          expect(await client.emitWithAck("carrier")).toBe(usualCarrier);
        }
      }
      expect(await workersOf(clients)).toEqual(workers);
    }
  });

  it("an upgrade request whose socket stays with the primary is served all the same", async () => {
    const { port } = await startCluster(implementation, "sticky");
    const polling = await PollingPeer.join(port);
    // Sticky takes a request with this header for one that may have a body, so the worker gets a socket without a descriptor.
    const headers = { "Content-Length": "0" };
    const peer = await RawWebSocket.join(port, { headers });
    peer.send('421["carrier"]');
    await peer.expectText('431["bridge"]');
    peer.send(`421["echo","${"x".repeat(100_000)}"]`);
    await peer.expectText(`431["${"x".repeat(100_000)}"]`);
    const candidate = await RawWebSocket.open(port, { path: polling.target("websocket"), headers });
    candidate.send("2probe");
    await candidate.expectText("3probe");
    expect(await polling.poll()).toBe("6");
    candidate.send("5");
    candidate.send('421["echo","upgraded"]');
    await candidate.expectText('431["upgraded"]');
    candidate.stream.destroy();
  });

  it("frames that come with the upgrade request reach the worker", async () => {
    const { port } = await startCluster(implementation, "sticky");
    const polling = await PollingPeer.join(port);
    const candidate = await RawWebSocket.open(port, {
      path: polling.target("websocket"),
      trailing: frame("2probe"),
    });
    await candidate.expectText("3probe");
  });

  for (const kind of ["sticky", "plain"]) {
    it(`${kind}: broadcasts, acks of all, rooms and disconnections reach the clients of every worker`, async () => {
      const { connect } = await startCluster(implementation, kind);
      const clients: ClientSocket[] = [];
      while (new Set(await workersOf(clients)).size < 2 || clients.length < WORKERS) {
        clients.push(await connect());
      }
      const [first, ...others] = clients as [ClientSocket, ...ClientSocket[]];
      for (const client of others) {
        await client.emitWithAck("join", "others");
        client.on("question", (reply) => reply("an answer"));
      }
      first.on("question", (reply) => reply("an answer"));
      expect(await first.emitWithAck("fetch")).toBe(clients.length);
      const news = others.map((client) => onceValue(client, "news"));
      first.emit("broadcast", "others", { bytes: Buffer.from([1, 2]) });
      for (const value of await Promise.all(news)) {
        expect(value).toEqual({ bytes: Buffer.from([1, 2]) });
      }
      const asked = new Promise((resolve) => {
        first.emit("ask all", (...answer: unknown[]) => resolve(answer));
      });
      expect(await asked).toEqual([null, clients.map(() => "an answer")]);
      const gone = others.map((client) => onceValue(client, "disconnect"));
      first.emit("disconnect others");
      for (const reason of await Promise.all(gone)) {
        expect(reason).toBe("io server disconnect");
      }
      expect(await first.emitWithAck("echo", 1)).toBe(1);
    });

    it(`${kind}: a worker that dies takes its clients along, and the one that replaces it serves`, async () => {
      const { connect, nextLine } = await startCluster(implementation, kind);
      const clients: ClientSocket[] = [];
      while (new Set(await workersOf(clients)).size < 2) {
        clients.push(await connect(kind === "sticky" ? ["polling", "websocket"] : ["websocket"]));
      }
      const [victim, witness] = (await workersOf(clients)).flatMap((worker, index, all) =>
        all.indexOf(worker) === index ? [clients[index] as ClientSocket] : [],
      ) as [ClientSocket, ClientSocket];
      const worker = await victim.emitWithAck("who");
      const gone = onceValue(victim, "disconnect");
      victim.emit("die");
      expect(await gone).toMatch(/^transport (close|error)$/);
      expect(await nextLine()).toBe(`gone ${worker} SIGKILL`);
      expect(await nextLine()).toBe(`ready ${WORKERS + 1}`);
      expect(await witness.emitWithAck("echo", 1)).toBe(1);

      const fresh: ClientSocket[] = [];
      while (!(await workersOf(fresh)).includes(WORKERS + 1)) {
        fresh.push(await connect());
      }
      const latest = fresh.at(-1) as ClientSocket;
      await latest.emitWithAck("join", "r");
      const news = onceValue(latest, "news");
      witness.emit("broadcast", "r", "from afar");
      expect(await news).toBe("from afar");

      const bye = once(latest, "bye");
      latest.emit("exit");
      await bye;
      expect(await nextLine()).toBe(`gone ${WORKERS + 1} 3`);
    });
  }
});
