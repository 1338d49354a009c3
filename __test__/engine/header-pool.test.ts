/** Raw headers and other strings that connections share: nothing of them may change, and peers must not be able to fill the memory. */

import { StringPool } from "../../lib/engine/string-pool";
import { internHeaders, poolHeaders, unpoolHeaders } from "../../lib/engine/unseen/header-pool";

const LISTS: string[][] = [
  [],
  ["Host", "x"],
  ["Cookie", "a=1", "Host", "x", "cookie", "", "COOKIE", "b=2"],
  ["Sec-WebSocket-Key", "k", "X-Empty", ""],
  ["authorization", "", "a", "b"],
  ["odd"],
];

describe("engine: pooled headers", () => {
  it.each(LISTS.map((list) => [list]))("are given back as they were: %j", (list) => {
    expect(unpoolHeaders(poolHeaders([...list]))).toEqual(list);
    const kept = [...list];
    internHeaders({ rawHeaders: kept });
    expect(kept).toEqual(list);
  });

  it("are kept once for all clients that agree in what is not private", () => {
    const a = poolHeaders(["Host", "x", "Cookie", "a"]);
    const b = poolHeaders(["Host", "x", "Cookie", "b"]);
    const c = poolHeaders(["Host", "y", "Cookie", "a"]);
    expect(a.shared).toBe(b.shared);
    expect([a.own, b.own]).toEqual(["a", "b"]);
    expect(c.shared).not.toBe(a.shared);
  });

  it("are not changed by who gets them", () => {
    const pooled = poolHeaders(["Host", "x"]);
    unpoolHeaders(pooled).push("more", "1");
    expect(unpoolHeaders(poolHeaders(["Host", "x"]))).toEqual(["Host", "x"]);
  });

  it("are dropped when there are too many, and not kept when they are long", () => {
    const { shared } = poolHeaders(["Host", "first"]);
    expect(poolHeaders(["Host", "first"]).shared).toBe(shared);
    for (let i = 0; i < 1000; i += 1) {
      poolHeaders(["Host", `peer ${i}`]);
    }
    expect(poolHeaders(["Host", "first"]).shared).not.toBe(shared);
    const long = ["Host", "x".repeat(5000)];
    expect(poolHeaders(long).shared).not.toBe(poolHeaders(long).shared);
  });
});

describe("engine: a pool of strings", () => {
  it("gives back the same text, and forgets everything when it is full", () => {
    const pool = new StringPool(2, 3);
    const kept = Reflect.get(pool, "strings") as Map<string, string>;
    const sizes = ["a", "b", "a", "long", "c", "a"].map((text) => {
      expect(pool.intern(text)).toBe(text);
      return kept.size;
    });
    expect(sizes).toEqual([1, 2, 2, 2, 1, 2]);
  });
});
