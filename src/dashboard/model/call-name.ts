/** What a call may be called: the rule of the service, without which a link could have the page ask for ever in vain. */
const pattern = /^[\w\-.!%*+`'~()<>:\\"/[\]?{}]+(?:@[\w\-.!%*+`'~()<>:\\"/[\]?{}]+)?$/
const goesUp = /(?:^|\/)\.{1,2}(?:\/|$)/
const charactersMax = 255

export function isCallName(text: string): boolean {
  return text.length <= charactersMax && pattern.test(text) && !goesUp.test(text)
}

/** Under which something of the call is saved: what a disk does not take becomes `_`. */
export function fileNameOf(callId: string, ending: string): string {
  return `${callId
    .replaceAll(/[^\w.@-]/g, '_')
    .replace(/^[.-]/, '_')
    .slice(0, 200)}.${ending}`
}
