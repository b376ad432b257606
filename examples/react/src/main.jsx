import { createClient } from '@ws-gateway/client';
import { GatewayProvider } from '@ws-gateway/react';
import React, { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Notifications } from './notifications.jsx';
import { StatusLine } from './status-line.jsx';

// Of your own login in an application; here of `ws-gateway token u1`, in the address: http://localhost:5173/#<token>.
const token = () => location.hash.slice(1);

const client = createClient({ url: '/ws', token, debug: import.meta.env.DEV });

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <GatewayProvider client={client}>
      <StatusLine />
      <Notifications />
    </GatewayProvider>
  </StrictMode>,
);
