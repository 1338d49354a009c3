// Servers in worker threads: they serve, they close, they are terminated under load, and the process lives.

import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { closeServerAfterTest } from "../harness/cleanup";
import { openClient } from "../harness/clients";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { joinPair, startServer } from "../harness/servers";

const FIXTURE = join(__dirname, "..", "fixtures", "worker.cjs");

async function startWorker(
  implementation: Implementation,
): Promise<{ worker: Worker; url: string }> {
  const worker = new Worker(FIXTURE, { workerData: { modulePath: implementation.modulePath } });
  closeServerAfterTest(() => worker.terminate());
  const [port] = await once(worker, "message");
  return { worker, url: `http://127.0.0.1:${port}` };
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

  it("terminating workers with live, busy connections leaves the process and its servers alone", async () => {
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
  });

  it("a worker that dies of an error closes its connections", async () => {
    const { worker, url } = await startWorker(implementation);
    const client = await connectTo(url);
    const gone = once(client, "disconnect");
    const failed = once(worker, "error");
    worker.postMessage("throw");
    expect((await failed)[0].message).toBe("told to throw");
    await gone;
  });
});
