import { readFile, stat } from 'node:fs/promises';
import { NacreError } from '@nacre/base';
import { parse } from 'csv-parse/sync';

/** Largest file that is read, in bytes. A century of daily bars takes 2 MB. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Longest step between two rows of daily prices, in days. The New York exchange's longest closure in the last eighty years took six
 * (10 to 17 September 2001); a month is missing data.
 */
const GAP_DAYS_MAX = 10;
const DAY_MS = 24 * 3600 * 1000;
const VALUE_SHOWN_MAX = 40;

export type PricesErrorCode =
  /** The file is missing, unreadable or too large. */
  | 'CSV_UNREADABLE'
  /** The file is not CSV: a quote that does not end, and the like. */
  | 'CSV_MALFORMED'
  /** The first line does not name the columns that there must be. */
  | 'CSV_COLUMNS'
  /** A row has more or fewer fields than the first line. */
  | 'CSV_ROW_LENGTH'
  | 'CSV_FIELD_EMPTY'
  /** A field is no plain decimal number: text, `NaN`, `Infinity`, a negative price. */
  | 'CSV_NUMBER'
  | 'CSV_DATE'
  /** A date is not after the one before. */
  | 'CSV_DATE_ORDER'
  /** Rows are missing between two dates. */
  | 'CSV_DATE_GAP'
  /** The high is below, or the low above, another price of the row. */
  | 'CSV_RANGE'
  | 'CSV_EMPTY';

/** Why a file of prices is not taken; `fields.line` counts from 1. */
class PricesError extends NacreError<PricesErrorCode> {
  override readonly name = 'PricesError';
}

/** One trading day. */
export interface DailyPrice {
  /** ISO 8601, for example `2000-01-03`. */
  readonly date: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Adjusted for splits and dividends, where the file has it. */
  readonly adjustedClose?: number;
  readonly volume: number;
}

/** Names in the file's first line, in lower case, and what they become. */
const COLUMNS = {
  date: 'date',
  open: 'open',
  high: 'high',
  low: 'low',
  close: 'close',
  adjclose: 'adjustedClose',
  'adj close': 'adjustedClose',
  volume: 'volume',
} as const;
type Column = (typeof COLUMNS)[keyof typeof COLUMNS];
const REQUIRED: readonly Column[] = ['date', 'open', 'high', 'low', 'close', 'volume'];

/**
 * Reads daily prices: a first line with the columns date, open, high, low, close, volume and optionally adjclose, in any order, then one
 * row per trading day, oldest first. Refuses what is not complete and plausible, because what is recorded cannot be taken back.
 *
 * @throws {PricesError}
 */
