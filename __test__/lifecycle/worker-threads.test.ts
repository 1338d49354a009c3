// Servers in worker threads: they serve, they close, they are terminated under load, and the process lives.

import { connect as connectNet } from "node:net";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { closeClientAfterTest, closeServerAfterTest } from "../harness/cleanup";
import { openClient } from "../harness/clients";
import { eventually, once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { frame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startServer } from "../harness/servers";

const FIXTURE = join(__dirname, "..", "fixtures", "worker.cjs");

/** The time for several rounds on a slow, shared machine; alone each takes less than a second. */
const ROUNDS_TIMEOUT_MS = 30_000;

interface RunningWorker {
  worker: Worker;
  ports: number[];
  /** Of its first server. */
  url: string;
}

interface WorkerSetting {
  servers?: number;
  options?: object;
}

function createWorker(implementation: Implementation, setting: WorkerSetting = {}): Worker {
  const worker = new Worker(FIXTURE, {
    workerData: { modulePath: implementation.modulePath, servers: 1, ...setting },
  });
  closeServerAfterTest(() => worker.terminate());
  return worker;
}

async function startWorker(
  implementation: Implementation,
  setting?: WorkerSetting,
): Promise<RunningWorker> {
  const worker = createWorker(implementation, setting);
  const [ports] = await once(worker, "message");
  return { worker, ports, url: `http://127.0.0.1:${ports[0]}` };
}

async function connectTo(url: string, options = {}) {
  const client = openClient(url, options);
  await once(client, "connect");
  return client;
}

describeBoth("worker threads", (implementation) => {
  it("a server in a worker serves clients", async () => {
    const { url } = await startWorker(implementation);
    for (const transports of [["websocket"], ["polling"]]) {
      const client = await connectTo(url, { transports });
      expect(await client.emitWithAck("q", { a: Buffer.from([1]) })).toEqual({
        a: Buffer.from([1]),
      });
    }
  });

  it("a worker ends by itself after close()", async () => {
    const { worker, url } = await startWorker(implementation);
    const client = await connectTo(url);
    const gone = once(client, "disconnect");
    const exited = once(worker, "exit");
    worker.postMessage("close");
    expect((await gone)[0]).toBe("transport close");
    expect(await exited).toEqual([0]);
  });

  it("servers in the main thread and in two workers do not know each other", async () => {
    const running = await startServer(implementation);
    const main = await joinPair(running);
    main.socket.on("q", (_value, reply) => reply("main"));
    const workers = [await startWorker(implementation), await startWorker(implementation)];
    const clients = await Promise.all(workers.map(({ url }) => connectTo(url)));
    for (const [index, client] of clients.entries()) {
      expect(await client.emitWithAck("q", index)).toBe(index);
    }
    await workers[0]?.worker.terminate();
    expect(await clients[1]?.emitWithAck("q", "alive")).toBe("alive");
    expect(await main.client.emitWithAck("q", 0)).toBe("main");
  });

  it(
    "terminating workers with live, busy connections leaves the process and its servers alone",
    async () => {
      const running = await startServer(implementation);
      const main = await joinPair(running);
      main.socket.on("q", (reply) => reply("alive"));
      for (let round = 0; round < 5; round += 1) {
        const { worker, url } = await startWorker(implementation);
        const clients = await Promise.all(
          [["websocket"], ["websocket"], ["polling"]].map((transports) =>
            connectTo(url, { transports }),
          ),
        );
        const flooded = once(clients[0] as never, "flood");
        worker.postMessage("flood");
        await flooded;
        const talking = setInterval(() => clients[1]?.emit("q", "x"), 0);
        const gone = Promise.all(clients.slice(0, 2).map((client) => once(client, "disconnect")));
        await worker.terminate();
        clearInterval(talking);
        await gone;
        expect(await main.client.emitWithAck("q")).toBe("alive");
      }
    },
    ROUNDS_TIMEOUT_MS,
  );

  it("a worker that dies of an error closes its connections", async () => {
    const { worker, url } = await startWorker(implementation);
    const client = await connectTo(url);
    const gone = once(client, "disconnect");
    const failed = once(worker, "error");
    worker.postMessage("throw");
    expect((await failed)[0].message).toBe("told to throw");
    await gone;
  });

  it("several workers with several servers each serve at once, and end by themselves one by one", async () => {
    const workers = await Promise.all(
      [1, 2, 3].map(() => startWorker(implementation, { servers: 2 })),
    );
    const clients = await Promise.all(
      workers.flatMap(({ ports }) => ports.map((port) => connectTo(`http://127.0.0.1:${port}`))),
    );
    for (const { worker } of workers) {
      const answers = clients.map((client, index) => client.emitWithAck("q", index));
      expect(await Promise.all(answers)).toEqual(clients.map((_client, index) => index));
      const gone = clients.splice(0, 2).map((client) => once(client, "disconnect"));
      const exited = once(worker, "exit");
      worker.postMessage("close");
      await Promise.all(gone);
      expect(await exited).toEqual([0]);
    }
  });

  for (const task of ["say and exit", "say and exit in a listener"]) {
    it(`process.exit() in a worker ends the worker alone, and what was emitted before arrives: ${task}`, async () => {
      const main = await joinPair(await startServer(implementation));
      main.socket.on("q", (reply) => reply("alive"));
      const { worker, ports, url } = await startWorker(implementation);
      const websocket = await connectTo(url);
      const polling = await PollingPeer.join(ports[0] as number);
      const poll = polling.start("GET");
      poll.send();
      await once(poll.clientRequest, "finish");
      await polling.send("3");
      const heard = once(websocket, "bye");
      const exited = once(worker, "exit");
      worker.postMessage(task);
      await heard;
      expect((await poll.response).text).toBe('42["bye"]');
      expect(await exited).toEqual([3]);
      expect(await main.client.emitWithAck("q")).toBe("alive");
    });
  }

  it("workers that are terminated while they load, or before they have a client, do no harm", async () => {
    const main = await joinPair(await startServer(implementation));
    main.socket.on("q", (reply) => reply("alive"));
    for (const moment of ["at once", "online", "message", "at once", "online"]) {
      const worker = createWorker(implementation);
      if (moment !== "at once") {
        await once(worker, moment);
      }
      await worker.terminate();
    }
    expect(await main.client.emitWithAck("q")).toBe("alive");
  });

  for (const options of [{}, { carrier: "bridge" }]) {
    const carrier = "carrier" in options ? "the bridge" : "the usual carrier";

    it(
      `workers are terminated in the middle of handshakes over ${carrier}, and the process lives`,
      async () => {
        const main = await joinPair(await startServer(implementation));
        main.socket.on("q", (reply) => reply("alive"));
        for (let round = 0; round < 4; round += 1) {
          const { worker, ports } = await startWorker(implementation, { options });
          const port = ports[0] as number;
          let opened = 0;
          let isOver = false;
          const knock = async (bytes: Buffer, isKept: boolean): Promise<void> => {
            while (!isOver) {
              const stream = connectNet(port, "127.0.0.1");
              closeClientAfterTest(() => stream.destroy());
              stream.on("error", () => {});
              stream.write(bytes);
              const answered = new Promise<void>((resolve) => {
                stream.once("data", () => {
                  opened += 1;
                  resolve();
                });
                stream.once("close", resolve);
              });
              await answered;
              if (!isKept) {
                stream.destroy();
              }
            }
          };
          const poll = Buffer.from(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n",
          );
          const websocket = openingHandshake({ trailing: frame("40") });
          const knocking = [knock(poll, false), knock(websocket, true), knock(websocket, false)];
          await eventually(() => opened > 20 + 7 * round, "nobody got in");
          await worker.terminate();
          isOver = true;
          await Promise.all(knocking);
          expect(await main.client.emitWithAck("q")).toBe("alive");
        }
      },
      ROUNDS_TIMEOUT_MS,
    );

    it(
      `workers are terminated under clients that do not read, over ${carrier}, and the process lives`,
      async () => {
        const main = await joinPair(await startServer(implementation));
        main.socket.on("q", (reply) => reply("alive"));
        for (let round = 0; round < 2; round += 1) {
          const { worker, ports } = await startWorker(implementation, { options });
          const peers = [];
          for (let count = 0; count < 4; count += 1) {
            peers.push(await RawWebSocket.join(ports[0] as number));
          }
          const flooded = peers.map((peer) => once(peer.stream, "data"));
          worker.postMessage("flood without end");
          await Promise.all(flooded);
          for (const { stream } of peers) {
            stream.pause();
          }
          // As long as the worker answers it goes on filling what nobody reads.
          const witness = await PollingPeer.open(ports[0] as number);
          await Promise.all([1, 2, 3].map(() => witness.post("3")));
          await worker.terminate();
          const ended = peers.map((peer) => once(peer.stream, "close"));
          for (const { stream } of peers) {
            stream.resume();
          }
          await Promise.all(ended);
          expect(await main.client.emitWithAck("q")).toBe("alive");
        }
      },
      ROUNDS_TIMEOUT_MS,
    );
  }

  // socket.io has no core to look into.
  if (implementation.name === "sio-rs") {
    it("nothing of the workers is left in the process", async () => {
      const { currentLink } = require("../../dist/link");
      const held = (): number[] => {
        const { sessions, connections, members, rooms } = currentLink().counters();
        return [sessions, connections, members, rooms];
      };
      const isEmpty = () => held().every((count) => count === 0);
      await eventually(isEmpty, "an earlier test has left something");
      const { worker, url } = await startWorker(implementation);
      await Promise.all([connectTo(url), connectTo(url, { transports: ["polling"] })]);
      // A room counts once in each shard that has members of it.
      await eventually(() => {
        const [sessions, connections, members, rooms] = held() as [number, number, number, number];
        return sessions === 2 && connections === 1 && members === 2 && rooms >= 1;
      }, `the core does not hold the clients of the worker but ${held()}`);
      await worker.terminate();
      await eventually(isEmpty, "the core holds something of a worker that is gone");
    });
  }
});
