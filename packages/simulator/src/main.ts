/** `npm run simulate`. With `--variant`, the program is broken before any of it is loaded. */
import { installVariant } from './variants/install-variant.ts';
import { VARIANTS } from './variants/variants.ts';

const args = process.argv.slice(2);
const name = args.includes('--variant') ? args[args.indexOf('--variant') + 1] : undefined;
const variant = VARIANTS.find((each) => each.name === name) ?? null;
if (name !== undefined && variant === null) {
  console.error(`there is no variant ${name}; there are ${VARIANTS.map((each) => each.name).join(', ')}`);
  process.exitCode = 2;
} else {
  if (variant !== null) installVariant(variant);
  const { simulate } = await import('./simulate.ts');
  process.exitCode = await simulate(args, variant);
}
