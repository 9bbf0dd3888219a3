// Walks through a running Quartier with a real browser, as its users would: node e2e/run.mjs
//
//   QUARTIER_URL                  where it answers, http://127.0.0.1:8080 by default
//   QUARTIER_USER, _PASSWORD      an operator or administrator
//   QUARTIER_RESIDENT, _RESIDENT_PASSWORD   a resident
//   QUARTIER_SCREENSHOTS          folder for pictures of every page; none when empty
//   QUARTIER_CHROMIUM             the browser, /usr/bin/chromium by default
//   QUARTIER_STEPS                a pattern: only steps whose names it matches are walked, and those that sign in
//
// It changes nothing that it does not put back: it pauses one device and resumes it, and gives an order and ends it. It ends with 1 when a step failed.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { chromium } from 'playwright-core'

const env = (name, fallback) => process.env['QUARTIER_' + name] || fallback
const url = env('URL', 'http://127.0.0.1:8080').replace(/\/$/, '')
const operator = { name: env('USER', 'operator'), password: env('PASSWORD', 'quartier-demo') }
const resident = { name: env('RESIDENT', 'resident'), password: env('RESIDENT_PASSWORD', 'quartier-demo') }
const pictures = env('SCREENSHOTS', '')
const only = new RegExp(env('STEPS', ''))
const sizes = { wide: { width: 1440, height: 900 }, tablet: { width: 900, height: 1100 }, phone: { width: 390, height: 844 } }
const wait = 30_000

