// Servers on uWebSockets.js where the package engine.io, whose they are, is not installed.

import { join } from "node:path";

const ROOT = join(__dirname, "..", "..");
const ADVICE = /engine\.io's: install it with `npm install engine\.io@6`/;

beforeEach(() => {
  jest.resetModules();
  jest.doMock("engine.io", () => {
    throw Object.assign(new Error("Cannot find module 'engine.io'"), { code: "MODULE_NOT_FOUND" });
  });
});

afterEach(() => jest.dontMock("engine.io"));

test("attachApp tells what to install", () => {
  const { Server } = require(ROOT);
  expect(() => new Server().attachApp({})).toThrow(ADVICE);
});

test("uServer can be imported, and says so when one is made", () => {
  const { uServer } = require(join(ROOT, "engine.js"));
  expect(typeof uServer).toBe("function");
  expect(() => new uServer()).toThrow(
    expect.objectContaining({ code: "SIO_RS_NO_USERVER", message: expect.stringMatching(ADVICE) }),
  );
});
