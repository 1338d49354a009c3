// The ticks in which things happen (TIM, TRAP): what is synchronous, what comes one nextTick later, and what overtakes what.

import { TRANSPORTS } from "../harness/clients";
import { nextTurn, once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { frame, RawWebSocket } from "../harness/raw-websocket";
import { joinPair, startPair, startServer } from "../harness/servers";

/** Sends packets so that the server reads them in one go, over either transport. */
const BATCHES: {
  label: string;
  open: (port: number) => Promise<(packets: string[]) => Promise<unknown>>;
}[] = [
  {
    label: "one polling payload",
    open: async (port) => {
      const peer = await PollingPeer.join(port);
      return (packets) => peer.send(...packets.map((packet) => `4${packet}`));
    },
  },
  {
    label: "one websocket segment",
    open: async (port) => {
      const peer = await RawWebSocket.join(port);
      return async (packets) =>
        peer.write(Buffer.concat(packets.map((packet) => frame(`4${packet}`))));
    },
  },
];

describeBoth("event order", (implementation) => {
  for (const { label, open } of BATCHES) {
    it(`an event followed by DISCONNECT in ${label} is dropped`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = onceValue(io, "connection");
      const send = await open(port);
      const socket = await joined;
      const log: string[] = [];
      socket.onAny((event: string) => log.push(`any ${event}`));
      socket.on("x", () => log.push("listener"));
      const left = once(socket, "disconnect");
      await send(['2["x"]', "1"]);
      expect((await left)[0]).toBe("client namespace disconnect");
      await nextTurn();
      expect(log).toEqual(["any x"]);
    });

    it(`an ACK overtakes the listener of the event before it in ${label}`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = onceValue(io, "connection");
      const send = await open(port);
      const socket = await joined;
      const log: string[] = [];
      const heard = once(socket, "x");
      socket.prependListener("x", () => log.push("listener"));
      socket.emit("q", () => log.push("ack"));
      await send(['2["x"]', `3${internals(io.of("/"))._ids - 1}[]`]);
      await heard;
      expect(log).toEqual(["ack", "listener"]);
    });

    it(`events of ${label} are dispatched in order, each listener after all catch-alls`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = onceValue(io, "connection");
      const send = await open(port);
      const socket = await joined;
      const log: string[] = [];
      socket.onAny((_event: string, index: number) => log.push(`any ${index}`));
      const last = new Promise<void>((resolve) => {
        socket.on("n", (index: number) => {
          log.push(`listener ${index}`);
          if (index === 2) {
            resolve();
          }
        });
      });
      await send(['2["n",0]', '2["n",1]', '2["n",2]']);
      await last;
      expect(log).toEqual(["any 0", "any 1", "any 2", "listener 0", "listener 1", "listener 2"]);
    });

    it(`socket.disconnect() in the first listener drops the later events of ${label}`, async () => {
      const { io, port } = await startServer(implementation);
      const joined = onceValue(io, "connection");
      const send = await open(port);
      const socket = await joined;
      const log: number[] = [];
      socket.on("n", (index: number) => {
        log.push(index);
        socket.disconnect();
      });
      const left = once(socket, "disconnect");
      await send(['2["n",0]', '2["n",1]']);
      await left;
      await nextTurn();
      expect(log).toEqual([0]);
    });
  }

  it("an event followed by the end of the TCP connection still has its listener called", async () => {
    const { io, port } = await startServer(implementation);
    const log: string[] = [];
    const joined = onceValue(io, "connection");
    const peer = await RawWebSocket.join(port);
    const socket = await joined;
    socket.on("last", () => log.push("listener"));
    const left = once(socket, "disconnect");
    peer.stream.end(frame('42["last"]'));
    expect((await left)[0]).toBe("transport close");
    await nextTurn();
    expect(log).toEqual(["listener"]);
  });

  it("disconnecting comes with rooms and connected, disconnect without, in one go", async () => {
    const { io, socket, client } = await startPair(implementation);
    socket.join("r");
    const log: unknown[] = [];
    const note = (event: string): void => {
      const { rooms, connected } = socket;
      const isListed = io.sockets.sockets.has(socket.id);
      const isOfClient = internals(socket.client).sockets.has(socket.id);
      log.push([event, [...rooms].length, connected, isListed, isOfClient]);
    };
    socket.on("disconnecting", (reason) => note(`disconnecting ${reason}`));
    io.of("/").adapter.on("leave-room", (room) => note(room === "r" ? "leave r" : "leave own"));
    socket.on("disconnect", (reason) => note(`disconnect ${reason}`));
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(log).toEqual([
      ["disconnecting client namespace disconnect", 2, true, true, true],
      ["leave own", expect.any(Number), true, true, true],
      ["leave r", expect.any(Number), true, true, true],
      ["disconnect client namespace disconnect", 0, false, false, false],
    ]);
  });

  it("socket.disconnect() has run all listeners before it returns", async () => {
    const { socket } = await startPair(implementation);
    const log: string[] = [];
    socket.on("disconnecting", () => log.push("disconnecting"));
    socket.on("disconnect", () => log.push("disconnect"));
    socket.disconnect();
    log.push("returned");
    expect(log).toEqual(["disconnecting", "disconnect", "returned"]);
  });

  it("disconnect(true) has run the listeners of all namespaces before it returns", async () => {
    const running = await startServer(implementation);
    running.io.of("/n");
    const { socket, client } = await joinPair(running);
    await once(client.io.socket("/n"), "connect");
    const log: string[] = [];
    for (const one of [...internals(socket.client).sockets.values()]) {
      one.on("disconnect", () => log.push(one.nsp.name));
    }
    socket.disconnect(true);
    expect(log).toEqual(["/", "/n"]);
    expect(socket.conn.readyState).not.toBe("open");
  });

  for (const { label, transports } of TRANSPORTS.slice(0, 2)) {
    it(`outgoing catch-alls and packetCreate come inside of emit, in this order, over ${label}`, async () => {
      const { socket } = await startPair(implementation, {}, { transports });
      const log: unknown[] = [];
      socket.onAnyOutgoing(() => log.push("outgoing"));
      socket.conn.on("packetCreate", ({ data }: any) => log.push(data));
      socket.emit("x", 1);
      log.push("returned");
      expect(log).toEqual(["outgoing", '2["x",1]', "returned"]);
    });
  }

  it("a broadcast is handed to every connection before emit returns", async () => {
    const running = await startServer(implementation);
    const pairs = [
      await joinPair(running),
      await joinPair(running, "/", { transports: ["polling"] }),
    ];
    const log: unknown[] = [];
    for (const [index, { socket }] of pairs.entries()) {
      socket.conn.on("packetCreate", ({ data }: any) => log.push(index, String(data)));
    }
    running.io.emit("x");
    log.push("returned");
    expect(log).toEqual([0, '2["x"]', 1, '2["x"]', "returned"]);
  });

  it("an event is dispatched in a later tick than the data of its connection", async () => {
    const { socket, client } = await startPair(implementation);
    const log: string[] = [];
    socket.conn.on("data", () => {
      log.push("data");
      process.nextTick(() => log.push("tick"));
    });
    socket.onAny(() => log.push("any"));
    const heard = once(socket, "x");
    socket.prependListener("x", () => log.push("listener"));
    client.emit("x");
    await heard;
    expect(log[0]).toBe("data");
    expect(log.indexOf("any")).toBeLessThan(log.indexOf("listener"));
    expect(log.indexOf("tick")).toBeLessThan(log.indexOf("listener"));
  });

  it("emit in a listener and the ack of it go out in the order of the calls", async () => {
    const { socket, client } = await startPair(implementation);
    const order: string[] = [];
    socket.on("q", (reply) => {
      socket.emit("before");
      reply();
      socket.emit("after");
    });
    client.on("before", () => order.push("before"));
    client.on("after", () => order.push("after"));
    const done = once(client, "after");
    client.emit("q", () => order.push("ack"));
    await done;
    expect(order).toEqual(["before", "ack", "after"]);
  });

  it("async listeners run independently of each other", async () => {
    const { socket, client } = await startPair(implementation);
    const log: number[] = [];
    socket.on("n", async (index: number) => {
      await nextTurn();
      log.push(index);
      if (index === 2) {
        socket.emit("done");
      }
    });
    const done = once(client, "done");
    for (let index = 0; index < 3; index += 1) {
      client.emit("n", index);
    }
    await done;
    expect(log).toEqual([0, 1, 2]);
  });
});
