/** The address that an endpoint has at first, where the peer gives the same, or after so many moves of everything. */
export function addressOf(service: number, endpoint: number, endpoints: number, moves = 0): string {
  const number = service * endpoints + endpoint;
  // 11 is for churns.
  const net = moves === 0 ? 10 : 20 + (moves % 100);
  return `${net}.${(Math.floor(number / 62_500) % 90) + 1}.${Math.floor(number / 250) % 250}.${(number % 250) + 1}`;
}

/** The address that the change with this number of a churn gives; the load client reads the number in it. */
export function churnAddress(change: number): string {
  return `11.${(change >> 16) & 255}.${(change >> 8) & 255}.${change & 255}`;
}
