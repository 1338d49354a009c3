// The servers that can be compared, how each is started, and what it takes to have those that a checkout does not bring.
//
// A server is: `run`, the program and its arguments before the application; or `crate`, for one that is built here and knows no
// commands but a broadcast; `only`, the scenarios that it can do, if not all; `missing`, why it cannot be had, and the way out.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildCrate } from "./crate.mjs";

const PEERS = new URL("../peers/", import.meta.url);
const requirePeer = createRequire(new URL("package.json", PEERS));

/** What needs nothing but events of one namespace over WebSocket. */
const PLAIN = [
  "broadcast-paced",
  "broadcast-full",
  "broadcast-10k",
  "echo",
  "echo-1k",
  "event-noack",
  "ping-pong",
];

const node = { run: [process.execPath] };
const bun = fileURLToPath(new URL("node_modules/.bin/bun", PEERS));

/** The first two are the subject and the baseline; the others are peers. */
export const SERVERS = {
  "sio-rs": node,
  "socket.io": node,
  eiows: { ...node, missing: () => lacking("eiows", "npm install --prefix bench/peers eiows") },
  "uWebSockets.js": {
    ...node,
    missing: () =>
      lacking(
        "uWebSockets.js",
        "npm install --prefix bench/peers uNetworking/uWebSockets.js#v20.57.0",
      ),
  },
  "bun-engine": {
    run: [bun],
    missing: () =>
      (existsSync(bun) ? undefined : "npm install --prefix bench/peers") ??
      lacking("@socket.io/bun-engine", "npm install --prefix bench/peers"),
  },
  ws: { ...node, only: [...PLAIN, "connect-ws"] },
  socketioxide: {
    crate: new URL("socketioxide/", PEERS),
    program: "peer-socketioxide",
    only: [...PLAIN, "rooms"],
    missing: () => newerRust(1, 94),
  },
  floor: { crate: new URL("floor/", PEERS), program: "peer-floor", only: PLAIN },
};

export const PEER_NAMES = Object.keys(SERVERS).slice(2);

/** Whether a server can do a scenario. */
export function can(server, scenario) {
  return SERVERS[server].only?.includes(scenario.name) ?? true;
}

/** Why a server cannot be had here; undefined if it can. Builds what has to be built. */
export function missing(server) {
  const { missing: reason, crate } = SERVERS[server];
  return reason?.() ?? (crate && buildCrate(fileURLToPath(crate), "--locked"));
}

/** The program of a server that is one of its own. */
export function programOf({ crate, program }) {
  return fileURLToPath(new URL(`target/release/${program}`, crate));
}

function lacking(packageName, wayOut) {
  try {
    requirePeer.resolve(packageName);
    return undefined;
  } catch {
    return wayOut;
  }
}

function newerRust(major, minor) {
  const { stdout } = spawnSync("rustc", ["--version"], { encoding: "utf8" });
  const [, has, hasMinor] = /(\d+)\.(\d+)/.exec(stdout ?? "") ?? [];
  const isEnough = Number(has) > major || (Number(has) === major && Number(hasMinor) >= minor);
  return isEnough ? undefined : `it needs Rust ${major}.${minor}`;
}
