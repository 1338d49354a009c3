// The chat demo as people see it: two pages in headless Chromium, on socket.io and on sio-rs.
// What goes over the wire is tested elsewhere; here a page must show it. Screenshots of both sizes are left in
// .test-output/. CHROMIUM_PATH names the browser.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const ROOT = join(__dirname, "..", "..");
const SCREENSHOTS = join(ROOT, ".test-output");

const IMPLEMENTATIONS = [
  { name: "socket.io", modulePath: "socket.io" },
  { name: "sio-rs", modulePath: ROOT },
];

/** Nothing but the page under test may use the network or the disk. */
const CHROMIUM_ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** A restart is noticed at once, but the client waits up to 1.5 s before it tries again. */
const PAGE_LIMIT_MS = 15_000;

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 720 };

jest.setTimeout(60_000);

let browser: Browser;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: CHROMIUM_ARGUMENTS });
});

afterAll(() => browser?.close());

describe.each(IMPLEMENTATIONS)("chat demo on $name", ({ name, modulePath }) => {
  let server: ChildProcess;
  let port: number;
  let pages: Page[];

  beforeEach(async () => {
    pages = [];
    await startServer(0);
  });

  afterEach(async () => {
    for (const page of pages) await page.context().close();
    await stopServer();
  });

  async function startServer(onPort: number) {
    server = fork(join(__dirname, "chat-server.js"), [modulePath, String(onPort)], {
      execArgv: [],
    });
    // A server that cannot start ends without a message: then this waits no longer either.
    const [first] = await Promise.race([once(server, "message"), once(server, "exit")]);
    if (server.exitCode !== null) throw new Error(`the chat server ended with code ${first}`);
    port = first;
  }

  async function stopServer() {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  }

  async function openPage(
    person: string,
    viewport = DESKTOP,
    colorScheme: "light" | "dark" = "light",
  ) {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
    const page = await context.newPage();
    pages.push(page);
    page.setDefaultTimeout(PAGE_LIMIT_MS);
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.getByLabel("Your name").fill(person);
    await page.getByRole("button", { name: "Come in" }).click();
    await waitForState(page, "connected");
    return page;
  }

  async function say(page: Page, text: string) {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send", exact: true }).click();
  }

  const log = (page: Page) => page.getByRole("log");
  const waitForState = (page: Page, state: string) =>
    page.locator("#state", { hasText: new RegExp(`^${state}$`) }).waitFor();
  const waitForText = (page: Page, text: string) =>
    log(page).getByText(text, { exact: true }).waitFor();
  const screenshot = (page: Page, view: string) =>
    page.screenshot({ path: join(SCREENSHOTS, `chat-${name}-${view}.png`) });

  it("two pages talk, see who is there and who is typing", async () => {
    const [ada, grace] = [await openPage("Ada"), await openPage("Grace")];
    await waitForText(ada, "Grace came in");
    await ada.locator("#people").getByText("Grace").waitFor();
    await ada.locator("#rooms .row", { hasText: "lobby" }).getByLabel("2 people").waitFor();

    await grace.getByLabel("Message", { exact: true }).pressSequentially("I am writ");
    await ada.getByText("Grace is typing…").waitFor();
    await say(grace, "Good morning, Ada");
    await waitForText(ada, "Good morning, Ada");
    await ada.getByText("Grace is typing…").waitFor({ state: "detached" });
    await say(ada, "Good morning, Grace");
    await waitForText(grace, "Good morning, Grace");
    await grace.locator(".own:not(.waiting):not(.failed)").waitFor();
    expect(await grace.locator(".failed").count()).toBe(0);
  });

  it("the transport is upgraded to websocket", async () => {
    const ada = await openPage("Ada");
    await ada.locator("#transport", { hasText: "websocket" }).waitFor();
  });

  it("the counter of broadcasts goes up on every page", async () => {
    const [ada, grace] = [await openPage("Ada"), await openPage("Grace")];
    const count = async (page: Page) => Number(await page.locator("#broadcasts").textContent());
    await say(ada, "One");
    await waitForText(grace, "One");
    // Coming in twice and one message: three at least, and the same number everywhere.
    await expectSoon(
      async () => (await count(ada)) >= 3 && (await count(ada)) === (await count(grace)),
    );
  });

  it("a room keeps its messages to itself", async () => {
    const [ada, grace] = [await openPage("Ada"), await openPage("Grace")];
    await grace.getByLabel("New room").fill("garden");
    await grace.getByRole("button", { name: "Open the room" }).click();
    await waitForText(ada, "Grace went to another room");
    await waitForText(grace, "You are in garden");
    await say(grace, "Nobody reads this");
    await grace.locator("#rooms .row", { hasText: "lobby" }).click();
    await grace.getByRole("heading", { name: "lobby" }).waitFor();
    await say(grace, "But everybody this");
    await waitForText(ada, "But everybody this");
    expect(await log(ada).getByText("Nobody reads this").count()).toBe(0);
  });

  it("a private message reaches one person alone", async () => {
    const [ada, grace, mary] = [
      await openPage("Ada"),
      await openPage("Grace"),
      await openPage("Mary"),
    ];
    await ada.locator("#people").getByRole("button", { name: "Grace" }).click();
    await say(ada, "Between us");
    await waitForText(grace, "Between us");
    await grace.locator(".only", { hasText: "only for you" }).waitFor();
    await ada.getByRole("button", { name: "Write to the room again" }).click();
    await say(ada, "For all");
    await waitForText(mary, "For all");
    expect(await log(mary).getByText("Between us").count()).toBe(0);
  });

  it("a press on a person holds while the list of people changes under it", async () => {
    const ada = await openPage("Ada");
    await openPage("Grace");
    const grace = ada.locator("#people").getByRole("button", { name: "Grace" });
    await grace.hover();
    await ada.mouse.down();
    await openPage("Mary");
    await ada.locator("#people").getByText("Mary").waitFor();
    await ada.mouse.up();
    await ada.locator("#private-name", { hasText: "Grace" }).waitFor();
  });

  it("a picture arrives with every pixel", async () => {
    const [ada, grace] = [await openPage("Ada"), await openPage("Grace", PHONE)];
    const sent = await drawPicture(ada);
    const buffer = Buffer.from(sent.split(",")[1] ?? "", "base64");
    await ada
      .getByLabel("Send a picture")
      .setInputFiles({ name: "hills.png", mimeType: "image/png", buffer });
    await log(grace).getByRole("img", { name: "Picture from Ada" }).waitFor();
    expect(await copyPicture(grace)).toBe(sent);
    await say(grace, "What a view!");
    await waitForText(ada, "What a view!");
    await screenshot(ada, "desktop");
    await screenshot(grace, "phone");
  });

  it("a picture that is too large is refused with a reason", async () => {
    const ada = await openPage("Ada");
    const buffer = Buffer.alloc(2 * 1_024 * 1_024);
    await ada
      .getByLabel("Send a picture")
      .setInputFiles({ name: "big.png", mimeType: "image/png", buffer });
    await ada.getByText("This picture has 2.0 MB; at most 1 MB can be sent.").waitFor();
    await waitForState(ada, "connected");
  });

  it("a restart of the server is survived, in the same room", async () => {
    const [ada, grace] = [await openPage("Ada"), await openPage("Grace")];
    for (const page of [ada, grace])
      await page.locator("#rooms .row", { hasText: "music" }).click();
    await ada.locator("#rooms .row", { hasText: "music" }).getByLabel("2 people").waitFor();

    await stopServer();
    for (const page of [ada, grace]) await waitForState(page, "reconnecting");
    expect(await ada.getByRole("button", { name: "Send", exact: true }).isDisabled()).toBe(true);

    await startServer(port);
    for (const page of [ada, grace]) await waitForState(page, "connected");
    await ada.locator("#rooms .row", { hasText: "music" }).getByLabel("2 people").waitFor();
    await say(ada, "Still there?");
    await waitForText(grace, "Still there?");
  });

  it("fits a phone: nothing is cut off, rooms and people slide in", async () => {
    const ada = await openPage("Ada", PHONE, "dark");
    const grace = await openPage("Grace", PHONE);
    await say(ada, "A-very-long-word-".repeat(20));
    await waitForText(grace, "A-very-long-word-".repeat(20));
    for (const page of [ada, grace]) {
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(
        PHONE.width,
      );
      expect(await page.evaluate("document.getElementById('log').scrollWidth")).toBeLessThanOrEqual(
        PHONE.width,
      );
    }
    const people = ada.locator("#people").getByText("Grace");
    expect(await people.isVisible()).toBe(false);
    await ada.getByRole("button", { name: "Rooms and people" }).click();
    await people.waitFor();
    await screenshot(ada, "phone-side");
    await ada.keyboard.press("Escape");
    await people.waitFor({ state: "hidden" });
    await screenshot(ada, "phone-dark");
  });
});

