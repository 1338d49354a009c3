// What users do in listeners of outgoing packets, while a broadcast goes from one receiver to the next: everybody gets it once, and what the
// listener sends comes between the right two.

import type { Socket } from "socket.io";
import { record, settleDown } from "../harness/clients";
import { describeBoth, type Implementation, it } from "../harness/implementations";
import { joinPairs, type Pair, startServer } from "../harness/servers";

/** Three clients in the order in which broadcasts reach them, and what they have got. */
async function startThree(implementation: Implementation) {
  const running = await startServer(implementation);
  const pairs = (await joinPairs(running, 3)) as [Pair, Pair, Pair];
  const records = pairs.map(({ client }) => record(client));
  const received = async (): Promise<unknown[][]> => {
    for (const { socket, client } of pairs) {
      if (socket.connected) {
        await settleDown(socket, client);
      }
    }
    return records.map((events) => events.splice(0).map(([name]) => name));
  };
  const [first, second, third] = pairs.map(({ socket }) => socket) as [Socket, Socket, Socket];
  return { io: running.io, first, second, third, received };
}

/** A listener for one event, so that barriers and what it sends itself do not call it again. */
const on = (name: string, act: () => void) => (event: string) => {
  if (event === name) {
    act();
  }
};

describeBoth("listeners of outgoing packets during a broadcast", (implementation) => {
  it("one that removes itself costs its client nothing and gives it nothing twice", async () => {
    const { io, second, received } = await startThree(implementation);
    const listener = () => second.offAnyOutgoing(listener);
    second.onAnyOutgoing(listener);
    io.emit("a");
    expect(await received()).toEqual([["a"], ["a"], ["a"]]);
  });

  it("one that adds a listener to others takes nothing from them", async () => {
    const { io, first, second, third, received } = await startThree(implementation);
    second.onAnyOutgoing(
      on("a", () => {
        first.onAnyOutgoing(() => {});
        third.onAnyOutgoing(() => {});
      }),
    );
    io.emit("a");
    expect(await received()).toEqual([["a"], ["a"], ["a"]]);
  });

  it("one that begins to watch the packets of others takes nothing from them", async () => {
    const { io, first, second, third, received } = await startThree(implementation);
    second.onAnyOutgoing(
      on("a", () => {
        first.conn.on("packetCreate", () => {});
        third.conn.on("flush", () => {});
      }),
    );
    io.emit("a");
    expect(await received()).toEqual([["a"], ["a"], ["a"]]);
  });

  it("one that makes sockets leave a room takes the event from the later ones alone", async () => {
    const { io, first, second, third, received } = await startThree(implementation);
    io.socketsJoin("r");
    second.onAnyOutgoing(
      on("a", () => {
        first.leave("r");
        third.leave("r");
      }),
    );
    io.to("r").emit("a");
    expect(await received()).toEqual([["a"], ["a"], []]);
  });

  it("one that disconnects a socket that was served lets it have the event", async () => {
    const { io, first, third, received } = await startThree(implementation);
    third.onAnyOutgoing(on("a", () => first.disconnect()));
    io.emit("a");
    expect((await received()).slice(1)).toEqual([["a"], ["a"]]);
  });

  it("what it sends to others comes after the event for those who were served, and before it for the rest", async () => {
    const { io, first, second, third, received } = await startThree(implementation);
    second.onAnyOutgoing(
      on("a", () => {
        first.emit("direct");
        third.emit("direct");
        io.emit("inner");
      }),
    );
    io.emit("a");
    expect(await received()).toEqual([
      ["a", "direct", "inner"],
      ["inner", "a"],
      ["direct", "inner", "a"],
    ]);
  });

  it("one that throws ends the broadcast there", async () => {
    const { io, second, received } = await startThree(implementation);
    second.onAnyOutgoing(
      on("a", () => {
        throw new Error("from the listener");
      }),
    );
    expect(() => io.emit("a")).toThrow("from the listener");
    expect(await received()).toEqual([["a"], [], []]);
  });

  it("one that removes itself leaves a broadcast with acknowledgements whole", async () => {
    const { io, second, received } = await startThree(implementation);
    const listener = () => second.offAnyOutgoing(listener);
    second.onAnyOutgoing(listener);
    io.timeout(5_000).emit("a", () => {});
    expect(await received()).toEqual([["a"], ["a"], ["a"]]);
  });
});
