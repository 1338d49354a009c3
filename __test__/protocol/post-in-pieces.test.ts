// POST bodies that arrive in pieces of one byte: they are put together as they came, multi-byte characters included.

import { startBareEngine } from "../harness/bare-engine";
import { onceValue } from "../harness/events";
import { describeBoth, it } from "../harness/implementations";
import { PollingPeer } from "../harness/polling-peer";
import { openStream } from "../harness/raw-http";

const TEXT = "h\u00e9llo \u{1f600} ".repeat(2_000);

describeBoth("a POST body in pieces", (implementation) => {
  it("is delivered whole when every byte is a chunk of its own", async () => {
    const { port, nextSession } = await startBareEngine(implementation);
    const opened = nextSession();
    const peer = await PollingPeer.open(port);
    const session = await opened;
    const received = onceValue(session, "data");
    const stream = await openStream(port);
    const head = `POST /socket.io/?EIO=4&transport=polling&sid=${peer.sid} HTTP/1.1\r\nHost: x\r\n`;
    stream.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const pieces = Array.from(Buffer.from(`4${TEXT}`), (byte) =>
      Buffer.concat([Buffer.from("1\r\n"), Buffer.from([byte]), Buffer.from("\r\n")]),
    );
    stream.write(Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]));
    expect(await received).toBe(TEXT);
    stream.destroy();
    session.close(true);
  });
});
