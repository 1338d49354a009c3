// A fault of ours: the core panics in a step of a session. It costs that session and nothing else, and is told on stderr. It needs a binary
// that can be made to panic, which `npm test` builds and names in SIO_RS_FAULTY_BINARY; by hand it is
// `cargo build --package sio-binding --features fault-injection`.

import type { Socket as ClientSocket } from "socket.io-client";
import { type Child, startFixture } from "../harness/child";
import { openClient, TRANSPORTS } from "../harness/clients";
import { collect, eventually, once, within } from "../harness/events";
import { loadImplementation } from "../harness/implementations";
import type { ClientOptions } from "../harness/servers";

const FAULTY_BINARY = process.env.SIO_RS_FAULTY_BINARY;
const ROUNDS = 10;
/** A core without optimisations, and a process for each case. */
const TIMEOUT_MS = 30_000;

const ours = loadImplementation("sio-rs");

interface Faulty extends Child {
  connect(options?: ClientOptions): Promise<ClientSocket>;
}

async function startFaulty(options: object): Promise<Faulty> {
  // Finding the names for a backtrace takes a binary with debug symbols longer than all the rest.
  const env = { SIO_RS_BINARY: FAULTY_BINARY, RUST_BACKTRACE: "0" };
  const child = startFixture(ours, "faulty-core.cjs", [JSON.stringify(options)], { env });
  const port = await child.nextLine();
  const connect = async (clientOptions: ClientOptions = {}): Promise<ClientSocket> => {
    const { transports } = clientOptions;
    const client = openClient(`http://127.0.0.1:${port}`, clientOptions);
    await once(client, "connect");
    // socket.io-client may wait until its ping timeout when a session ends in the middle of its upgrade.
    const { engine } = client.io;
    if (transports?.length === 2 && engine.transport.name === "polling") {
      await once(engine, "upgrade");
    }
    return client;
  };
  return { ...child, connect };
}

/** How many sessions, streams and members the core holds. */
function held(client: ClientSocket): Promise<number[]> {
  return new Promise((resolve) => client.emit("held", (...counts: number[]) => resolve(counts)));
}

/** Asks until the core holds so much. */
async function untilHeld(client: ClientSocket, expected: readonly number[]): Promise<void> {
  let last: number[] = [];
  const asked = (async () => {
    do {
      last = await held(client);
    } while (String(last) !== String(expected));
  })();
  await within(asked, () => `the core holds ${last} and not ${expected}`);
}

describe("usual binary", () => {
  test("it cannot be made to panic", () => {
    const { currentLink } = require("../../dist/link");
    expect(typeof currentLink().binding.submit).toBe("function");
    expect(currentLink().binding.fail).toBeUndefined();
  });
});

(FAULTY_BINARY === undefined ? describe.skip : describe)("core panic", () => {
  for (const { label, transports } of TRANSPORTS) {
    for (const options of [{}, { carrier: "bridge" }]) {
      const title = `${label}${"carrier" in options ? " on a bridge" : ""}`;
      test(
        `a panic ends the session in whose step it is and no other, and is told on stderr: ${title}`,
        async () => {
          const server = await startFaulty(options);
          const witness = await server.connect({ transports });
          const atRest = await held(witness);
          for (let round = 1; round <= ROUNDS; round += 1) {
            const victim = await server.connect({ transports });
            const { id } = victim;
            const gone = once(victim, "disconnect");
            const broadcast = once(witness, "after");
            const answers = Array.from({ length: 20 }, (_, count) => {
              if (count === 10) {
                witness.emit("fail", id);
              }
              return witness.emitWithAck("echo", count);
            });
            expect(await server.nextLine()).toBe(`${id} transport error: internal error`);
            expect((await gone)[0]).toMatch(/^transport (close|error)$/);
            expect(await broadcast).toEqual([id]);
            expect(await Promise.all(answers)).toEqual(answers.map((_answer, count) => count));
            await eventually(
              () =>
                server.errors().split("a fault in the core has ended one session").length > round,
              "nothing was told on stderr",
            );
          }
          expect(server.errors()).toContain("a fault that a test has asked for");
          await untilHeld(witness, atRest);
        },
        TIMEOUT_MS,
      );
    }
  }

  test(
    "a client whose session was lost comes back by itself, and gets what is sent from then on",
    async () => {
      const server = await startFaulty({});
      const witness = await server.connect();
      const victim = await server.connect({ reconnection: true, reconnectionDelay: 20 });
      const back = collect(victim, "connect", 1);
      witness.emit("fail", victim.id);
      await back;
      expect(await victim.emitWithAck("echo", "again")).toBe("again");
      const heard = once(victim, "after");
      const other = await server.connect();
      const { id } = other;
      witness.emit("fail", id);
      expect(await heard).toEqual([id]);
    },
    TIMEOUT_MS,
  );
});
