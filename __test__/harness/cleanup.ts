// Closes after each test whatever the test opened, clients before servers, so that no test sees another's leftovers.

type Close = () => unknown;

const clientSide: Close[] = [];
const serverSide: Close[] = [];

/** Registers what ends a client or a raw connection; runs before any server is closed. */
export function closeClientAfterTest(close: Close): void {
  clientSide.push(close);
}

/** Registers what ends a server; may be called for one that the test closed itself. */
export function closeServerAfterTest(close: Close): void {
  serverSide.push(close);
}

async function runAll(closes: Close[]): Promise<void> {
  const pending = closes.splice(0).reverse();
  await Promise.all(pending.map((close) => close()));
}

afterEach(async () => {
  await runAll(clientSide);
  await runAll(serverSide);
});
