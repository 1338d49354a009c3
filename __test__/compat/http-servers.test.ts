// The HTTP servers that people hand over: https, http2 with allowHTTP1, Express, a Unix socket, one fed by hand.

import { Agent, createServer, type Server as HttpServer, request as httpRequest } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import { connect as connectNet, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { selfSignedCertificate } from "../harness/certificate";
import { closeClientAfterTest } from "../harness/cleanup";
import { openClient, record, settleDown, settleTransport, TRANSPORTS } from "../harness/clients";
import { once, onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { request } from "../harness/raw-http";
import {
  describeRunning,
  joinPair,
  listenOnFreePort,
  track,
  trackHttpServer,
} from "../harness/servers";

const TLS = selfSignedCertificate();

/** The two kinds of TLS server, which differ in nothing that a client could see over HTTP/1. */
const SECURE: { label: string; create: () => HttpServer }[] = [
  { label: "https", create: () => createHttpsServer(TLS) as unknown as HttpServer },
  {
    label: "http2 with allowHTTP1",
    create: () => createSecureServer({ ...TLS, allowHTTP1: true }) as unknown as HttpServer,
  },
];

describeBoth("http servers", (implementation) => {
  const { Server } = implementation;

  for (const { label: kind, create } of SECURE) {
    for (const { label, transports } of TRANSPORTS) {
      it(`${kind} serves a client over ${label}: events, acks, binary, broadcast, the end`, async () => {
        const server = create();
        const io = track(new Server(server));
        const port = await listenOnFreePort(server);
        const joined = onceValue(io, "connection");
        const client = openClient(`https://127.0.0.1:${port}`, {
          transports,
          rejectUnauthorized: false,
        });
        await once(client, "connect");
        const socket = await joined;
        expect(socket.handshake.secure).toBe(true);
        expect(socket.handshake.address).toMatch(/127\.0\.0\.1$/);
        await settleTransport(socket, transports);
        socket.on("q", (text: string, bytes: Buffer, reply: any) => reply(text, bytes));
        const bytes = Buffer.alloc(100_000, 7);
        const answer = new Promise<unknown[]>((resolve) => {
          client.emit("q", "é", bytes, (...args: unknown[]) => resolve(args));
        });
        expect(await answer).toEqual(["é", bytes]);
        const seen = record(client);
        for (let index = 0; index < 100; index += 1) {
          io.emit("n", index);
        }
        await settleDown(socket, client);
        expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => ["n", index]));
        const left = onceValue(socket, "disconnect");
        client.io.engine.close();
        expect(await left).toBe("transport close");
      });
    }

    it(`${kind}: the certificate side of the request is at hand, and disconnect(true) ends it`, async () => {
      const server = create();
      const io = track(new Server(server));
      const port = await listenOnFreePort(server);
      const joined = onceValue(io, "connection");
      const client = openClient(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
      const socket = await joined;
      expect(socket.request.socket.encrypted).toBe(true);
      expect(typeof socket.request.socket.getPeerCertificate()).toBe("object");
      const there = onceValue(client, "disconnect");
      socket.disconnect(true);
      expect(await there).toBe("io server disconnect");
    });
  }

  it("https serves foreign requests as before", async () => {
    const server = createHttpsServer(TLS, (_req, res) => res.end("foreign"));
    track(new Server(server));
    const port = await listenOnFreePort(server);
    const text = await new Promise<string>((resolve, reject) => {
      const sent = httpsRequest(
        { host: "127.0.0.1", port, path: "/", rejectUnauthorized: false, agent: false },
        (res) => res.setEncoding("utf8").on("data", resolve),
      );
      sent.on("error", reject).end();
    });
    expect(text).toBe("foreign");
  });

  it("Express keeps its routes, and the server its path", async () => {
    const app = express();
    app.get("/hello", (_req: unknown, res: any) => void res.send("hello from express"));
    const httpServer = createServer(app);
    const io = track(new Server(httpServer));
    const port = await listenOnFreePort(httpServer);
    expect((await request(port, { path: "/hello" })).text).toBe("hello from express");
    expect((await request(port, { path: "/nothing" })).status).toBe(404);
    const running = describeRunning(io, httpServer, port);
    for (const { transports } of TRANSPORTS) {
      const { socket, client } = await joinPair(running, "/", { transports });
      await settleDown(socket, client);
    }
  });

  it("Express middlewares may be used on the engine", async () => {
    const httpServer = createServer(express());
    const io = track(new Server(httpServer));
    const router = express.Router();
    router.use((req: any, res: any, next: () => void) => {
      req.seen = true;
      res.setHeader("X-Seen", "1");
      next();
    });
    io.engine.use(router as never);
    const port = await listenOnFreePort(httpServer);
    const { socket } = await joinPair(describeRunning(io, httpServer, port));
    expect((socket.request as any).seen).toBe(true);
  });

  it("a Unix socket carries both transports", async () => {
    const path = join(tmpdir(), `sio-test-${process.pid}-${implementation.name}.sock`);
    const httpServer = createServer();
    const io = track(new Server(httpServer));
    const listening = once(httpServer, "listening");
    httpServer.listen(path);
    await listening;
    // The client cannot dial a path, so a TCP port is piped to it.
    const proxy = trackHttpServer(
      createNetServer((stream) => {
        const toServer = connectNet(path);
        stream.on("error", () => {});
        toServer.on("error", () => {});
        stream.pipe(toServer).pipe(stream);
        stream.on("close", () => toServer.destroy());
        toServer.on("close", () => stream.destroy());
        closeClientAfterTest(() => stream.destroy());
      }),
    );
    const running = describeRunning(io, httpServer, await listenOnFreePort(proxy));
    for (const { transports } of TRANSPORTS) {
      const { socket, client } = await joinPair(running, "/", { transports });
      await settleDown(socket, client);
      expect(socket.handshake.address).toBeUndefined();
    }
  });

  it("connections may be handed to the HTTP server by hand, with bytes that were read already", async () => {
    const httpServer = createServer();
    const io = track(new Server(httpServer));
    trackHttpServer(httpServer);
    const front = trackHttpServer(
      createNetServer((stream) => {
        stream.once("readable", () => {
          const first = stream.read();
          if (first !== null) {
            stream.unshift(first);
          }
          httpServer.emit("connection", stream);
          stream.resume();
        });
      }),
    );
    const running = describeRunning(io, httpServer, await listenOnFreePort(front));
    for (const transports of [["polling"], ["websocket"]]) {
      const { socket, client } = await joinPair(running, "/", { transports });
      await settleDown(socket, client);
    }
  });

  it("getConnections counts websocket clients, and closeAllConnections leaves them alone", async () => {
    const httpServer = createServer();
    const io = track(new Server(httpServer));
    const running = describeRunning(io, httpServer, await listenOnFreePort(httpServer));
    const { socket, client } = await joinPair(running);
    const count = await new Promise<number>((resolve, reject) => {
      httpServer.getConnections((error, connections) =>
        error ? reject(error) : resolve(connections),
      );
    });
    expect(count).toBe(1);
    httpServer.closeAllConnections();
    await settleDown(socket, client);
    expect(client.connected).toBe(true);
  });

  it("keep-alive connections serve polls and foreign requests in turn", async () => {
    const httpServer = createServer((_req, res) => res.end("foreign"));
    track(new Server(httpServer));
    const port = await listenOnFreePort(httpServer);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    closeClientAfterTest(() => agent.destroy());
    const get = (path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        httpRequest({ host: "127.0.0.1", port, path, agent }, (res) => {
          let text = "";
          res.setEncoding("utf8").on("data", (chunk) => {
            text += chunk;
          });
          res.on("end", () => resolve(text));
        })
          .on("error", reject)
          .end();
      });
    expect(await get("/")).toBe("foreign");
    expect(await get("/socket.io/?EIO=4&transport=polling")).toMatch(/^0\{/);
    expect(await get("/")).toBe("foreign");
  });
});
