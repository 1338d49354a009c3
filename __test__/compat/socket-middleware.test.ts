// `socket.use`: middlewares over incoming events, which may change, delay or refuse them.

import { settleUp } from "../harness/clients";
import { deferred, nextTurn, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { startPair } from "../harness/servers";

describeBoth("socket middleware", (implementation) => {
  it("use returns the socket, and middlewares run in order before the listeners", async () => {
    const { socket, client } = await startPair(implementation);
    const log: unknown[] = [];
    expect(
      socket.use((event, next) => {
        log.push("first", event.slice(0, 2));
        next();
      }),
    ).toBe(socket);
    socket.use((_event, next) => {
      log.push("second");
      setImmediate(next);
    });
    const heard = deferred();
    socket.on("x", () => {
      log.push("listener");
      heard.resolve();
    });
    client.emit("x", 1);
    await heard.promise;
    expect(log).toEqual(["first", ["x", 1], "second", "listener"]);
  });

  it("the event array holds the ack, and what a middleware changes is what listeners get", async () => {
    const { socket, client } = await startPair(implementation);
    socket.use((event, next) => {
      expect(event).toHaveLength(3);
      expect(typeof event[2]).toBe("function");
      event[0] = "renamed";
      event[1] = "changed";
      event.splice(2, 0, "added");
      next();
    });
    socket.on("renamed", (value, added, reply) => reply([value, added]));
    expect(await client.emitWithAck("original", "value")).toEqual(["changed", "added"]);
  });

  it("next(error) is told by an error event, and neither listeners nor the other middlewares run", async () => {
    const { socket, client } = await startPair(implementation);
    const log: string[] = [];
    socket.use((event, next) => next(event[0] === "bad" ? new Error("refused") : undefined));
    socket.use((event, next) => {
      log.push(`second ${event[0]}`);
      next();
    });
    socket.on("bad", () => log.push("listener"));
    const failed = once(socket, "error");
    client.emit("bad");
    const [error] = await failed;
    expect(error.message).toBe("refused");
    await settleUp(client, socket);
    expect(log).toEqual(["second barrier"]);
    expect(socket.connected).toBe(true);
  });

  it("next of anything true is an error event of that, and of anything false goes on", async () => {
    const { socket, client } = await startPair(implementation);
    const given: unknown[] = ["why", 1, { code: 2 }, null, 0, ""];
    const log: unknown[] = [];
    socket.use((event, next) => next(event[0] === "x" ? given[event[1]] : (undefined as any)));
    socket.on("error", (error) => log.push(error));
    socket.on("x", (index) => log.push(`listener ${index}`));
    for (const index of given.keys()) {
      client.emit("x", index);
    }
    await settleUp(client, socket);
    expect(log).toEqual(["why", 1, { code: 2 }, "listener 3", "listener 4", "listener 5"]);
  });

  it("the error event comes in a later tick than next(error)", async () => {
    const { socket, client } = await startPair(implementation);
    const log: string[] = [];
    socket.use((_event, next) => {
      next(new Error("refused"));
      log.push("after next");
    });
    socket.on("error", () => log.push("error"));
    const failed = once(socket, "error");
    client.emit("x");
    await failed;
    expect(log).toEqual(["after next", "error"]);
  });

  it("a middleware that does not go on holds the event back", async () => {
    const { socket, client } = await startPair(implementation);
    const held = deferred<() => void>();
    const log: string[] = [];
    socket.use((event, next) => {
      if (event[0] === "held") {
        held.resolve(next);
      } else {
        next();
      }
    });
    socket.on("held", () => log.push("held"));
    socket.on("free", () => log.push("free"));
    client.emit("held");
    client.emit("free");
    const goOn = await held.promise;
    await settleUp(client, socket);
    expect(log).toEqual(["free"]);
    const heard = once(socket, "held");
    goOn();
    await heard;
    expect(log).toEqual(["free", "held"]);
  });

  it("an event that is let through after the disconnection is dropped", async () => {
    const { socket, client } = await startPair(implementation);
    const held = deferred<() => void>();
    const log: string[] = [];
    socket.use((_event, next) => held.resolve(next));
    socket.on("x", () => log.push("listener"));
    client.emit("x");
    const goOn = await held.promise;
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    goOn();
    await nextTurn();
    expect(log).toEqual([]);
  });

  it("catch-all listeners run before middlewares, with the event as the client sent it", async () => {
    const { socket, client } = await startPair(implementation);
    const log: unknown[] = [];
    socket.onAny((name) => log.push(["any", name]));
    socket.use((event, next) => {
      log.push(["middleware", event[0]]);
      event[0] = "renamed";
      next();
    });
    const heard = once(socket, "renamed");
    client.emit("x");
    await heard;
    expect(log).toEqual([
      ["any", "x"],
      ["middleware", "x"],
    ]);
  });

  it("acks and disconnections pass by the middlewares", async () => {
    const { socket, client } = await startPair(implementation);
    const events: unknown[] = [];
    socket.use((event, next) => {
      events.push(event[0]);
      next();
    });
    client.on("q", (reply) => reply(1));
    await socket.emitWithAck("q");
    const left = once(socket, "disconnect");
    client.disconnect();
    await left;
    expect(events).toEqual([]);
  });

  it("a middleware that is added while an event passes holds for the next event", async () => {
    const { socket, client } = await startPair(implementation);
    const log: string[] = [];
    socket.use((_event, next) => {
      socket.use((event, goOn) => {
        log.push(`late ${event[0]}`);
        goOn();
      });
      next();
    });
    const heard = once(socket, "first");
    client.emit("first");
    await heard;
    expect(log).toEqual([]);
    await settleUp(client, socket);
    expect(log).toEqual(["late barrier"]);
  });

  it("a client may send an event called error: it reaches its listeners and harms nobody without", async () => {
    const { socket, client } = await startPair(implementation);
    expect(socket.listenerCount("error")).toBe(1);
    client.emit("error", "no listener of the user yet");
    await settleUp(client, socket);
    const heard = once(socket, "error");
    client.emit("error", "from the client");
    expect(await heard).toEqual(["from the client"]);
    expect(socket.connected).toBe(true);
  });
});
