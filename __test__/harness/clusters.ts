// Clusters of three servers that share an adapter: three of socket.io, three of sio-rs, and one of socket.io with two
// of sio-rs. A cluster is started once for all cases of its describe block; each case has clients of its own.

import { createServer } from "node:http";
import type { Server, ServerOptions, Socket } from "socket.io";
import type { Socket as ClientSocket } from "socket.io-client";
import { BARRIER, openClient, record } from "./clients";
import { eventually, nextTurn, once, within } from "./events";
import {
  describeOne,
  type Implementation,
  label,
  loadImplementation,
  selectedImplementations,
} from "./implementations";
import { internals } from "./internals";
import {
  type ClientOptions,
  describeRunning,
  joinPair,
  listenOnFreePort,
  type Running,
} from "./servers";

const { setUpAdapter } = require("../fixtures/adapters.cjs");

/** Time to start three servers and to let them find each other, on a busy machine. */
export const START_LIMIT_MS = 20_000;

/** The event by which servers get to know each other; late ones are not counted among what a client has heard. */
const PROBE = "probe";
const PROBE_EVERY_MS = 20;

/** One server of a cluster. */
export interface Node extends Running {
  implementation: Implementation;
  /** What the adapter was set up with: clients of the broker, and when subscriptions have reached it. */
  setup: any;
}

/** A client with its socket and the server it is on. */
export interface Member {
  client: ClientSocket;
  socket: Socket;
  node: Node;
}

/** Three servers that know each other. */
export interface Cluster {
  nodes: [Node, Node, Node];
  isWithSioRs: boolean;
  /** Connects `count` clients to each server, the first server's first. */
  join(namespace?: string, count?: number): Promise<Member[]>;
  /** Waits until the adapters of `nodes` count `expected` servers. */
  count(nodes: Node[], expected: number): Promise<void>;
  /** Waits until broadcasts in `namespace` reach every server from every other. */
  knowEachOther(namespace: string): Promise<void>;
}

/** Which adapter, and where its broker listens. */
export interface AdapterChoice {
  /** As `fixtures/adapters.cjs` names it. */
  adapter: string;
  broker: { readonly port: number };
  options?: Partial<ServerOptions>;
  clientOptions?: ClientOptions;
}

/** Opens `suite` once for each mixture of servers that this run tests, with a cluster for all of its cases. */
export function describeClusters(
  suite: string,
  choice: AdapterChoice,
  body: (cluster: Cluster) => void,
): void {
  describeMixtures(suite, (mixture) => {
    const nodes: Node[] = [];
    beforeAll(async () => {
      nodes.push(...(await startNodes(choice, mixture)));
    }, START_LIMIT_MS);
    afterAll(() => closeNodes(nodes));
    body(clusterOf(nodes, mixture, choice.clientOptions));
  });
}

/** Opens `suite` once for each mixture of servers that this run tests. */
export function describeMixtures(suite: string, body: (mixture: Implementation[]) => void): void {
  describe(suite, () => {
    for (const implementation of selectedImplementations()) {
      const mixtures = [[implementation, implementation, implementation]];
      if (implementation.name === "sio-rs") {
        mixtures.push([loadImplementation("socket.io"), implementation, implementation]);
      }
      for (const mixture of mixtures) {
        const title = mixture.map(label).join(", ");
        describeOne(suite, title, implementation, () => body(mixture));
      }
    }
  });
}

/** Starts one server for each of `implementations` and waits until they know each other. */
async function startNodes(
  choice: AdapterChoice,
  implementations: Implementation[],
): Promise<Node[]> {
  const nodes: Node[] = [];
  for (const implementation of implementations) {
    const setup = await setUpAdapter(choice.adapter, choice.broker.port);
    const httpServer = createServer();
    const io = new implementation.Server(httpServer, {
      cleanupEmptyChildNamespaces: true,
      ...choice.options,
      adapter: setup.adapter,
    });
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    nodes.push({ ...running, implementation, setup });
  }
  await knowEachOther(nodes, "/", choice.clientOptions);
  return nodes;
}

