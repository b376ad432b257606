import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { ROOT, run } from './toolchain.mjs';

/**
 * Patterns of references to pages that a reader of the repository does not have. The rule itself, or a page of docs/,
 * belongs there.
 */
const UNKNOWN_PAGES = [
  /\bcontract(-2)?\s*(§\s*)?\d/i,
  /\bcontract(-2)?\.md\b/i,
  // "the contract of Engine" names a seam of the code.
  /\bthe contract\b(?! of [A-Z])/i,
  /\bseeds?\s+0\d\d\b|\bthe seeds['’]/i,
  /\bfacts?\s*[:(,]\s*kafka\b/i,
  /\bfacts\.md\b/i,
];

/** Files with these patterns, and licences and lock files, which are not ours to word. */
const NOT_OURS = /^(scripts\/boot\/references\.mjs|LICENSE|pnpm-lock\.yaml|patches\/.*)$|\.(png|svg|ndjson)$/;

const FOLDERS = '(?:packages|apps|bench|scripts|docs|kubernetes|examples|patches)';
/** Matches, in backticks, a path from the root, or anything with a folder that ends like a source file. */
const QUOTED_PATH = new RegExp(`\`(${FOLDERS}/[^\`\\s]*|[\\w@.-]+/[^\`\\s]*\\.(?:ts|mjs|js|lua|proto))\``, 'g');
/** In backticks: the bare name of a source file. */
const QUOTED_NAME = /`([\w-]+(?:\.[\w-]+)*\.(?:ts|mjs|lua))`/g;
const LINK = /\]\(([^)\s#]+)(?:#[^)]*)?\)/g;
const PAGE_IN_CODE = /\bdocs\/[\w./-]+\.(?:md|yaml)\b/g;
const COMMENT = /^\s*(?:\/\/|\*|\/\*\*|--)\s/;
/** A source file that a comment names, with as many of its folders as it needs. */
const FILE_IN_COMMENT = /(?<![\w./-])(?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)*\.(?:ts|mjs|lua)\b/g;

/** Prints every line of the repository that refers to something that is not in it. */
export async function checkReferences() {
  const listed = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { capture: true });
  if (listed.code !== 0) return listed;
  const files = listed.output.split('\n').filter((file) => file !== '' && existsSync(join(ROOT, file)));
  const repository = { files, known: new Set(files.flatMap(withFolders)) };
  const problems = files.filter((file) => !NOT_OURS.test(file)).flatMap((file) => problemsOf(file, repository));
  for (const problem of problems) console.log(problem);
  return { code: problems.length === 0 ? 0 : 1 };
}

/** Lists a file and all folders above it. */
function withFolders(file) {
  const parts = file.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function problemsOf(file, repository) {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    const at = `${file}:${index + 1}:`;
    const unknown = UNKNOWN_PAGES.some((pattern) => pattern.test(line))
      ? [`${at} refers to a page outside of the repository: ${line.trim()}`]
      : [];
    const missing = pathsIn(file, line).filter((path) => !exists(path, repository));
    return [...unknown, ...missing.map((path) => `${at} ${path.replace('**/', '')} does not exist`)];
  });
}

/** Lists the paths from the root that a line names. The changelog may name what was. */
function pathsIn(file, line) {
  if (file === 'CHANGELOG.md') return [];
  if (!file.endsWith('.md')) {
    const sources = COMMENT.test(line) ? (line.match(FILE_IN_COMMENT) ?? []) : [];
    return [...(line.match(PAGE_IN_CODE) ?? []), ...sources.map((source) => `**/${source}`)];
  }
  const quoted = [...line.matchAll(QUOTED_PATH)].map(([, path]) => path);
  const links = [...line.matchAll(LINK)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(file), target)));
  const names = [...line.matchAll(QUOTED_NAME)].map(([, name]) => `**/${name}`);
  return [...quoted, ...names, ...links];
}

function exists(path, { files, known }) {
  // `<name>` and `…` stand for a choice of the reader's.
  if (/[<>…]/.test(path)) return true;
  const bare = path.replace(/\/$/, '');
  if (bare.startsWith('**/')) return files.some((file) => `/${file}`.endsWith(bare.slice(2)));
  if (!/[*{]/.test(bare)) return bare === '.' || known.has(bare);
  const pattern = bare
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '[^/]*')
    .replace(/\{([^}]*)\}/g, (_, choices) => `(${choices.replaceAll(',', '|')})`);
  return files.some((file) => new RegExp(`^${pattern}(/|$)`).test(file));
}
