import { defineConfig } from 'vite';

// The gateway behind the page's own origin, as a proxy does it in production: the address of the socket is just `/ws`.
const gateway = process.env.GATEWAY ?? 'http://127.0.0.1:8080';

export default defineConfig({
  server: {
    proxy: {
      '/ws': { target: gateway, ws: true },
      '/sse': { target: gateway },
      '/health': { target: gateway },
    },
  },
  // One React, also for the package that is linked from the workspace.
  resolve: { dedupe: ['react', 'react-dom'] },
});
