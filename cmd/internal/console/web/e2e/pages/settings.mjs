// Settings: events and the audit log.
import { call, expect, serious, settled, step, url } from '../walk.mjs'

export default async function ({ main, district }) {
  await step('events name the sites and devices that they concern', async () => {
    await main.page.goto(url + '/settings')
    await settled(main.page)
    const { body: events } = await call(main.page, '/api/events?days=7&limit=100')
    const { body: devices } = await call(main.page, `/api/districts/${district}/devices`)
    const rows = await main.page.$$eval('section.card:last-of-type tbody tr', (xs) => xs.map((x) => x.textContent))
    const of = (object) => devices.find((d) => object === `${district}/${d.site}/${d.id}`)
    for (const e of events.filter((e) => of(e.object))) {
      const d = of(e.object)
      expect(e.object_name.includes(d.name) && rows.some((r) => r.includes(e.object_name) && r.includes(e.object)), `${e.object}, ${d.name}, is named ${e.object_name} and shown as ${rows.find((r) => r.includes(e.object))}`)
    }
    const bad = await serious(main.page)
    expect(bad.length === 0, bad.join('\n'))
  })
}
