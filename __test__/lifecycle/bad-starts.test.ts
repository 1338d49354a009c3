/** What a user gets for a start that cannot work: a clear error at once, and a process that ends. */
import { execFile } from "node:child_process";
import { join } from "node:path";

const PACKAGE = JSON.stringify(join(__dirname, "..", ".."));

interface Ended {
  code: number | string | null;
  stderr: string;
  stdout: string;
}

/** Runs a script in a process of its own; one that does not end by itself is ended after five seconds. */
function run(script: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { timeout: 5_000, env: { ...process.env, ...env } };
    execFile(process.execPath, ["-e", script], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? "killed"), stdout, stderr });
    });
  });
}

describe("bad starts", () => {
  it("an option that is refused leaves nothing behind that keeps the process alive", async () => {
    const { code, stdout } = await run(
      `try { new (require(${PACKAGE}).Server)(0, { pingInterval: "soon" }) } catch (error) { console.log(error.message) }`,
    );
    expect(stdout).toMatch(/^option "pingInterval" must be a number of milliseconds .*"soon"\n$/);
    expect(code).toBe(0);
  });

  it.each([
    [{ pingInterval: "soon" }, "pingInterval"],
    [{ maxHttpBufferSize: -1 }, "maxHttpBufferSize"],
    [{ path: 5 }, "path"],
  ])("the constructor refuses %j before a server is known", (options, name) => {
    const { Server } = require("../..");
    expect(() => new Server(options)).toThrow(`option "${name}" must be`);
  });

  it("a missing binary is told when the package is required: the platform, the place, the ways out", async () => {
    const { code, stderr } = await run(`require(${PACKAGE})`, { SIO_RS_BINARY: "/nowhere.node" });
    expect(code).toBe(1);
    const platform = `${process.platform}-${process.arch}`;
    expect(stderr).toContain(`sio-rs has no native binary that loads on ${platform}`);
    expect(stderr).toContain("/nowhere.node");
    expect(stderr).toContain(`npm install @sio-rs/${platform}`);
    expect(stderr).toContain("npm run build");
    expect(stderr).toContain("SIO_RS_BINARY_MISSING");
  });
});
