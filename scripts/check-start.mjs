// Starts the daemon as a new user would (`npm start`) and waits until it says that it is ready; then ends it politely.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

const deadline = 60_000;
const child = spawn("npm", ["start", "--silent"], {
  cwd: join(import.meta.dirname, ".."),
  stdio: ["ignore", "inherit", "inherit"],
  detached: true,
});
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
if (child.exitCode === null) process.kill(-child.pid, "SIGTERM");
const { code, signal } = await exited;
console.log(`ended with ${code ?? signal}`);
process.exitCode = isReady && (code === 0 || signal === "SIGTERM") ? 0 : 1;
