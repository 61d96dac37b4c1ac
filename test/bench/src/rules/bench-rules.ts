import { builtModule } from "@signalbox/test-servers";
import { Child } from "../child.ts";
import type { Measured } from "../command.ts";
import { compared, type Row } from "../row.ts";
import type { RulesFigure, RulesTask } from "./measure-rules.ts";
import type { RulesOptions } from "./options.ts";

interface Figures {
  readonly type: "figures";
  readonly figures: readonly RulesFigure[];
}

const small = 100;

/** All figures of changed rules: in each run the small catalog, the large one without rules and the large one, each in a new process. */
export async function benchRules(options: RulesOptions, signal: AbortSignal): Promise<Measured> {
  const { changes, clients, instances, rules, runs, services } = options;
  const world = { services, instances, rules };
  const hundredth = { ...world, services: Math.ceil(services / small), rules: Math.ceil(rules / small) };
  const setting = `${services} services, ${rules} rules`;
  const rows: Row[] = [];
  for (let run = 1; run <= runs; run++) {
    process.stderr.write(`rules: run ${run} of ${runs}\n`);
    const bare = await figuresOf({ world: hundredth, withRules: true, clients, changes }, signal);
    const without = await figuresOf({ world, withRules: false, clients, changes }, signal);
    const found = await figuresOf({ world, withRules: true, clients, changes }, signal);
    rows.push(...found.map((figure) => rowOf(setting, figure, bare)));
    rows.push(...without.map((figure) => ({ source: "rules", setting: `${services} services, no rules`, ...figure })));
  }
  return { rows, remarks: [] };
}

function rowOf(setting: string, figure: RulesFigure, others: readonly RulesFigure[]): Row {
  const row = { source: "rules", setting, ...figure };
  const bare = others.find((one) => one.figure === figure.figure)?.value ?? 0;
  return bare > 0 ? compared({ ...row, bare }) : row;
}

async function figuresOf(task: RulesTask, signal: AbortSignal): Promise<readonly RulesFigure[]> {
  const child = new Child<Figures, never>(builtModule("./measured-rules.ts", import.meta.url), task);
  try {
    return (await child.next("figures", signal)).figures;
  } finally {
    await child.end();
  }
}
