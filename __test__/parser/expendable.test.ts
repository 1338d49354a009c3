// Which packets may give way to newer ones: events without an acknowledgement, and no others.

import { Encoder } from "socket.io-parser";
import { EXPENDABLE } from "../../dist/commands";
import { expendableFlag } from "../../dist/expendable";

const engine = { opts: { outbox: { policy: "drop-oldest" as const } } };

/** As npm's parser writes it. */
function encoded(packet: object): any[] {
  return new Encoder().encode({ nsp: "/", ...packet } as never);
}

const bytes = Buffer.from([1]);

describe("expendable packets", () => {
  test.each([
    [{ type: 2, data: ["event", 1] }],
    [{ type: 2, nsp: "/admin", data: ["event"] }],
    [{ type: 2, data: ["event", bytes, bytes] }],
    [{ type: 2, nsp: "/admin", data: ["event", bytes] }],
  ])("%j may give way", (packet) => {
    expect(expendableFlag(engine, encoded(packet))).toBe(EXPENDABLE);
  });

  test.each([
    [{ type: 0, data: { sid: "x" } }],
    [{ type: 1 }],
    [{ type: 2, id: 0, data: ["event"] }],
    [{ type: 2, id: 17, nsp: "/admin", data: ["event", bytes] }],
    [{ type: 3, id: 1, data: [] }],
    [{ type: 3, id: 1, data: [bytes] }],
    [{ type: 4, data: { message: "no" } }],
  ])("%j stays", (packet) => {
    expect(expendableFlag(engine, encoded(packet))).toBe(0);
  });

  test.each([[""], ["2"], ["5"], ["51"], ["51-"], ["2/"], ["2/admin"], ["x"]])(
    "%j of another format stays",
    (text) => {
      expect(expendableFlag(engine, text)).toBe(0);
      expect(expendableFlag(engine, [text])).toBe(0);
    },
  );

  test("nothing gives way where the policy does not ask for it, and bytes of a parser never do", () => {
    const event = encoded({ type: 2, data: ["event"] });
    for (const opts of [
      undefined,
      {},
      { outbox: {} },
      { outbox: { policy: "disconnect" as const } },
    ]) {
      expect(expendableFlag(opts === undefined ? undefined : { opts }, event)).toBe(0);
    }
    expect(expendableFlag(engine, [bytes])).toBe(0);
  });
});
