// `node scripts/sanitize.mjs [address] [valgrind] [models]`: the Rust tests under AddressSanitizer, those of code that leans on
// `unsafe` under valgrind, and models of what threads do to each other under loom; all of them if none is named.
//
// Linux on x86-64 or arm64. `fuzz/README.md` tells what each of them sees, and what none does.

import { basename } from "node:path";
import { run } from "./steps/command.mjs";
import { runScript, StepFailure, step } from "./steps/step.mjs";
import { hostOfRust, requireRust } from "./steps/toolchain.mjs";

/** Unit tests of what leans on `unsafe`, of ours or of what it is made of: descriptors, SIMD, zlib, shared bytes. */
const LEANS_ON_UNSAFE = ["carrier", "codec", "outbox", "ledger", "variants"];
/** Its peer has to be heard within 700 ms behind 50,000 messages, for which the instrumented core needs longer. */
const TOO_SLOW_FOR_ADDRESS = "a_peer_does_not_time_out_while_javascript_is_blocked";
/** A property over megabytes: minutes where each instruction is looked at. AddressSanitizer has it. */
const TOO_SLOW_FOR_VALGRIND = "what_was_compressed_is_inflated_again";

/** Orders with more changes of the running thread than this are left out: hours instead of a minute. */
const MAX_PREEMPTIONS = "2";

const CHECKS = {
  address: { purpose: "run all Rust tests of the core under AddressSanitizer", work: address },
  valgrind: { purpose: "run what leans on unsafe code under valgrind", work: valgrind },
  models: { purpose: "run the models of threads in every order under loom", work: models },
};

const chosen = process.argv.slice(2);

await runScript(async () => {
  await requireRust();
  const unknown = chosen.find((name) => !(name in CHECKS));
  if (unknown) {
    throw new StepFailure(`There is no ${unknown}`, `There are ${Object.keys(CHECKS).join(", ")}`);
  }
  for (const [name, { purpose, work }] of Object.entries(CHECKS)) {
    if (chosen.length === 0 || chosen.includes(name)) await step(name, purpose, work);
  }
});

/** Proc macros must not have the flags, so the target is named, though it is the one of this machine. */
async function address() {
  const target = ["--target", await hostOfRust(), "--target-dir", "target/address"];
  return test([...target, "--no-fail-fast", "--", "--skip", TOO_SLOW_FOR_ADDRESS], {
    // The flag is unstable, but it is in every toolchain.
    RUSTC_BOOTSTRAP: "1",
    RUSTFLAGS: "-Zsanitizer=address",
    // Some tests have deadlines, and need a core that is not ten times slower.
    CARGO_PROFILE_DEV_OPT_LEVEL: "1",
  });
}

async function models() {
  return test(["--lib", "--target-dir", "target/models", "models::"], {
    RUSTFLAGS: "--cfg sio_loom",
    LOOM_MAX_PREEMPTIONS: MAX_PREEMPTIONS,
  });
}

async function valgrind() {
  const { output: built } = await cargo(["--lib", "--no-run"], {});
  const program = /\((target\S+)\)/.exec(built)?.[1];
  if (!program)
    throw new StepFailure(`It does not compile:\n${built}`, "Mend it and run this again");
  const { ok, missing, output } = await run(
    "valgrind",
    [
      ...["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"],
      ...[program, "--test-threads=1", ...LEANS_ON_UNSAFE, "--skip", TOO_SLOW_FOR_VALGRIND],
    ],
    { stdout: "keep", stderr: "keep", env: { PROPTEST_CASES: "4" } },
  );
  if (missing) throw new StepFailure("valgrind was not found", "Install it and run this again");
  if (!ok) throw new StepFailure(`${basename(program)} under valgrind:\n${output}`, "See above");
  return counted(output);
}

async function test(args, env) {
  const { ok, output } = await cargo(args, env);
  if (!ok) throw new StepFailure(`A test failed:\n${output}`, "See above");
  return counted(output);
}

function cargo(args, env) {
  const options = { stdout: "keep", stderr: "keep", env };
  return run("cargo", ["test", "--package", "sio", ...args], options);
}

function counted(output) {
  const counts = [...output.matchAll(/^test result: ok\. (\d+) passed/gm)];
  return `${counts.reduce((sum, [, count]) => sum + Number(count), 0)} tests`;
}
