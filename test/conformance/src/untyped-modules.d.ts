/** The parts of eureka-js-client that write. It has no types of its own. */
declare module "eureka-js-client" {
  export class Eureka {
    constructor(config: object);
    start(done: (error?: Error | null) => void): void;
    stop(done: (error?: Error | null) => void): void;
    register(done: (error?: Error | null) => void): void;
  }
}
