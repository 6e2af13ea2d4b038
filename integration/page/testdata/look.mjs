// Looks at pages, and prints a line of JSON for each thing that is wrong. It reads what to
// look at from standard input.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';

const plan = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(plan.modules + '/');
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const wrong = (where, what) => console.log(JSON.stringify({where, what}));
const devices = {
  desktop: {viewport: {width: 1280, height: 900}},
  tall: {viewport: {width: 1280, height: 1400}},
  phone: {viewport: {width: 390, height: 844}, deviceScaleFactor: 1, isMobile: true, hasTouch: true},
};

const browser = await chromium.launch({executablePath: plan.chromium, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']});
const patience = 120_000;

async function open(look) {
  const context = await browser.newContext({
    ...devices[look.device], colorScheme: look.scheme, javaScriptEnabled: look.scripts, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const where = () => `${look.world} ${look.device} ${look.scheme}${look.scripts ? '' : ' without scripts'} ${new URL(page.url()).pathname}`;
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && !m.text().includes('status of 40') && wrong(where(), `console: ${m.text()}`));
  page.on('pageerror', (e) => wrong(where(), `script: ${e.message}`));
  page.on('request', (r) => {
    if (!r.url().startsWith(look.base) && !r.url().startsWith('data:')) wrong(where(), `it asks ${r.url()}`);
  });
  return {context, page, where};
}

async function examine(page, where, look) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (width > 0) wrong(where(), `it is ${width} pixels too wide`);
  if (!look.axe) return;
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}));
  for (const v of found.violations) wrong(where(), `axe: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html + ' ' + n.failureSummary).join(' | ')}`);
}

async function logIn(page, look) {
  await page.goto(look.base + '/-/status/runs?kind=backup');
  await page.getByLabel('User').fill(look.user);
  await page.getByLabel('Password').fill(look.password);
  await page.getByRole('button', {name: 'Log in'}).click();
  await page.waitForURL('**/-/status/runs?kind=backup'); // where one wanted to go
}

async function keyboard(page, where, look) {
  await page.goto(look.base + '/-/status/modules');
  if (!(await page.$('main a'))) return; // nothing there takes the focus
  await page.keyboard.press('Tab');
  const first = await page.evaluate(() => document.activeElement.textContent);
  if (first !== 'Skip to the content') wrong(where(), `the first stop of the Tab key is "${first}"`);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  if (await page.evaluate(() => !document.activeElement.closest('main'))) wrong(where(), 'the link to the content does not lead there');
}

// act does something, as people do: a link, a question, a button; and sees what runs move.
async function act(page, where, look) {
  const moved = page.waitForResponse((r) => r.url().endsWith('/-/status/runs/live'));
  await page.goto(look.base + '/-/status/runs');
  if ((await moved).status() !== 200) wrong(where(), 'the script does not hear what runs');
  if (!(await page.locator('progress').first().isVisible())) wrong(where(), 'what runs is not seen');
  await page.getByRole('link', {name: /^Pause/}).first().click();
  await page.getByLabel('How long').selectOption('for a day');
  await page.getByRole('button', {name: 'Pause'}).click();
  await examine(page, where, look);
  if (!(await page.getByText('It is paused until').isVisible())) wrong(where(), `a pause ends in ${await page.textContent('main')}`);
  await page.goto(look.base + '/-/status/runs');
  if (!(await page.getByRole('link', {name: /^Resume/}).first().isVisible())) wrong(where(), 'a pause is not seen');
}

for (const look of plan.looks) {
  const {context, page, where} = await open(look);
  try {
    await page.goto(look.base + '/-/status/login');
    await examine(page, where, look);
    await logIn(page, look);
    for (const path of look.paths) {
      const answer = await page.goto(look.base + path);
      if (answer.status() !== 200) wrong(where(), `status ${answer.status()}`);
      await examine(page, where, look);
      const picture = look.pictures?.[path];
      if (picture) await page.screenshot({path: picture.file, clip: picture.clip});
    }
    for (const text of look.texts ?? []) {
      await page.goto(look.base + text.path);
      if (!(await page.getByText(text.text, {exact: false}).first().isVisible())) wrong(where(), `"${text.text}" is not seen`);
    }
    if (look.keyboard) await keyboard(page, where, look);
    if (look.acts) await act(page, where, look);
    await page.goto(look.base + '/-/status');
    await page.getByRole('button', {name: 'Log out'}).click();
    await page.waitForURL('**/-/status/login');
    await page.goto(look.base + '/-/status');
    if (!page.url().includes('/login')) wrong(where(), 'the session outlives the logout');
  } catch (e) {
    wrong(where(), String(e.stack));
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify({done: plan.looks.length}));
