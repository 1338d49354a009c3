// Broadcasts that ask for acknowledgements: answers of all, nobody, some, and what is cleaned up afterwards.

import { Adapter } from "socket.io-adapter";
import { settleDown, settleUp } from "../harness/clients";
import { deferred, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinOver, joinPairs, startPair, startServer } from "../harness/servers";

type Joined = Awaited<ReturnType<typeof joinPairs>>[number];

const TIMED_OUT = "operation has timed out";

describeBoth("broadcast acks", (implementation) => {
  it("all answers come, the first argument of each", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    for (const [index, { client }] of pairs.entries()) {
      client.on("q", (value, reply) => reply(value + index, "ignored"));
    }
    const called = deferred<unknown[]>();
    running.io.timeout(4_000).emit("q", 10, (...args: unknown[]) => called.resolve(args));
    const [error, responses] = await called.promise;
    expect(error).toBeNull();
    expect([...(responses as number[])].sort()).toEqual([10, 11, 12]);
  });

  it("emitWithAck resolves with the answers of a room, binary included", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    for (const { socket, client } of pairs.slice(1)) {
      socket.join("r");
      client.on("q", (bytes, reply) => reply(Buffer.concat([bytes, Buffer.from([9])])));
    }
    pairs[0]?.client.on("q", () => {
      throw new Error("not in the room");
    });
    const responses = await running.io
      .to("r")
      .timeout(4_000)
      .emitWithAck("q", Buffer.from([1]));
    expect(responses).toEqual([Buffer.from([1, 9]), Buffer.from([1, 9])]);
  });

  it("socket.broadcast asks all others", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    for (const [index, { client }] of pairs.entries()) {
      client.on("q", (reply) => reply(index));
    }
    const responses = await pairs[0]?.socket.timeout(4_000).broadcast.emitWithAck("q");
    expect([...(responses as number[])].sort()).toEqual([1, 2]);
  });

  it("nobody to ask gives no error and no answers, not before the next microtask", async () => {
    const { io } = await startServer(implementation);
    const log: unknown[] = [];
    const called = deferred();
    io.to("nobody")
      .timeout(4_000)
      .emit("q", (error: unknown, responses: unknown[]) => {
        log.push(error, responses);
        called.resolve();
      });
    log.push("returned");
    await called.promise;
    expect(log).toEqual(["returned", null, []]);
    expect(await io.timeout(4_000).emitWithAck("q")).toEqual([]);
  });

  it("an answer may be nothing", async () => {
    const { io, client } = await startPair(implementation);
    client.on("q", (reply) => reply());
    expect(await io.timeout(4_000).emitWithAck("q")).toEqual([undefined]);
  });

  it("after the timeout the callback gets the error and the answers so far, and no ack is kept", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    const second = pairs[1] as (typeof pairs)[number];
    const late: (() => void)[] = [];
    pairs[0]?.client.on("q", (reply) => reply("in time"));
    second.client.on("q", (reply) => late.push(() => reply("too late")));
    let calls = 0;
    const called = deferred<unknown[]>();
    running.io.timeout(150).emit("q", (...args: unknown[]) => {
      calls += 1;
      called.resolve(args);
    });
    const [error, responses] = await called.promise;
    expect((error as Error).message).toBe(TIMED_OUT);
    expect(responses).toEqual(["in time"]);
    for (const { socket } of pairs) {
      expect(internals(socket).acks.size).toBe(0);
    }
    for (const reply of late) {
      reply();
    }
    await settleUp(second.client, second.socket);
    expect(calls).toBe(1);
  });

  it("emitWithAck rejects after the timeout with an error that carries the answers", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 2);
    pairs[0]?.client.on("q", (reply) => reply("in time"));
    const failed = running.io.timeout(100).emitWithAck("q");
    await expect(failed).rejects.toThrow(TIMED_OUT);
    await expect(failed).rejects.toMatchObject({ responses: ["in time"] });
  });

  it("without timeout() the wait ends at once, neither forever nor with a throw", async () => {
    const { io } = await startPair(implementation);
    const called = deferred<unknown[]>();
    io.emit("q", (...args: unknown[]) => called.resolve(args));
    const [error, responses] = await called.promise;
    expect((error as Error).message).toBe(TIMED_OUT);
    expect(responses).toEqual([]);
  });

  it("an answer of a client that leaves does not come, and the timeout tells the others'", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 2);
    pairs[0]?.client.on("q", (reply) => reply("stayed"));
    pairs[1]?.client.on("q", () => pairs[1]?.client.disconnect());
    const failed = running.io.timeout(150).emitWithAck("q");
    await expect(failed).rejects.toMatchObject({ message: TIMED_OUT, responses: ["stayed"] });
  });

  it("two broadcasts in flight keep their answers apart", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 2);
    for (const [index, { client }] of pairs.entries()) {
      client.on("q", (name, reply) => reply(`${name}${index}`));
    }
    const [first, second] = await Promise.all([
      running.io.timeout(4_000).emitWithAck("q", "a"),
      running.io.timeout(4_000).emitWithAck("q", "b"),
    ]);
    expect([first.sort(), second.sort()]).toEqual([
      ["a0", "a1"],
      ["b0", "b1"],
    ]);
  });

  it("broadcast acks and direct acks share the namespace's counter", async () => {
    const { io, socket, client } = await startPair(implementation);
    client.on("q", (reply) => reply("yes"));
    const nsp = internals(io.of("/"));
    const before = nsp._ids;
    const broadcast = io.timeout(4_000).emitWithAck("q");
    const direct = socket.emitWithAck("q");
    expect(nsp._ids).toBe(before + 2);
    expect(await broadcast).toEqual(["yes"]);
    expect(await direct).toBe("yes");
  });

  it("each client answers once, however often it tries", async () => {
    const { io, socket, client } = await startPair(implementation);
    let id: number | undefined;
    client.io.engine.on("packet", ({ type, data }: any) => {
      id ??= type === "message" ? Number(/^2(\d+)/.exec(data)?.[1] ?? Number.NaN) : undefined;
    });
    client.on("q", (reply) => {
      reply(1);
      internals(client).packet({ type: 3, id, data: [2] });
    });
    expect(await io.timeout(4_000).emitWithAck("q")).toEqual([1]);
    expect(socket.connected).toBe(true);
  });

  it("neither a second answer nor one of a client that was not asked stands for an answer that is missing", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    const [first, second, outsider] = pairs as [Joined, Joined, Joined];
    for (const { socket } of [first, second]) {
      socket.join("asked");
    }
    const id = internals(running.io.sockets)._ids;
    const answer = ({ client }: Joined, data: unknown) =>
      internals(client).packet({ type: 3, id, data: [data] });
    const asked = [first, second].map(({ client }) => once(client, "q"));
    const answers = running.io.to("asked").timeout(4_000).emitWithAck("q");
    await Promise.all(asked);
    answer(first, "first");
    answer(first, "again");
    answer(outsider, "nobody asked");
    for (const { client, socket } of [first, outsider]) {
      await settleUp(client, socket);
    }
    answer(second, "second");
    expect(await answers).toEqual(["first", "second"]);
  });

  it("it is not done before every server has told how many clients it has asked", async () => {
    const told = deferred<(count: number) => void>();
    class TwoServers extends Adapter {
      override async serverCount(): Promise<number> {
        return 2;
      }
      override broadcastWithAck(...args: Parameters<Adapter["broadcastWithAck"]>): void {
        super.broadcastWithAck(...args);
        told.resolve(args[2]);
      }
    }
    const { io, socket, client } = await startPair(implementation, {
      adapter: TwoServers as never,
    });
    client.on("q", (reply) => reply("yes"));
    let isDone = false;
    const answers = io.timeout(4_000).emitWithAck("q");
    void answers.then(() => {
      isDone = true;
    });
    await settleDown(socket, client);
    await settleUp(client, socket);
    expect(isDone).toBe(false);
    (await told.promise)(0);
    expect(await answers).toEqual(["yes"]);
  });

  it("until a client has answered, the callback is in the acks of its socket", async () => {
    const { io, socket } = await startPair(implementation);
    const id = internals(io.sockets)._ids;
    const timedOut = deferred();
    io.timeout(20).emit("q", () => timedOut.resolve());
    const { acks } = internals(socket);
    const before = [...acks.keys()];
    await timedOut.promise;
    expect([before, acks.size]).toEqual([[id], 0]);
  });

  it("an answer that an adapter brings after the timeout changes nothing", async () => {
    const late = deferred<void>();
    class Slow extends Adapter {
      override broadcastWithAck(
        _packet: unknown,
        _opts: unknown,
        tellCount: (count: number) => void,
        ack: (...args: unknown[]) => void,
      ): void {
        tellCount(1);
        setTimeout(() => {
          ack("from another server");
          late.resolve();
        }, 60);
      }
    }
    const { io } = await startServer(implementation, { adapter: Slow as never });
    const calls: unknown[] = [];
    io.timeout(20).emit("q", (error: Error | null, answers: unknown) => {
      calls.push([error?.message, [...(answers as unknown[])]]);
    });
    await late.promise;
    expect(calls).toEqual([[TIMED_OUT, []]]);
  });

  it("answers are told in the order of their arrival", async () => {
    const running = await startServer(implementation);
    const pairs = await joinPairs(running, 3);
    const replies: ((value: number) => void)[] = [];
    const asked = pairs.map(async ({ client }, index) => {
      const [reply] = await once(client, "q");
      replies[index] = reply;
    });
    const answers = running.io.timeout(4_000).emitWithAck("q");
    await Promise.all(asked);
    for (const index of [2, 0, 1]) {
      replies[index]?.(index);
      const { client, socket } = pairs[index] as Joined;
      await settleUp(client, socket);
    }
    expect(await answers).toEqual([2, 0, 1]);
  });

  it("a client in several namespaces answers in that of the broadcast", async () => {
    const pair = await startPair(implementation);
    pair.io.of("/n");
    const other = await joinOver(pair, pair.client, "/n");
    pair.client.on("q", (reply) => reply("main"));
    other.client.on("q", (reply) => reply("n"));
    expect(await pair.io.of("/n").timeout(4_000).emitWithAck("q")).toEqual(["n"]);
    expect(await pair.io.timeout(4_000).emitWithAck("q")).toEqual(["main"]);
  });

  it("hundreds of clients answer one broadcast", async () => {
    const running = await startServer(implementation);
    const clients = Array.from({ length: 150 }, () => running.connect());
    await Promise.all(clients.map((client) => once(client, "connect")));
    for (const [index, client] of clients.entries()) {
      client.on("q", (reply) => reply(index));
    }
    const responses = await running.io.timeout(8_000).emitWithAck("q");
    expect(new Set(responses).size).toBe(150);
  });
});
