// Adapters that are not ours, and changes to ours: npm's way is taken where it has to be, and the core still fans out.

import { EventEmitter } from "node:events";
import type { Socket } from "socket.io";
import { Adapter, ClusterAdapter, SessionAwareAdapter } from "socket.io-adapter";
import { currentLink } from "../../dist/link";
import { once } from "../harness/events";
import type { Implementation } from "../harness/implementations";
import { internals } from "../harness/internals";
import { joinPair, joinPairs, type Pair, type Running, startServer } from "../harness/servers";

const callable = require("../..");
const sioRs: Implementation = { ...callable, name: "sio-rs", modulePath: "", callable };

type Ends = Pick<Pair, "client" | "socket">;

/** What each of the clients gets next as event `name`, when `act` is done. */
async function received(running: Running, name: string, act: () => unknown): Promise<any[][]> {
  const pairs = await joinPairs(running, 3);
  const arrived = pairs.map(({ client }) => once(client, name));
  act();
  return Promise.all(arrived);
}

/** Fan-out commands that the core has carried out by the time a client knows of `act`. */
async function fanOuts(running: Running, act: () => unknown): Promise<number> {
  const before = currentLink().counters().broadcasts;
  await received(running, "x", act);
  return currentLink().counters().broadcasts - before;
}

/** Puts `method` in the place of a method of npm's adapter as long as the test runs. */
function patchNpm(name: string, method: (original: any) => any): void {
  const prototype = internals(Adapter.prototype);
  const original = prototype[name];
  prototype[name] = method(original);
  restore.push(() => {
    prototype[name] = original;
  });
}

const restore: (() => void)[] = [];

afterEach(() => {
  for (const undo of restore.splice(0)) {
    undo();
  }
});

test("a broadcast of the default adapter is one command to the core", async () => {
  const running = await startServer(sioRs);
  expect(await fanOuts(running, () => running.io.emit("x", 1))).toBe(1);
});

test.each([
  ["npm's adapter", Adapter],
  ["npm's adapter of connection state recovery", SessionAwareAdapter],
])("the loop of %s becomes one command to the core", async (_name, Base) => {
  class Third extends Base {}
  const running = await startServer(sioRs, { adapter: Third, connectionStateRecovery: {} });
  expect(await fanOuts(running, () => running.io.emit("x", 1))).toBe(1);
});

test("binary events pass through the loop of npm's adapter whole", async () => {
  class Third extends Adapter {}
  const running = await startServer(sioRs, { adapter: Third });
  const bytes = Buffer.from([1, 2, 3]);
  expect(await received(running, "x", () => running.io.emit("x", bytes, [bytes]))).toEqual(
    Array(3).fill([bytes, [bytes]]),
  );
});

test.each([
  ["the default adapter", undefined],
  ["npm's adapter", class extends Adapter {}],
])("%s sends bytes as they were when emit was called", async (_name, adapter) => {
  const running = await startServer(sioRs, { adapter });
  const bytes = Buffer.from([1, 2, 3]);
  const act = () => {
    running.io.emit("x", bytes);
    bytes.fill(0);
  };
  expect(await received(running, "x", act)).toEqual(Array(3).fill([Buffer.from([1, 2, 3])]));
});

test("an arrow function makes adapters, too", async () => {
  const running = await startServer(sioRs, { adapter: (nsp: any) => new Adapter(nsp) as any });
  expect(await received(running, "x", () => running.io.emit("x", 1))).toEqual([[1], [1], [1]]);
});

test.each(["broadcast", "apply", "addAll", "_encode"])(
  "a patch of npm's %s is honoured",
  async (name) => {
    const calls: unknown[] = [];
    patchNpm(
      name,
      (original) =>
        function (this: unknown, ...args: unknown[]) {
          calls.push(args);
          return original.apply(this, args);
        },
    );
    const running = await startServer(sioRs);
    expect(await received(running, "x", () => running.io.emit("x", 1))).toEqual([[1], [1], [1]]);
    expect(calls.length).toBeGreaterThan(0);
  },
);

