// Sockets of other servers, as an adapter that knows of them hands them out; and serverSideEmit between servers.

import type { Adapter } from "socket.io-adapter";
import { nextTurn } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { startServer } from "../harness/servers";

/** What an adapter tells of one socket of another server. */
const DETAILS = {
  id: "aaaaaaaaaaaaaaaaaaaa",
  handshake: { headers: {}, query: { a: "b" }, auth: {} },
  rooms: ["aaaaaaaaaaaaaaaaaaaa", "room"],
  data: { name: "remote" },
};

interface Call {
  method: string;
  args: any[];
}

/** A server whose adapter pretends that one socket lives elsewhere, and records what it is asked for. */
async function startWithStub(implementation: Implementation) {
  const calls: Call[] = [];
  const Base = new implementation.Server().adapter() as unknown as new (nsp: unknown) => Adapter;
  class Stub extends Base {
    override async fetchSockets(opts: any): Promise<any[]> {
      calls.push({ method: "fetchSockets", args: [opts] });
      return [DETAILS, ...(await super.fetchSockets(opts))];
    }
    override broadcast(packet: any, opts: any): void {
      calls.push({ method: "broadcast", args: [packet, opts] });
    }
    override broadcastWithAck(packet: any, opts: any, count: any, ack: any): void {
      calls.push({ method: "broadcastWithAck", args: [packet, opts] });
      count(1);
      if (packet.data[1] !== "no answer") {
        setImmediate(ack, "answer", "ignored");
      }
    }
    override addSockets(opts: any, rooms: any): void {
      calls.push({ method: "addSockets", args: [opts, rooms] });
    }
    override delSockets(opts: any, rooms: any): void {
      calls.push({ method: "delSockets", args: [opts, rooms] });
    }
    override disconnectSockets(opts: any, close: boolean): void {
      calls.push({ method: "disconnectSockets", args: [opts, close] });
    }
    override serverSideEmit(packet: any[]): void {
      calls.push({ method: "serverSideEmit", args: packet });
    }
  }
  const running = await startServer(implementation, { adapter: Stub as never });
  return { ...running, calls };
}

