import { registryId } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { programName, troubles, welcome } from "./welcome.ts";

const sound = { id: registryId("static", "a"), state: "SYNCED", services: 2, restarts: 0 } as const;
const dead = { ...sound, id: registryId("static", "b"), state: "INIT", services: 0, problem: "UNREACHABLE" } as const;
const stale = { ...sound, id: registryId("static", "c"), problem: "PROTOCOL_ERROR" } as const;

describe("the words for a person who started Signalbox", () => {
  it("say that it is up only when every source can be read", () => {
    expect(welcome({ xds: {} }, [sound], "signalbox")).toContain("\nSignalbox is up.\n");
    expect(welcome({ xds: {} }, [sound, dead, stale], "signalbox")).toContain(
      "\nSignalbox is up, but: static/b has said nothing yet (UNREACHABLE); " +
        "static/c cannot be read; what it said before stays (PROTOCOL_ERROR).\n",
    );
    expect(troubles([sound])).toEqual([]);
  });

  it.each([
    { script: "/usr/local/bin/signalbox", environment: {}, name: "signalbox" },
    { script: "/app/node_modules/.bin/signalbox", environment: {}, name: "npx signalbox" },
    { script: "/usr/local/bin/signalbox", environment: { npm_config_user_agent: "npm/11" }, name: "npx signalbox" },
    { script: "/src/packages/signalbox/bin/signalbox.js", environment: {}, name: "npx signalbox" },
  ])("call the program as it can be called again: $script $environment", ({ environment, name, script }) => {
    expect(programName(script, environment)).toBe(name);
  });
});
