import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { guardCommand } from "./guard.ts";
import { waitFor } from "./wait-for.ts";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the guard", () => {
  it("kills the child of a parent that was killed without a chance to clean up", async () => {
    const [shell, args] = guardCommand(0);
    const parent = spawn(
      process.execPath,
      [
        "-e",
        `const { spawn } = require("node:child_process");
         const child = spawn("sleep", ["300"]);
         const args = ${JSON.stringify(args.slice(0, -1))};
         spawn(${JSON.stringify(shell)}, [...args, String(child.pid)], { stdio: ["pipe", "ignore", "ignore"], detached: true });
         process.stdout.write(String(child.pid));`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [output] = (await once(parent.stdout, "data")) as [Buffer];
    const child = Number(output.toString());
    expect(isAlive(child)).toBe(true);
    parent.kill("SIGKILL");
    await waitFor(() => !isAlive(child), { what: "the child to be gone" });
  });
});
