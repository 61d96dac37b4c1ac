import { say } from "../say.ts";
import { figureOf } from "../xds/figures.ts";
import { runScene } from "../xds/run-scene.ts";
import type { SceneMeasured, SceneTask } from "./messages.ts";

// The entry of a process in a copy of the built product, so that the scene is of the copy. It ends when the parent lets go.
const { figures, programs, scene } = JSON.parse(process.argv[2] ?? "") as SceneTask;
const stop = new AbortController();
process.once("disconnect", () => stop.abort(new Error("nobody waits for the figures")));
try {
  const seen = await runScene(scene, programs, stop.signal);
  const measured: SceneMeasured = { type: "measured", values: figures.map((figure) => figureOf(figure, seen)) };
  say(measured);
} catch (error) {
  if (!stop.signal.aborted) throw error;
}
