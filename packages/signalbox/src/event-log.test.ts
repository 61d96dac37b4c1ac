import type { Logger } from "@signalbox/registry";
import { typeUrls } from "@signalbox/envoy-api";
import { describe, expect, it } from "vitest";
import { withFields, xdsEventLog } from "./event-log.ts";

const acked = { type: "acked", stream: 1, node: "n", resourceType: typeUrls.cluster, nonce: "7" } as const;
const nacked = { ...acked, type: "nacked", version: "1", error: "no" } as const;

function logged(debugEnabled?: boolean): { lines: [string, object | undefined][]; logger: Logger } {
  const lines: [string, object | undefined][] = [];
  const say = (event: string, fields?: object): void => {
    lines.push([event, fields]);
  };
  const logger = { debug: say, info: say, warn: say, error: say };
  return { lines, logger: debugEnabled === undefined ? logger : { ...logger, debugEnabled } };
}

describe("what is logged of the xDS server", () => {
  it.each([
    { debugEnabled: undefined, events: ["xds-acked", "xds-nacked"] },
    { debugEnabled: true, events: ["xds-acked", "xds-nacked"] },
    { debugEnabled: false, events: ["xds-nacked"] },
  ])("is $events where debugEnabled is $debugEnabled", ({ debugEnabled, events }) => {
    const { lines, logger } = logged(debugEnabled);
    const log = xdsEventLog(withFields(logger, { process: 2 }));
    for (const event of [acked, nacked]) log(event);
    expect(lines.map(([event]) => event)).toEqual(events);
    const { type: _, ...fields } = nacked;
    expect(lines.at(-1)?.[1]).toEqual({ process: 2, ...fields });
  });
});
