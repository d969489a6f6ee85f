// What an application's page has as BX24, as far as the snippets use it; it posts for real.
// The page gets its credentials from the portal that it is shown in; here they are in WEBHOOK.

// As the vendor's library it posts a form: true and false as words, null and {} not at all, and never `start`.
async function post(method, params) {
  const response = await fetch(process.env.WEBHOOK + method, { method: 'POST', body: new URLSearchParams(form(params)) })
  return [response.status, await response.json()]
}

function form(params, head = '') {
  return Object.entries(params).filter(([key, item]) => item !== null && (head || key !== 'start'))
    .flatMap(([key, item]) => {
      const name = head ? `${head}[${key}]` : key
      return typeof item !== 'object' ? [[name, item]] : Array.isArray(item) && !item.length ? [[name, '']] : form(item, name)
    })
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

globalThis.BX24 = {
  init: (ready) => ready(),
  async callMethod(method, params, callback) {
    callback(wrap(...await post(method, params)))
  },
  async callBatch(calls, callback, halt) {
    const cmd = Object.fromEntries(Object.entries(calls)
      .map(([key, { method, params }]) => [key, `${method}?${new URLSearchParams(form(params))}`]))
    const [status, { result: { result, result_error: errors } }] = await post('batch', { halt: Number(halt), cmd })
    callback(Object.fromEntries(Object.keys(calls).filter((key) => key in result || key in errors)
      .map((key) => [key, wrap(status, key in errors ? errors[key] : { result: result[key] })])))
  }
}
