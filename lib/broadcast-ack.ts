/**
 * A broadcast that is acknowledged: counts servers, clients and responses until all are there or the time is up.
 *
 * Each server of a cluster tells how many clients it has reached; how many servers there are, the adapter knows. Nothing is awaited twice.
 */
import debugModule from "debug";
import type { Adapter, BroadcastOptions, SocketId } from "socket.io-adapter";
import type { OperatorFlags } from "./broadcast-operator";
import { switchOf } from "./log-switch";
import type { Namespace } from "./namespace";
import * as own from "./own";
import type { Packet } from "./parser";

const debug = debugModule("socket.io:broadcast-operator");
const socketDebug = debugModule("socket.io:socket");
const socketLog = switchOf(socketDebug);

/** Called once with all responses, or with an Error and those that came in time. */
type Done = (error: Error | null, responses: any) => void;

/**
 * Broadcasts an event and collects the first argument of each acknowledgement, in the order of their arrival.
 *
 * Without a timeout the time is up after a millisecond, setTimeout's default.
 */
export function collectAcks(
  adapter: Adapter,
  packet: Packet,
  target: BroadcastOptions,
  done: Done,
): void {
  const { timeout, expectSingleResponse } = (target.flags ?? {}) as OperatorFlags;
  const responses: any[] = [];
  let servers = 0;
  let expectedServers = -1;
  let expectedResponses = 0;
  let isTimedOut = false;

  const timer = setTimeout(() => {
    isTimedOut = true;
    debug("operation has timed out");
    if (packet.id !== undefined) {
      forgetAck(adapter.nsp, packet.id);
    }
    done(new Error("operation has timed out"), expectSingleResponse ? null : responses);
  }, timeout);

  const check = () => {
    debug(
      "responses: servers: %d / %d ; clients: %d / %d",
      servers,
      expectedServers,
      responses.length,
      expectedResponses,
    );
    if (!isTimedOut && servers === expectedServers && responses.length === expectedResponses) {
      clearTimeout(timer);
      done(null, expectSingleResponse ? responses[0] : responses);
    }
  };

  adapter.broadcastWithAck(
    packet,
    target,
    (clients) => {
      expectedResponses += clients;
      servers++;
      check();
    },
    (response) => {
      responses.push(response);
      check();
    },
  );
  adapter.serverCount().then((count) => {
    expectedServers = count;
    check();
  });
}

/** Wherever the adapter has left its callback. */
function forgetAck(nsp: Namespace, id: number): void {
  nsp[own.broadcastAcks].forget(id);
  for (const socket of nsp.sockets.values()) {
    socket[own.forgetAck](id);
  }
}

/** The sockets that still have to acknowledge a broadcast, and who wants to know. */
interface Waiting {
  sockets: Set<SocketId>;
  ack: (...args: any[]) => void;
}

/**
 * Acknowledgements that a namespace waits for after native broadcasts: one entry for each, instead of a callback in every socket. Looked
 * into after `socket.acks`, where other adapters leave theirs.
 */
export class BroadcastAcks {
  private readonly waiting = new Map<number, Waiting>();

  /** Waits for one acknowledgement of each socket. */
  expect(id: number, sockets: Set<SocketId>, ack: (...args: any[]) => void): void {
    if (sockets.size > 0) {
      this.waiting.set(id, { sockets, ack });
    }
  }

  /** Takes an acknowledgement; false when none of this id is expected of this socket. */
  answer(id: number, socket: { readonly id: SocketId }, args: any[]): boolean {
    const waiting = this.waiting.get(id);
    if (waiting === undefined || !waiting.sockets.delete(socket.id)) {
      return false;
    }
    if (waiting.sockets.size === 0) {
      this.waiting.delete(id);
    }
    if (socketLog.isOn) {
      socketDebug("calling ack %s with %j", id, args);
    }
    waiting.ack.apply(socket, args);
    return true;
  }

  /** Waits no longer. */
  forget(id: number): void {
    this.waiting.delete(id);
  }
}
