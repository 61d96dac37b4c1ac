import { main } from "./cli.ts";

// A reader that went away, as in `signalbox catalog | head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  terminal: process.stderr.isTTY,
});
// Everything is closed by now; should a library hold on to a handle, that must not keep the process.
setTimeout(() => process.exit(), 2_000).unref();
