// The rules by which `contract.md` is read and held against the tests. That the committed file keeps them, and that
// its tests exist, is checked by `npm run check`; that they passed, by `npm test`.

import { jestName, judgeHolders, judgeRun, parseContract } from "./harness/contract.cjs";

const HEAD = "| id | behaviour | held by |\n| --- | --- | --- |\n";

/** The behaviours of a table of sound rows. */
function behavioursOf(...rows: string[]) {
  const { behaviours, faults } = parseContract(HEAD + rows.join("\n"));
  expect(faults).toEqual([]);
  return behaviours;
}

describe("contract", () => {
  test("a line has an id, a sentence and its holders, whatever table it stands in", () => {
    const markdown = `# Polls\n\n${HEAD}| poll.park | It waits. | poll › waits |\n\n# Posts\n\n${HEAD}\
| post.big | 413 \\| nothing. | post › a \\| b › c<br>rust: sio::post::tests::big<br>unsupported: x › y |\n`;
    expect(parseContract(markdown)).toEqual({
      faults: [],
      behaviours: [
        {
          line: 5,
          id: "poll.park",
          sentence: "It waits.",
          holders: [{ kind: "jest", name: "poll › waits" }],
        },
        {
          line: 11,
          id: "post.big",
          sentence: "413 | nothing.",
          holders: [
            { kind: "jest", name: "post › a | b › c" },
            { kind: "rust", name: "sio::post::tests::big" },
            { kind: "unsupported", name: "x › y" },
          ],
        },
      ],
    });
    expect(parseContract(HEAD)).toEqual({ faults: [], behaviours: [] });
  });

  test.each([
    ["| poll.park | It waits. |", "not a row"],
    ["| poll.park | | poll › waits |", "not a row"],
    ["| poll.park | It waits. | poll › waits | more |", "not a row"],
    ["| park | It waits. | poll › waits |", '"park" is no id'],
    ["| poll.Park | It waits. | poll › waits |", '"poll.Park" is no id'],
    ["| poll.park | It waits. | |", 'poll.park: held by "".'],
    ["| poll.park | It waits. | poll › waits<br> |", 'poll.park: held by "poll › waits<br>".'],
    ["| poll.park | It waits. | rust: waits |", 'poll.park: held by "rust: waits".'],
  ])("%s is a fault of its line", (row, reason) => {
    const sound = "| poll.first | It is first. | poll › first |\n";
    const { behaviours, faults } = parseContract(HEAD + sound + row);
    expect(behaviours).toHaveLength(1);
    expect(faults).toEqual([expect.stringContaining(`contract.md:4: ${reason}`)]);
  });

  test("an id stands once", () => {
    const { faults } = parseContract(
      `${HEAD}| a.b | One. | s › one |\n| a.c | Two. | s › two |\n| a.b | Three. | s › three |\n`,
    );
    expect(faults).toEqual([
      expect.stringContaining("contract.md:5: a.b stands in line 3 already"),
    ]);
  });

  test("a test that does not exist is a fault that names the line, the id and the test", () => {
    const behaviours = behavioursOf(
      "| a.jest | One. | s › known<br>s › gone |",
      "| a.rust | Two. | rust: sio::known<br>rust: other::known |",
      "| a.row | Three. | unsupported: s › excused<br>unsupported: s › known |",
    );
    const known = {
      jest: new Set(["s › known", "s › excused"]),
      rust: new Set(["sio::known"]),
      unsupported: new Map([["s › excused", "any"]]),
    };
    expect(judgeHolders(behaviours, known)).toEqual([
      expect.stringContaining('contract.md:3: a.jest: Jest has no case "s › gone"'),
      expect.stringContaining('contract.md:4: a.rust: cargo has no test "other::known"'),
      expect.stringContaining('contract.md:5: a.row: unsupported.md has no row "s › known"'),
    ]);
  });

  test("a case holds nothing where sio-rs is expected to fail it", () => {
    const behaviours = behavioursOf(
      "| a.any | One. | s › any |",
      "| a.any-adopted | Two. | adopted: s › any |",
      "| a.both | Three. | s › bridge |",
      "| a.bridge | Four. | bridge: s › bridge |",
      "| a.adopted | Five. | adopted: s › bridge<br>unsupported: s › bridge |",
    );
    const known = {
      jest: new Set(["s › any", "s › bridge"]),
      rust: new Set<string>(),
      unsupported: new Map([
        ["s › any", "any"],
        ["s › bridge", "bridge"],
      ]),
    };
    expect(judgeHolders(behaviours, known)).toEqual([
      expect.stringContaining('a.any: "s › any" is expected to fail'),
      expect.stringContaining('a.any-adopted: "s › any" is expected to fail'),
      expect.stringContaining('a.both: "s › bridge" is expected to fail'),
      expect.stringContaining('a.bridge: "s › bridge" is expected to fail'),
    ]);
  });

  test("a run holds a behaviour when each of its tests ran everywhere and passed", () => {
    const behaviours = behavioursOf(
      "| a.held | One. | s › one<br>rust: sio::poll::tests::parks |",
      "| a.excused | Two. | unsupported: s › one |",
      "| a.failed | Three. | s › one<br>s › fails on one side |",
      "| a.skipped | Four. | s › on one carrier |",
      "| a.rust | Five. | rust: sio::twice<br>rust: tests::gone |",
      "| a.adopted | Six. | adopted: s › on one carrier |",
      "| a.bridge | Seven. | bridge: s › on one carrier |",
    );
    const passed = (name: string) => ({ name, passed: true });
    const failed = (name: string) => ({ name, passed: false });
    const results = {
      jest: [
        {
          run: "adopted",
          outcomes: [
            ...["s › one", "s › fails on one side", "s › on one carrier"].map(passed),
            failed("s › fails on one side"),
          ],
        },
        { run: "bridge", outcomes: ["s › one", "s › fails on one side"].map(passed) },
      ],
      rust: [passed("poll::tests::parks"), failed("twice"), passed("twice")],
    };
    expect(judgeRun(behaviours, results)).toEqual({
      held: 3,
      excused: 1,
      missing: [
        'a.failed: "s › fails on one side" failed (adopted)',
        'a.skipped: "s › on one carrier" did not run (bridge)',
        'a.rust: "sio::twice" failed (cargo test), "tests::gone" did not run (cargo test)',
        'a.bridge: "s › on one carrier" did not run (bridge)',
      ],
    });
  });

  test("a case of the adapters is asked of their run alone, and of none when there was none", () => {
    const behaviours = behavioursOf(
      "| a.cluster | One. | adapters: s › crosses |",
      "| a.lost | Two. | adapters: s › is lost |",
      "| a.here | Three. | s › stays |",
    );
    const stays = { name: "s › stays", passed: true };
    const carriers = ["adopted", "bridge"].map((run) => ({ run, outcomes: [stays] }));
    const adapters = { run: "adapters", outcomes: [{ name: "s › crosses", passed: true }] };
    expect(judgeRun(behaviours, { jest: carriers, rust: [] }).missing).toEqual([]);
    expect(judgeRun(behaviours, { jest: [...carriers, adapters], rust: [] }).missing).toEqual([
      'a.lost: "s › is lost" did not run (adapters)',
    ]);
  });

  test("a case has one name on both implementations, both carriers and in each cluster", () => {
    const named = (...ancestorTitles: string[]) => jestName({ ancestorTitles, title: "waits" });
    const mixed = "socket.io, sio-rs (adopted), sio-rs (adopted)";
    for (const label of ["socket.io", "sio-rs (adopted)", "sio-rs (bridge)", mixed]) {
      expect(named("poll", label)).toBe("poll › waits");
      expect(named("poll", label, "inner")).toBe("poll › inner › waits");
    }
    expect(named("poll", "sio-rs alone")).toBe("poll › sio-rs alone › waits");
  });
});
