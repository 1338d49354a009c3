// Middlewares of the field before the engine, each used as its documentation says: on polls, on POSTs and on opening handshakes.

import { createServer } from "node:http";
import { PassThrough } from "node:stream";
import cors from "cors";
import express from "express";
import session from "express-session";
import helmet from "helmet";
import passport from "passport";
import { Strategy } from "passport-local";
import pino from "pino-http";
import { once } from "../harness/events";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { exchange, type RawResponse, request } from "../harness/raw-http";
import { closeFrame, openingHandshake, RawWebSocket } from "../harness/raw-websocket";
import { describeRunning, listenOnFreePort, type Running, track } from "../harness/servers";

/** A server behind an Express application, on one port. */
async function startBehindExpress(
  { Server }: Implementation,
  prepare: (app: any, engine: any) => void,
): Promise<Running> {
  const app = express();
  const httpServer = createServer(app);
  const io = track(new Server(httpServer));
  prepare(app, io.engine);
  return describeRunning(io, httpServer, await listenOnFreePort(httpServer));
}

/** The next session's handshake request, with what middlewares have put on it. */
async function nextRequest({ io }: Running): Promise<any> {
  const [conn] = await once(io.engine, "connection");
  return conn.request;
}

/** The cookies that an answer sets, as a client sends them back. */
function cookiesOf(head: string): string {
  return [...head.matchAll(/^set-cookie: ([^;\r]+)/gim)].map(([, cookie]) => cookie).join("; ");
}

function headOf({ rawHeaders }: RawResponse): string {
  return rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
}

/** Where the session's cookie leads to. */
const SESSION = { secret: "a secret", resave: false, saveUninitialized: true };

/** Both ways in which a session can begin: the head of the answer, with a cookie sent along. */
const WAYS: [transport: string, open: (port: number, cookie?: string) => Promise<string>][] = [
  [
    "polling",
    async (port, cookie = "") =>
      headOf(await new PollingPeer(port, { headers: { Cookie: cookie } }).handshake()),
  ],
  [
    "websocket",
    async (port, cookie = "") =>
      (await RawWebSocket.open(port, { headers: { Cookie: cookie } })).head,
  ],
];

