// Balances, profiles and indicators.
import { call, drawn, expect, picture, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
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
}
