// A case that acts from the first server of a cluster and from the second, each time with a new client on every server:
// in a mixed cluster both packages speak and both listen.

import type { Cluster, Member, Node } from "../../harness/clusters";
import { it } from "../../harness/implementations";

/** One client on each of the three servers, in their order. */
export type Members = [Member, Member, Member];

/** Registers the case; `own` is the position of the acting server. */
export function fromEach(
  cluster: Cluster,
  title: string,
  run: (from: Node, members: Members, own: number) => Promise<void>,
): void {
  it(title, async () => {
    for (const [own, from] of cluster.nodes.slice(0, 2).entries()) {
      const members = await cluster.join();
      await run(from, members as Members, own);
      for (const { client } of members) {
        client.disconnect();
      }
    }
  });
}
