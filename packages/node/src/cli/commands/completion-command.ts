import { type Command, Option } from 'commander';
import type { CommandContext } from '../program.ts';

interface Entry {
  /** Words of the command, separated by spaces; empty for the program itself. */
  readonly path: string;
  readonly words: readonly string[];
}

/** `completion`: a script for the shell, made from the commands that there are. */
export function addCompletionCommand(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .description('script for tab completion: eval "$(nacre completion bash)"')
    .argument('<shell>', 'bash or zsh')
    .action((shell: string, _options: unknown, command: Command) => {
      if (shell !== 'bash' && shell !== 'zsh') command.error(`error: no completion for ${shell}; there is bash and zsh`);
      const script = completionScript(entriesOf(program), shell === 'zsh');
      context.print({ shell, script }, () => [script]);
    });
}

function entriesOf(command: Command, path: readonly string[] = []): Entry[] {
  const visible = command.commands.filter((child) => child.name() !== 'help');
  const options = [...command.options, ...(path.length === 0 ? [] : [new Option('--help')])].flatMap(({ long }) => long ?? []);
  const entry = { path: path.join(' '), words: [...visible.map((child) => child.name()), ...options] };
  return [entry, ...visible.flatMap((child) => entriesOf(child, [...path, child.name()]))];
}

function completionScript(entries: readonly Entry[], zsh: boolean): string {
  const cases = entries.map(({ path, words }) => `    "${path}") words="${words.join(' ')} --json --rpc" ;;`);
  const preamble = zsh ? 'autoload -Uz bashcompinit && bashcompinit\n' : '';
  return `${preamble}_nacre() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
    *) COMPREPLY=($(compgen -f -- "$2")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$2"))
}
complete -F _nacre nacre`;
}
