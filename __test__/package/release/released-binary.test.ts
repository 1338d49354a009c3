// The binary as it is published, made by `scripts/release-binary.mjs`: which glibc it needs, and where its debug symbols are.
// `npm run test:release` makes it and runs the other tests of packages on it as well.

import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { platformName, RELEASED, ROOT } from "../packed";

const PACKAGE = RELEASED ?? "";
const BINARY = join(PACKAGE, `sio-rs.${platformName()}.node`);
const SYMBOLS = `sio-rs.${platformName()}.debug`;

/** What Node itself needs from 18 on: Debian 10, RHEL 8, Ubuntu 18.10 and Amazon Linux 2023 have it, all later ones too. */
const OLDEST_GLIBC = [2, 28];

const onGlibc = PACKAGE && platformName().endsWith("-gnu") ? describe : describe.skip;

onGlibc("the released binary", () => {
  it("needs no glibc newer than 2.28", () => {
    const versions = Array.from(
      objdump("-T", BINARY).matchAll(/GLIBC_(\d+)\.(\d+)/g),
      ([, major, minor]) => [Number(major), Number(minor)],
    );
    expect(versions.length).toBeGreaterThan(10);
    expect(
      versions.filter(([major = 0, minor = 0]) => major > 2 || minor > (OLDEST_GLIBC[1] as number)),
    ).toEqual([]);
  });

  it("needs no library but glibc's", () => {
    const needed = Array.from(
      objdump("-p", BINARY).matchAll(/NEEDED +(\S+)/g),
      ([, library]) => library,
    );
    const ownOfGlibc = /^(libc|libpthread|libdl|libm|librt|ld-linux-[\w-]+)\.so\.\d+$/;
    expect(needed.filter((library) => !ownOfGlibc.test(library as string))).toEqual([]);
  });

  it("exports nothing but what Node calls", () => {
    const exported = Array.from(
      objdump("-T", BINARY).matchAll(/ g +D\w* +\.text\s+\w+\s+(?:Base\s+)?(\S+)/g),
      ([, name]) => name,
    );
    expect(
      exported.filter((name) => !/^(napi_register_|node_api_module_)/.test(name as string)),
    ).toEqual([]);
    expect(exported.length).toBeGreaterThan(0);
  });

  it("has no debug symbols, and names the file that has them", () => {
    const sections = objdump("-h", BINARY);
    expect(sections).not.toMatch(/\.debug_info/);
    const link = objdump("-s", "-j", ".gnu_debuglink", BINARY)
      .split("\n")
      .map((line) => /^ [0-9a-f]+(?: [0-9a-f ]{8}){4} {2}(.*)$/.exec(line)?.[1] ?? "")
      .join("");
    expect(link.startsWith(SYMBOLS)).toBe(true);
  });

  it("the symbols tell lines of the source", () => {
    const symbols = join(ROOT, "npm", "symbols", SYMBOLS);
    expect(statSync(symbols).size).toBeGreaterThan(statSync(BINARY).size);
    expect(objdump("-h", symbols)).toMatch(/\.debug_line/);
    // The link has the file's checksum, as zlib makes it, in its last four bytes.
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(readFileSync(symbols)));
    expect(readFileSync(BINARY).includes(checksum)).toBe(true);
  });
});

function objdump(...args: string[]): string {
  return execFileSync("objdump", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}
