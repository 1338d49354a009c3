// OpenTelemetry's instrumentation of socket.io 0.70: it finds `socket.io`, `dist/socket.js` and `dist/broadcast-operator.js`
// by name, so the package has to have them and the calls have to go through their prototypes.

import { once, onceValue } from "../../harness/events";
import { describeBoth, it } from "../../harness/implementations";
import { hasProjects, PROGRAM_LIMIT_MS, startProgram } from "../../harness/projects";

/** The kinds of spans, as the API of OpenTelemetry numbers them. */
const PRODUCER = 3;
const CONSUMER = 4;

/** Name, kind, event and rooms of a span. */
function summarise({ name, kind, attributes }: any): unknown[] {
  const rooms = attributes["messaging.socket.io.rooms"];
  const summary = [name, kind, attributes["messaging.socket.io.event_name"]];
  return rooms === undefined ? summary : [...summary, rooms];
}

describeBoth(
  "OpenTelemetry",
  (implementation) => {
    it(
      "traces listeners, emits and broadcasts, with rooms and namespaces",
      async () => {
        const program = await startProgram(implementation, "opentelemetry.cjs");
        const client = program.connect();
        await once(client, "connect");
        const direct = onceValue(client, "direct");
        expect(await client.emitWithAck("question", 42)).toBe("answer");
        expect(await direct).toBe(42);
        const toRoom = once(client, "to a room");
        await program.ask("broadcast");
        await toRoom;

        const spans: any[] = await program.ask("spans");
        const id = client.id as string;
        expect(spans.map(summarise)).toEqual([
          ["receive /", CONSUMER, "connection"],
          ["send /", PRODUCER, "direct", [id, "blue"]],
          ["receive /", CONSUMER, "question"],
          ["send /", PRODUCER, "to all"],
          ["send /", PRODUCER, "to a room", ["blue"]],
          ["send /admin", PRODUCER, "to a namespace"],
          ["send /", PRODUCER, "to the others"],
        ]);
      },
      PROGRAM_LIMIT_MS,
    );
  },
  hasProjects,
);
