import type { Collision, ServiceNames } from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";

/** At most so many are told at once: one careless rule may rename a whole registry. */
const maxLogged = 10;

/** Tells the log once of each service that could not have the name it wants. */
export class CollisionLog {
  readonly #names: Pick<ServiceNames, "collisionChanges" | "collisions">;
  readonly #logger: Logger;
  #seen: number;
  #told = new Set<string>();

  constructor(names: Pick<ServiceNames, "collisionChanges" | "collisions">, logger: Logger) {
    this.#names = names;
    this.#logger = logger;
    this.#seen = names.collisionChanges;
  }

  /** Looks for new ones. To be called after every update; does nothing while there was no change. */
  look(): void {
    if (this.#seen === this.#names.collisionChanges) return;
    this.#seen = this.#names.collisionChanges;
    const before = this.#told;
    const now = this.#names.collisions();
    this.#told = new Set(now.map(nameOf));
    const added = now.filter((collision) => !before.has(nameOf(collision)));
    for (const collision of added.slice(0, maxLogged)) this.#logger.warn("service-name-collision", { ...collision });
    if (added.length > maxLogged)
      this.#logger.warn("service-name-collisions-omitted", { more: added.length - maxLogged });
  }
}

/** Who has the name instead does not matter: it is lost all the same. */
function nameOf({ loser, registry, wanted }: Collision): string {
  return `${registry} ${loser} ${wanted}`;
}
