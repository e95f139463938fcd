import type { RoundState } from '@nacre/consensus';
import type { Behaviour } from './behaviour.ts';

/** Lures peers into syncing from it: claims heights that nobody has reached, and answers with headers, certificates and blocks that are not the chain's. */
export const syncLiar: Behaviour = (world) => {
  const { random, vote: sign, validator } = world;
  const lure = (state: RoundState): RoundState => ({ ...state, height: state.height + random.int(1_000), round: 0 });
  return {
    send: (message) => {
      if (message.kind !== 'round-state' || random.chance(0.3)) return undefined;
      world.acted();
      return [{ content: { kind: 'round-state', state: lure(message.state) } }];
    },
    answer: (told) => {
      world.acted();
      if (told.kind === 'headers') {
        const { headers, certificate } = told.answer;
        const last = headers.at(-1);
        if (last === undefined || certificate === null) return [];
        const spoiled = headers.with(-1, { ...last, timeMs: last.timeMs + 1 });
        const own = { validator, signature: sign({ ...certificate, kind: 'commit' }).signature };
        return [
          {
            content: random.pick([
              { kind: 'headers' as const, answer: { headers: spoiled, certificate } },
              { kind: 'headers' as const, answer: { headers: headers.slice(1), certificate } },
              { kind: 'headers' as const, answer: { headers, certificate: { ...certificate, commits: [own] } } },
              {
                kind: 'headers' as const,
                answer: {
                  headers,
                  certificate: { ...certificate, commits: certificate.commits.map((commit) => ({ ...commit, signature: own.signature })) },
                },
              },
            ]),
          },
        ];
      }
      if (told.kind !== 'blocks') return undefined;
      const { blocks } = told.answer;
      return [
        {
          content: {
            kind: 'blocks',
            answer: { blocks: random.pick([blocks.toReversed(), blocks.slice(1), blocks.map(({ block }) => ({ block, bodies: [] })), []]) },
          },
        },
      ];
    },
  };
};
