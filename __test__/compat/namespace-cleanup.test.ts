// `cleanupEmptyChildNamespaces`: a child of a parent namespace goes with its last socket, a static one never does.

import { deferred, once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, type Running, startServer } from "../harness/servers";

const CLEANUP = { cleanupEmptyChildNamespaces: true };

async function joinAndLeave(running: Running, namespace: string): Promise<void> {
  const { socket, client } = await joinPair(running, namespace);
  const left = once(socket, "disconnect");
  client.disconnect();
  await left;
}

describeBoth("namespace cleanup", (implementation) => {
  it("an empty child stays by default", async () => {
    const running = await startServer(implementation);
    running.io.of(/^\/d-/);
    await joinAndLeave(running, "/d-1");
    expect(running.io._nsps.has("/d-1")).toBe(true);
  });

  it("an empty child is removed, its adapter closed", async () => {
    const running = await startServer(implementation, CLEANUP);
    const parent = running.io.of(/^\/d-/);
    let closed = 0;
    running.io.on("new_namespace", (nsp) => {
      nsp.adapter.close = () => {
        closed += 1;
      };
    });
    await joinAndLeave(running, "/d-1");
    expect(running.io._nsps.has("/d-1")).toBe(false);
    expect(internals(parent).children.size).toBe(0);
    expect(closed).toBe(1);
  });

  it("a child with a socket left stays", async () => {
    const running = await startServer(implementation, CLEANUP);
    running.io.of(/^\/d-/);
    await joinPair(running, "/d-1");
    await joinAndLeave(running, "/d-1");
    expect(running.io._nsps.get("/d-1")?.sockets.size).toBe(1);
  });

  it("a child whose only client was refused is removed too", async () => {
    const running = await startServer(implementation, CLEANUP);
    const parent = running.io.of(/^\/d-/);
    parent.use((_socket, next) => next(new Error("refused")));
    await once(running.connect("/d-1"), "connect_error");
    expect(running.io._nsps.has("/d-1")).toBe(false);
    expect(internals(parent).children.size).toBe(0);
  });

  it("a removed child can come again, told by new_namespace", async () => {
    const running = await startServer(implementation, CLEANUP);
    running.io.of(/^\/d-/);
    const created: string[] = [];
    running.io.on("new_namespace", (nsp) => created.push(nsp.name));
    await joinAndLeave(running, "/d-1");
    await joinAndLeave(running, "/d-1");
    expect(created).toEqual(["/d-1", "/d-1"]);
  });

  it("a static namespace stays", async () => {
    const running = await startServer(implementation, CLEANUP);
    running.io.of("/static");
    await joinAndLeave(running, "/static");
    await joinAndLeave(running, "/");
    expect(running.io._nsps.has("/static")).toBe(true);
    expect(running.io._nsps.has("/")).toBe(true);
  });

  it("disconnectSockets removes the children it emptied", async () => {
    const running = await startServer(implementation, CLEANUP);
    running.io.of(/^\/d-/);
    const { socket, client } = await joinPair(running, "/d-1");
    const left = once(client, "disconnect");
    socket.nsp.disconnectSockets();
    await left;
    expect(running.io._nsps.has("/d-1")).toBe(false);
  });

  it("a child that was made by hand goes as well", async () => {
    const running = await startServer(implementation, CLEANUP);
    const parent = running.io.of(/^\/d-/);
    running.io.of("/d-101");
    await joinAndLeave(running, "/d-101");
    expect([running.io._nsps.has("/d-101"), internals(parent).children.size]).toEqual([false, 0]);
  });

  it("a child goes with one that is refused while another waits in a middleware, who is let in all the same", async () => {
    const running = await startServer(implementation, CLEANUP);
    const parent = running.io.of(/^\/d-/);
    const waiting = deferred<() => void>();
    parent.use((socket, next) => {
      if (socket.handshake.auth.waits) {
        waiting.resolve(next);
      } else {
        next(new Error("refused"));
      }
    });
    const client = running.connect("/d-1", { auth: { waits: true } });
    const goOn = await waiting.promise;
    await once(running.connect("/d-1"), "connect_error");
    expect([running.io._nsps.has("/d-1"), internals(parent).children.size]).toEqual([false, 0]);
    const connected = once(client, "connect");
    goOn();
    await connected;
  });
});
