// The query of a request: what is read of it by hand is what engine.io gets from `URL`.

import { randomInt } from "node:crypto";
import { parseQuery } from "../../lib/engine/request";

/** engine.io's way. */
function queryOf(url: string): Record<string, string> {
  return Object.fromEntries(new URL(url, "https://socket.io").searchParams);
}

const PIECES = [
  ..."=&?#+%'\\é",
  ...["EIO", "transport", "sid", "t", "b64", "j", "4", "polling", "%20", "%zz", "__proto__"],
];

describe("engine: the query of a request", () => {
  for (const url of [
    "/socket.io/",
    "/socket.io/?",
    "/socket.io/?EIO=4&transport=polling&t=abc&sid=x-_1&b64=1",
    "/socket.io/?EIO=3&EIO=4",
    "/socket.io/?a&=b&&c==d",
    "/socket.io/??a=1",
    "/socket.io/??a=%20",
    "/socket.io/#?a=1",
    "/socket.io/?a=1#&b=2",
    "/socket.io/?__proto__=1&constructor=2",
    "/socket.io/?a=é%20",
  ]) {
    it(`is the same: ${url}`, () => {
      expect(Object.entries(parseQuery(url))).toEqual(Object.entries(queryOf(url)));
    });
  }

  it("is the same for what is put together at random", () => {
    for (let round = 0; round < 20_000; round++) {
      const pieces = Array.from({ length: randomInt(12) }, () => PIECES[randomInt(PIECES.length)]);
      const url = `/x?${pieces.join("")}`;
      expect([url, Object.entries(parseQuery(url))]).toEqual([url, Object.entries(queryOf(url))]);
    }
  });

  it("is an object of its own each time", () => {
    const url = "/socket.io/?EIO=4&transport=websocket";
    parseQuery(url).transport = "other";
    expect(parseQuery(url)).toEqual({ EIO: "4", transport: "websocket" });
  });
});
