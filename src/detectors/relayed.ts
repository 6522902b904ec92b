import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import {
  auditStep,
  connectorListStep,
  connectorStep,
  domainStep,
  forwardStep,
  serverStep,
  sourceStep,
} from './steps.ts';

const relayedSeries: SeriesSettings = {
  id: 'relayed',
  name: 'relayed',
  family: 'unregistered',
  key: 'tenant',
  unit: 'weight',
  rows: 'unregistered_not_forwarded',
  phi0: [3, 1.5, 0.8, 0.5],
  priorPerDay: 5,
  floors: [11, 15, 22, 30],
  zCritical: 5.5,
  youngZCritical: 5.3,
  recordFloor: false,
  testedFromDay: 0,
  ramp: { threshold: 20, floor: 30 },
};

/** What is new says more than what was always there: half as many rows are enough. */
const newRelayed: SeriesSettings = {
  ...relayedSeries,
  id: 'relayed:new',
  rows: 'unregistered_new',
  phi0: [8, 4, 2, 1.2],
  priorPerDay: 1,
  floors: [8, 11, 16, 22],
  zCritical: 5,
  testedFromDay: 7,
  ramp: { threshold: 16, floor: 10 },
};

export const relayed: Detector = {
  series: 'relayed',
  families: ['unregistered'],
  title: 'Unregistered mail that nobody here forwarded',
  settings: relayedSeries,
  finds:
    'More mail with unregistered sender domains leaves the tenant than on its other days, and no mailbox here forwarded it: a compromised server or a connector of an attacker relays through the tenant.',
  proof:
    'SenderAddress (envelope), RecipientAddress, the time, Message-ID for forwards; FromIP and the connector say where it comes in.',
  gaps: [
    'Mail that Exchange Online refuses at the connection leaves no row in a trace.',
    'Below 8 recipients in 15 minutes, 11 in an hour, 16 in six hours or 22 in a day nothing is raised; below 11, 15, 22 or 30 where domain, server and connector are known.',
    'In the first two days of a tenant every forward counts as relayed.',
  ],
  harmless: [
    'A domain of yours that is not registered in the tenant yet (register it: Microsoft counts it too).',
    'A hybrid server that relays for an application with its own domain.',
    'New forwarding rules, for their first days.',
  ],
  runbook: [connectorStep, connectorListStep, sourceStep, serverStep, domainStep, auditStep, forwardStep],
  options: seriesOptions(relayedSeries),
  narrower: [newRelayed],
};
