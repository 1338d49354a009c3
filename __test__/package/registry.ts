// A registry of npm packages on 127.0.0.1 that has sio-rs as it would be published, and sends whoever asks for another
// package to the registry that npm is set to. Of the platform packages it has the tarball of one; what it tells of the
// others is all that an installation may need.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";

export interface Manifest {
  name: string;
  version: string;
  [field: string]: unknown;
}

export interface Published {
  manifest: Manifest;
  /** Its path; none for a package whose manifest alone is known. */
  tarball?: string;
}

export interface Registry {
  url: string;
  close(): Promise<void>;
}

/** Package managers may refuse what is younger than a day. */
const PUBLISHED_AT = "2025-01-01T00:00:00.000Z";

export async function openRegistry(packages: Published[], upstream: string): Promise<Registry> {
  const byName = new Map(packages.map((published) => [published.manifest.name, published]));
  const byFile = new Map(
    packages.flatMap(({ tarball }) => (tarball ? [[basename(tarball), tarball] as const] : [])),
  );

  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    const path = decodeURIComponent((req.url as string).slice(1));
    const published = byName.get(path);
    const tarball = byFile.get(path);
    if (published !== undefined) {
      res.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
      res.end(JSON.stringify(packument(published, `http://${req.headers.host}`)));
    } else if (tarball !== undefined) {
      res.writeHead(200, { "Cache-Control": "no-store" }).end(readFileSync(tarball));
    } else if (/^(@sio-rs\/|sio-rs)/.test(path)) {
      res.writeHead(404).end();
    } else {
      res.writeHead(307, { Location: new URL((req.url as string).slice(1), upstream).href }).end();
    }
  };

  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** All that a registry says of a package. */
function packument({ manifest, tarball }: Published, base: string): object {
  const { name, version } = manifest;
  const file = tarball === undefined ? "never-published.tgz" : basename(tarball);
  const integrity =
    tarball === undefined
      ? {}
      : {
          integrity: `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`,
        };
  return {
    name,
    "dist-tags": { latest: version },
    time: { created: PUBLISHED_AT, modified: PUBLISHED_AT, [version]: PUBLISHED_AT },
    versions: { [version]: { ...manifest, dist: { tarball: `${base}/${file}`, ...integrity } } },
  };
}