describeBoth("remote socket", (implementation) => {
  it("it is built from what the adapter tells", async () => {
    const { io } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    expect(remote?.id).toBe(DETAILS.id);
    expect(remote?.handshake).toEqual(DETAILS.handshake);
    expect(remote?.rooms).toEqual(new Set(DETAILS.rooms));
    expect(remote?.data).toEqual(DETAILS.data);
    expect(internals(remote as object).server).toBeUndefined();
    for (const method of ["emit", "timeout", "join", "leave", "disconnect"]) {
      expect(typeof internals(remote as object)[method]).toBe("function");
    }
    expect(internals(remote as object).emitWithAck).toBeUndefined();
  });

  it("rooms, exceptions and flags of the operator reach fetchSockets", async () => {
    const { io, calls } = await startWithStub(implementation);
    await io.in("r").except("x").local.fetchSockets();
    const [opts] = calls[0]?.args ?? [];
    expect([[...opts.rooms], [...opts.except], opts.flags]).toEqual([
      ["r"],
      ["x"],
      { local: true },
    ]);
  });

  it("the timeout of an operator reaches fetchSockets", async () => {
    const { io, calls } = await startWithStub(implementation);
    await io.timeout(77).fetchSockets();
    await io.fetchSockets();
    expect(calls.map(({ args: [{ flags }] }) => flags)).toEqual([{ timeout: 77 }, {}]);
  });

  it("emit is a broadcast to its own room", async () => {
    const { io, calls } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    expect(remote?.emit("x", 1)).toBe(true);
    const [packet, opts] = calls.at(-1)?.args ?? [];
    expect(calls.at(-1)?.method).toBe("broadcast");
    expect([packet.data, [...opts.rooms]]).toEqual([["x", 1], [DETAILS.id]]);
  });

  it("join, leave and disconnect are passed on", async () => {
    const { io, calls } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    calls.length = 0;
    expect(remote?.join("a")).toBeUndefined();
    expect(remote?.leave(["b", "c"] as never)).toBeUndefined();
    expect(remote?.disconnect(true)).toBe(remote);
    expect(calls.map(({ method, args }) => [method, [...args[0].rooms], args[1]])).toEqual([
      ["addSockets", [DETAILS.id], ["a"]],
      ["delSockets", [DETAILS.id], ["b", "c"]],
      ["disconnectSockets", [DETAILS.id], true],
    ]);
  });

  it("disconnect leaves the connection open unless it is told otherwise, and reserved names are refused", async () => {
    const { io, calls } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    expect(remote?.disconnect()).toBe(remote);
    expect(calls.at(-1)).toMatchObject({ method: "disconnectSockets", args: [{}, false] });
    expect(() => remote?.emit("connect")).toThrow('"connect" is a reserved event name');
  });

  it("a callback gets no error and the single answer", async () => {
    const { io } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    const called = await new Promise<unknown[]>((resolve) => {
      remote?.timeout(4_000).emit("q", (...args: unknown[]) => resolve(args));
    });
    expect(called).toEqual([null, "answer"]);
  });

  it("an ack comes as a single answer, and as null when it does not come in time", async () => {
    const { io } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    expect(await remote?.timeout(4_000).emitWithAck("q")).toBe("answer");
    const called = await new Promise<unknown[]>((resolve) => {
      remote?.timeout(20).emit("q", "no answer", (...args: unknown[]) => resolve(args));
    });
    expect(called[0]).toBeInstanceOf(Error);
    expect(called[1]).toBeNull();
  });

  it("socketsJoin, socketsLeave and disconnectSockets of operators are passed on as arrays", async () => {
    const { io, calls } = await startWithStub(implementation);
    io.in("r").socketsJoin("a");
    io.in("r").socketsLeave("b");
    io.in("r").disconnectSockets();
    expect(calls.map(({ method, args }) => [method, [...args[0].rooms], args[1]])).toEqual([
      ["addSockets", ["r"], ["a"]],
      ["delSockets", ["r"], ["b"]],
      ["disconnectSockets", ["r"], false],
    ]);
  });

  it("serverSideEmit hands event and arguments to the adapter, the callback last", async () => {
    const { io, calls } = await startWithStub(implementation);
    const callback = (): void => {};
    expect(io.serverSideEmit("hello", 1, callback)).toBe(true);
    expect(calls.at(-1)?.args.slice(0, 2)).toEqual(["hello", 1]);
    expect(typeof calls.at(-1)?.args[2]).toBe("function");
  });

  it("serverSideEmitWithAck resolves with what the adapter answers, and rejects with its error", async () => {
    const { io, calls } = await startWithStub(implementation);
    const answered = io.serverSideEmitWithAck("hello", 1);
    calls.at(-1)?.args.at(-1)(null, [1, 2]);
    expect(await answered).toEqual([1, 2]);
    const failed = io.serverSideEmitWithAck("hello");
    calls.at(-1)?.args.at(-1)(new Error("timed out"), [1]);
    await expect(failed).rejects.toMatchObject({ message: "timed out", responses: [1] });
  });

  for (const name of ["connect", "connection", "new_namespace"]) {
    it(`serverSideEmit of "${name}" is refused`, async () => {
      const { io } = await startWithStub(implementation);
      const message = `"${name}" is a reserved event name`;
      expect(() => io.serverSideEmit(name)).toThrow(message);
      await expect(io.serverSideEmitWithAck(name)).rejects.toThrow(message);
    });
  }

  it("what another server emits reaches the listeners of the namespace", async () => {
    const { io } = await startWithStub(implementation);
    const heard: unknown[] = [];
    io.on("hello", (...args: unknown[]) => heard.push("main", ...args));
    io.of("/n").on("hello", (...args: unknown[]) => heard.push("n", ...args));
    internals(io.of("/"))._onServerSideEmit(["hello", 1, 2]);
    internals(io.of("/n"))._onServerSideEmit(["hello", 3]);
    expect(heard).toEqual(["main", 1, 2, "n", 3]);
  });

  it("with the adapter in memory serverSideEmit warns and reaches nobody", async () => {
    const { io } = await startServer(implementation);
    const warned: unknown[] = [];
    const warn = jest.spyOn(console, "warn").mockImplementation((text) => void warned.push(text));
    try {
      io.on("hello", () => warned.push("reached"));
      expect(io.serverSideEmit("hello")).toBe(true);
    } finally {
      warn.mockRestore();
    }
    expect(warned).toEqual(["this adapter does not support the serverSideEmit() functionality"]);
  });

  it("with the adapter in memory serverSideEmitWithAck warns and stays pending", async () => {
    const { io } = await startServer(implementation);
    const warned: unknown[] = [];
    const warn = jest.spyOn(console, "warn").mockImplementation((text) => void warned.push(text));
    const settled: string[] = [];
    try {
      io.serverSideEmitWithAck("hello").then(
        () => settled.push("resolved"),
        () => settled.push("rejected"),
      );
      await nextTurn();
    } finally {
      warn.mockRestore();
    }
    expect(warned).toHaveLength(1);
    expect(settled).toEqual([]);
  });

  it("it has no other members", async () => {
    const { io } = await startWithStub(implementation);
    const [remote] = await io.fetchSockets();
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(remote));
    expect(methods.sort()).toEqual([
      "constructor",
      "disconnect",
      "emit",
      "join",
      "leave",
      "timeout",
    ]);
    expect(Object.keys(remote as object).sort()).toEqual([
      "data",
      "handshake",
      "id",
      "operator",
      "rooms",
    ]);
  });
});
