import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPrices } from '../src/testnet/prices.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const HEADER = 'date,open,high,low,close,volume';

async function readText(text: string) {
  const path = join(await temporaryDirectory(), 'prices.csv');
  await writeFile(path, text);
  return readPrices(path);
}

describe('prices', () => {
  test('the shipped S&P 500 prices hold 5,105 days', async () => {
    const prices = await readPrices(fileURLToPath(new URL('../data/sp500-2000.csv', import.meta.resolve('vega-datasets'))));
    expect(prices).toHaveLength(5105);
    expect([prices[0]?.date, prices.at(-1)?.date]).toEqual(['2000-01-03', '2020-04-17']);
    expect(prices[7]).toEqual({
      date: '2000-01-12',
      open: 1438.560059,
      high: 1442.599976,
      low: 1427.079956,
      close: 1432.25,
      adjustedClose: 1432.25,
      volume: 974600000,
    });
  });

  test('columns in any order and case, with a byte order mark and Windows line ends', async () => {
    const prices = await readText('\ufeffClose,Date,OPEN,High,Low,Volume\r\n2,2020-01-02,1,3,0.5,10\r\n');
    expect(prices).toEqual([{ date: '2020-01-02', open: 1, high: 3, low: 0.5, close: 2, volume: 10 }]);
  });

  // @mutation packages/node/src/testnet/prices.ts
  // - if (/^\d{1,15}(\.\d{1,12})?$/.test(text)) return Number(text);
  // + return Number(text);
  test.each(['NaN', 'abc', 'Infinity', '1e5', '-1', '1,5', '0x10', '1.'])('%s is no number', async (value) => {
    await expect(readText(`${HEADER}\n2020-01-02,1,3,0.5,"${value}",10\n`)).rejects.toMatchObject({
      code: 'CSV_NUMBER',
      fields: { line: 2, column: 'close' },
    });
  });

  // @mutation packages/node/src/testnet/prices.ts
  // - if (days > GAP_DAYS_MAX) {
  // + if (days > 10 * GAP_DAYS_MAX) {
  test('a step of more than ten days is missing rows', async () => {
    const rows = (second: string) => `${HEADER}\n2020-01-02,1,3,0.5,2,10\n${second},1,3,0.5,2,10\n`;
    expect(await readText(rows('2020-01-12'))).toHaveLength(2);
    await expect(readText(rows('2020-01-13'))).rejects.toMatchObject({ code: 'CSV_DATE_GAP', fields: { line: 3, days: 11 } });
  });

  test.each([
    ['an empty field', `${HEADER}\n2020-01-02,1,3,,2,10\n`, 'CSV_FIELD_EMPTY', 2],
    ['a missing field', `${HEADER}\n2020-01-02,1,3,0.5,2\n`, 'CSV_ROW_LENGTH', 2],
    ['a field too many', `${HEADER}\n2020-01-02,1,3,0.5,2,10,7\n`, 'CSV_ROW_LENGTH', 2],
    ['an empty line between rows', `${HEADER}\n2020-01-02,1,3,0.5,2,10\n\n2020-01-03,1,3,0.5,2,10\n`, 'CSV_ROW_LENGTH', 3],
    ['a missing column', 'date,open,high,low,close\n', 'CSV_COLUMNS', 1],
    ['an unknown column', `${HEADER},color\n`, 'CSV_COLUMNS', 1],
    ['a column that is there twice', `${HEADER},volume\n`, 'CSV_COLUMNS', 1],
    ['no first line', '2020-01-02,1,3,0.5,2,10\n', 'CSV_COLUMNS', 1],
    ['a day that does not exist', `${HEADER}\n2020-02-30,1,3,0.5,2,10\n`, 'CSV_DATE', 2],
    ['a date written otherwise', `${HEADER}\n02.01.2020,1,3,0.5,2,10\n`, 'CSV_DATE', 2],
    ['a date that is there twice', `${HEADER}\n2020-01-02,1,3,0.5,2,10\n2020-01-02,1,3,0.5,2,10\n`, 'CSV_DATE_ORDER', 3],
    ['the newest first', `${HEADER}\n2020-01-03,1,3,0.5,2,10\n2020-01-02,1,3,0.5,2,10\n`, 'CSV_DATE_ORDER', 3],
    ['a high below the close', `${HEADER}\n2020-01-02,1,1.5,0.5,2,10\n`, 'CSV_RANGE', 2],
    ['a low above the open', `${HEADER}\n2020-01-02,1,3,1.5,2,10\n`, 'CSV_RANGE', 2],
    ['a quote that does not end', `${HEADER}\n"2020-01-02,1,3,0.5,2,10\n`, 'CSV_MALFORMED', 2],
    ['no rows', `${HEADER}\n`, 'CSV_EMPTY', 1],
    ['nothing', '', 'CSV_EMPTY', 1],
  ])('%s is refused with its line', async (_, text, code, line) => {
    await expect(readText(text)).rejects.toMatchObject({ code, fields: { line } });
  });

  test('a file that is not there, or a directory, is unreadable', async () => {
    const directory = await temporaryDirectory();
    await expect(readPrices(join(directory, 'none.csv'))).rejects.toMatchObject({ code: 'CSV_UNREADABLE' });
    await expect(readPrices(directory)).rejects.toMatchObject({ code: 'CSV_UNREADABLE' });
  });

  test('no text throws anything but its own error', async () => {
    const path = join(await temporaryDirectory(), 'prices.csv');
    const codes = new Set<string>();
    const cell = fc.oneof(fc.constantFrom('2020-01-02', '1', '2', '"', 'NaN', ''), fc.string());
    const csv = fc
      .array(fc.array(cell, { maxLength: 7 }), { maxLength: 4 })
      .map((rows) => [HEADER, ...rows.map((row) => row.join(','))].join('\n'));
    await fc.assert(
      fc.asyncProperty(csv, async (text) => {
        await writeFile(path, text);
        await readPrices(path).catch((error: { code: string }) => codes.add(error.code));
      }),
    );
    expect([...codes].every((code) => code.startsWith('CSV_'))).toBe(true);
  });
});
