// Starts the daemon as a new user would (`npm start`) and waits until it says that it is ready; then ends it politely.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

const deadline = 60_000;
const root = join(import.meta.dirname, "..");
const { start } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts;
// Without npm and a shell in between, so that the daemon's own exit code is seen.
const [command, ...args] = start.replace(/^exec /, "").split(" ");
const child = spawn(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
const exited = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
const started = performance.now();

async function ready() {
  while (performance.now() - started < deadline) {
    try {
      const response = await fetch("http://127.0.0.1:15014/readyz");
      if (response.ok) return true;
    } catch {
      // not listening yet
    }
    await Promise.race([exited, delay(100)]);
    if (child.exitCode !== null) return false;
  }
  return false;
}

const isReady = await ready();
console.log(isReady ? `ready after ${Math.round(performance.now() - started)} ms` : "not ready");
child.kill("SIGTERM");
const { code, signal } = await exited;
console.log(`ended with ${code ?? signal}`);
process.exitCode = isReady && code === 0 ? 0 : 1;
