import { Argument, type Command, type Option } from 'commander';
import { print } from './output.js';

const EXAMPLES = `
Examples:
  $ source <(ws-gateway completion bash)        # or in ~/.bashrc
  $ ws-gateway completion zsh > "\${fpath[1]}/_ws-gateway"
  $ ws-gateway completion fish > ~/.config/fish/completions/ws-gateway.fish`;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('print what makes the shell complete commands and options')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', EXAMPLES)
    .action((shell: keyof typeof scripts) => print(scripts[shell](branchesOf(program))));
}

/** A command as it is typed behind the program's name. */
interface Branch {
  /** Path of words, each with a space before it; '' is the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly Option[];
}

/** Reads the branches from commander's own tree, so that nothing is listed twice by hand. */
function branchesOf(command: Command, path = ''): Branch[] {
  const help = command.createHelp();
  const visible = new Set(help.visibleCommands(command));
  const children = command.commands.filter((child) => visible.has(child));
  const commands = children.map((child) => ({ name: child.name(), description: child.description() }));
  const options = help.visibleOptions(command);
  const below = children.flatMap((child) => branchesOf(child, `${path} ${child.name()}`));
  return [{ path, commands, options }, ...below];
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

/** Lists the flags that take a word of the user's own, by whether that word is a file. */
function withValue(branches: readonly Branch[], isFile: boolean): string {
  const options = branches.flatMap((branch) => branch.options).filter(({ required }) => required);
  const wanted = options.filter(({ flags }) => flags.includes('<file>') === isFile);
  return [...new Set(wanted.flatMap(flagsOf))].join('|');
}

/** `'…'` for all three shells; an apostrophe is typographic, so that none has to be quoted. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}

function paths(branches: readonly Branch[], separator: string): string {
  return branches
    .filter(({ path }) => path !== '')
    .map(({ path }) => quoted(path))
    .join(separator);
}

function bash(branches: readonly Branch[]): string {
  const cases = branches.map(({ path, commands, options }) => {
    const words = [...commands.map(({ name }) => name), ...options.flatMap(flagsOf)];
    return `    ${quoted(path)}) words=${quoted(words.join(' '))} ;;`;
  });
  return `_ws_gateway() {
  local current=\${COMP_WORDS[COMP_CWORD]} command='' words='' i
  COMPREPLY=()
  case \${COMP_WORDS[COMP_CWORD - 1]} in
    ${withValue(branches, true)}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${withValue(branches, false)}) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
      ${paths(branches, ' | ')}) command="$command \${COMP_WORDS[i]}" ;;
    esac
  done
  case $command in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _ws_gateway ws-gateway`;
}

function zsh(branches: readonly Branch[]): string {
  // A colon divides the word from its description.
  const entry = (word: string, description: string): string => quoted(`${word.replaceAll(':', '\\:')}:${description}`);
  const cases = branches.map(({ path, commands, options }) => {
    const entries = [
      ...commands.map(({ name, description }) => entry(name, description)),
      ...options.flatMap((option) => flagsOf(option).map((word) => entry(word, option.description))),
    ];
    return `    ${quoted(path)}) entries=(${entries.join(' ')}) ;;`;
  });
  return `#compdef ws-gateway
_ws_gateway() {
  local command='' i
  local -a entries
  case $words[CURRENT-1] in
    ${withValue(branches, true)}) _files; return ;;
    ${withValue(branches, false)}) return ;;
  esac
  for ((i = 2; i < CURRENT; i++)); do
    case "$command $words[i]" in
      ${paths(branches, ' | ')}) command="$command $words[i]" ;;
    esac
  done
  case $command in
${cases.join('\n')}
  esac
  _describe 'ws-gateway' entries
}
if [ "$funcstack[1]" = _ws-gateway ]; then _ws_gateway "$@"; else compdef _ws_gateway ws-gateway; fi`;
}

function fish(branches: readonly Branch[]): string {
  const lines = branches.flatMap(({ path, commands, options }) => {
    const at = `complete -c ws-gateway -n "__ws_gateway_at '${path}'"`;
    return [
      ...commands.map(({ name, description }) => `${at} -a ${name} -d ${quoted(description)}`),
      ...options.map((option) => {
        const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
        const long = option.long === undefined ? '' : ` -l ${option.long.slice(2)}`;
        const value = option.required ? (option.flags.includes('<file>') ? ' -r -F' : ' -x') : '';
        return `${at}${short}${long}${value} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `function __ws_gateway_at
  set -l command ''
  for word in (commandline -opc)[2..-1]
    switch "$command $word"
      case ${paths(branches, ' ')}
        set command "$command $word"
    end
  end
  test "$command" = "$argv[1]"
end
complete -c ws-gateway -f
${lines.join('\n')}`;
}

const scripts = { bash, zsh, fish } as const;
