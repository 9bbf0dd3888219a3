// The plan, its schedule and its ledger.
import { call, chosen, drawn, expect, picture, serious, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
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

  await step('the plan says what it expects of every series, in which band, by keyboard and as a table', async () => {
    const { page } = main
    await page.goto(url + '/plan')
    await settled(page)
    const { body: plan } = await call(page, `/api/districts/${district}/plan`)
    if (plan.foreseen.length === 0) return page.waitForSelector('.expected:has-text("does not say how sure")')
    const rows = page.locator('.expected table tbody tr')
    const listed = async (site) => {
      const shown = await rows.evaluateAll((xs) => xs.map((x) => x.textContent))
      const want = plan.foreseen.filter((f) => f.site === site)
      expect(shown.length === want.length, `${shown.length} series are shown of ${site}, there are ${want.length}`)
      want.forEach((f, i) => expect(shown[i].includes(f.device_name) && f.stepped_back === shown[i].includes('similar days') && (f.now?.low === null || f.now?.low === f.now?.high || / to /.test(shown[i])), `${JSON.stringify(f)} is shown as ${shown[i]}`))
    }
    await listed(plan.foreseen[0].site)
    for (const site of new Set(plan.foreseen.map((f) => f.site))) {
      await page.selectOption('.expected select', site)
      await settled(page)
      await listed(site)
      const back = plan.foreseen.find((f) => f.site === site && f.stepped_back)
      if (back) {
        await page.click('.expected tr:has(.back) button')
        await page.waitForSelector('.expected p:has-text("Similar days are trusted more")')
      }
    }
    const banded = plan.foreseen.find((f) => f.in_6h?.low !== null && f.in_6h?.low !== f.in_6h?.high)
    expect(banded, 'no series has a band')
    await page.selectOption('.expected select', banded.site)
    await rows.nth(plan.foreseen.filter((f) => f.site === banded.site).indexOf(banded)).locator('button').click()
    await settled(page)
    expect(await drawn(page), 'the band is not drawn')
    const cursor = page.locator('.expected input[type=range]')
    const said = () => cursor.getAttribute('aria-valuetext')
    const before = await said()
    await cursor.focus()
    for (let i = 0; i < 24; i++) await page.keyboard.press('ArrowRight')
    expect((await said()) !== before && /between .* and .* in four of five cases/.test(await said()), `by the keyboard it says ${await said()}, and before ${before}`)
    expect((await page.textContent('.expected .said')) === (await said()), 'what is heard is not what is seen')
    await page.hover('.expected [role=img]', { position: { x: 400, y: 100 } })
    await page.waitForSelector('.expected .tip td')
    await page.click('.expected button:has-text("Table")')
    const { body: one } = await call(page, `/api/districts/${district}/foreseen?site=${banded.site}&device=${banded.device}&quantity=${banded.quantity}`)
    const hours = await page.$$eval('.expected .slim tbody tr', (xs) => xs.map((x) => x.textContent))
    expect(hours.length === Math.floor((one.slots * one.step_minutes) / 60), `the table has ${hours.length} hours of ${one.slots} slots`)
    const bad = await serious(page)
    expect(bad.length === 0, bad.join('\n'))
    await picture(page, 'plan-expected-en-light-wide')
  })

  await step('the day’s chart has the band of what is foreseen, in its tip and in its table', async () => {
    const { page } = main
    const { body: day } = await call(page, `/api/districts/${district}/day?ahead_hours=14`)
    const inChart = (f) => ['load', 'sun', 'net'].includes(f.quantity) && f.low.some((x, i) => x !== null && f.high[i] > x)
    if (!day.latest?.foreseen.some(inChart)) {
      expect(!chosen, 'the newest plan has no band of what the chart draws')
      return console.log('      the newest plan has no band of what the chart draws')
    }
    await page.goto(url + '/overview')
    await settled(page)
    await page.waitForSelector('figure .styles i.band')
    const box = await page.locator('figure [role=img]').boundingBox()
    await page.hover('figure [role=img]', { position: { x: box.width - 40, y: 120 } })
    await page.waitForSelector('.tip small:has-text("four of five cases")')
    await page.click('figure button:has-text("Table")')
    const heads = await page.$$eval('figure thead th', (xs) => xs.map((x) => x.textContent))
    const net = heads.indexOf('Consumption less sun')
    expect((net >= 0) === day.latest.foreseen.some((f) => f.quantity === 'net'), `the columns are ${heads}`)
    if (net >= 0) expect((await page.$$eval('figure tbody tr', (xs, i) => xs.map((x) => x.cells[i].textContent), net)).some((x) => / to /.test(x)), 'no hour has a band')
    await page.click('figure button:has-text("Chart")')
  })
}
