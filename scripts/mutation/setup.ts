import { configureGlobal } from 'fast-check';

// One seed, so that a mutation is caught in every run or in none; no search for the smallest counterexample, which
// is of no interest here and can take longer than the property itself.
configureGlobal({ seed: 1, endOnFailure: true });
