import { createServer } from 'node:net';

/** Rejects when another program has the port: the workers share it, and would share it with that one unnoticed. */
export async function assertFree(host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'it is taken by another program' : (error.code ?? error.message);
      reject(new Error(`cannot listen on ${host}, port ${port}: ${why}`, { cause: error }));
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
