/** Milliseconds of a clock that all processes of the machine share and nobody sets. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Milliseconds of a core that this process has used, all its threads together. */
export function cpuMs(): number {
  const { system, user } = process.cpuUsage();
  return (system + user) / 1000;
}
