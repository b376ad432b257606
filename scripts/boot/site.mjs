/**
 * Makes a site with search from the Markdown of the repository, into site/ or another folder:
 * `npm run site [-- --out <folder>]`. The generator is fetched by npx when it is asked for, because nobody needs it to
 * build, test or run the gateway. It fails at links to pages that do not exist.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, run } from './toolchain.mjs';

const GENERATOR = 'vitepress@1.6.4';
const REPOSITORY = 'https://github.com/ws-gateway/ws-gateway/blob/main/';
const STAGE = join(ROOT, '.cache', 'site');

/** Pages of the root that become pages of the site, with their names there. */
const ROOT_PAGES = {
  'README.md': 'index.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'reporting.md',
};

/** Pages by what a reader wants; those that are in no group come last. */
const GROUPS = {
  Using: ['protocol', 'records', 'guarantees', 'ordering', 'errors', 'migrating'],
  Applications: ['backend-links', 'admin-api', 'console'],
  Operating: [
    ...['operations', 'operations-redis-kafka', 'configuration', 'metrics', 'kubernetes', 'kubernetes-recipes'],
    ...['security', 'data', 'upgrading', 'performance', 'scale'],
  ],
  Inside: ['ARCHITECTURE', 'kafkajs', 'decisions/README', 'contributing', 'changelog'],
};

/** Links of Markdown and of its HTML, with a path. */
const LINK = /(\]\(|(?:src|srcset|href)=")([^)"\s#]+)(#[^)"\s]*)?([)"])/g;

/** Where a file of the repository is on the site; null: not there. */
function pageOf(file) {
  if (Object.hasOwn(ROOT_PAGES, file)) return ROOT_PAGES[file];
  return file.startsWith('docs/') ? file.slice('docs/'.length) : null;
}

/** Links to what is no page lead to the repository; all others to where the page is now. */
function relinked(text, file) {
  const from = posix.dirname(pageOf(file));
  return text.replaceAll(LINK, (...match) => {
    const [link, before, path, anchor = '', after] = match;
    if (/^[a-z]+:/.test(path)) return link;
    const target = posix.normalize(posix.join(posix.dirname(file), path)).replace(/\/$/, '');
    const page = pageOf(target);
    if (page !== null && /\.\w+$/.test(page)) {
      const there = posix.relative(from, page);
      return `${before}${there.startsWith('.') ? there : `./${there}`}${anchor}${after}`;
    }
    return `${before}${REPOSITORY}${target}${anchor}${after}`;
  });
}

function stage() {
  rmSync(STAGE, { recursive: true, force: true });
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(md|png|svg|yaml)$/.test(name),
  );
  for (const file of [...Object.keys(ROOT_PAGES), ...pages.map((name) => `docs/${name}`)]) {
    const target = join(STAGE, pageOf(file));
    mkdirSync(dirname(target), { recursive: true });
    if (file.endsWith('.md')) writeFileSync(target, relinked(readFileSync(join(ROOT, file), 'utf8'), file));
    else cpSync(join(ROOT, file), target);
  }
  mkdirSync(join(STAGE, '.vitepress'));
  writeFileSync(join(STAGE, '.vitepress', 'config.mjs'), configText(sidebar()));
  // Else the compiler takes the one of the workspace.
  writeFileSync(join(STAGE, 'tsconfig.json'), '{}');
}

function titleOf(page) {
  return /^# (.+)$/m.exec(readFileSync(join(STAGE, `${page}.md`), 'utf8'))?.[1].replaceAll('`', '') ?? page;
}

function sidebar() {
  const groups = Object.entries(GROUPS).map(([text, pages]) => ({
    text,
    items: pages
      .filter((page) => existsSync(join(STAGE, `${page}.md`)))
      .map((page) => ({ text: titleOf(page), link: `/${page}` })),
  }));
  const placed = new Set(Object.values(GROUPS).flat());
  const others = readdirSync(STAGE)
    .filter((name) => name.endsWith('.md') && name !== 'index.md' && !placed.has(name.slice(0, -'.md'.length)))
    .map((name) => name.slice(0, -'.md'.length));
  const rest = others.map((page) => ({ text: titleOf(page), link: `/${page}` }));
  return rest.length === 0 ? groups : [...groups, { text: 'More', items: rest }];
}

/** Our Markdown is plain: `<topic>` and `{{x}}` in it are text, and of HTML it has anchors and images only. */
function configText(items) {
  return `const plain = (md) => {
  const html = md.renderer.rules.html_inline ?? ((tokens, at) => tokens[at].content);
  md.renderer.rules.html_inline = (tokens, at, ...rest) =>
    /^<\\/?(a|br|img|sub|sup|kbd)\\b/.test(tokens[at].content) ? html(tokens, at, ...rest) : md.utils.escapeHtml(tokens[at].content);
  const text = md.renderer.rules.text;
  md.renderer.rules.text = (...args) => text(...args).replaceAll('{{', '&#123;&#123;');
};
export default {
  title: 'ws-gateway',
  description: 'Open gateway from Kafka to WebSockets',
  cleanUrls: true,
  lastUpdated: false,
  // Braces in headings are parts of addresses.
  markdown: { config: plain, attrs: { disable: true } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: ${JSON.stringify(items, null, 2)},
    socialLinks: [{ icon: 'github', link: 'https://github.com/ws-gateway/ws-gateway' }],
  },
};
`;
}

export async function site(args = []) {
  const { values } = parseArgs({ args, options: { out: { type: 'string' } } });
  const out = resolve(values.out ?? join(ROOT, 'site'));
  stage();
  const { code } = await run('npx', ['-y', GENERATOR, 'build', STAGE, '--outDir', out]);
  if (code === 0) console.log(`${relative(process.cwd(), out) || out}/index.html`);
  return code;
}
