import { hostname, networkInterfaces } from 'node:os';

/** `::` takes both families; where the system has no IPv6 only the other one is there to listen on. */
export function listenHost(host: string): string {
  if (host !== '::') return host;
  const addresses = Object.values(networkInterfaces()).flatMap((own) => own ?? []);
  return addresses.some(({ family }) => family === 'IPv6') ? host : '0.0.0.0';
}

/** Address under which others find what listens on `host`: of one that is all of them, the first that is not this machine's own. */
export function advertisedHost(host: string): string {
  if (host !== '::' && host !== '0.0.0.0') return host;
  const addresses = Object.values(networkInterfaces()).flatMap((own) => own ?? []);
  const outer = addresses.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  return (outer.find(({ family }) => family === 'IPv4') ?? outer[0])?.address ?? hostname();
}

/** `host:port`, with the brackets that an IPv6 address needs. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Address at which this machine itself reaches what listens on `host`. */
export function localHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}
