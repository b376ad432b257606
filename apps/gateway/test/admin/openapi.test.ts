import { describe, expect, it } from '@jest/globals';
import type { HttpServer } from '@ws-gateway/core';
import { addAdminRoutes } from '../../src/admin/admin-api.js';
import type { AdminDeps } from '../../src/admin/route-context.js';
import { addRoutes, type WorkerGroup } from '../../src/http/routes.js';
import { document } from './admin-client.js';

/** Lists all routes that a gateway with everything switched on registers. */
function served(): string[] {
  const routes: string[] = [];
  const route = (method: string, path: string) => routes.push(`${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  const server = { route } as unknown as HttpServer;
  addRoutes(server, {} as WorkerGroup, '/metrics');
  addAdminRoutes(server, {} as AdminDeps, () => []);
  return routes.sort();
}

interface Described {
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, object>>;
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    return { route: `${method.toUpperCase()} ${path}`, path, operation: operation as Described };
  }),
);

function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (name === '$ref') yield member as string;
    else yield* references(member);
  }
}

describe('openapi.json', () => {
  it('has each route that is served, and no other', () => {
    expect(operations.map(({ route }) => route).sort()).toEqual(served());
  });

  it('names each part of a path', () => {
    for (const { route, path, operation } of operations) {
      const named = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect([route, ...named]).toEqual([route, ...Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name)]);
    }
  });

  it('says of all that wants the token that it can be refused', () => {
    for (const { route, path, operation } of operations) {
      const isAdmin = path.startsWith('/api/');
      expect([route, operation.security?.length !== 0, '401' in operation.responses]).toEqual([
        route,
        isAdmin,
        isAdmin,
      ]);
    }
  });

  it('refers to nothing that is not there', () => {
    const all = [...references(document)];
    expect(all.length).toBeGreaterThan(20);
    for (const reference of all) {
      let at: unknown = document;
      for (const part of reference.replace('#/', '').split('/')) at = (at as Record<string, unknown>)?.[part];
      expect([reference, typeof at]).toEqual([reference, 'object']);
    }
  });
});
