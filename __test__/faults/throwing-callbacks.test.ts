// An application that throws, in each kind of callback that socket.io has: the error surfaces as it does with socket.io, and no other message
// is lost, neither of the client in whose turn it was thrown nor of another. The same talk is held with both packages, and their logs are
// compared: what became of the error, what listeners heard before and after it, and what clients got.

import type { Socket as ClientSocket } from "socket.io-client";
import { type Child, startFixture } from "../harness/child";
import { openClient, TRANSPORTS } from "../harness/clients";
import { once, within } from "../harness/events";
import { type Implementation, loadImplementation } from "../harness/implementations";
import { request } from "../harness/raw-http";

/** What the talk has to know of a case: see `fixtures/throwing-cases.cjs`. */
interface Case {
  isEarly?: boolean;
  isRefused?: boolean;
  isAnswered?: boolean;
  isEnd?: boolean;
  isLossy?: boolean;
  namespace?: string;
}

const CASES: Record<string, Case> = require("../fixtures/throwing-cases.cjs").CASES;

/** What was seen of one case. */
interface Account {
  /** Of the server, by what they tell; nothing orders an error and what clients say meanwhile. */
  errors: string[];
  others: string[];
  /** How the client was refused. */
  refusal: string | undefined;
  /** Broadcasts and events that they got. */
  witness: unknown[];
  client: unknown[];
}

class ThrowingServer {
  private constructor(
    private readonly child: Child,
    private readonly controlPort: number,
  ) {}

  static async start(name: Implementation["name"]): Promise<ThrowingServer> {
    const child = startFixture(loadImplementation(name), "throwing.cjs", [], { isShared: true });
    return new ThrowingServer(child, Number(await child.nextLine()));
  }

  end(): void {
    this.child.process.kill("SIGKILL");
  }

  /** Has the process do something, and returns what it answers. */
  private async order(path: string): Promise<string> {
    return (await request(this.controlPort, { path })).text;
  }

  private async log(): Promise<string[]> {
    return JSON.parse(await this.order("/log"));
  }

  /** Waits until there is such a line. */
  private async logged(isMeant: (line: string) => boolean): Promise<void> {
    const asked = (async () => {
      while (!(await this.log()).some(isMeant));
    })();
    await within(asked, "no such line was logged");
  }

  async play(title: string, what: Case, transports: string[]): Promise<Account> {
    const port = Number(await this.order(`/start?${encodeURIComponent(title)}`));
    const url = `http://127.0.0.1:${port}`;
    const witness = openClient(url);
    const heardByWitness = hear(witness);
    await connected(witness);

    if (what.isEarly) {
      await this.order("/arm");
    }
    let client = openClient(`${url}${what.namespace ?? "/"}`, { transports });
    const refusal = what.isAnswered ? await refused(client) : undefined;
    if (what.isRefused) {
      await this.logged(isError);
    }
    if (what.isRefused || what.isAnswered) {
      client.disconnect();
      client = openClient(`${url}${what.namespace ?? "/"}`, { transports });
    }
    const heard = hear(client);
    await connected(client);
    await say(witness, "before");
    if (!what.isEarly) {
      await this.order("/arm");
    }

    const isGone = what.isEnd ? once(client, "disconnect") : undefined;
    client.emit("go", () => {});
    if (isGone === undefined) {
      // On their way together with what leads to the error.
      await Promise.all(["one", "two", "three"].map((text) => say(client, text)));
    } else {
      await isGone;
      await this.logged((line) => line === "gone");
    }
    if (!what.isAnswered) {
      await this.logged(isError);
    }
    await say(witness, "after");
    const last = isGone === undefined ? [witness, client] : [witness];
    const broadcasts = last
      .filter((each) => each === witness || what.namespace === undefined)
      .map((each) => heardLast(each));
    witness.emit("broadcast", "last");
    await Promise.all(broadcasts);
    const lines = await this.log();
    return {
      errors: lines.filter(isError),
      others: lines.filter((line) => !isError(line)),
      refusal,
      witness: heardByWitness,
      client: heard,
    };
  }
}

function isError(line: string): boolean {
  return /^(uncaught|unhandled): /.test(line);
}

function connected(client: ClientSocket): Promise<void> {
  return within(
    new Promise((resolve, reject) => {
      client.on("connect", resolve);
      client.on("connect_error", reject);
    }),
    "the client was told neither that it is connected nor that it is not",
  );
}

/** How a client is told that it does not get in. */
function refused(client: ClientSocket): Promise<string> {
  return within(
    new Promise((resolve) => {
      client.on("connect_error", (error) => resolve(error.message));
      client.io.on("close", resolve);
    }),
    "the client was told nothing",
  );
}

/** What a client gets of broadcasts and events, and its answers to what it is asked. */
function hear(client: ClientSocket): unknown[] {
  const heard: unknown[] = [];
  client.on("heard", (value) => heard.push(value));
  client.on("ask", (reply) => reply("answer"));
  client.on("leave", () => client.disconnect());
  return heard;
}

async function say(client: ClientSocket, text: string): Promise<void> {
  expect(await client.timeout(5_000).emitWithAck("say", text)).toBe(text);
}

function heardLast(client: ClientSocket): Promise<void> {
  return within(
    new Promise<void>((resolve) => {
      client.on("heard", (value) => value === "last" && resolve());
    }),
    "the last broadcast did not come",
  );
}

/** What comes of a case in which socket.io loses messages. */
const NOTHING_LOST: Account = {
  errors: ["uncaught: thrown"],
  others: ["before", "one", "two", "three", "after"].map((text) => `said: ${text}`),
  refusal: undefined,
  witness: ["last"],
  client: ["go", "last"],
};

describe("throwing callbacks", () => {
  const servers: ThrowingServer[] = [];
  beforeAll(async () => {
    servers.push(await ThrowingServer.start("socket.io"), await ThrowingServer.start("sio-rs"));
  });
  afterAll(() => {
    for (const server of servers) {
      server.end();
    }
  });

  for (const { label, transports } of TRANSPORTS) {
    for (const [title, what] of Object.entries(CASES)) {
      // socket.io-client may wait until its ping timeout when a session ends in the middle of its upgrade.
      if (what.isAnswered && label === "upgrade") {
        continue;
      }
      test(`what ${title} throws surfaces as with socket.io and loses no other message, over ${label}`, async () => {
        const [theirs, ours] = servers as [ThrowingServer, ThrowingServer];
        const isLossy = what.isLossy && transports.includes("websocket");
        const expected = isLossy ? NOTHING_LOST : await theirs.play(title, what, transports);
        expect(await ours.play(title, what, transports)).toEqual(expected);
      });
    }
  }
});
