/**
 * What `attachApp` needs for servers on uWebSockets.js: its publishing by topics in the place of the loop over sockets, and the files of
 * the client sent by its responses.
 *
 * As socket.io does, this patches npm's `Adapter.prototype` for the whole process. Adapters of servers that are on no app are left as they
 * are, and so are sockets of other engines; the last server that closes restores the methods.
 */
import { readFile } from "node:fs";
import debugModule from "debug";
import { Adapter, type BroadcastOptions, type Room, type SocketId } from "socket.io-adapter";
import type { EncodedPacket } from "./encoded-packet";
import type { Namespace } from "./namespace";
import type { Packet } from "./parser";
import type { Server } from "./server";
import type { Socket } from "./socket";
import { clientFileHeaders, clientFilePath, isClientFile, isKnownVersion } from "./static-files";

const debug = debugModule("socket.io:adapter-uws");

/** Between a namespace and a room in the name of a topic, as in socket.io. */
const SEPARATOR = "\x1f";

/** The app of uWebSockets.js, as far as it is used. */
export interface App {
  get(pattern: string, handler: (res: AppResponse, req: AppRequest) => void): unknown;
  publish(topic: string, message: string | Uint8Array, isBinary: boolean): unknown;
}

/** A request of such an app; it can be read only until its handler returns. */
export interface AppRequest {
  getUrl(): string;
  getHeader(name: string): string;
  setYield(isYielding: boolean): unknown;
}

/** A response of such an app; none of its methods may be called once it is aborted. */
export interface AppResponse {
  onAborted(listener: () => void): unknown;
  cork(write: () => void): unknown;
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  end(body?: Uint8Array): unknown;
}

interface AppWebSocket {
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
}

type AnySocket = Socket<any, any, any, any>;

/** npm's adapter without what it calls private. */
interface OpenAdapter {
  nsp: Namespace<any, any, any, any>;
  encoder: { encode(packet: Packet): EncodedPacket };
  sids: Map<SocketId, Set<Room>>;
  addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void;
  del(id: SocketId, room: Room): void;
  delAll(id: SocketId): void;
  broadcast(packet: Packet, opts: BroadcastOptions): void;
  apply(opts: BroadcastOptions, callback: (socket: AnySocket) => void): void;
}

const prototype = Adapter.prototype as unknown as OpenAdapter;

type AnyServer = Server<any, any, any, any>;

/** A server may be on several apps, such as one with TLS and one without. */
const apps = new Map<AnyServer, App[]>();

/** npm's methods, while they are patched. */
let plain: Pick<OpenAdapter, "addAll" | "del" | "delAll" | "broadcast"> | undefined;

/** From now on broadcasts of the server are published by the app. */
export function publishThrough(server: AnyServer, app: App): void {
  apps.set(server, [...(apps.get(server) ?? []), app]);
  if (plain === undefined) {
    const { addAll, del, delAll, broadcast } = prototype;
    plain = { addAll, del, delAll, broadcast };
    Object.assign(prototype, patched(plain));
  }
}

/** The server is closed. */
export function stopPublishing(server: AnyServer): void {
  apps.delete(server);
  if (apps.size === 0 && plain !== undefined) {
    Object.assign(prototype, plain);
    plain = undefined;
  }
}

/** Serves the files of the client; `nameOf` says what a URL asks for. Files are never compressed, as with socket.io. */
export function serveClientFiles(app: App, path: string, nameOf: (url: string) => string): void {
  app.get(`${path}/*`, (res, req) => {
    const name = nameOf(req.getUrl());
    if (!isClientFile(name)) {
      req.setYield(true);
    } else if (isKnownVersion(name, req.getHeader("if-none-match"))) {
      res.writeStatus("304 Not Modified");
      res.end();
    } else {
      sendClientFile(name, res);
    }
  });
}

function sendClientFile(name: string, res: AppResponse): void {
  let isAborted = false;
  res.onAborted(() => {
    isAborted = true;
  });
  readFile(clientFilePath(name), (error, content) => {
    if (isAborted) {
      return;
    }
    res.cork(() => {
      if (error) {
        debug("cannot read the client %s: %s", name, error.message);
        res.writeStatus("404 Not Found");
        res.end();
        return;
      }
      for (const [header, value] of Object.entries(clientFileHeaders(name))) {
        res.writeHeader(header.toLowerCase(), value); // as socket.io writes them here
      }
      res.end(content);
    });
  });
}

