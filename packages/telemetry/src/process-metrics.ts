import type { MetricDefinition } from './metric-definition.js';

/** What every program tells of itself, under the names that all dashboards know. */
export const processMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'process_cpu_seconds_total', type: 'counter', labels: [], shared: true },
    help: 'CPU time used. Its rate is the cores in use: the event loop has no more than one.',
    read: ({ system }) => system.cpuSeconds(),
  },
  {
    ...{ name: 'process_resident_memory_bytes', type: 'gauge', labels: [], shared: true },
    help: 'Resident memory. Growing while connections do not: a leak.',
    read: ({ system }) => system.memoryBytes(),
  },
  {
    ...{ name: 'process_start_time_seconds', type: 'gauge', labels: [], shared: true, aggregator: 'min' },
    help: 'When the process started, seconds since 1970. A change is a restart.',
    read: () => performance.timeOrigin / 1000,
  },
  {
    // Of several processes the fullest one counts: each has a limit of its own.
    ...{ name: 'process_open_fds', type: 'gauge', labels: [], shared: true, aggregator: 'max' },
    help: 'Open descriptors; each socket is one. Near process_max_fds: new clients are refused.',
    read: ({ system }) => system.openDescriptors(),
  },
  {
    ...{ name: 'process_max_fds', type: 'gauge', labels: [], shared: true, aggregator: 'min' },
    help: 'Limit of open descriptors.',
    read: ({ system }) => system.descriptorsMax,
  },
  {
    ...{ name: 'nodejs_active_handles', type: 'gauge', labels: [], shared: true },
    help: 'Active handles and requests of the process. Ever growing: something is not closed.',
    read: ({ system }) => system.activeHandles(),
  },
  {
    ...{ name: 'memory_limit_bytes', type: 'gauge', labels: [], aggregator: 'max' },
    help: 'Memory that the container may use, or all of the machine. Beyond it the kernel kills the process.',
    read: ({ system }) => system.memoryLimitBytes(),
  },
];
