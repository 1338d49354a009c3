// @socket.io/cluster-adapter in worker processes of node:cluster, behind @socket.io/sticky: every connection arrives as a
// handle from the primary, every POST through a stream that exists in JavaScript alone.

import type { Socket as ClientSocket } from "socket.io-client";
import { BARRIER, openClient, record, TRANSPORTS } from "../../harness/clients";
import { describeMixtures } from "../../harness/clusters";
import { once } from "../../harness/events";
import { it } from "../../harness/implementations";
import { type Worker, type WorkerServer, workersForBlock } from "../../harness/workers";

describeMixtures("cluster-adapter", (mixture) => {
  const cluster = workersForBlock(mixture);

  /** One client on each worker, in their order. */
  async function join(namespace = "/"): Promise<ClientSocket[]> {
    const byWorker: ClientSocket[] = [];
    while (Object.keys(byWorker).length < 3) {
      const client = openClient(cluster.url + namespace);
      await once(client, "connect");
      byWorker[await workerOf(client, namespace)] = client;
    }
    for (const worker of cluster.workers) {
      await counts(worker, 3, namespace);
    }
    return byWorker;
  }

  async function workerOf(client: ClientSocket, namespace = "/"): Promise<number> {
    const has = (io: WorkerServer, name: string, id: string) => io.of(name).sockets.has(id);
    const found = await Promise.all(
      cluster.workers.map((worker) => worker.run(has, namespace, client.id as string)),
    );
    return found.indexOf(true);
  }

  /** Waits until the worker knows of so many servers. */
  function counts(worker: Worker, expected: number, namespace = "/"): Promise<void> {
    return worker.run(
      async (io, name, count) => {
        while ((await io.of(name).adapter.serverCount()) !== count) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
      namespace,
      expected,
    );
  }

  /** What each client gets of what `act` sends in a worker. */
  async function heard(
    clients: ClientSocket[],
    worker: Worker,
    act: (io: WorkerServer) => unknown,
  ): Promise<any[][][]> {
    const records = clients.map(record);
    const arrived = clients.map((client) => once(client, BARRIER));
    await worker.run(act);
    await worker.run((io, name) => void io.emit(name), BARRIER);
    await Promise.all(arrived);
    return records;
  }

  /** The first worker and the second: both packages, in a mixed cluster. */
  function fromEach(
    title: string,
    run: (worker: Worker, clients: ClientSocket[], own: number) => Promise<void>,
  ): void {
    it(title, async () => {
      for (const [own, worker] of cluster.workers.slice(0, 2).entries()) {
        const clients = await join();
        const ids = clients.map(({ id }) => id as string);
        await cluster.workers[2]?.run((io, [first, second]) => {
          io.in(first as string).socketsJoin(["r", "of 0"]);
          io.in(second as string).socketsJoin("r");
        }, ids);
        await worker.run(async (io) => {
          while ((await io.in("r").fetchSockets()).length < 2) {
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
        await run(worker, clients, own);
        for (const client of clients) {
          client.disconnect();
        }
        await worker.run(async (io) => {
          while ((await io.fetchSockets()).length > 0) {
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
      }
    });
  }

  for (const { label, transports } of TRANSPORTS) {
    it(`clients stay with their workers over ${label}`, async () => {
      for (const worker of cluster.workers) {
        await worker.run((io) => {
          io.removeAllListeners("connection");
          io.on("connection", (socket) => socket.on("echo", (value, ack) => ack(value)));
        });
      }
      const reached = new Set<number>();
      for (let made = 0; made < 3; made++) {
        // The worker's answer may be faster than its word to the primary, whose session it is: then the client tries again.
        const client = openClient(cluster.url, {
          transports,
          reconnection: true,
          reconnectionDelay: 10,
        });
        await once(client, "connect");
        if (transports.length === 2 && client.io.engine.transport.name === "polling") {
          await once(client.io.engine, "upgrade");
        }
        reached.add(await workerOf(client));
        const bytes = Buffer.alloc(100_000, made);
        const [text, back] = await Promise.all([
          client.timeout(4_000).emitWithAck("echo", "ü".repeat(50_000)),
          client.timeout(4_000).emitWithAck("echo", bytes),
        ]);
        expect(text).toBe("ü".repeat(50_000));
        expect(bytes.equals(back)).toBe(true);
      }
      expect(reached.size).toBeGreaterThan(1);
    });
  }

  fromEach("broadcasts reach the clients of all workers in order", async (worker, clients, own) => {
    const events = await heard(clients, worker, (io) => {
      io.emit("all", { bytes: Buffer.from([1, 2]) });
      io.to("r").emit("room");
      io.except("of 0").emit("except");
    });
    const all = ["all", { bytes: Buffer.from([1, 2]) }];
    const expected = [
      [all, ["room"]],
      [all, ["room"], ["except"]],
      [all, ["except"]],
    ];
    expect(events).toEqual(expected);
    const local = await heard(clients, worker, (io) => io.local.emit("local"));
    expect(local).toEqual([0, 1, 2].map((at) => (at === own ? [["local"]] : [])));
  });

  fromEach(
    "sockets of all workers are fetched, with rooms, data and handshake",
    async (worker, clients) => {
      const fetched = await worker.run(async (io) => {
        io.in("of 0").socketsLeave("r");
        const sockets = await io.fetchSockets();
        return sockets.map(({ id, rooms, handshake }) => ({ id, rooms: [...rooms], handshake }));
      });
      const byId = new Map(fetched.map((socket) => [socket.id, socket]));
      const inOrder = clients.map(({ id }) => byId.get(id as string));
      expect(inOrder.map((socket) => socket?.rooms.slice(1))).toEqual([["of 0"], ["r"], []]);
      expect(inOrder.map((socket) => socket?.handshake.query.transport)).toEqual(
        Array(3).fill("websocket"),
      );
    },
  );

  fromEach(
    "clients of all workers acknowledge a broadcast, and some do not",
    async (worker, clients) => {
      for (const [at, client] of clients.entries()) {
        client.on("q", (ack) => ack(at));
      }
      const ask = (io: WorkerServer, room: string, ms: number) =>
        io
          .except(room)
          .timeout(ms)
          .emitWithAck("q")
          .catch((error) => [error.message, ...error.responses]);
      expect((await worker.run(ask, "nobody", 4_000)).sort()).toEqual([0, 1, 2]);
      expect((await worker.run(ask, "of 0", 4_000)).sort()).toEqual([1, 2]);
      clients[2]?.off("q");
      expect((await worker.run(ask, "of 0", 200)).sort()).toEqual([1, "operation has timed out"]);
    },
  );

  fromEach("workers answer each other", async (worker, _clients, own) => {
    for (const [at, { run }] of cluster.workers.entries()) {
      await run((io, factor) => {
        io.removeAllListeners("q");
        io.on("q", (number: number, ack: (answer: number) => void) => ack(number * factor));
      }, at);
    }
    const answers = await worker.run((io) => io.serverSideEmitWithAck("q", 10));
    expect(answers.sort()).toEqual([0, 10, 20].filter((answer) => answer !== own * 10));
  });

  fromEach("what is sent before disconnectSockets arrives before it", async (worker, clients) => {
    const ends = clients.map(async (client) => {
      const events = record(client);
      await once(client, "disconnect");
      return events;
    });
    await worker.run((io) => {
      io.emit("bye");
      io.disconnectSockets(true);
    });
    expect(await Promise.all(ends)).toEqual(Array(3).fill([["bye"]]));
  });

  it("a dynamic namespace spans the workers", async () => {
    for (const worker of cluster.workers) {
      await worker.run((io) => void io.of(/^\/dynamic-\d$/));
    }
    const clients = await join("/dynamic-1");
    const arrived = clients.map((client) => once(client, "x"));
    await cluster.workers[1]?.run((io) => void io.of("/dynamic-1").emit("x", 1));
    expect(await Promise.all(arrived)).toEqual([[1], [1], [1]]);
  });

  if (mixture.some(({ name }) => name === "sio-rs")) {
    it("a broadcast is one call to the core of each worker", async () => {
      const clients = [...(await join()), ...(await join())];
      const sioRs = cluster.workers.filter(
        ({ implementation }) => implementation.name === "sio-rs",
      );
      const count = () => Promise.all(sioRs.map(({ run }) => run((io) => io.broadcastsOfCore())));
      for (const worker of cluster.workers) {
        const before = await count();
        const arrived = clients.map((client) => once(client, "x"));
        await worker.run((io) => void io.emit("x", Buffer.from([1])));
        await Promise.all(arrived);
        expect(await count()).toEqual(before.map((calls) => calls + 1));
      }
    });
  }

  it("a worker that closes its server is not waited for, and its process ends", async () => {
    const [first, second, leaving] = cluster.workers as [Worker, Worker, Worker];
    await join();
    await leaving.run(async (io) => {
      await io.close();
      setImmediate(() => process.disconnect());
    });
    expect(await leaving.exited).toBe(0);
    await counts(first, 2);
    await counts(second, 2);
    expect(await first.run(async (io) => (await io.fetchSockets()).length)).toBe(2);
  });
});