function patched(npm: NonNullable<typeof plain>): NonNullable<typeof plain> {
  return {
    addAll(this: OpenAdapter, id, rooms) {
      const isNew = !this.sids.has(id);
      const result = npm.addAll.call(this, id, rooms);
      const socket = socketOf(this, id);
      if (socket !== undefined && webSocketOf(socket) !== undefined) {
        subscribe(socket, isNew, rooms);
      } else if (socket !== undefined && isNew) {
        socket.conn.on("upgrade", () => {
          const rooms = this.sids.get(id);
          if (rooms !== undefined) {
            subscribe(socket, true, rooms);
          }
        });
      }
      return result;
    },
    del(this: OpenAdapter, id, room) {
      npm.del.call(this, id, room);
      unsubscribe(socketOf(this, id), [topicOf(this.nsp.name, room)]);
    },
    // socket.io forgets this one: a socket that has left its namespace goes on getting what is sent there, as long as the connection lives.
    delAll(this: OpenAdapter, id) {
      const { name } = this.nsp;
      const topics = [...(this.sids.get(id) ?? [])].map((room) => topicOf(name, room));
      npm.delAll.call(this, id);
      unsubscribe(socketOf(this, id), [name, ...topics]);
    },
    broadcast(this: OpenAdapter, packet, opts) {
      const own = apps.get(this.nsp.server);
      const { rooms, except, flags = {} } = opts;
      // A topic is the whole namespace or one room; anything else is a selection that only the loop can make.
      if (own === undefined || rooms.size > 1 || (except !== undefined && except.size > 0)) {
        npm.broadcast.call(this, packet, opts);
        return;
      }
      const { name } = this.nsp;
      packet.nsp = name;
      const encoded = this.encoder.encode(packet);
      const [room] = rooms;
      const topic = room === undefined ? name : topicOf(name, room);
      debug("fast publish to %s", topic);
      for (const part of encoded) {
        const isBinary = typeof part !== "string";
        for (const app of own) {
          app.publish(topic, isBinary ? (part as Buffer) : `4${part}`, isBinary); // 4: a message, to the engine
        }
      }
      const packetOpts = { preEncoded: true, volatile: flags.volatile, compress: flags.compress };
      this.apply(opts, (socket) => {
        if (webSocketOf(socket) === undefined) {
          socket.client.writeToEngine(encoded, packetOpts);
        }
      });
    },
  };
}

/** A socket of a server that is on an app. Rooms are joined before the middlewares have run, too. */
function socketOf({ nsp }: OpenAdapter, id: SocketId): AnySocket | undefined {
  if (!apps.has(nsp.server)) {
    return undefined;
  }
  const { _preConnectSockets } = nsp as unknown as { _preConnectSockets: Map<string, AnySocket> };
  return nsp.sockets.get(id) ?? _preConnectSockets.get(id);
}

/** The app's own WebSocket below a socket, if there is one. */
function webSocketOf({ conn }: AnySocket): AppWebSocket | undefined {
  const { name, socket } = conn.transport as unknown as { name: string; socket?: AppWebSocket };
  return name === "websocket" && typeof socket?.subscribe === "function" ? socket : undefined;
}

function topicOf(namespace: string, room: Room): string {
  return `${namespace}${SEPARATOR}${room}`;
}

function subscribe(socket: AnySocket, isNew: boolean, rooms: Set<Room>): void {
  const { name } = socket.nsp;
  const webSocket = webSocketOf(socket);
  const topics = [...rooms].map((room) => topicOf(name, room));
  for (const topic of isNew ? [name, ...topics] : topics) {
    debug("subscribe connection %s to topic %s", socket.conn.id, topic);
    webSocket?.subscribe(topic);
  }
}

/** A WebSocket that has closed must not be touched any more, and has left all topics by itself. */
function unsubscribe(socket: AnySocket | undefined, topics: string[]): void {
  const webSocket = socket && webSocketOf(socket);
  if (socket === undefined || webSocket === undefined || socket.conn.readyState !== "open") {
    return;
  }
  for (const topic of topics) {
    debug("unsubscribe connection %s from topic %s", socket.conn.id, topic);
    webSocket.unsubscribe(topic);
  }
}
