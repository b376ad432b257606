/** Entry point of the baseline's process: uWebSockets.js and as little else as possible. */
import { serveParent } from '@ws-gateway/load-generator';
import uws from 'uWebSockets.js';
import { heads, measureBurst, STREAM, tailOf, type BurstTask } from '../lib/fanout-frames.js';

const EPOCH = 'abcdefghi';
const CONNECTED = '{"rid":-1,"event":"connected","status":"ok","payload":{}}';

const app = uws.App();
let offset = 0;

app.ws('/*', {
  // The gateway's transport sets the same.
  idleTimeout: 0,
  maxBackpressure: 0,
  closeOnBackpressureLimit: false,
  sendPingsAutomatically: false,
  compression: uws.DISABLED,
  open(ws) {
    ws.subscribe(STREAM);
    ws.send(CONNECTED);
  },
});

function listen(): Promise<number> {
  return new Promise((resolve, reject) => {
    app.listen('127.0.0.1', 0, (socket) => {
      if (socket === false) reject(new Error('no port'));
      else resolve(uws.us_socket_local_port(socket));
    });
  });
}

function burst(task: BurstTask): Promise<number> {
  const frames = heads(task, EPOCH, offset + 1).map((head, n) => Buffer.from(head + tailOf(EPOCH, offset + 1 + n)));
  offset += frames.length;
  return measureBurst(task, (first, end) => {
    for (let n = first; n < end; n++) app.publish(STREAM, frames[n]!, false, false);
  });
}

serveParent({ listen, burst });
