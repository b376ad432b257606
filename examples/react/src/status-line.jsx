import { useStatus } from '@ws-gateway/react';
import React from 'react';

export function StatusLine() {
  const { state, reason } = useStatus();
  return (
    <p role="status">
      {state}
      {reason && `: ${reason}`}
    </p>
  );
}
