// Responses that are ended together: which ones, and when.

import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate } from "node:timers/promises";
import { responses } from "../../lib/response-queue";

/** Serves one request by `serve`, and returns what the client got. */
async function served(serve: (res: ServerResponse) => Promise<void> | void): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const text = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).then(
      (answer) => answer.text(),
    );
    const [, res] = (await once(server, "request")) as [unknown, ServerResponse];
    await serve(res);
    return await text;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Ends a response, and tells whether it ended at once. */
function endsAtOnce(res: ServerResponse): boolean {
  responses.end(res, "ok");
  return res.writableEnded;
}

const WATCHERS: Record<string, (res: ServerResponse) => void> = {
  "by a listener of finish": (res) => res.on("finish", () => {}),
  "by a listener of close": (res) => res.on("close", () => {}),
  "by an end of its own": (res) => {
    const { end } = res;
    res.end = ((...args: unknown[]) => Reflect.apply(end, res, args)) as typeof res.end;
  },
};

describe("engine: responses that are ended together", () => {
  it("a response that nobody watches ends with the turn", async () => {
    const text = await served(async (res) => {
      expect(endsAtOnce(res)).toBe(false);
      await setImmediate();
      expect(res.writableEnded).toBe(true);
    });
    expect(text).toBe("ok");
  });

  for (const [how, watch] of Object.entries(WATCHERS)) {
    it(`a response that is watched ${how} ends at once`, async () => {
      const text = await served((res) => {
        watch(res);
        expect(endsAtOnce(res)).toBe(true);
      });
      expect(text).toBe("ok");
    });
  }

  it("while somebody subscribes to the ends of all responses they end at once", async () => {
    const listener = () => {};
    diagnostics.subscribe("http.server.response.finish", listener);
    try {
      const text = await served((res) => {
        expect(endsAtOnce(res)).toBe(true);
      });
      expect(text).toBe("ok");
    } finally {
      diagnostics.unsubscribe("http.server.response.finish", listener);
    }
  });

  it("a response whose connection was lost meanwhile stops no other", async () => {
    const text = await served(async (res) => {
      const lost = served((other) => {
        responses.end(other, "never");
        other.destroy();
        responses.end(res, "ok");
      });
      await expect(lost).rejects.toThrow();
    });
    expect(text).toBe("ok");
  });
});
