// Who may come in.
import { call, expect, open, operator, picture, serious, setLanguage, settled, signIn, step, url } from '../walk.mjs'

/** Signs the walk's operator in and names its district. */
export default async function (walk) {
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

  await step('an operator signs in and reads the state of the district', async () => {
    await signIn(walk.main.page, operator)
    await setLanguage(walk.main.page, 'en')
    const { body: ds } = await call(walk.main.page, '/api/districts')
    walk.district = ds[0].id
    await walk.main.page.goto(url + '/overview')
    await settled(walk.main.page)
    const sentence = await walk.main.page.textContent('#content h1')
    expect(sentence.includes(ds[0].name), `the sentence does not name the district: ${sentence}`)
    console.log('      ' + sentence)
  })
}
