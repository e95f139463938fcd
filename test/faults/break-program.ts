/** Loaded before a node's program, of which it changes one line, for a run that has to be caught. The variant's name stands in the environment. */
import { assert } from '@nacre/base';
import { installVariant, VARIANTS } from '@nacre/simulator/variants';

const variant = VARIANTS.find(({ name }) => name === process.env.FAULTS_VARIANT);
assert(variant !== undefined, 'FAULTS_VARIANT names a variant');
installVariant(variant);
