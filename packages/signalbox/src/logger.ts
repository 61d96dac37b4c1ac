import type { Logger } from "@signalbox/registry";
import { destination, pino, type DestinationStream } from "pino";
import type { SignalboxConfig } from "./config/schema.ts";

/**
 * The daemon's logger, on standard error. `json` prints pino's lines with the event's name under `event`; `pretty` prints one line
 * for people; `auto` is `pretty` on a terminal. Written at once, so that nothing is lost when the process ends.
 */
export function createLogger(settings: SignalboxConfig["log"], terminal: boolean): Logger {
  const pretty = isPretty(settings, terminal);
  const output = destination({ fd: 2, sync: true });
  const logger = pino(
    {
      level: settings.level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      messageKey: "event",
    },
    pretty ? linePrinter(output) : output,
  );
  const fields = (given: object | undefined): object => {
    if (given === undefined) return {};
    return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, plain(value)]));
  };
  const debugEnabled = logger.isLevelEnabled("debug");
  return {
    debugEnabled,
    debug: (event, given) => {
      if (debugEnabled) logger.debug(fields(given), event);
    },
    info: (event, given) => logger.info(fields(given), event),
    warn: (event, given) => logger.warn(fields(given), event),
    error: (event, given) => logger.error(fields(given), event),
  };
}

/** Whether the logs are for a person. */
export function isPretty({ format }: SignalboxConfig["log"], terminal: boolean): boolean {
  return format === "pretty" || (format === "auto" && terminal);
}

/** An error as a log line may show it: its code and words, with those of its causes, and no stack. */
function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { code } = value as { code?: unknown };
  const words =
    typeof code === "string" && !value.message.includes(code) ? `${value.message} (${code})` : value.message;
  const told = value.cause instanceof Error && value.message.includes(value.cause.message);
  return value.cause instanceof Error && !told ? `${words}: ${String(plain(value.cause))}` : words;
}

/** Turns pino's JSON lines into `07:12:03 INFO  registry-synced registry=static/files services=3`. */
export function linePrinter(output: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
      const shown = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`);
      const clock = typeof time === "string" ? time.slice(11, 19) : "";
      output.write(`${[clock, String(level).toUpperCase().padEnd(5), event, ...shown].join(" ")}\n`);
    },
  };
}

function fieldText(value: unknown): string {
  const text = typeof value === "string" && !/[\s"=\p{C}]/u.test(value) ? value : JSON.stringify(value);
  // What clients call themselves ends up here: no control character may reach the terminal.
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
