// The dashboard of @socket.io/admin-ui as its package brings it, in headless Chromium: a person logs in, and sees the sockets,
// rooms, events and servers of socket.io and of sio-rs. What crosses the wire is tested in ecosystem/admin-ui.test.ts.

import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { instrument } from "@socket.io/admin-ui";
import express from "express";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Server } from "socket.io";
import { closeClientAfterTest } from "../harness/cleanup";
import { once } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { describeRunning, listenOnFreePort, type Running, track } from "../harness/servers";

const SCREENSHOTS = join(__dirname, "..", "..", ".test-output");
const DASHBOARD = join(dirname(require.resolve("@socket.io/admin-ui")), "..", "ui", "dist");

/** bcrypt's word for the password, at its cheapest. */
const PASSWORD = "open sesame";
const PASSWORD_HASH = "$2a$04$EXeItswEXx43EzYyJaL4fOP2MaqWqNrW8rSXfrHm15U/5AasHjUXG";

const LIMIT_MS = 60_000;
const PAGE_LIMIT_MS = 15_000;

let browser: Browser;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
}, LIMIT_MS);

afterAll(() => browser?.close());

describeBoth("admin UI in a browser", (implementation) => {
  it(
    "a person logs in, sees sockets, rooms, events and servers, and disconnects a socket",
    async () => {
      const running = await start(implementation.Server);
      const client = running.connect();
      await once(client, "connect");
      const page = await open(running);

      await logIn(page, running.url, "a guess");
      await page.getByText("invalid credentials").waitFor();
      await logIn(page, running.url, PASSWORD);
      await page.getByText("connected", { exact: true }).first().waitFor();
      await page.getByRole("cell", { name: "/admin", exact: true }).waitFor();
      await screenshot(page, implementation.name, "dashboard");

      await visit(page, "Sockets");
      const socket = page.getByRole("cell", { name: client.id as string });
      await socket.waitFor();
      await page.getByRole("table").getByText("WebSocket", { exact: true }).waitFor();

      await visit(page, "Rooms");
      await page.getByRole("row", { name: "blue public 1" }).waitFor();

      await visit(page, "Events");
      client.emit("told to the dashboard", 1);
      await page.getByText("told to the dashboard").waitFor();
      running.io.emit("sent to everybody");
      await page.getByText("sent to everybody").waitFor();
      await screenshot(page, implementation.name, "events");

      await visit(page, "Servers");
      await page.getByRole("cell", { name: String(process.pid), exact: true }).waitFor();
      await page
        .getByRole("table")
        .getByText(/^\s*healthy\s*$/i)
        .waitFor();

      await visit(page, "Sockets");
      const gone = once(client, "disconnect");
      const row = page.getByRole("row", { name: client.id as string });
      await row.getByRole("button").last().click();
      expect((await gone)[0]).toBe("io server disconnect");
      await visit(page, "Rooms");
      await visit(page, "Sockets");
      await socket.waitFor({ state: "detached" });
    },
    LIMIT_MS,
  );
});

/** A server with the dashboard's pages on it; each socket joins one room. */
async function start(Server_: typeof Server): Promise<Running> {
  const app = express();
  app.use(express.static(DASHBOARD));
  const httpServer = createServer(app);
  const io = track(new Server_(httpServer));
  io.on("connection", (socket) => void socket.join("blue"));
  instrument(io as never, {
    auth: { type: "basic", username: "admin", password: PASSWORD_HASH },
    mode: "development",
  });
  return describeRunning(io, httpServer, await listenOnFreePort(httpServer));
}

/** The page asks other hosts for fonts, which it can do without. */
async function open({ url }: Running): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  closeClientAfterTest(() => page.close());
  page.setDefaultTimeout(PAGE_LIMIT_MS);
  await page.route(
    (target) => target.origin !== url,
    (route) => route.abort(),
  );
  await page.goto(url);
  return page;
}

async function logIn(page: Page, url: string, password: string): Promise<void> {
  await page.getByLabel("Server URL").fill(url);
  await page.getByLabel("Username").fill("admin");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Connect" }).click();
}

async function visit(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation").getByText(name, { exact: true }).click();
}

async function screenshot(page: Page, implementation: string, name: string): Promise<void> {
  await page.screenshot({ path: join(SCREENSHOTS, `admin-ui-${implementation}-${name}.png`) });
}
