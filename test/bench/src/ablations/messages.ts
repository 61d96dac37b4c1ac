import type { FigureName, Scene } from "../xds/cell.ts";
import type { Programs } from "../xds/programs.ts";

/** What a process in a copy is told. */
export interface SceneTask {
  readonly scene: Scene;
  readonly figures: readonly FigureName[];
  readonly programs: Programs;
}

/** What it says in the end: a value for each figure, in their order. */
export interface SceneMeasured {
  readonly type: "measured";
  readonly values: readonly number[];
}
