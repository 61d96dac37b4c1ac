/** Placeholder until profiles are written. */
export function profileCommand(): Promise<number> {
  return Promise.resolve(1);
}
