// What this platform is called in the name of the addon, and whether the addon loads on it.
// The names are napi-rs's, as in the platform packages `@sio-rs/<platform>`; lib/native.ts looks for
// the same file.

import { join } from "node:path";
import { ROOT, run } from "./command.mjs";

/** `sio-rs.linux-x64-gnu.node`, at the root of the checkout. */
export const ADDON_FILE = `sio-rs.${platformName()}.node`;

/** Whether an addon is there and Node can load it; tried in a process of its own, which may crash. */
export async function addonLoads() {
  const script = `require(${JSON.stringify(join(ROOT, ADDON_FILE))})`;
  return (await run(process.execPath, ["-e", script], { stdout: "keep", stderr: "keep" })).ok;
}

/** `linux-x64-gnu`, `darwin-arm64`, `win32-x64-msvc`: the end of `@sio-rs/<platform>`. */
export function platformName() {
  const { platform, arch } = process;
  if (platform === "linux") return `linux-${arch}-${isMusl() ? "musl" : "gnu"}`;
  return platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

/** Node's report names the glibc it runs on, and none on musl. */
function isMusl() {
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}
