/** The values in one record of an Atom feed: names and texts of the children of its element. */

/** What is wrong with a record, in words for people. */
export class XmlProblem extends Error {}

/** Elements inside each other; records of feeds have two levels, those with complex values three. */
const MAX_DEPTH = 16;
const NAME = /^[\p{L}_][\p{L}\p{N}._-]*(?::[\p{L}_][\p{L}\p{N}._-]*)?$/u;
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/**
 * Reads the text of a whole element whose children are the values. The name of a value is that of its element without
 * the prefix; values of values have both names, with a dot between. Throws an XmlProblem.
 */
export function readXmlValues(xml: string): [name: string, text: string][] {
  const values: [string, string][] = [];
  const open: string[] = [];
  const texts: string[] = [];
  let at = 0;
  while (at < xml.length) {
    const less = xml.indexOf('<', at);
    const text = xml.slice(at, less < 0 ? xml.length : less);
    if (open.length > 0) texts[open.length - 1] += decodeEntities(text);
    if (less < 0) break;
    if (xml.startsWith('<!--', less)) {
      at = endOf(xml, '-->', less + 4);
    } else if (xml.startsWith('<![CDATA[', less)) {
      at = endOf(xml, ']]>', less + 9);
      if (open.length > 0) texts[open.length - 1] += xml.slice(less + 9, at - 3);
    } else if (xml.startsWith('<?', less)) {
      at = endOf(xml, '?>', less + 2);
    } else {
      at = tagEnd(xml, less + 1);
      readTag(xml.slice(less + 1, at - 1), open, texts, values);
    }
  }
  if (open.length > 0) throw new XmlProblem(`<${open[open.length - 1]}> is not closed`);
  return values;
}

function readTag(tag: string, open: string[], texts: string[], values: [string, string][]): void {
  if (tag.startsWith('/')) {
    const name = tag.slice(1).trimEnd();
    if (open.pop() !== name) throw new XmlProblem(`</${shown(name)}> closes an element that is not open`);
    const text = texts.pop() ?? '';
    if (open.length > 0) values.push([[...open.slice(1), name].map(localName).join('.'), text]);
    return;
  }
  const isEmpty = tag.endsWith('/');
  const [name] = /^[^\s/]*/.exec(tag) ?? [''];
  if (!NAME.test(name)) throw new XmlProblem(`<${shown(name)}> is no tag`);
  if (isEmpty) {
    if (open.length > 0) values.push([[...open.slice(1), name].map(localName).join('.'), '']);
    return;
  }
  if (open.length === MAX_DEPTH) throw new XmlProblem(`more than ${MAX_DEPTH} levels`);
  open.push(name);
  texts.push('');
}

/** Index behind the mark that ends what began before `from`. */
function endOf(xml: string, mark: string, from: number): number {
  const found = xml.indexOf(mark, from);
  if (found < 0) throw new XmlProblem(`no ${mark} follows`);
  return found + mark.length;
}

/** Index behind the `>` of a tag; one inside quotes ends nothing. */
function tagEnd(xml: string, from: number): number {
  let quote = '';
  for (let at = from; at < xml.length; at++) {
    const letter = xml[at];
    if (quote !== '') quote = letter === quote ? '' : quote;
    else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === '>') return at + 1;
  }
  throw new XmlProblem('a tag is not closed');
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/** `&amp;` and its like, and characters by number; a lone `&` is one. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(#?[\p{L}\p{N}._:-]{1,64});/gu, (_, name: string) => {
    if (name.startsWith('#')) return characterOf(name.slice(1));
    const character = ENTITIES.get(name);
    if (character === undefined) throw new XmlProblem(`the entity &${shown(name)}; is not declared by XML`);
    return character;
  });
}

function characterOf(number: string): string {
  const isHex = /^x[0-9a-f]+$/i.test(number);
  if (!isHex && !/^[0-9]+$/.test(number)) throw new XmlProblem(`&#${shown(number)}; is no character`);
  const code = isHex ? Number.parseInt(number.slice(1), 16) : Number.parseInt(number, 10);
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : '\ufffd';
}

/** Text of a file for a message: short, nothing that a terminal would act on. */
function shown(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?');
  return clean.length > 40 ? `${clean.slice(0, 40)}...` : clean;
}
