// The browser's build of the SDK, outside of a portal's frame: the same calls, by a webhook.
import { createRequire } from 'node:module'

const B24Js = createRequire(import.meta.url)('../node_modules/@bitrix24/b24jssdk/dist/umd/index.min.js')

globalThis.B24Js = {
  ...B24Js,
  initializeB24Frame: async () => B24Js.B24Hook.fromWebhookUrl(process.env.WEBHOOK)
}
