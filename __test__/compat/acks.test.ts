// Acknowledgements both ways between one socket and its client, with and without a timeout.

import { record, settleDown, settleUp, TRANSPORTS } from "../harness/clients";
import { deferred, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { startPair } from "../harness/servers";

const TIMED_OUT = "operation has timed out";

describeBoth("acks", (implementation) => {
  for (const { label, transports } of TRANSPORTS) {
    it(`the server acknowledges an event of the client over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      socket.on("add", (a: number, b: number, reply: (...args: unknown[]) => void) =>
        reply(a + b, { list: [a, b] }),
      );
      const answer = deferred<unknown[]>();
      client.emit("add", 1, 2, (...args: unknown[]) => answer.resolve(args));
      expect(await answer.promise).toEqual([3, { list: [1, 2] }]);
    });

    it(`the client acknowledges an event of the server over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      client.on("add", (a: number, b: number, reply: (...args: unknown[]) => void) =>
        reply(a + b, "x"),
      );
      const answer = deferred<unknown[]>();
      socket.emit("add", 1, 2, (...args: unknown[]) => answer.resolve(args));
      expect(await answer.promise).toEqual([3, "x"]);
    });

    it(`emitWithAck resolves with the first argument over ${label}`, async () => {
      const { socket, client } = await startPair(implementation, {}, { transports });
      client.on("who", (reply) => reply("client", "ignored"));
      socket.on("who", (reply) => reply("server", "ignored"));
      expect(await socket.emitWithAck("who")).toBe("client");
      expect(await client.emitWithAck("who")).toBe("server");
    });
  }

  it("an ack may carry nothing", async () => {
    const { socket, client } = await startPair(implementation);
    client.on("quiet", (reply) => reply());
    socket.on("quiet", (reply) => reply());
    expect(await socket.emitWithAck("quiet")).toBeUndefined();
    expect(await client.emitWithAck("quiet")).toBeUndefined();
  });

  it("the ack callback is called with the socket as this, once, and is then forgotten", async () => {
    const { socket, client } = await startPair(implementation);
    client.on("twice", (reply) => {
      reply(1);
      reply(2);
    });
    const calls: unknown[] = [];
    socket.emit("twice", function (this: unknown, value: number) {
      calls.push(this === socket, value);
    });
    expect(internals(socket).acks.size).toBe(1);
    await settleDown(socket, client);
    await settleUp(client, socket);
    expect(calls).toEqual([true, 1]);
    expect(internals(socket).acks.size).toBe(0);
  });

  it("the server sends an ack only once", async () => {
    const { socket, client } = await startPair(implementation);
    socket.on("twice", (reply) => {
      reply(1);
      reply(2);
    });
    const answers: unknown[] = [];
    // Not the callback, which the client calls once whatever comes.
    client.io.on("packet", ({ type, id, data }) => type === 3 && answers.push([id, data]));
    client.emit("twice", () => {});
    await settleUp(client, socket);
    await settleDown(socket, client);
    expect(answers.filter(([id]: any) => id === 0)).toEqual([[0, [1]]]);
  });

  it("acks come from one counter per namespace, which is a plain number", async () => {
    const { io, socket } = await startPair(implementation);
    const nsp = internals(io.of("/"));
    const before = nsp._ids;
    expect(typeof before).toBe("number");
    socket.emit("a", () => {});
    socket.emit("b", () => {});
    expect(nsp._ids).toBe(before + 2);
    nsp._ids += 100;
    socket.emit("c", () => {});
    expect([...internals(socket).acks.keys()]).toEqual([before, before + 1, before + 102]);
  });

  it("socket.acks is a Map that adapters may write to", async () => {
    const { socket, client } = await startPair(implementation);
    const { acks } = internals(socket);
    expect(acks).toBeInstanceOf(Map);
    const answer = deferred<unknown[]>();
    acks.set(12_345, (...args: unknown[]) => answer.resolve(args));
    internals(client).packet({ type: 3, id: 12_345, data: ["written", "by hand"] });
    expect(await answer.promise).toEqual(["written", "by hand"]);
  });

  it("an ack with an unknown id is ignored", async () => {
    const { socket, client } = await startPair(implementation);
    internals(client).packet({ type: 3, id: 99_999, data: [1] });
    await settleUp(client, socket);
    expect(socket.connected).toBe(true);
  });

  it("answers may come in another order than the questions", async () => {
    const { socket, client } = await startPair(implementation);
    const replies: ((value: number) => void)[] = [];
    client.on("ask", (_index, reply) => {
      replies.push(reply);
      if (replies.length === 3) {
        replies.reverse();
        for (const [index, answer] of replies.entries()) {
          answer(index);
        }
      }
    });
    const answers = await Promise.all([0, 1, 2].map((index) => socket.emitWithAck("ask", index)));
    expect(answers).toEqual([2, 1, 0]);
  });

  it("with timeout an answer comes after a null error", async () => {
    const { socket, client } = await startPair(implementation);
    client.on("fast", (reply) => reply("value", "more"));
    const answer = deferred<unknown[]>();
    socket.timeout(4_000).emit("fast", (...args: unknown[]) => answer.resolve(args));
    expect(await answer.promise).toEqual([null, "value", "more"]);
    expect(await socket.timeout(4_000).emitWithAck("fast")).toBe("value");
  });

  it("after an answer in time the timeout is called off", async () => {
    const { socket, client } = await startPair(implementation);
    const calls: unknown[][] = [];
    client.on("fast", (reply) => reply("value"));
    socket.timeout(200).emit("fast", (...args: unknown[]) => calls.push(args));
    await settleDown(socket, client);
    await settleUp(client, socket);
    expect(calls).toEqual([[null, "value"]]);
    const later = deferred<unknown>();
    socket.timeout(300).emit("never answered", later.resolve); // its time is up after the other's
    expect(await later.promise).toEqual(new Error(TIMED_OUT));
    expect(calls).toHaveLength(1);
  });

  it("without an answer in time the callback gets the error, and a late answer is ignored", async () => {
    const { socket, client } = await startPair(implementation);
    let reply: (value: string) => void = () => {};
    client.on("slow", (callback) => {
      reply = callback;
    });
    const calls: unknown[][] = [];
    const timedOut = deferred();
    socket.timeout(20).emit("slow", (...args: unknown[]) => {
      calls.push(args);
      timedOut.resolve();
    });
    await timedOut.promise;
    await settleDown(socket, client);
    reply("late");
    await settleUp(client, socket);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toEqual([new Error(TIMED_OUT)]);
    expect(internals(socket).acks.size).toBe(0);
  });

  it("timeout(0) is a timeout", async () => {
    const { socket } = await startPair(implementation);
    await expect(socket.timeout(0).emitWithAck("zero")).rejects.toThrow(TIMED_OUT);
  });

  it("emitWithAck rejects for a reserved name", async () => {
    const { socket } = await startPair(implementation);
    await expect(socket.emitWithAck("connect")).rejects.toThrow(
      '"connect" is a reserved event name',
    );
  });

  it("timeout holds for the next emission only", async () => {
    const { socket, client } = await startPair(implementation);
    client.on("q", (reply) => reply("value"));
    socket.timeout(3_000).emit("no-ack");
    const answer = deferred<unknown[]>();
    socket.emit("q", (...args: unknown[]) => answer.resolve(args));
    expect(await answer.promise).toEqual(["value"]);
  });

  it("pending acks are neither called nor forgotten at disconnection, but their timeouts fire", async () => {
    const { socket, client } = await startPair(implementation);
    const calls: string[] = [];
    socket.emit("never", () => calls.push("plain"));
    const timedOut = deferred<Error>();
    socket.timeout(150).emit("never", (error: Error) => timedOut.resolve(error));
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(internals(socket).acks.size).toBe(2);
    expect((await timedOut.promise).message).toBe(TIMED_OUT);
    expect(calls).toEqual([]);
  });

  it("an ack sent after the client has gone is ignored", async () => {
    const { socket, client } = await startPair(implementation);
    const asked = once(socket, "ask");
    client.emit("ask", () => {});
    const [reply] = await asked;
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(() => reply("nobody listens")).not.toThrow();
  });

  it("an event without an ack gets no extra argument", async () => {
    const { socket, client } = await startPair(implementation);
    const up = once(socket, "plain");
    client.emit("plain", 1);
    expect(await up).toEqual([1]);
  });

  it("acks also work in a namespace of its own", async () => {
    const { io, client } = await startPair(implementation);
    io.of("/other").on("connection", (socket) => socket.on("q", (reply) => reply("other")));
    const other = client.io.socket("/other");
    expect(await other.emitWithAck("q")).toBe("other");
  });

  it("many acks in flight find their own callbacks", async () => {
    const { socket, client } = await startPair(implementation);
    socket.on("double", (value, reply) => reply(value * 2));
    const seen = record(client);
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) => client.emitWithAck("double", index)),
    );
    expect(answers).toEqual(Array.from({ length: 500 }, (_, index) => index * 2));
    expect(seen).toEqual([]);
  });

  it("with a timeout too the callback is called with the socket as this", async () => {
    const { socket, client } = await startPair(implementation);
    client.on("q", (reply) => reply("value"));
    for (const [event, expected] of [
      ["q", [null, "value"]],
      ["never answered", [new Error(TIMED_OUT)]],
    ] as const) {
      const called = deferred<unknown[]>();
      socket
        .timeout(event === "q" ? 4_000 : 20)
        .emit(event, function (this: unknown, ...args: unknown[]) {
          called.resolve([this === socket, ...args]);
        });
      expect(await called.promise).toEqual([true, ...expected]);
    }
  });

  it("timeout(undefined) is none, and puts no error before the answer", async () => {
    const { socket, client } = await startPair(implementation);
    client.on("q", (reply) => reply("value"));
    const called = deferred<unknown[]>();
    socket.timeout(undefined as never).emit("q", (...args: unknown[]) => called.resolve(args));
    expect(await called.promise).toEqual(["value"]);
    expect(await socket.timeout(undefined as never).emitWithAck("q")).toBe("value");
  });
});
