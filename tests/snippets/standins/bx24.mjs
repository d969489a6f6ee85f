// What an application's page has as BX24, as far as the snippets use it; it posts for real.
// The page gets its credentials from the portal that it is shown in; here they are in WEBHOOK.

async function post(method, params) {
  const response = await fetch(process.env.WEBHOOK + method, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(params)
  })
  return [response.status, await response.json()]
}

function wrap(status, answer) {
  const failed = 'error' in answer
  return {
    error: () => failed && {
      getError: () => answer,
      toString: () => `${answer.error}: ${answer.error_description} (${status})`
    },
    data: () => answer.result
  }
}

function query(value, name) {
  if (value !== null && typeof value === 'object') {
    return Object.entries(value)
      .flatMap(([key, item]) => query(item, name ? `${name}[${encodeURIComponent(key)}]` : encodeURIComponent(key)))
  }
  return [`${name}=${encodeURIComponent(value ?? '')}`]
}

globalThis.BX24 = {
  init: (ready) => ready(),
  async callMethod(method, params, callback) {
    callback(wrap(...await post(method, params)))
  },
  async callBatch(calls, callback, halt) {
    const cmd = Object.fromEntries(Object.entries(calls)
      .map(([key, { method, params }]) => [key, `${method}?${query(params).join('&')}`]))
    const [status, { result: { result, result_error: errors } }] = await post('batch', { halt: Number(halt), cmd })
    callback(Object.fromEntries(Object.keys(calls).filter((key) => key in result || key in errors)
      .map((key) => [key, wrap(status, key in errors ? errors[key] : { result: result[key] })])))
  }
}
