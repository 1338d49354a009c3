// Finds the programs that the tests of adapters talk through. The tests look for them in the same places, in
// __test__/harness/brokers.ts.

import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian keeps PostgreSQL's programs apart from the others, by version. */
const POSTGRESQL = "/usr/lib/postgresql";

const BROKERS = [
  {
    program: "redis-server",
    places: searchPath,
    tests: "/adapters/[^/]*redis[^/]*$",
    wayOut: "install it (Debian: `apt-get install redis-server`)",
  },
  {
    program: "postgres",
    places: () => [...searchPath(), ...debianPlaces()],
    tests: "/adapters/[^/]*postgres[^/]*$",
    wayOut: "install it (Debian: `apt-get install postgresql`)",
  },
];

/** @returns {{ program: string, tests: string, wayOut: string }[]} what is not there, with the tests that need it */
export function missingBrokers() {
  return BROKERS.filter(
    ({ program, places }) => !places().some((place) => existsSync(join(place, program))),
  );
}

function searchPath() {
  return (process.env.PATH ?? "").split(delimiter);
}

function debianPlaces() {
  if (!existsSync(POSTGRESQL)) return [];
  return readdirSync(POSTGRESQL).map((version) => join(POSTGRESQL, version, "bin"));
}
