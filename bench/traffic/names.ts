/**
 * Names for made-up tenants: every domain lies under a top-level domain that RFC 2606 reserves,
 * every address in a block that RFC 5737 (documentation), RFC 2544 (benchmarks) or RFC 3849
 * (documentation, IPv6) sets aside.
 */

import type { Random } from './random.ts';

// biome-ignore format: word lists read better in lines
export const FIRST_NAMES = [
  'ann', 'bob', 'carla', 'david', 'elena', 'farid', 'greta', 'hugo', 'ines', 'jonas', 'karin', 'liam', 'mona', 'nadia',
  'oscar', 'paula', 'quentin', 'rosa', 'samir', 'tina', 'ugo', 'vera', 'walid', 'xenia', 'yusuf', 'zoe', 'amir', 'birgit',
  'chen', 'dora', 'emil', 'fatima', 'georg', 'hana', 'ivan', 'julia', 'kofi', 'lena', 'marco', 'nora', 'olaf', 'priya',
  'rafael', 'sofia', 'tomas', 'ursula', 'victor', 'wanda', 'yara', 'zlatan',
];

// biome-ignore format: word lists read better in lines
export const LAST_NAMES = [
  'lopez', 'miller', 'nguyen', 'okafor', 'petrov', 'quist', 'rossi', 'schmidt', 'tanaka', 'urban', 'vogel', 'weber', 'xu',
  'yilmaz', 'zeller', 'adler', 'baker', 'costa', 'dubois', 'ebert', 'fischer', 'garcia', 'haas', 'ivanova', 'jensen',
  'keller', 'larsen', 'meier', 'novak', 'olsen', 'parker', 'reyes', 'santos', 'thomas', 'unger', 'varga', 'wolf', 'young',
  'zhang', 'arnold', 'brandt', 'clark', 'diaz', 'evans', 'foster', 'gruber', 'hansen', 'ito', 'jung', 'kowalski', 'lang',
  'moreau', 'nilsen', 'ortiz', 'popov', 'richter', 'singh', 'torres', 'ulrich', 'vidal', 'wagner',
];

// biome-ignore format: word lists read better in lines
const COMPANIES = [
  'fabrikam', 'northwind', 'tailspin', 'wingtip', 'adatum', 'litware', 'proseware', 'woodgrove', 'lucerne', 'relecloud',
  'margies', 'vanarsdel', 'trey', 'humongous', 'fourthcoffee', 'alpineski', 'cohowinery', 'bellows', 'graphicdesign',
  'southridge', 'wideworld', 'munson', 'nodpublishers', 'blueyonder', 'cpandl', 'firstup', 'lamna', 'liberty', 'vigor',
];
const COMPANY_TAILS = [
  '',
  '-logistics',
  '-legal',
  '-foods',
  '-energy',
  '-bank',
  '-media',
  '-tools',
  '-travel',
  '-health',
];
const REGIONS = ['', 'de-', 'uk-', 'us-', 'fr-', 'pl-', 'it-', 'nordic-'];

/** Domain number `index` of the outside world: short famous names first, then ever longer ones. */
export function externalDomain(index: number): string {
  const company = COMPANIES[index % COMPANIES.length];
  const tail = COMPANY_TAILS[Math.floor(index / COMPANIES.length) % COMPANY_TAILS.length];
  const perRegion = COMPANIES.length * COMPANY_TAILS.length;
  const region = REGIONS[Math.floor(index / perRegion) % REGIONS.length];
  const round = Math.floor(index / (perRegion * REGIONS.length));
  return `${region}${company}${tail}${round === 0 ? '' : round}.example`;
}

/** Domains of free mailbox providers, where much outside mail comes from and goes to. */
export const FREEMAIL_DOMAINS = ['freemail.example.com', 'mymail.example.net', 'post.example.org'];

/** Mail server of outside domain number `index`. */
export function externalIp(index: number): string {
  if (index % 17 === 16) return `2001:db8:${(index % 65000).toString(16)}::25`;
  if (index < 200) return `203.0.113.${index + 20}`;
  if (index < 400) return `198.51.100.${index - 180}`;
  return `198.${18 + (Math.floor(index / 65536) & 1)}.${Math.floor(index / 256) % 256}.${index % 256}`;
}

export function personName(random: Random): string {
  return `${random.pick(FIRST_NAMES)}.${random.pick(LAST_NAMES)}`;
}

// biome-ignore format: word lists read better in lines
const SUBJECT_TOPICS = [
  'Offer', 'Invoice', 'Meeting', 'Project plan', 'Delivery', 'Contract', 'Question', 'Order', 'Report', 'Agenda', 'Travel',
  'Budget', 'Schedule', 'Draft', 'Angebot', 'Rechnung', 'Réunion', 'Presupuesto', 'Lieferung für März', '見積書', 'Minutes',
  'Quarterly figures', 'Complaint', 'Visit', 'Training', 'Maintenance', 'Access', 'Feedback', 'Samples', 'Tender',
];
// biome-ignore format: word lists read better in lines
const SUBJECT_DETAILS = [
  '', '', '', ', second version', ' for review', ' – final', ' (urgent)', ', as discussed', ' "north" site', ' next week',
  ' & follow-up', ' / revised', ': please confirm', ' für Müller', ' 🙂',
];

/** A subject as people write them: commas, quotes, other alphabets, sometimes folded, sometimes none. */
export function subject(random: Random): string {
  if (random.chance(0.015)) return '';
  const prefix = random.chance(0.45) ? (random.chance(0.7) ? 'RE: ' : 'FW: ') : '';
  const number = random.chance(0.35) ? ` ${random.integer(1000, 99999)}` : '';
  const folded = random.chance(0.005) ? '\r\n ' : '';
  return `${prefix}${random.pick(SUBJECT_TOPICS)}${number}${folded}${random.pick(SUBJECT_DETAILS)}`;
}
