/** What an idle connection keeps in the heap of the server: the limit that a change may not exceed unnoticed. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { RawWebSocket } from "../harness/raw-websocket";

/** Bytes of V8's heap. Measured between 1,500 and 1,900 on Node 20 to 26; npm's socket.io keeps 11,000. */
const LIMIT = 2400;

const FEW = 200;
const MANY = 1200;

const SERVER = join(__dirname, "..", "fixtures", "heap.cjs");

async function ask(child: ChildProcess, question: string): Promise<number> {
  child.send(question);
  const [answer] = await once(child, "message", { signal: AbortSignal.timeout(10_000) });
  return answer;
}

describe("idle memory", () => {
  const carriesBytes = process.env.SIO_RS_CARRIER === "bridge"; // then Node's socket has to stay

  (carriesBytes ? it.skip : it)(
    `a connection that does nothing keeps no more than ${LIMIT} bytes of heap`,
    async () => {
      const child = fork(SERVER, { execArgv: ["--expose-gc", "--max-semi-space-size=1"] });
      try {
        const [port] = await once(child, "message", { signal: AbortSignal.timeout(10_000) });
        const peers: RawWebSocket[] = [];
        const open = async (count: number): Promise<number> => {
          while (peers.length < count) {
            const opened = Array.from({ length: 100 }, () => RawWebSocket.join(port));
            peers.push(...(await Promise.all(opened)));
          }
          expect(await ask(child, "sockets")).toBe(count);
          return ask(child, "heap");
        };
        const before = await open(FEW);
        const after = await open(MANY);
        const each = (after - before) / (MANY - FEW);
        expect(each).toBeGreaterThan(0);
        expect(each).toBeLessThan(LIMIT);
        for (const { stream } of peers) {
          stream.destroy();
        }
      } finally {
        child.kill();
      }
    },
    30_000,
  );
});
