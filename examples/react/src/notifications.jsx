import { useTopic } from '@ws-gateway/react';
import React from 'react';

export function Notifications() {
  const messages = useTopic('notifications', { limit: 20 });
  if (messages.length === 0) return <p>Nothing yet.</p>;
  return (
    <ul>
      {messages.map(({ id, offset, payload }) => (
        <li key={id ?? offset}>{JSON.stringify(payload)}</li>
      ))}
    </ul>
  );
}
