// The overview: its live values, its chart and its alarms.
import { call, drawn, expect, serious, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
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
}
