import { showCharts } from './charts.js';
import { byId, setText } from './dom.js';
import { LiveConnection } from './live.js';
import { addOperations } from './operate.js';
import { loadSettings, takeFragment } from './settings.js';

const given = takeFragment();
const settings = await loadSettings();
setText(byId('node'), settings.node);
setText(byId('version'), settings.version);
showCharts(settings);
new LiveConnection(settings, given);
addOperations(settings, given);