/** Ends servers and what their adapters were set up with. */
async function closeNodes(nodes: Node[]): Promise<void> {
  for (const { io, setup } of nodes) {
    await io.close();
    await setup.close();
  }
}

/** A cluster of nodes that exist when its methods are called. */
function clusterOf(
  nodes: Node[],
  mixture: Implementation[],
  clientOptions: ClientOptions = {},
): Cluster {
  return {
    nodes: nodes as Cluster["nodes"],
    isWithSioRs: mixture.some(({ name }) => name === "sio-rs"),
    count: async (nodes, expected) => {
      await Promise.all(nodes.map(({ io }) => countOf(io, "/", expected)));
    },
    knowEachOther: (namespace) => knowEachOther(nodes, namespace, clientOptions),
    join: async (namespace = "/", count = 1) => {
      const isEmpty = ({ io }: Node) => !internals(io)._nsps.get(namespace)?.sockets.size;
      await eventually(() => nodes.every(isEmpty), "the clients of the case before have not left");
      // A subscription that is made while the same is being taken back is lost by clients of Redis.
      await settle(nodes);
      const members: Member[] = [];
      for (const node of nodes) {
        for (let made = 0; made < count; made++) {
          members.push({ ...(await joinPair(node, namespace, clientOptions)), node });
        }
      }
      return members;
    },
  };
}

/** What each of `members` gets, in order, of what `act` makes the server `from` send; each event as it starts: its name. */
export async function heard(
  members: Member[],
  from: Node,
  act: (io: Server) => unknown,
): Promise<any[][][]> {
  await settle([...new Set(members.map(({ node }) => node))]);
  const records = members.map(({ client }) => record(client));
  await act(from.io);
  const arrived = members.map(({ client }) => once(client, BARRIER));
  from.io.of((members[0] as Member).socket.nsp.name).emit(BARRIER);
  await Promise.all(arrived);
  return records.map((events) => events.filter(([name]) => name !== PROBE));
}

async function settle(nodes: Node[]): Promise<void> {
  await Promise.all(nodes.map(({ setup }) => setup.settle()));
}

async function knowEachOther(
  nodes: Node[],
  namespace: string,
  options?: ClientOptions,
): Promise<void> {
  const clients = nodes.map(({ url }) => openClient(`${url}${namespace}`, options));
  const missing = new Set<string>();
  let resolve = (): void => {};
  const done = new Promise<void>((settle) => {
    resolve = settle;
  });
  for (const [to, client] of clients.entries()) {
    for (const from of nodes.keys()) {
      missing.add(`${from} to ${to}`);
    }
    client.on(PROBE, (from: number) => {
      missing.delete(`${from} to ${to}`);
      if (missing.size === 0) {
        resolve();
      }
    });
  }
  await Promise.all(clients.map((client) => once(client, "connect")));
  const timer = setInterval(() => {
    for (const [from, { io }] of nodes.entries()) {
      io.of(namespace).emit(PROBE, from);
    }
  }, PROBE_EVERY_MS);
  const what = (): string => `no broadcast came from server ${[...missing].join(", from server ")}`;
  await within(done, what, START_LIMIT_MS).finally(() => clearInterval(timer));
  await Promise.all(nodes.map(({ io }) => countOf(io, namespace, nodes.length)));
  for (const client of clients) {
    client.disconnect();
  }
}

/** Adapters that count their servers find them by and by. */
async function countOf(io: Server, namespace: string, expected: number): Promise<void> {
  const { adapter } = io.of(namespace);
  if (adapter.serverCount === undefined) {
    return;
  }
  let count = 0;
  const ask = async (): Promise<void> => {
    for (count = await adapter.serverCount(); count !== expected; ) {
      await nextTurn();
      count = await adapter.serverCount();
    }
  };
  await within(ask(), () => `the adapter counts ${count} servers`);
}