test("a patched broadcast may go its own way to the sockets", async () => {
  patchNpm(
    "broadcast",
    () =>
      function (this: any, packet: any, opts: any) {
        this.apply(opts, (socket: Socket) => socket.emit("x", "instead of", packet.data[0]));
      },
  );
  const running = await startServer(sioRs);
  expect(await received(running, "x", () => running.io.emit("y"))).toEqual(
    Array(3).fill(["instead of", "y"]),
  );
});

test("a class derived from the default adapter may override what it likes", async () => {
  const Default = internals(callable())._adapter as typeof Adapter;
  const seen: string[] = [];
  class Derived extends Default {
    override broadcast(packet: any, opts: any): void {
      seen.push("broadcast");
      super.broadcast(packet, opts);
    }
  }
  // Private in the types, and overridden nevertheless.
  internals(Derived.prototype).apply = function (this: unknown, opts: any, callback: any) {
    seen.push("apply");
    internals(Default.prototype).apply.call(this, opts, callback);
  };
  const running = await startServer(sioRs, { adapter: Derived });
  expect(await received(running, "x", () => running.io.emit("x", 1))).toEqual([[1], [1], [1]]);
  expect(seen).toEqual(["broadcast", "apply"]);
});

test("arguments may use the adapter while they are encoded", async () => {
  const running = await startServer(sioRs);
  let inside: Promise<unknown[]> | undefined;
  const argument = {
    toJSON() {
      running.io.emit("x", "from inside");
      inside ??= running.io.fetchSockets();
      return "outside";
    },
  };
  expect(await received(running, "y", () => running.io.emit("y", argument))).toEqual(
    Array(3).fill(["outside"]),
  );
  expect(await inside).toHaveLength(3);
});

test("a listener of join-room finds its socket in the room, one of create-room does not", async () => {
  const running = await startServer(sioRs);
  const { adapter } = running.io.of("/");
  const { client, socket } = await joinPair(running);
  const seen: unknown[] = [];
  client.on("x", (when) => seen.push(when));
  adapter.on("create-room", (room) => running.io.to(room).emit("x", "create"));
  adapter.on("join-room", (room) => running.io.to(room).emit("x", "join"));
  adapter.on("leave-room", (room) => running.io.to(room).emit("x", "leave"));
  socket.join("a");
  socket.leave("a");
  const arrived = once(client, "end");
  socket.emit("end");
  await arrived;
  expect(seen).toEqual(["join"]);
});

test("a custom parser's packets are broadcast by the core", async () => {
  class Encoder {
    encode(packet: any): Buffer[] {
      return [Buffer.from(JSON.stringify(packet))];
    }
  }
  class Decoder extends EventEmitter {
    add(message: Buffer): void {
      this.emit("decoded", JSON.parse(message.toString()));
    }
    destroy(): void {}
  }
  const running = await startServer(sioRs, { parser: { Encoder, Decoder } });
  const before = currentLink().counters().broadcasts;
  const clients = [0, 1].map(() => running.connect("/", { parser: { Encoder, Decoder } }));
  await Promise.all(clients.map((client) => once(client, "connect")));
  const arrived = clients.map((client) => once(client, "x"));
  running.io.emit("x", 1);
  expect(await Promise.all(arrived)).toEqual([[1], [1]]);
  expect(currentLink().counters().broadcasts - before).toBe(1);
});

test("the acks of a broadcast come from its targets only, once each", async () => {
  const running = await startServer(sioRs);
  const [a, b, stranger] = (await joinPairs(running, 3)) as [Ends, Ends, Ends];
  running.io.in([a.socket.id, b.socket.id]).socketsJoin("room");
  const id = internals(running.io.of("/"))._ids;
  const forge = ({ client }: Ends) => internals(client).packet({ type: 3, id, data: ["forged"] });
  a.client.on("x", (ack) => {
    ack("a");
    forge(a); // a second time
    a.client.emit("answered");
  });
  b.client.on("x", (ack) => b.client.once("go", () => ack("b")));
  const answered = once(a.socket, "answered");
  const responses: unknown[] = [];
  const done = new Promise((resolve) =>
    running.io
      .to("room")
      .timeout(4_000)
      .emit("x", (error: Error, all: unknown[]) => {
        responses.push(...all);
        resolve(error);
      }),
  );
  const settled = once(stranger.socket, "settled");
  forge(stranger);
  stranger.client.emit("settled");
  await settled;
  await answered;
  b.socket.emit("go");
  expect(await done).toBeNull();
  expect(responses).toEqual(["a", "b"]);
});