/** A PNG as a data URL, drawn by the page itself so that no binary file has to be kept. */
function drawPicture(page: Page): Promise<string> {
  return page.evaluate(`(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 200];
    const pen = canvas.getContext("2d");
    const paint = (colour, draw) => { pen.fillStyle = colour; pen.beginPath(); draw(); pen.fill(); };
    paint("#f4d9b0", () => pen.rect(0, 0, 320, 200));
    paint("#e8835a", () => pen.arc(220, 90, 34, 0, 7));
    paint("#6c9a8b", () => pen.ellipse(90, 210, 190, 90, 0, 0, 7));
    paint("#35685b", () => pen.ellipse(270, 230, 190, 90, 0, 0, 7));
    return canvas.toDataURL("image/png");
  })()`);
}

/** The picture in the log as the same browser encodes it: equal to what it was drawn as, if no pixel differs. */
function copyPicture(page: Page): Promise<string> {
  return page.evaluate(`(async () => {
    const picture = document.querySelector("#log img");
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return canvas.toDataURL("image/png");
  })()`);
}

async function expectSoon(isSo: () => Promise<boolean>) {
  const until = Date.now() + PAGE_LIMIT_MS;
  while (!(await isSo())) {
    if (Date.now() > until) throw new Error("it did not become so in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
