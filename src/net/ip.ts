/** `::ffff:10.0.0.1`, as a dual-stack listener reports it, as `10.0.0.1`; all else unchanged. */
export function plainIp(ip: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(ip) ? ip.slice(7) : ip;
}