describeBoth("middlewares of the field", (implementation) => {
  for (const [transport, open] of WAYS) {
    it(`express-session: what an Express route has stored is found in the handshake over ${transport}`, async () => {
      const running = await startBehindExpress(implementation, (app, engine) => {
        const middleware = session(SESSION);
        app.use(middleware);
        app.post("/remember", (req: any, res: any) => {
          req.session.word = "swordfish";
          res.end();
        });
        engine.use(middleware);
      });
      const stored = await request(running.port, { method: "POST", path: "/remember" });
      const handshake = nextRequest(running);
      const head = await open(running.port, cookiesOf(headOf(stored)));
      expect((await handshake).session.word).toBe("swordfish");
      expect(cookiesOf(head)).toBe(""); // it has one already
    });

    it(`express-session: a session that begins in a handshake over ${transport} is saved, and its cookie sent`, async () => {
      const running = await startBehindExpress(implementation, (app, engine) => {
        const middleware = session(SESSION);
        app.use(middleware);
        app.get("/word", (req: any, res: any) => void res.send(req.session.word));
        engine.use(middleware);
      });
      const handshake = nextRequest(running);
      const cookie = cookiesOf(await open(running.port));
      expect(cookie).toMatch(/^connect\.sid=s%3A/);
      const { session: begun } = await handshake;
      begun.word = "swordfish";
      await new Promise<void>((resolve, reject) =>
        begun.save((error: unknown) => (error ? reject(error) : resolve())),
      );
      const { text } = await request(running.port, { path: "/word", headers: { Cookie: cookie } });
      expect(text).toBe("swordfish");
    });

    it(`helmet: its headers are in the answer over ${transport}`, async () => {
      const running = await startBehindExpress(implementation, (_app, engine) => {
        engine.use(helmet({ contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } } }));
      });
      const head = (await open(running.port)).toLowerCase();
      for (const line of [
        "strict-transport-security: max-age=31536000; includesubdomains",
        "x-content-type-options: nosniff",
        "x-frame-options: sameorigin",
        "content-security-policy: default-src 'none'",
      ]) {
        expect(head).toContain(line);
      }
    });

    it(`passport: who has logged in through Express is the user of a handshake over ${transport}, others are sent away`, async () => {
      const authenticator = new passport.Passport();
      authenticator.use(
        new Strategy((name: string, password: string, done: any) =>
          done(null, password === "right" ? { name } : false),
        ),
      );
      authenticator.serializeUser((user: any, done: any) => done(null, user.name));
      authenticator.deserializeUser((name: string, done: any) => done(null, { name }));
      const running = await startBehindExpress(implementation, (app, engine) => {
        const middleware = session(SESSION);
        app.use(middleware, authenticator.initialize(), authenticator.session());
        app.use(express.urlencoded({ extended: false }));
        app.post("/login", authenticator.authenticate("local"), (_req: any, res: any) => res.end());
        for (const each of [middleware, authenticator.initialize(), authenticator.session()]) {
          engine.use(each);
        }
        engine.use((req: any, res: any, next: any) => {
          if (req.user) {
            next();
          } else {
            res.writeHead(401);
            res.end();
          }
        });
      });
      const login = (password: string): Promise<RawResponse> =>
        request(running.port, {
          method: "POST",
          path: "/login",
          headers: { "Content-Type": "application/x-www-form-urlencoded" },
          body: `username=ada&password=${password}`,
        });
      const refused = await login("wrong");
      expect(refused.status).toBe(401);
      const handshake = nextRequest(running);
      await open(running.port, cookiesOf(headOf(await login("right"))));
      const { user } = await handshake;
      expect(user).toEqual({ name: "ada" });
      if (transport === "polling") {
        expect((await new PollingPeer(running.port).handshake()).status).toBe(401);
      } else {
        // express-session wants to save at the end of a response, and finds that this is not one.
        expect(await exchange(running.port, openingHandshake())).toContain("400 Bad Request");
      }
    });
  }

  it("pino-http logs polls when they are answered, and opening handshakes when their connection ends", async () => {
    const stream = new PassThrough({ objectMode: true });
    const running = await startBehindExpress(implementation, (_app, engine) => {
      engine.use(pino({}, stream));
    });
    const next = async (): Promise<unknown[]> => {
      const [line] = await once(stream, "data");
      const { msg, req, res } = JSON.parse(String(line));
      return [msg, req.method, req.url.split("&t")[0], res.statusCode];
    };
    let line = next();
    const peer = await PollingPeer.open(running.port);
    expect(await line).toEqual(["request completed", "GET", "/socket.io/?EIO=4", 200]);
    line = next();
    await peer.send("40");
    expect((await line).slice(0, 2)).toEqual(["request completed", "POST"]);
    line = next();
    const socket = await RawWebSocket.open(running.port);
    socket.write(closeFrame(1000));
    expect((await line).slice(0, 3)).toEqual(["request aborted", "GET", "/socket.io/?EIO=4"]);
  });

  it("cors as a middleware answers preflights, and is told in the answers", async () => {
    const running = await startBehindExpress(implementation, (_app, engine) => {
      engine.use(cors({ origin: "http://a.example", credentials: true, methods: ["GET"] }));
    });
    const path = "/socket.io/?EIO=4&transport=polling";
    const preflight = await request(running.port, {
      method: "OPTIONS",
      path,
      headers: { Origin: "http://a.example", "Access-Control-Request-Method": "GET" },
    });
    expect([preflight.status, preflight.headers["access-control-allow-methods"]]).toEqual([
      204,
      "GET",
    ]);
    for (const [, open] of WAYS) {
      const head = await open(running.port);
      expect(head).toContain("Access-Control-Allow-Origin: http://a.example\r\n");
      expect(head).toContain("Access-Control-Allow-Credentials: true");
    }
  });
});
