// What a resident sees.
import { call, expect, open, picture, resident, serious, setLanguage, settled, signIn, step, url } from '../walk.mjs'

export default async function () {
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
}
