// What applications add to the types: any name that socket.io does not have, in augmented interfaces, in classes of their own, in intersections.

import { Namespace, Server, Socket } from "socket.io";
import { is } from "./expect";

interface User {
  name: string;
}

declare module "socket.io" {
  interface Socket {
    auth?: User;
    issuedAfter?: number;
  }
  interface Namespace {
    operator?: string;
  }
  interface Server {
    drained?: boolean;
    engines?: string[];
  }
}

class OwnSocket extends Socket {
  restore() {
    return 1;
  }
  takeFlags = "any";
}

class OwnServer extends Server {
  private makeParent = 1;
  drainEngines() {
    return this.makeParent;
  }
}

class OwnNamespace extends Namespace {
  decide = new Map<string, OwnSocket>();
}

const io = new OwnServer();
io.drained = true;
io.engines = [`${io.drainEngines()}`];
io.of("/").operator = "somebody";
io.on("connection", (socket) => {
  is<User | undefined>()(socket.auth);
  is<number | undefined>()(socket.issuedAfter);
  socket.auth = { name: "ada" };
});

type Authenticated = Socket & { builtHandshake: { id: string } };

export function idOf(socket: Authenticated): string {
  return socket.builtHandshake.id;
}

export function nameOf(socket: Socket & { auth: User }): string {
  return socket.auth.name;
}

interface Logged extends Socket {
  ownData: { lines: string[] };
}

export function linesOf(socket: Logged, namespace: OwnNamespace): string[] {
  return [...socket.ownData.lines, ...namespace.decide.keys()];
}