if (pictures) mkdirSync(pictures, { recursive: true })
const browser = await chromium.launch({
  executablePath: env('CHROMIUM', '/usr/bin/chromium'),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

const failures = []
let steps = 0

async function step(name, f) {
  if (!only.test(name) && !/sign/.test(name)) return
  const start = Date.now()
  steps++
  try {
    await f()
    console.log(`ok    ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  } catch (e) {
    failures.push(name)
    console.log(`FAIL  ${name}\n      ${String(e.stack ?? e).split('\n').slice(0, 6).join('\n      ')}`)
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(message)
}

/** A new window; whatever the page complains about is a failure of the step that looks at it. */
async function open({ size = 'wide', theme = 'light', lang = 'en' } = {}) {
  const context = await browser.newContext({ viewport: sizes[size], colorScheme: theme, locale: lang === 'fr' ? 'fr-FR' : 'en-GB', reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.setDefaultTimeout(wait)
  const faults = []
  page.on('pageerror', (e) => faults.push('error: ' + e.message))
  page.on('console', (m) => {
    if (m.type() === 'error' && !/status of (401|403)|ERR_CONNECTION_REFUSED/.test(m.text())) faults.push('console: ' + m.text())
  })
  return { context, page, faults, close: () => context.close() }
}

async function signIn(page, who) {
  await page.goto(url + '/')
  await page.fill('input[name=name]', who.name)
  await page.fill('input[name=password]', who.password)
  await page.click('form button.primary')
  await page.waitForSelector('#content h1')
}

/** Calls the API with the browser's session. */
const call = (page, path, init) =>
  page.evaluate(
    async ([path, init]) => {
      const res = await fetch(path, init)
      const type = res.headers.get('content-type') ?? ''
      return { status: res.status, body: type.includes('json') ? await res.json() : await res.text() }
    },
    [path, init],
  )

async function setLanguage(page, lang) {
  const { body: me } = await call(page, '/api/session')
  const r = await call(page, '/api/session/language', { method: 'PUT', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': me.csrf }, body: JSON.stringify({ language: lang }) })
  expect(r.status === 200, `changing the language answered ${r.status}`)
}

async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]') && [...document.querySelectorAll('[role="img"] .canvas')].every((c) => c.querySelector('canvas')))
  await page.waitForTimeout(150)
}

async function serious(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze()
  return violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} (${(n.any[0] ?? n.all[0])?.message ?? ''})`).join('; ')}`)
}

const picture = async (page, name, fullPage = true) => pictures && page.screenshot({ path: join(pictures, name + '.png'), fullPage })

/** The page draws something: a canvas whose pixels are not all alike. */
const drawn = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('canvas')].some((c) => {
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
      const seen = new Set()
      for (let i = 0; i < d.length; i += 4 * 97) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2])
      return seen.size > 6
    }),
  )

let district = ''

await step('a stranger sees the sign-in and nothing else', async () => {
  const w = await open()
  await w.page.goto(url + '/overview')
  await w.page.waitForSelector('input[name=password]')
  const r = await call(w.page, '/api/districts')
  expect(r.status === 401, `districts without a session answered ${r.status}`)
  await w.page.fill('input[name=name]', 'nobody')
  await w.page.fill('input[name=password]', 'wrong password')
  await w.page.click('form button.primary')
  await w.page.waitForSelector('[role=alert]')
  const bad = await serious(w.page)
  expect(bad.length === 0, bad.join('\n'))
  await picture(w.page, 'signin-en-light-wide')
  expect(w.faults.length === 0, w.faults.join('\n'))
  await w.close()
})

const main = await open()
await step('an operator signs in and reads the state of the district', async () => {
  await signIn(main.page, operator)
  await setLanguage(main.page, 'en')
  const { body: ds } = await call(main.page, '/api/districts')
  district = ds[0].id
  await main.page.goto(url + '/overview')
  await settled(main.page)
  const sentence = await main.page.textContent('#content h1')
  expect(sentence.includes(ds[0].name), `the sentence does not name the district: ${sentence}`)
  console.log('      ' + sentence)
})

await step('the live values move', async () => {
  await main.page.waitForSelector('.chip.good .pulse.on')
  const read = () => main.page.$$eval('section.flow svg text', (ts) => ts.map((t) => t.textContent).join('|'))
  const before = await read()
  const end = Date.now() + 60_000
  while ((await read()) === before) {
    expect(Date.now() < end, 'no value of the flow diagram changed in a minute')
    await main.page.waitForTimeout(500)
  }
})

await step("the day's chart shows what was measured and planned", async () => {
  await settled(main.page)
  expect(await drawn(main.page), 'the chart is empty')
  await main.page.click('figure button:has-text("Table")')
  const rows = await main.page.$$eval('figure tbody tr', (rs) => rs.map((r) => r.textContent))
  expect(rows.length >= 23, `the table has ${rows.length} hours`)
  expect(rows.some((r) => r.includes('planned')), 'no hour of the table is planned')
  await main.page.click('figure button:has-text("Chart")')
  await main.page.hover('figure [role=img]', { position: { x: 300, y: 120 } })
  await main.page.waitForSelector('.tip td')
})

await step('somebody says that he knows of an alarm', async () => {
  const named = (a) => [a.key, a.object, a.since].join()
  // an alarm may end while it is written about, and takes its row along: then it is the next one's turn
  for (let tries = 1; ; tries++) {
    const open = (await call(main.page, `/api/districts/${district}/alarms`)).body.filter((a) => !a.acknowledged_by)
    if (open.length === 0) return console.log('      no alarm to know of')
    try {
      await main.page.goto(url + '/overview')
      await settled(main.page)
      await main.page.click('section.alarms button:has-text("I know of it")')
      await main.page.fill('section.alarms input', 'seen in the walk')
      await main.page.click('section.alarms form button.primary')
      await main.page.waitForSelector('section.alarms :text("seen in the walk")')
      const bad = await serious(main.page)
      expect(bad.length === 0, bad.join('\n'))
      const { body: now } = await call(main.page, `/api/districts/${district}/alarms`)
      expect(now.some((a) => a.acknowledged_by && a.note === 'seen in the walk'), 'the acknowledgement is not known to the server')
      return
    } catch (e) {
      const still = new Set((await call(main.page, `/api/districts/${district}/alarms`)).body.map(named))
      if (tries === 4 || open.every((a) => still.has(named(a)))) throw e
    }
  }
})

await step('the sources outside are shown with their age and what stands in', async () => {
  const { body: status } = await call(main.page, '/api/status')
  if (status.feeds.length === 0) return console.log('      no source outside is configured')
  for (const lang of ['fr', 'en']) {
    await setLanguage(main.page, lang)
    await main.page.goto(url + '/data')
    await settled(main.page)
    const text = await main.page.textContent('#content')
    for (const f of status.feeds.filter((f) => f.error)) {
      expect(text.includes(f.error), `the error of ${f.id} is not shown`)
      expect(text.includes(lang === 'fr' ? 'muette' : 'silent') && text.includes(lang === 'fr' ? 'jours semblables' : 'similar days'), `${lang}: what stands in for ${f.id} is not said`)
    }
    const bad = await serious(main.page)
    expect(bad.length === 0, bad.join('\n'))
    await picture(main.page, `feeds-${lang}`)
  }
})

await step('the plan says what will happen and why', async () => {
  await main.page.goto(url + '/plan')
  await settled(main.page)
  await main.page.waitForSelector('.schedule .bar')
  expect((await main.page.$$('.schedule .bar')).length > 3, 'the schedule is empty')
  const r = await call(main.page, `/api/districts/${district}/plan`)
  expect(r.status === 200 && ['optimal', 'feasible'].includes(r.body.summary.status), `the plan is ${r.body.summary?.status}`)
  if (r.body.changes) await main.page.waitForSelector(':text("the plan of ")')
  const named = (await call(main.page, `/api/districts/${district}/devices`)).body.map((x) => x.name)
  const commanded = await main.page.$$eval('.ledger tbody tr td:nth-child(2)', (xs) => xs.map((x) => x.firstChild.textContent))
  expect(commanded.every((x) => named.includes(x)), `the ledger names ${commanded}`)
  await main.page.selectOption('.ledger select >> nth=1', 'applied')
  await main.page.waitForFunction(() => [...document.querySelectorAll('.ledger tbody .chip')].every((x) => x.textContent === 'done'))
  const csv = await call(main.page, await main.page.getAttribute('.ledger a[download]', 'href'))
  expect(csv.status === 200 && csv.body.startsWith('time,site,device,'), `the ledger's CSV answered ${csv.status}`)
  expect(csv.body.trim().split('\n').slice(1).every((l) => l.includes(',applied,')), "the ledger's CSV has lines of other outcomes")
})

await step('a bar of the schedule says what it stands for by keyboard and by a click', async () => {
  const { page } = main
  const said = async () => page.$$eval('.tip:popover-open', (xs) => xs.map((x) => x.textContent))
  const row = page.locator('.schedule li:has(.bar + .bar)').first()
  const bars = row.locator('.bar button')
  await row.locator('a.name').focus()
  await page.keyboard.press('Tab')
  const first = await said()
  expect(first.length === 1 && /kW, .*kWh/.test(first[0]), `the first bar says ${JSON.stringify(first)}`)
  expect(await bars.first().evaluate((b) => b === document.activeElement && document.getElementById(b.getAttribute('aria-describedby')).matches('.tip:popover-open')), 'what is said is not the description of what has the focus')
  await page.keyboard.press('ArrowRight')
  const second = await said()
  expect(second.length === 1 && second[0] !== first[0], `the second bar says ${JSON.stringify(second)}`)
  await page.keyboard.press('Escape')
  expect((await said()).length === 0, 'it stays after Escape')
  const wide = row.locator('.bar').nth(await row.locator('.bar').evaluateAll((xs) => xs.map((x) => x.clientWidth).reduce((at, w, i, all) => (w > all[at] ? i : at), 0)))
  await wide.click()
  const clicked = await said()
  await page.mouse.move(1, 1) // it stays when the pointer leaves
  expect(clicked.length === 1 && JSON.stringify(await said()) === JSON.stringify(clicked), `a click says ${JSON.stringify(clicked)}, and then ${JSON.stringify(await said())}`)
  await page.mouse.click(1, 1)
  expect((await said()).length === 0, 'it stays after a click elsewhere')
})

await step('every device is listed with its state', async () => {
  await main.page.goto(url + '/devices')
  await main.page.waitForSelector('a.item')
  const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
  const shown = (await main.page.$$('a.item')).length
  expect(devices.length > 200 ? shown > 10 : shown === devices.length, `${shown} devices are shown of ${devices.length}`)
  await main.page.fill('input[type=search]', 'zzzz')
  await main.page.waitForFunction(() => document.querySelectorAll('a.item').length === 0)
  await main.page.fill('input[type=search]', '')
  await main.page.waitForSelector('a.item')
})

await step('a device shows its readings, its past and its plan, and can be paused and resumed', async () => {
  const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
  const d = devices.find((x) => x.kind === 'battery' && x.controllable) ?? devices.find((x) => x.controllable) ?? devices[0]
  await main.page.goto(`${url}/devices?d=${district}&site=${d.site}&device=${d.id}`)
  await settled(main.page)
  await main.page.waitForSelector('table td strong')
  await picture(main.page, 'device-en-light-wide')
  const { body: me } = await call(main.page, '/api/session')
  if (!me.features.overrides || !d.controllable) return
  await main.page.click('button:has-text("Pause control")')
  await main.page.waitForSelector('dialog[open] .notice')
  await main.page.fill('dialog input', 'trying the pause')
  await picture(main.page, 'device-pause-en-light-wide', false)
  await main.page.click('dialog button.primary')
  await main.page.waitForSelector('text=trying the pause')
  await main.page.click('button:has-text("Resume control")')
  await main.page.waitForSelector('button:has-text("Pause control")')
})

await step('a heat pump shows what was learned of its rooms, and by what plans go', async () => {
  const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
  for (const d of devices.filter((x) => x.kind === 'heat_pump')) {
    const { body: detail } = await call(main.page, `/api/districts/${district}/devices/${d.site}/${d.id}`)
    const use = detail.learned.find((f) => f.key === 'in_use')
    if (!use) continue
    await main.page.goto(`${url}/devices?d=${district}&site=${d.site}&device=${d.id}`)
    await settled(main.page)
    await main.page.waitForSelector('p:has-text("Plans go by")')
    const facts = await main.page.locator('section.card').allInnerTexts()
    expect(facts.some((x) => x.includes('±') && x.includes('K/kW') && x.includes('kWh/K')), `what was learned is not shown with its deviation: ${facts}`)
    expect(!facts.some((x) => x.includes(use.word) && use.word.includes('_')), `${use.word} is shown as it stands in the API`)
    await picture(main.page, 'rooms-en-light-wide')
    return
  }
})

await step('an order is given by keyboard, is listed with its reason, and ends early', async () => {
  const { body: me } = await call(main.page, '/api/session')
  await main.page.goto(`${url}/orders?d=${district}`)
  await settled(main.page)
  if (!me.features.orders) return
  await main.page.focus('#content button.primary')
  await main.page.keyboard.press('Enter')
  await main.page.waitForSelector('dialog[open] select')
  await main.page.selectOption('dialog[open] select >> nth=0', 'lock_out')
  await main.page.waitForFunction(() => document.querySelectorAll('dialog[open] select')[1]?.options.length > 0)
  await main.page.waitForSelector('dialog[open] .trial:has-text("would cost")')
  await main.page.waitForFunction(() => !document.querySelector('dialog[open] .trial')?.textContent?.includes('Reckoning'), undefined, { timeout: 60_000 })
  await main.page.fill('dialog[open] form > label:last-of-type input', 'trying a lock-out')
  await picture(main.page, 'orders-give-en-light-wide', false)
  // what is wrong with an order is said in the reader's words, and nothing that was written is lost
  await main.page.fill('dialog[open] input[type=datetime-local] >> nth=1', '2020-01-01T00:00')
  await main.page.keyboard.press('Enter')
  await main.page.waitForSelector('dialog[open] [role=alert]:has-text("is not after the start")')
  const others = main.faults.filter((f) => !f.includes('status of 422')) // the browser tells of each answer that is no success, and this one is wanted
  expect(others.length < main.faults.length, 'the server took the order')
  main.faults.splice(0, Infinity, ...others)
  expect((await main.page.inputValue('dialog[open] form > label:last-of-type input')) === 'trying a lock-out', 'the reason is lost')
  await main.page.fill('dialog[open] input[type=datetime-local] >> nth=1', '')
  await main.page.focus('dialog[open] form > label:last-of-type input')
  await main.page.keyboard.press('Enter')
  await main.page.waitForSelector('td:has-text("trying a lock-out")')
  await picture(main.page, 'orders-en-light-wide')
  const { body: list } = await call(main.page, `/api/districts/${district}/orders`)
  const mine = list.find((o) => o.reason === 'trying a lock-out' && o.state === 'running')
  expect(mine?.kind === 'lock_out' && mine.author === operator.name, `the API lists ${JSON.stringify(mine)}`)
  await main.page.click('tr:has-text("trying a lock-out") button')
  await main.page.fill('dialog[open] input', 'done with it')
  await main.page.click('dialog[open] button.primary')
  await main.page.waitForSelector('section:last-of-type tr:has-text("trying a lock-out"):has-text("ended early")')
})

await step('the balance of the day and the month add up to what the API says', async () => {
  for (const period of ['day', 'month']) {
    await main.page.goto(`${url}/balance?period=${period}`)
    await settled(main.page)
    await main.page.waitForSelector('figure')
    expect(await drawn(main.page), `the ${period}'s chart is empty`)
    const { body: b } = await call(main.page, `/api/districts/${district}/balance?period=${period}`)
    const t = b.total
    const gap = t.import_kwh + t.production_kwh + t.discharge_kwh + t.residual_kwh - t.export_kwh - t.charge_kwh - t.consumption_kwh
    expect(Math.abs(gap) < 1e-6, `the ${period}'s balance is open by ${gap} kWh`)
    await main.page.click('figure button:has-text("Table")')
    const rows = (await main.page.$$('figure tbody tr')).length
    expect(rows === b.parts.filter((p) => p.slots > 0).length, `the table of the ${period} has ${rows} rows`)
  }
  const csv = await call(main.page, `/api/districts/${district}/balance.csv?period=month`)
  expect(csv.status === 200 && csv.body.startsWith('start,'), `the CSV answered ${csv.status}`)
})

await step('the page calls nothing positive but by a profile, and shows flows, carriers and indicators as the API has them', async () => {
  await main.page.goto(`${url}/balance?period=month`)
  await main.page.waitForSelector('article.profile')
  await settled(main.page)
  expect(await drawn(main.page), 'the flows are not drawn')
  const { body: b } = await call(main.page, `/api/districts/${district}/balance?period=month`)
  const { body: s } = await call(main.page, `/api/districts/${district}/balance/statement?from=${b.start}&to=${b.end}&step=day`)
  const articles = await main.page.$$eval('article.profile', (xs) => xs.map((x) => ({ text: x.textContent, chip: x.querySelector('.chip')?.textContent.trim() })))
  expect(articles.length === s.ped.length && s.ped.length > 0, `${articles.length} profiles are shown, there are ${s.ped.length}`)
  s.ped.forEach((p, i) => {
    const r = p.balances.find((x) => x.period === 'rolling_12_months')
    expect(articles[i].text.includes(`${p.profile.id} v${p.profile.version}`), `the ${i}th profile is shown without its name`)
    const words = { positive: 'positive by this profile', not_positive: 'not positive by this profile', open: 'not decided' }[r.verdict]
    expect(articles[i].chip === words, `${p.profile.id} is ${r.verdict} and shown as ${articles[i].chip}`)
    expect((r.verdict === 'positive') === / is positive by /.test(articles[i].text), `${p.profile.id} is ${r.verdict}, and the page says: ${articles[i].text}`)
  })
  const carriers = (await main.page.$$('table.carriers tbody tr')).length
  expect(carriers === s.total.length, `${carriers} carriers are shown, there are ${s.total.length}`)
  await main.page.click('details:has(table.kpis) summary')
  const kpis = (await main.page.$$('table.kpis tbody tr')).length
  expect(kpis === s.kpis.length, `${kpis} indicators are shown, there are ${s.kpis.length}`)
  const reasons = s.kpis.filter((k) => k.reason).map((k) => k.reason)
  const hints = await main.page.$$eval('table.kpis tbody .hint button', (xs) => xs.map((x) => document.getElementById(x.getAttribute('aria-describedby')).textContent))
  expect(JSON.stringify(hints) === JSON.stringify(reasons), `what is missing says ${JSON.stringify(hints)}, want ${JSON.stringify(reasons)}`)
  await main.page.click('article.profile details summary')
  await main.page.waitForSelector('article.profile details[open] table')
  await picture(main.page, 'balance-profiles-en-light-wide')
  // asked beside the page, which would complain of the answer
  const wrong = await main.page.context().request.get(url + `/api/districts/${district}/balance/statement?from=${b.start}&to=${b.end}&profile=nobody`)
  expect(wrong.status() === 422, `an unknown profile answered ${wrong.status()}`)
})

await step('members’ months are listed, sorted and taken away, and a member’s own can be read', async () => {
  await main.page.goto(url + '/members')
  await main.page.waitForSelector('tbody tr')
  const v = (await call(main.page, `/api/districts/${district}/sharing`)).body
  const names = () => main.page.$$eval('tbody tr td:first-child strong', (xs) => xs.map((x) => x.textContent))
  await main.page.locator('th button').nth(2).click() // consumption, the largest first
  await main.page.waitForSelector('th[aria-sort=descending]')
  const most = [...v.members].sort((a, b) => b.energy.consumption_kwh - a.energy.consumption_kwh)
  const shown = await names()
  expect(shown.length === v.members.length, `${shown.length} members are shown, there are ${v.members.length}`)
  expect(v.members.find((m) => m.member.name === shown[0]).energy.consumption_kwh === most[0].energy.consumption_kwh, `the first is ${shown[0]}, the largest ${most[0].member.name}`)
  await main.page.locator('th button').nth(2).click()
  await main.page.waitForSelector('th[aria-sort=ascending]')
  const csv = await call(main.page, `/api/districts/${district}/sharing.csv?month=${v.month}`)
  expect(csv.status === 200 && csv.body.trim().split('\n').length === v.members.length + 1, `the CSV answered ${csv.status}: ${csv.body}`)
  await main.page.click('tbody tr a')
  await main.page.waitForSelector('.tiles, .pair')
  await settled(main.page)
})

await step('a stream that is lost is said and comes back', async () => {
  await main.page.goto(url + '/overview')
  await main.page.waitForSelector('.chip.good .pulse.on')
  await main.page.route('**/api/stream*', (r) => r.abort('connectionrefused'))
  await main.page.reload()
  await main.page.waitForSelector('.banner.bad')
  await main.page.unroute('**/api/stream*')
  await main.page.waitForSelector('.chip.good .pulse.on')
})

await step('the keyboard reaches the content and the menu', async () => {
  await main.page.goto(url + '/overview')
  await settled(main.page)
  await main.page.keyboard.press('Tab')
  expect((await main.page.evaluate(() => document.activeElement?.className)).includes('skip'), 'the first stop is not the way to the content')
  await main.page.keyboard.press('Enter')
  expect((await main.page.evaluate(() => document.activeElement?.id)) === 'content', 'the skip link does not lead to the content')
  await main.page.focus('summary')
  await main.page.keyboard.press('Enter')
  await main.page.waitForSelector('.panel select')
  await main.page.keyboard.press('Escape')
})

await step('language and theme change at once and stay', async () => {
  await main.page.goto(url + '/settings')
  await settled(main.page)
  const kept = main.page.waitForResponse((r) => r.url().endsWith('/api/session/language') && r.ok())
  await main.page.selectOption('#content select >> nth=0', 'fr')
  await main.page.waitForSelector('h1:has-text("Réglages")')
  await kept
  await main.page.selectOption('#content select >> nth=1', 'dark')
  expect((await main.page.getAttribute('html', 'data-theme')) === 'dark', 'the theme did not change')
  await main.page.reload()
  await main.page.waitForSelector('h1:has-text("Réglages")')
  expect((await main.page.getAttribute('html', 'data-theme')) === 'dark', 'the theme did not stay')
  expect((await main.page.getAttribute('html', 'lang')) === 'fr', 'the language did not stay')
  await main.page.selectOption('#content select >> nth=1', 'auto')
})
await step('no page of the walk complained', async () => expect(main.faults.length === 0, main.faults.join('\n')))
await main.close()

for (const [size, theme, lang] of [['wide', 'light', 'en'], ['phone', 'dark', 'fr'], ['tablet', 'light', 'fr'], ['wide', 'dark', 'en']]) {
  const w = await open({ size, theme, lang })
  await step(`signing in: ${lang}, ${theme}, ${size}`, async () => {
    await signIn(w.page, operator)
    await setLanguage(w.page, lang)
  })
  for (const path of ['/overview', '/overview?d=all', '/plan', '/devices', '/orders', '/balance?period=day', '/balance?period=month', '/members', '/data', '/settings']) {
    await step(`${path} in ${lang}, ${theme}, ${size}: fits, accessible, no complaint`, async () => {
      w.faults.length = 0
      await w.page.goto(url + path)
      await w.page.waitForSelector('#content h1')
      expect(!(await w.page.$('#content > .start')), 'the page is refused')
      await settled(w.page)
      const over = await w.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(over <= 1, `the page is ${over} px wider than the window`)
      await picture(w.page, `${path.replace(/[^a-z]+/g, '-').replace(/^-|-$/g, '')}-${lang}-${theme}-${size}`)
      const bad = await serious(w.page)
      expect(bad.length === 0, bad.join('\n'))
      expect(w.faults.length === 0, w.faults.join('\n'))
    })
  }
  await w.close()
}

for (const [size, theme, lang] of [['phone', 'light', 'fr'], ['wide', 'light', 'en']]) {
  await step(`a resident sees his own month, and nothing of others: ${lang}, ${size}`, async () => {
    const w = await open({ size, theme, lang })
    await signIn(w.page, resident)
    await setLanguage(w.page, lang)
    await w.page.goto(url + '/')
    await settled(w.page)
    const links = await w.page.$$eval('nav li a', (as) => as.map((a) => new URL(a.href).pathname))
    expect(links.join() === '/energy,/settings', `the resident is offered ${links}`)
    const { body: me } = await call(w.page, '/api/session')
    const mine = await call(w.page, `/api/districts/${me.district}/members/${me.member}`)
    expect(mine.status === 200, `his own month answered ${mine.status}`)
    for (const path of ['overview', 'devices', 'members', 'plan', 'balance', 'day']) {
      const r = await call(w.page, `/api/districts/${me.district}/${path}`)
      expect(r.status === 403, `${path} answered ${r.status} to a resident`)
    }
    const other = await call(w.page, `/api/districts/${me.district}/members/somebody-else`)
    expect(other.status === 403, `another member answered ${other.status}`)
    const before = mine.body.months.find((m) => m !== mine.body.month)
    if (before) {
      await w.page.selectOption('#content select', before)
      await w.page.waitForURL(/month=/)
      await w.page.waitForSelector('.tiles')
      await settled(w.page)
      if (mine.body.reports && mine.body.member.consent_report) {
        const report = await call(w.page, `/api/districts/${me.district}/members/${me.member}/report?month=${before}&format=pdf&language=${lang}`)
        expect(report.status === 200, `the report of ${before} answered ${report.status}`)
      }
    }
    await picture(w.page, `energy-${lang}-${theme}-${size}`)
    const bad = await serious(w.page)
    expect(bad.length === 0, bad.join('\n'))
    await w.page.goto(url + '/overview')
    await w.page.waitForSelector('#content .start h1')
    expect(w.faults.length === 0, w.faults.join('\n'))
    await w.close()
  })
}

await step('the account speaks English again', async () => {
  const w = await open()
  await signIn(w.page, operator)
  await setLanguage(w.page, 'en')
  await w.close()
})
await browser.close()
console.log(`${steps - failures.length} of ${steps} steps passed`)
if (failures.length > 0) {
  console.log('failed:\n  ' + failures.join('\n  '))
  process.exit(1)
}
