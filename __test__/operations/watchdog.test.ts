// The watchdog: what it says while the JavaScript thread is stalled, and what is told when it is back.

import { startFixture } from "../harness/child";
import { openClient } from "../harness/clients";
import { eventually, once } from "../harness/events";
import { ours, startOwn } from "./own-server";

const STALL =
  /^sio-rs: the JavaScript thread of process (\d+) has not come back to its event loop for (\d+) ms\n$/;

describe("watchdog", () => {
  test("a stall is on stderr while it lasts, and is told with its duration when it is over", async () => {
    const child = startFixture(ours, "operations.cjs", ["stall", "200"], { hasInput: true });
    const port = Number(await child.nextLine());
    let stderr = "";
    child.process.stderr?.on("data", (text: string) => {
      stderr += text;
    });
    const client = openClient(`http://127.0.0.1:${port}`);
    await once(client, "connect");
    // It blocks until it is told by a file descriptor of its own that the line was seen: no clock decides.
    client.emit("stall until told");
    await eventually(() => STALL.test(stderr), `nothing was said: ${stderr}`);
    const [, pid, silence] = STALL.exec(stderr) as RegExpExecArray;
    expect(Number(pid)).toBe(child.process.pid);
    expect(Number(silence)).toBeGreaterThanOrEqual(200);
    child.process.stdin?.write("seen\n");
    const { duration, stalls } = JSON.parse(await child.nextLine());
    expect(duration).toBeGreaterThanOrEqual(Number(silence));
    expect(stalls).toEqual({ count: 1, duration });
    client.emit("exit");
    const { exitCode, stderr: all } = await child.finished;
    expect(exitCode).toBe(0);
    expect(all).toMatch(STALL);
  });

  test("without the option nothing is said of a stall", async () => {
    const child = startFixture(ours, "operations.cjs", ["stall"]);
    const port = Number(await child.nextLine());
    const client = openClient(`http://127.0.0.1:${port}`);
    await once(client, "connect");
    client.emit("stall", 600);
    client.emit("exit");
    const { exitCode, stderr } = await child.finished;
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  test("a watched server that is closed keeps no process", async () => {
    const child = startFixture(ours, "operations.cjs", ["watched and closed"]);
    const { exitCode, stderr } = await child.finished;
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  test("a worker thread that is terminated is not taken for stalled", async () => {
    const child = startFixture(ours, "operations.cjs", ["worker terminated"]);
    const { exitCode, stderr } = await child.finished;
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  test("a time that makes no sense is refused when the server is made", async () => {
    for (const stalledAfter of [0, 9, Number.NaN, "soon", undefined]) {
      const make = () => new ours.Server({ watchdog: { stalledAfter } } as any);
      expect(make).toThrow(
        /^option "watchdog.stalledAfter" must be a number of milliseconds from 10/,
      );
    }
    const { io } = await startOwn({ watchdog: { stalledAfter: "60000" } });
    expect(io.metrics().stalls).toEqual({ count: 0, duration: 0 });
  });
});
