// What `socket.emit` does one after another, as others can see it in between: the check of the name, the ack, the flags, the outgoing
// catch-all listeners, the encoding, the write.

import type { Socket } from "socket.io";
import { onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { PollingPeer } from "../harness/polling-peer";
import { startPair, startServer } from "../harness/servers";

describeBoth("emit steps", (implementation) => {
  it("a reserved name is refused before anything else happens", async () => {
    const { io, socket } = await startPair(implementation);
    const outgoing: unknown[] = [];
    socket.onAnyOutgoing((...event) => outgoing.push(event));
    const before = internals(io.sockets)._ids;
    socket.volatile.compress(false);
    expect(() => socket.emit("disconnect", () => {})).toThrow();
    expect([outgoing, internals(socket).acks.size]).toEqual([[], 0]);
    expect(internals(io.sockets)._ids).toBe(before);
    expect(internals(socket).flags).toEqual({ volatile: true, compress: false });
  });

  it("outgoing listeners find the ack registered and the flags taken", async () => {
    const { socket } = await startPair(implementation);
    const seen: unknown[] = [];
    socket.onAnyOutgoing(() => seen.push(internals(socket).acks.size, internals(socket).flags));
    socket.compress(false).emit("q", () => {});
    expect(seen).toEqual([1, {}]);
  });

  it("what cannot be encoded is told after the outgoing listeners, and its ack is kept", async () => {
    const { socket } = await startPair(implementation);
    const outgoing: unknown[] = [];
    socket.onAnyOutgoing((...event) => outgoing.push(event));
    expect(() => socket.emit("bad", 1n, () => {})).toThrow("Do not know how to serialize a BigInt");
    expect(outgoing).toEqual([["bad", 1n]]);
    expect(internals(socket).acks.size).toBe(1);
  });

  it("a cycle is told as the end of the stack", async () => {
    const { io, socket } = await startPair(implementation);
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(() => socket.emit("bad", cycle)).toThrow(RangeError);
    expect(() => io.emit("bad", cycle)).toThrow(RangeError);
  });

  it("a socket that has left its namespace still writes to its connection", async () => {
    const { io, port } = await startServer(implementation);
    const joined = onceValue<Socket>(io, "connection");
    const peer = await PollingPeer.join(port);
    const socket = await joined;
    socket.disconnect();
    expect(socket.emit("after", 1)).toBe(true);
    expect(await peer.poll()).toBe('41\x1e42["after",1]');
  });

  it("a timeout on an event without an ack starts no timer", async () => {
    const { socket } = await startPair(implementation);
    const timers = jest.spyOn(globalThis, "setTimeout");
    try {
      socket.timeout(77_777).emit("no ack");
      expect(timers.mock.calls.filter(([, ms]) => ms === 77_777)).toEqual([]);
      socket.timeout(77_777).emit("an ack", () => {});
      expect(timers.mock.calls.filter(([, ms]) => ms === 77_777)).toHaveLength(1);
      for (const { value } of timers.mock.results) {
        clearTimeout(value);
      }
    } finally {
      timers.mockRestore();
    }
  });
});
