import { say } from "../say.ts";
import { measureRules, type RulesTask } from "./measure-rules.ts";

// The entry of a process that measures one catalog. The parent gives the task; as soon as it lets go, or dies, this one ends.
say({ type: "figures", figures: measureRules(JSON.parse(process.argv[2] ?? "") as RulesTask) });
