import { Fleet } from "./fleet.ts";
import { measureChanges, measureClient, measureFleet } from "./measure.ts";
import type { BenchOptions } from "./options.ts";
import type { Row } from "./row.ts";
import { startConsulSource } from "./sources/consul.ts";
import { startEurekaSource } from "./sources/eureka.ts";
import { startKubernetesSource } from "./sources/kubernetes.ts";
import type { BenchSource, SourceName, SourceOptions } from "./sources/source.ts";
import { now } from "./time.ts";

const start: Readonly<Record<SourceName, (options: SourceOptions) => Promise<BenchSource>>> = {
  consul: startConsulSource,
  eureka: startEurekaSource,
  kubernetes: startKubernetesSource,
};

/** All figures of one source, over all runs, in one life of its server. */
export async function benchSource(
  name: SourceName,
  options: BenchOptions,
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly Row[]; readonly remarks: readonly string[] }> {
  const { changes, changing, instances, pollSeconds, quietSeconds, runs, services } = options;
  const fleet = new Fleet({ services, instances });
  const source = await start[name]({ fleet, pollSeconds, signal });
  const rows: Row[] = [];
  let given = 0;
  const nextNumbers = (): readonly number[] => Array.from({ length: changes }, () => given++);
  const load = async (from: number, to: number): Promise<void> => {
    const begun = now();
    await source.load(from, to);
    await source.settled();
    tell(`${to} services with ${to * instances} instances are there (${((now() - begun) / 1000).toFixed(1)} s)`);
  };
  try {
    await load(0, changing);
    const [main] = source.variants(changing);
    for (let run = 1; run <= runs; run++) {
      tell(`run ${run} of ${runs}, changes in ${changing} services`);
      const setting = { source, variant: main, fleet, services: changing, signal };
      rows.push(...(await measureChanges(setting, nextNumbers())));
      rows.push(...(await measureClient(setting, nextNumbers())));
    }
    if (services > changing) await load(changing, services);
    for (let run = 1; run <= runs; run++) {
      for (const variant of source.variants(services)) {
        tell(`run ${run} of ${runs}, ${services} services${variant.name === "" ? "" : `, ${variant.name}`}`);
        const numbers = nextNumbers();
        rows.push(...(await measureFleet({ source, variant, fleet, services, signal }, { quietSeconds, numbers })));
      }
    }
    return { rows, remarks: source.remarks };
  } finally {
    await source.stop();
  }
}
