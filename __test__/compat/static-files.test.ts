// The client bundles under the server's path: which names are served, with which headers, and when not.

import { createServer } from "node:http";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { Server } from "socket.io";
import { version } from "socket.io/package.json";
import { describeBoth, it } from "../harness/implementations";
import { internals } from "../harness/internals";
import { headerLines, request } from "../harness/raw-http";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  startServer,
  track,
} from "../harness/servers";

const BUNDLES = [
  "socket.io.js",
  "socket.io.min.js",
  "socket.io.msgpack.min.js",
  "socket.io.esm.min.js",
];

const DECODERS: Record<string, (bytes: Buffer) => Buffer> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  deflate: inflateSync,
};

describeBoth("static files", (implementation) => {
  for (const name of BUNDLES) {
    it(`${name} and its map are served`, async () => {
      const { port } = await startServer(implementation);
      const script = await request(port, { path: `/socket.io/${name}` });
      expect(script.status).toBe(200);
      expect(headerLines(script)).toEqual([
        "Cache-Control: public, max-age=0",
        "Content-Type: application/javascript; charset=utf-8",
        `ETag: "${version}"`,
        "Transfer-Encoding: chunked",
      ]);
      expect(script.text).toContain("Socket.IO v4");
      const map = await request(port, { path: `/socket.io/${name}.map` });
      expect(map.status).toBe(200);
      expect(map.headers["content-type"]).toBe("application/json; charset=utf-8");
      expect(JSON.parse(map.text).version).toBe(3);
    });
  }

  for (const name of ["socket.io.esm.js", "other.js", "socket.io.js.other", "../package.json"]) {
    it(`${name} is not: it reaches the engine, which refuses it`, async () => {
      const { port } = await startServer(implementation);
      const response = await request(port, { path: `/socket.io/${name}` });
      expect([response.status, response.text]).toEqual([
        400,
        '{"code":0,"message":"Transport unknown"}',
      ]);
    });
  }

  it("a query does not matter, and the method neither", async () => {
    const { port } = await startServer(implementation);
    const got = await request(port, { path: "/socket.io/socket.io.js?buster=1&x=?" });
    expect(got.status).toBe(200);
    const posted = await request(port, { method: "POST", path: "/socket.io/socket.io.js" });
    expect(posted.text.length).toBe(got.text.length);
  });

  for (const etag of [`"${version}"`, `W/"${version}"`]) {
    it(`If-None-Match ${etag} is answered 304 without a body`, async () => {
      const { port } = await startServer(implementation);
      const response = await request(port, {
        path: "/socket.io/socket.io.js",
        headers: { "If-None-Match": etag },
      });
      expect([response.status, response.text]).toEqual([304, ""]);
      expect(headerLines(response)).toEqual([]);
    });
  }

  it("another If-None-Match gets the file", async () => {
    const { port } = await startServer(implementation);
    const response = await request(port, {
      path: "/socket.io/socket.io.js",
      headers: { "If-None-Match": '"1.0.0"' },
    });
    expect(response.status).toBe(200);
  });

  const encodings: [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ["br", "br"],
    ["gzip", "gzip"],
    ["deflate", "deflate"],
    ["gzip, br, deflate", "gzip"],
    ["deflate;q=0.5, br;q=0.9", "br"],
    ["identity", undefined],
  ];
  for (const [accepted, used] of encodings) {
    it(`Accept-Encoding ${accepted} is answered ${used ?? "as it is"}`, async () => {
      const { port } = await startServer(implementation);
      const path = "/socket.io/socket.io.min.js";
      const headers = accepted === undefined ? {} : { "Accept-Encoding": accepted };
      const response = await request(port, { path, headers });
      expect(response.headers["content-encoding"]).toBe(used);
      const decode = DECODERS[used ?? ""] ?? ((bytes: Buffer) => bytes);
      expect(decode(response.body).toString()).toContain("Socket.IO v4");
    });
  }

  it("cors of the constructor holds for the bundles", async () => {
    const { port } = await startServer(implementation, { cors: { origin: "http://a.example" } });
    const response = await request(port, {
      path: "/socket.io/socket.io.js",
      headers: { Origin: "http://a.example" },
    });
    expect(response.headers["access-control-allow-origin"]).toBe("http://a.example");
  });

  it("serveClient: false serves none, and they reach the engine", async () => {
    const { port } = await startServer(implementation, { serveClient: false });
    const response = await request(port, { path: "/socket.io/socket.io.js" });
    expect([response.status, response.text]).toEqual([
      400,
      '{"code":0,"message":"Transport unknown"}',
    ]);
  });

  it("they are served under a path of one's own, and foreign requests still pass", async () => {
    const httpServer = createServer((_req, res) => res.end("foreign"));
    const io = track(new implementation.Server(httpServer, { path: "/own" }));
    const port = await listenOnFreePort(httpServer);
    expect((await request(port, { path: "/own/socket.io.js" })).text).toContain("Socket.IO v4");
    expect((await request(port, { path: "/socket.io/socket.io.js" })).text).toBe("foreign");
    await joinPair(describeRunning(io, httpServer, port), "/", { path: "/own" });
  });

  it("Server.sendFile may be replaced", async () => {
    const Server = implementation.Server as unknown as { sendFile: unknown };
    const { sendFile } = Server;
    const { port } = await startServer(implementation);
    Server.sendFile = (name: string, _req: unknown, res: { end(text: string): void }) => {
      res.end(`replaced ${name}`);
    };
    try {
      const response = await request(port, { path: "/socket.io/socket.io.js" });
      expect(response.text).toBe("replaced socket.io.js");
    } finally {
      Server.sendFile = sendFile;
    }
  });

  it("what stands between the path and the name is not looked at", async () => {
    const { port } = await startServer(implementation);
    const response = await request(port, { path: "/socket.ioXsocket.io.js" });
    expect([response.status, response.text.includes("Socket.IO v4")]).toEqual([200, true]);
  });

  it("with cors preflights for the bundles are answered, without it they get the file", async () => {
    const path = "/socket.io/socket.io.js";
    const headers = { Origin: "http://a.example", "Access-Control-Request-Method": "GET" };
    const open = await startServer(implementation, { cors: { origin: "http://a.example" } });
    const preflight = await request(open.port, { method: "OPTIONS", path, headers });
    expect([preflight.status, preflight.text]).toEqual([204, ""]);
    expect(preflight.headers["access-control-allow-origin"]).toBe("http://a.example");
    const { port } = await startServer(implementation);
    const { status, text } = await request(port, { method: "OPTIONS", path, headers });
    expect([status, text.includes("Socket.IO v4")]).toEqual([200, true]);
  });

  it("cors of attach alone does not hold for the bundles", async () => {
    const httpServer = createServer();
    track(new implementation.Server()).attach(httpServer, { cors: { origin: "*" } });
    const port = await listenOnFreePort(httpServer);
    const response = await request(port, {
      path: "/socket.io/socket.io.js",
      headers: { Origin: "http://a.example" },
    });
    expect(response.status).toBe(200);
    expect(response.headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("serve of an instance may be replaced, sendFile of a class that extends Server is not asked", async () => {
    class Own extends (implementation.Server as unknown as new (server: object) => object) {
      static sendFile(_name: string, _req: unknown, res: { end(text: string): void }): void {
        res.end("never asked");
      }
    }
    const httpServer = createServer();
    const io = track(new Own(httpServer) as Server);
    const port = await listenOnFreePort(httpServer);
    const path = "/socket.io/socket.io.js?query";
    expect((await request(port, { path })).text).toContain("Socket.IO v4");
    internals(io).serve = (name: string, _req: unknown, res: { end(text: string): void }) =>
      res.end(`replaced ${name}`);
    expect((await request(port, { path })).text).toBe("replaced socket.io.js");
  });
});
