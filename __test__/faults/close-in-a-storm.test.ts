// `io.close()` while clients come in by the dozen, over each transport: it resolves, each client that got in is seen to go, and nothing is left
// of those that were about to.

import type { EventEmitter } from "node:events";
import { connect } from "node:net";
import { WebSocket } from "ws";
import { closeClientAfterTest } from "../harness/cleanup";
import { eventually, within } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { type Running, startServer } from "../harness/servers";

/** Peers of each kind that knock at a time. */
const KNOCKING = 10;
const ROUNDS = 3;
const TIMEOUT_MS = 30_000;

/** A peer that has come: resolves once it was answered, or is gone. */
interface Peer {
  answered: Promise<void>;
  closed: Promise<void>;
}

function websocket(port: number, first?: string): Peer {
  const peer = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  closeClientAfterTest(() => peer.terminate());
  peer.on("error", () => {}); // refused or reset: the server is gone
  if (first !== undefined) {
    peer.on("open", () => peer.send(first));
  }
  return peerOf(peer, "message");
}

function polling(port: number): Peer {
  const stream = connect(port, "127.0.0.1", () => {
    stream.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
  });
  closeClientAfterTest(() => stream.destroy());
  stream.on("error", () => {});
  return peerOf(stream, "data");
}

function peerOf(emitter: EventEmitter, answer: string): Peer {
  const happened = (event: string): Promise<void> =>
    new Promise((resolve) => emitter.once(event, () => resolve()));
  const closed = happened("close");
  return { answered: Promise.race([happened(answer), closed]), closed };
}

const KINDS: ((port: number) => Peer)[] = [
  (port) => websocket(port, "40"),
  (port) => websocket(port),
  polling,
];

/** Peers that come, one after the other as soon as the last was answered, and stay. Resolves when the streams of all have closed. */
async function storm(port: number, isOver: () => boolean): Promise<void> {
  const closed: Promise<void>[] = [];
  const knock = async (open: (port: number) => Peer): Promise<void> => {
    while (!isOver()) {
      const peer = open(port);
      closed.push(peer.closed);
      await peer.answered;
    }
  };
  const knocking = KINDS.flatMap((open) => Array.from({ length: KNOCKING }, () => knock(open)));
  await Promise.all(knocking);
  await Promise.all(closed);
}

describeBoth("close in a storm", (implementation) => {
  /** What the core holds for this process, whose earlier tests may still be leaving. socket.io has no core to look into. */
  const held = (): number => {
    if (implementation.name !== "sio-rs") {
      return 0;
    }
    const { sessions, connections, members } = require("../../dist/link").currentLink().counters();
    return sessions + connections + members;
  };

  it(
    "io.close() amid clients that come in resolves, each that got in is seen to go once, and nothing is left",
    async () => {
      const heldBefore = held();
      for (let round = 0; round < ROUNDS; round += 1) {
        const running: Running = await startServer(implementation);
        const { io, httpServer, port } = running;
        const connected: string[] = [];
        const disconnected: string[] = [];
        io.on("connection", (socket) => {
          connected.push(socket.id);
          socket.on("disconnect", () => disconnected.push(socket.id));
          socket.emit("hello");
        });
        let isOver = false;
        const stormed = storm(port, () => isOver);
        await eventually(() => connected.length > 10 + 20 * round, "nobody got in");
        const closed = within(io.close(), "close() did not resolve", TIMEOUT_MS / 2);
        httpServer.once("close", () => {
          isOver = true;
        });
        await closed;
        expect(httpServer.listening).toBe(false);
        await within(stormed, "the server has kept a stream open", TIMEOUT_MS / 2);
        expect(disconnected.sort()).toEqual(connected.sort());
        expect(new Set(connected).size).toBe(connected.length);
        expect(io.engine.clientsCount).toBe(0);
        expect(io.sockets.sockets.size).toBe(0);
      }
      await eventually(
        () => held() <= heldBefore,
        "the core holds something of servers that are closed",
      );
    },
    TIMEOUT_MS,
  );
});
