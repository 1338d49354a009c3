// Whose code goes out with sio-rs besides its own, and under which licence: the crates that are linked into the binaries, the
// libraries that the toolchains link, and the packages in the client's bundles. It becomes THIRD-PARTY.md, of what cargo and
// the bundles' source maps tell; a licence that deny.toml does not allow is a failure.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CLIENT_BUNDLES, CLIENT_SOURCE } from "./build.mjs";
import { ROOT, run } from "./command.mjs";
import { readPlatforms } from "./packages.mjs";
import { StepFailure } from "./step.mjs";

const NOTICES = join(ROOT, "scripts", "notices");

/** Their repositories have other names than their packages. */
const RENAMED_PACKAGES = { "socket.io-component-emitter": "@socket.io/component-emitter" };

/** Crates that the standard library comes with, in versions of the toolchain's, and whose the copyright is. */
const IN_STANDARD_LIBRARY = {
  addr2line: "2016-2018 The gimli Developers",
  adler2: "Jonas Schievink",
  gimli: "2015 The Rust Project Developers",
  hashbrown: "2016 Amanieu d'Antras",
  miniz_oxide: "2017 Frommi",
  object: "2015 The Gimli Developers",
  "rustc-demangle": "2014 Alex Crichton",
};

/** What the toolchains link, whatever Cargo.lock says. */
const TOOLCHAIN_PARTS = [
  {
    name: "Rust's standard library",
    licence: "MIT",
    text: mitText(["The Rust Project Contributors"]),
  },
  ...Object.entries(IN_STANDARD_LIBRARY).map(([name, holder]) => ({
    name: `${name} (in Rust's standard library)`,
    licence: "MIT",
    text: mitText([holder]),
  })),
  {
    name: "LLVM's libunwind and compiler-rt (binaries for Linux)",
    licence: "Apache-2.0 WITH LLVM-exception",
    text: readNotice("llvm.txt"),
  },
];

/**
 * @typedef {object} Part
 * @property {string} name with its version
 * @property {string} licence the one that is made use of, where there is a choice
 * @property {string} text
 */

/** @returns {Promise<string>} what THIRD-PARTY.md has to be */
export async function thirdPartyText() {
  return [
    "# Third-party code in sio-rs\n\nMade by `node scripts/licences.mjs`. sio-rs itself is under the licence in LICENSE.\n",
    section("In the binaries", [...(await linkedCrates()), ...TOOLCHAIN_PARTS]),
    section("In the client's bundles (client-dist/)", bundledPackages()),
  ].join("\n");
}

function section(title, parts) {
  const entries = parts.map(
    ({ name, licence, text }) => `### ${name}: ${licence}\n\n\`\`\`text\n${text.trim()}\n\`\`\`\n`,
  );
  return `## ${title}\n\n${entries.join("\n")}`;
}

/** @returns {Promise<Part[]>} the crates in any of the binaries, by name */
async function linkedCrates() {
  const targets = readPlatforms().flatMap(({ target }) => ["--target", target]);
  const tree = ["tree", "--locked", "--package", "sio-binding", "--prefix", "none"];
  // Build scripts and macros end with the build.
  const edges = ["--edges", "normal,no-proc-macro", "--format", "{p}"];
  const listed = await cargo([...tree, ...edges, ...targets]);
  const linked = new Set(listed.split("\n").map((line) => line.split(" ").slice(0, 2).join(" ")));

  const { packages } = JSON.parse(await cargo(["metadata", "--locked", "--format-version", "1"]));
  const allowed = allowedLicences();
  return packages
    .filter(({ name, version, source }) => source !== null && linked.has(`${name} v${version}`))
    .map((crate) => {
      const { name, version, authors, manifest_path: manifest } = crate;
      const licence = chooseLicence(crate, allowed);
      const text = licenceText({ name, folder: dirname(manifest), licence, authors });
      return { name: `${name} ${version}`, licence, text };
    })
    .sort(byName);
}

/** cargo-deny reads the same list. */
function allowedLicences() {
  const [, list] = /^allow = \[(.*?)^\]/ms.exec(readFileSync(join(ROOT, "deny.toml"), "utf8"));
  return Array.from(list.matchAll(/"([^"]+)"/g), ([, licence]) => licence);
}

/** The first of the crate's alternatives that is allowed; older crates write `/` for `OR`. */
function chooseLicence({ name, license }, allowed) {
  const offered = (license ?? "").split(/ OR |\//);
  const chosen = allowed.find((licence) => offered.includes(licence));
  if (chosen === undefined) {
    throw new StepFailure(
      `The crate ${name} is under "${license}", of which deny.toml allows nothing`,
      "Leave the crate, or allow its licence there",
    );
  }
  return chosen;
}

/** @returns {Part[]} by name */
function bundledPackages() {
  const names = new Set(["socket.io-client"]);
  for (const map of CLIENT_BUNDLES.filter((file) => file.endsWith(".map"))) {
    const { sources } = JSON.parse(readFileSync(join(ROOT, CLIENT_SOURCE, map), "utf8"));
    for (const name of sources.map(packageOf).filter(Boolean)) {
      names.add(RENAMED_PACKAGES[name] ?? name);
    }
  }
  const parts = Array.from(names, (name) => {
    const folder = join(ROOT, "node_modules", name);
    const { version, license, author } = readPackage(name, folder);
    const authors = [author?.name ?? author].filter(Boolean);
    const text = licenceText({ name, folder, licence: license, authors });
    return { name: `${name} ${version}`, licence: license, text };
  });
  return parts.sort(byName);
}

/** What is not the client's own, `../build/…`, lies in node_modules or in a package beside it in one repository. */
function packageOf(source) {
  const found =
    /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source) ?? /^\.\.\/\.\.\/([^/.][^/]*)\//.exec(source);
  return found?.[1];
}

function readPackage(name, folder) {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch (error) {
    throw new StepFailure(
      `${name} is in the client's bundles and cannot be read (${error.code ?? error.message})`,
      "Run `npm ci`",
    );
  }
}

/** The text that comes with it. Of MIT the words are the same everywhere: without a text they are said for the authors. */
function licenceText({ name, folder, licence, authors }) {
  const files = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file));
  const own = files.find((file) => file.toUpperCase().includes(licence.toUpperCase()));
  const file = own ?? files.find((other) => /^licen[cs]e(\.\w+)?$/i.test(other));
  if (file !== undefined) return readFileSync(join(folder, file), "utf8");
  if (licence === "MIT") return mitText(authors.length > 0 ? authors : [`the authors of ${name}`]);
  throw new StepFailure(
    `${folder} has no text of its licence, ${licence}`,
    "Put it into scripts/notices/ and name it in scripts/steps/licences.mjs",
  );
}

function mitText(authors) {
  return readNotice("mit.txt").replace("<holders>", authors.join(", "));
}

function readNotice(file) {
  return readFileSync(join(NOTICES, file), "utf8");
}

async function cargo(args) {
  const { ok, missing, output } = await run("cargo", args, { stdout: "keep" });
  if (missing || !ok) {
    throw new StepFailure(
      missing ? "cargo was not found" : `cargo ${args[0]} failed, its own lines above say why`,
      "Install Rust from https://rustup.rs, or look at Cargo.lock",
    );
  }
  return output;
}

function byName(one, other) {
  return one.name < other.name ? -1 : 1;
}
