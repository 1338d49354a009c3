// The packages as they are published: `npm/sio-rs/`, and `npm/<platform>/` for each binary. All of them are made here, from
// package.json and from the table npm/platforms.json, so that versions and names stand once.
// The published root has neither scripts nor a binary. The checkout has both, for git installs build by `prepare` and then
// pack what they have built.

import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.mjs";
import { StepFailure } from "./step.mjs";

/** Where the packages are made; only the table and its page are kept in git. */
export const PACKAGES = join(ROOT, "npm");

/** Taken by git installs alone. */
const LOCAL_BINARIES = "*.node";

/** In every package, whatever `files` says. */
const NOTICES = ["LICENSE", "THIRD-PARTY.md"];

/** What a user of the published package has no use for. */
const CHECKOUT_FIELDS = new Set(["scripts", "devDependencies"]);

/**
 * @typedef {object} Platform one row of the table
 * @property {string} name the end of `@sio-rs/<name>`, as lib/native.ts makes it up
 * @property {string} os
 * @property {string} cpu
 * @property {string} [libc] "glibc" or "musl"
 * @property {string} target what Rust calls it
 * @property {string} [glibc] the oldest that the binary runs on
 * @property {string} runner the machine of the release workflow that builds it
 */

/** @returns {Platform[]} */
export function readPlatforms() {
  return JSON.parse(readFileSync(join(PACKAGES, "platforms.json"), "utf8"));
}

/** @param {string} name */
export function findPlatform(name) {
  const platforms = readPlatforms();
  const found = platforms.find((platform) => platform.name === name);
  if (found === undefined) {
    const names = platforms.map((platform) => platform.name).join(", ");
    throw new StepFailure(
      `There is no platform "${name}" in npm/platforms.json`,
      `It has ${names}`,
    );
  }
  return found;
}

/**
 * Makes the package `sio-rs`: dist/ and client-dist/ have to be built.
 *
 * @param {string} [base] the folder that it is made in
 */
export function assembleRoot(base = PACKAGES) {
  const manifest = readManifest();
  const folder = emptyFolder(base, "sio-rs");
  const files = manifest.files.filter((entry) => entry !== LOCAL_BINARIES);
  for (const entry of [...files, "README.md", "LICENSE"]) {
    cpSync(join(ROOT, entry), join(folder, entry), { recursive: true });
  }
  const kept = Object.entries(manifest).filter(([field]) => !CHECKOUT_FIELDS.has(field));
  const optionalDependencies = Object.fromEntries(
    readPlatforms().map(({ name }) => [`@sio-rs/${name}`, manifest.version]),
  );
  writeManifest(folder, { ...Object.fromEntries(kept), files, optionalDependencies });
  return folder;
}

/**
 * Makes the package `@sio-rs/<platform>`.
 *
 * @param {Platform} platform
 * @param {string} binary its path
 * @param {string} [base] the folder that it is made in
 */
export function assemblePlatform({ name, os, cpu, libc, glibc }, binary, base = PACKAGES) {
  const { version, license, repository, engines } = readManifest();
  const folder = emptyFolder(base, name);
  const file = `sio-rs.${name}.node`;
  copyFileSync(binary, join(folder, file));
  for (const notice of NOTICES) copyFileSync(join(ROOT, notice), join(folder, notice));
  writeManifest(folder, {
    name: `@sio-rs/${name}`,
    version,
    description: `The native binary of sio-rs for ${name}`,
    license,
    repository,
    main: file,
    files: [file, "THIRD-PARTY.md"],
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc] }),
    // A library cannot be loaded out of an archive: Yarn then unpacks this package.
    preferUnplugged: true,
  });
  const oldest = glibc === undefined ? "" : ` It needs glibc ${glibc} or newer.`;
  writeFileSync(
    join(folder, "README.md"),
    `# @sio-rs/${name}\n\nThe native binary of [sio-rs](${repository.url.replace(/^git\+|\.git$/g, "")}) for ${name}.${oldest} npm installs it with sio-rs where it fits.\n`,
  );
  return folder;
}

function readManifest() {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
}

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

function emptyFolder(base, name) {
  const folder = join(base, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