export async function readPrices(path: string): Promise<DailyPrice[]> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes are more than ${FILE_BYTES_MAX}`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new PricesError('CSV_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
  return parsePrices(text);
}

/** See {@link readPrices}. */
function parsePrices(text: string): DailyPrice[] {
  const [header, ...rows] = parseRows(text);
  if (header === undefined) throw new PricesError('CSV_EMPTY', 'the file is empty', { fields: { line: 1 } });
  const columns = readHeader(header.fields);
  const prices: DailyPrice[] = [];
  for (const { fields, line } of rows) {
    const price = readRow(fields, columns, line);
    const previous = prices.at(-1);
    if (previous !== undefined) checkStep(previous.date, price.date, line);
    prices.push(price);
  }
  if (prices.length === 0) throw new PricesError('CSV_EMPTY', 'the file has no rows', { fields: { line: 1 } });
  return prices;
}

interface Row {
  readonly fields: readonly string[];
  readonly line: number;
}

function parseRows(text: string): Row[] {
  try {
    const rows = parse(text, { bom: true, info: true, relaxColumnCount: true, skipEmptyLines: false, trim: true });
    return (rows as unknown as { record: string[]; info: { lines: number } }[]).map(({ record, info }) => ({
      fields: record,
      line: info.lines,
    }));
  } catch (cause) {
    // The parser's own error says so, without a type.
    const line = Number((cause as { readonly lines?: unknown }).lines);
    throw new PricesError('CSV_MALFORMED', `line ${line}: not CSV: ${(cause as Error).message}`, { cause, fields: { line } });
  }
}

function readHeader(names: readonly string[]): Column[] {
  const known = (name: string): name is keyof typeof COLUMNS => Object.hasOwn(COLUMNS, name);
  const columns = names.map((name) => {
    const lower = name.toLowerCase();
    if (known(lower)) return COLUMNS[lower];
    throw columnsError(`unknown column ${shown(name)}`);
  });
  const missing = REQUIRED.filter((column) => !columns.includes(column));
  if (missing.length > 0) throw columnsError(`no column ${missing.join(', ')}`);
  if (new Set(columns).size < columns.length) throw columnsError('a column is there twice');
  return columns;
}

function columnsError(problem: string): PricesError {
  return new PricesError('CSV_COLUMNS', `line 1: ${problem}`, {
    fields: { line: 1, known: Object.keys(COLUMNS) },
    hint: 'The first line names the columns: date,open,high,low,close,volume, and adjclose if there is one.',
  });
}

function readRow(fields: readonly string[], columns: readonly Column[], line: number): DailyPrice {
  if (fields.length !== columns.length) {
    throw new PricesError('CSV_ROW_LENGTH', `line ${line}: ${fields.length} fields instead of ${columns.length}`, {
      fields: { line, count: fields.length, expected: columns.length },
    });
  }
  const values = new Map(columns.map((column, i) => [column, fields[i] as string]));
  const field = (column: Column): string => {
    const text = values.get(column) as string;
    if (text === '') throw new PricesError('CSV_FIELD_EMPTY', `line ${line}: ${column} is empty`, { fields: { line, column } });
    return text;
  };
  const number = (column: Column): number => readNumber(field(column), column, line);
  const price: DailyPrice = {
    date: readDate(field('date'), line),
    open: number('open'),
    high: number('high'),
    low: number('low'),
    close: number('close'),
    ...(values.has('adjustedClose') ? { adjustedClose: number('adjustedClose') } : {}),
    volume: number('volume'),
  };
  const { open, high, low, close } = price;
  if (high < Math.max(open, close, low) || low > Math.min(open, close)) {
    throw new PricesError('CSV_RANGE', `line ${line}: low ${low} to high ${high} does not hold open ${open} and close ${close}`, {
      fields: { line, open, high, low, close },
    });
  }
  return price;
}

function readNumber(text: string, column: Column, line: number): number {
  if (/^\d{1,15}(\.\d{1,12})?$/.test(text)) return Number(text);
  throw new PricesError('CSV_NUMBER', `line ${line}: ${column} is ${shown(text)}, not a number`, {
    fields: { line, column, value: shown(text) },
    hint: 'Numbers are plain decimals from 0 on, without signs, exponents or thousands separators.',
  });
}

function readDate(text: string, line: number): string {
  const valid = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);
  if (valid) return text;
  throw new PricesError('CSV_DATE', `line ${line}: ${shown(text)} is no date`, {
    fields: { line, value: shown(text) },
    hint: 'Dates are written like 2000-01-03.',
  });
}

function checkStep(previous: string, date: string, line: number): void {
  const days = (Date.parse(date) - Date.parse(previous)) / DAY_MS;
  const fields = { line, previous, date };
  if (days <= 0)
    throw new PricesError('CSV_DATE_ORDER', `line ${line}: ${date} does not come after ${previous}`, {
      fields,
      hint: 'Oldest first, one row a day.',
    });
  if (days > GAP_DAYS_MAX) {
    const hint = `Rows are missing, or the file is not daily. No step may be longer than ${GAP_DAYS_MAX} days.`;
    throw new PricesError('CSV_DATE_GAP', `line ${line}: ${days} days between ${previous} and ${date}`, {
      fields: { ...fields, days },
      hint,
    });
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > VALUE_SHOWN_MAX ? `${text.slice(0, VALUE_SHOWN_MAX)}…` : text);
}