describe("a cluster of two servers", () => {
  /** Hands messages from one server of this process to the other. */
  class Neighbour extends ClusterAdapter {
    static all: Neighbour[] = [];
    constructor(nsp: any) {
      super(nsp);
      Neighbour.all.push(this);
    }
    override async serverCount(): Promise<number> {
      return Neighbour.all.length;
    }
    override async doPublish(message: any): Promise<string> {
      for (const other of Neighbour.all) {
        if (other !== this) {
          other.onMessage(structuredClone(message));
        }
      }
      return "";
    }
    override async doPublishResponse(uid: any, response: any): Promise<void> {
      Neighbour.all.find((other) => other.uid === uid)?.onResponse(structuredClone(response));
    }
  }

  beforeEach(() => {
    Neighbour.all = [];
  });

  async function startTwo() {
    const [one, two] = [
      await startServer(sioRs, { adapter: Neighbour }),
      await startServer(sioRs, { adapter: Neighbour }),
    ];
    return { one, two, here: await joinPair(one), there: await joinPair(two) };
  }

  test("broadcasts reach both", async () => {
    const { one, here, there } = await startTwo();
    const arrived = [once(here.client, "x"), once(there.client, "x")];
    one.io.emit("x", 1, Buffer.from([2]));
    expect(await Promise.all(arrived)).toEqual(Array(2).fill([1, Buffer.from([2])]));
  });

  test("outgoing listeners are told of broadcasts of the other server", async () => {
    const { one, there } = await startTwo();
    const seen: any[][] = [];
    there.socket.onAnyOutgoing((...args) => seen.push(args));
    const arrived = [once(there.client, "x"), once(there.client, "q")];
    one.io.emit("x", 1, Buffer.from([2]));
    one.io.timeout(500).emit("q", 3, () => {});
    await Promise.all(arrived);
    expect(seen).toEqual([
      ["x", 1, new Uint8Array([2])], // what structuredClone makes of a Buffer
      ["q", 3],
    ]);
  });

  test("acknowledgements come from both", async () => {
    const { one, here, there } = await startTwo();
    here.client.on("x", (ack) => ack("here"));
    there.client.on("x", (ack) => ack("there"));
    const responses = await one.io.timeout(500).emitWithAck("x");
    expect(responses.sort()).toEqual(["here", "there"]);
  });

  test("sockets of the other server are fetched, joined and disconnected", async () => {
    const { one, there } = await startTwo();
    there.socket.data.name = "there";
    const remote = (await one.io.fetchSockets()).find(({ id }) => id === there.socket.id);
    expect(remote?.data).toEqual({ name: "there" });
    expect(remote?.handshake.url).toMatch(/^\/socket\.io\//);
    remote?.join("room");
    const arrived = once(there.client, "x");
    one.io.to("room").emit("x", 1);
    expect(await arrived).toEqual([1]);
    there.client.on("y", (ack) => ack("one answer"));
    expect(await (remote as any).timeout(500).emitWithAck("y")).toBe("one answer");
    const gone = once(there.client, "disconnect");
    remote?.disconnect();
    expect(await gone).toEqual(["io server disconnect", undefined]);
  });

  test("a session store on the handshake stays at home", async () => {
    const { one, there } = await startTwo();
    const handshake = internals(there.socket.handshake);
    handshake.sessionStore = { cannotBeCloned: () => {} };
    handshake.sessionID = "kept";
    const remote = (await one.io.fetchSockets()).find(({ id }) => id === there.socket.id);
    expect(remote?.handshake).toMatchObject({ sessionID: "kept", url: there.socket.handshake.url });
    expect(Object.keys(remote?.handshake ?? {})).not.toContain("sessionStore");
    expect(handshake.sessionStore).toBeDefined();
  });

  test("servers send events to each other", async () => {
    const { one, two } = await startTwo();
    two.io.on("question", (argument: number, ack: (answer: number) => void) => ack(argument + 1));
    expect(await one.io.serverSideEmitWithAck("question", 1)).toEqual([2]);
  });
});
