import { builtModule, inPrivateNetwork, provideEnvoy, provideKube } from "@signalbox/test-servers";
import { beforeAll, describe, expect, it } from "vitest";
import { expectUnnoticed } from "./expectations.ts";
import type { FaultName, FaultOutcome, FaultOutcomes } from "./kubernetes-faults.scenario.ts";
import type { SourceProblem } from "./scene.ts";

const pods = ["10.244.1.1", "10.244.1.2", "10.244.1.3"];
const spare = "10.244.1.4";

describe("calls through Envoy to pods of a real Kubernetes API server", () => {
  let outcomes: FaultOutcomes;

  beforeAll(async () => {
    // Nothing can be downloaded in there.
    await provideKube();
    await provideEnvoy();
    const script = builtModule("./kubernetes-faults.scenario.ts", import.meta.url);
    const addresses = [...pods, spare];
    outcomes = JSON.parse(
      await inPrivateNetwork({ script, addresses, args: addresses, timeoutMs: 540_000 }),
    ) as FaultOutcomes;
  });

  function unnoticed(name: FaultName, during: SourceProblem): FaultOutcome {
    const outcome = outcomes[name];
    if (outcome.report === undefined) throw new Error(outcome.error);
    expectUnnoticed(outcome.report, { endpoints: pods, added: spare, during });
    return outcome;
  }

  it("do not fail, and no pod leaves, while it is killed and comes back on the same etcd", () => {
    unnoticed("killed", "UNREACHABLE");
  });

  it("do not fail, and no pod leaves, while it freezes and thaws", () => {
    unnoticed("frozen", "UNREACHABLE");
  });

  it("do not fail, and no pod leaves, while it ends in good order and starts again", () => {
    unnoticed("restarted in good order", "UNREACHABLE");
  });

  it("do not fail, and no pod leaves, while its etcd is dead and comes back", () => {
    unnoticed("without etcd", "none");
  });

  it("do not fail, and no pod leaves, when it ends every watch: the next one goes on, and nothing is listed", () => {
    expect(unnoticed("watches end", "none").relists).toBe(0);
  });

  it("do not fail, and no pod leaves, when the version to go on from has expired: it is listed anew", () => {
    const { expired, relists } = unnoticed("version expired", "UNREACHABLE");
    expect(expired).toBeGreaterThan(0);
    expect(relists).toBeGreaterThan(0);
  });

  it("do not fail, and no pod leaves, while the token has ended, until a new one is in the file", () => {
    unnoticed("token ended", "AUTH_FAILED");
  });

  it("do not fail, and no pod leaves, while the rights are gone, until they are given back", () => {
    unnoticed("rights narrowed", "AUTH_FAILED");
  });
});
