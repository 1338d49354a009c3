// Opens, uses and closes many connections and shows that none is lost and none stays: `node bench/churn.mjs [count]`.
//
// Real socket.io-client 4.8 clients, a quarter of them over polling with an upgrade, end with a goodbye or with a
// closed transport. It takes about two minutes for 20,000 and ends with exit code 1 if anything is left.

import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";

const COUNT = Number(process.argv[2] ?? 20_000);
/** Open at the same time. */
const ROUND = 200;
/** The longest that anything may take, in milliseconds. */
const PATIENCE_MS = 30_000;
/** Not a count of connections: it may be larger at the end. */
const MEMORY = "resident MiB";

const server = fork(fileURLToPath(new URL("churn-server.cjs", import.meta.url)));
const [{ port }] = await once(server, "message");

async function account() {
  server.send("account");
  const [counts] = await once(server, "message");
  return counts;
}

async function connect(index) {
  const transports = index % 4 === 0 ? ["polling", "websocket"] : ["websocket"];
  const client = io(`http://127.0.0.1:${port}`, {
    transports,
    forceNew: true,
    reconnection: false,
  });
  const told = new Promise((resolve) => client.once("joined", resolve));
  await within(
    new Promise((resolve, reject) => client.once("connect", resolve).once("connect_error", reject)),
  );
  const room = await client.timeout(PATIENCE_MS).emitWithAck("join", `room-${index % 17}-${index}`);
  if (room !== `room-${index % 17}-${index}` || (await within(told)) !== client.id) {
    throw new Error(`connection ${index} got a wrong answer`);
  }
  return client;
}

function within(promise) {
  const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`nothing for ${PATIENCE_MS / 1000} s`);
  });
  return Promise.race([promise, late]);
}

async function close(client, index) {
  const ended = within(new Promise((resolve) => client.once("disconnect", resolve)));
  if (index % 2 === 0) {
    client.disconnect();
  } else {
    client.io.engine.close();
  }
  await ended;
}

// The first round opens what stays open for the life of the process.
const warm = await Promise.all(Array.from({ length: ROUND }, (_, index) => connect(index)));
await Promise.all(warm.map(close));
await settled();
const before = await account();

let done = 0;
while (done < COUNT) {
  const first = done;
  const clients = await Promise.all(
    Array.from({ length: ROUND }, (_, index) => connect(first + index)),
  );
  await Promise.all(clients.map(close));
  done += ROUND;
  if (done % 2_000 === 0) {
    console.error(`${done} of ${COUNT} opened, used and closed`);
  }
}
await settled();
const after = await account();
console.log(
  `| ${COUNT} connections opened, used and closed | before | after |\n| --- | --- | --- |`,
);
let isClean = true;
for (const [name, count] of Object.entries(after)) {
  console.log(`| ${name} | ${before[name]} | ${count} |`);
  isClean &&= name === MEMORY || count <= before[name];
}
console.log(isClean ? "none lost, none leaked" : "something is left");
server.disconnect();
process.exitCode = isClean ? 0 : 1;

/** Waits until the server has seen all of them go. */
async function settled() {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const counts = await account();
    if (
      counts["nsp.sockets"] + counts["http server streams (husks)"] + counts["core connections"] ===
      0
    ) {
      return;
    }
    await sleep(100);
  }
}
