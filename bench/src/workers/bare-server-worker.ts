/** Entry point of a BareServer's process. */
import { serveParent } from '@ws-gateway/load-generator';
import { App, us_socket_local_port } from 'uWebSockets.js';

/** uWebSockets.js itself pings 16 s before this: every 25 s, as the gateway does. */
const IDLE_TIMEOUT_SECONDS = 41;

function listen({ frameBytes }: { frameBytes: number }): number {
  const [head, tail] = ['{"event":"connected","pad":"', '"}'];
  const frame = head + 'x'.repeat(Math.max(0, frameBytes - head.length - tail.length)) + tail;
  let port = 0;
  App()
    .ws('/*', {
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      upgrade(res, req, context) {
        res.upgrade({}, req.getHeader('sec-websocket-key'), '', '', context);
      },
      open(ws) {
        ws.send(frame);
      },
    })
    .listen('127.0.0.1', 0, (listener) => {
      if (listener !== false) port = us_socket_local_port(listener);
    });
  return port;
}

serveParent({ listen });
