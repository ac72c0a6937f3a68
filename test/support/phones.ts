/** Scenarios of sipp: the phones of `test/pbx/config`, with a name, and with what they do in the middle of a call. */
import { readFileSync } from 'node:fs'

const pbx = '127.0.0.1:@SIP_PORT@'
/** The label behind which a scenario is over. */
const end = '9'

const read = (file: string) => readFileSync(`test/pbx/config/${file}.xml`, 'utf8')

export const pause = (ms: number) => `<pause milliseconds="${ms}"/>`
export const agentScenario = read('sipp-agent')

/** The caller of one of the files there, under another name. */
export function callerScenario(name: string, file = 'sipp-caller', user = 'caller'): string {
  return read(file).replaceAll('"Anna Caller"', `"${name}"`).replaceAll('sip:caller@', `sip:${user}@`)
}

/** An agent that does something once it talks: `middle` is said inside a dialog that the other side has begun. */
export function deskScenario(middle: string): string {
  const names = (header: string, name: string) =>
    `<ereg regexp=": *(.*)" search_in="hdr" header="${header}" assign_to="${name}Line,${name}"/>`
  return agentScenario
    .replace(
      '<recv request="ACK"/>',
      `<recv request="ACK"><action>${names('To', 'own')}${names('From', 'other')}</action></recv>
       <Reference variables="ownLine,otherLine"/>`,
    )
    .replace('<!--MIDDLE-->', middle)
    .replace('</scenario>', `<label id="${end}"/></scenario>`)
}

function inDialog(method: string, cseq: number, header = '', body = ''): string {
  return `<send retrans="500"><![CDATA[
${method} sip:pbx@${pbx} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$own]
To: [$other]
[last_Call-ID:]
CSeq: ${cseq} ${method}
Contact: <sip:desk@[local_ip]:[local_port]>
Max-Forwards: 70
${header === '' ? '' : `${header}\n`}Content-Length: ${body === '' ? '0' : '[len]'}

${body === '' ? '' : `${body}\n`}]]></send>`
}

/** Digits by SIP INFO. */
export function dial(digits: string, cseq: number): string {
  const one = (digit: string, index: number) =>
    inDialog('INFO', cseq + index, 'Content-Type: application/dtmf-relay', `Signal=${digit}\nDuration=160`) +
    `<recv response="200"/>${pause(250)}`
  return [...digits].map(one).join('\n')
}

const ok = `<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>`

/** Refers the other side to an extension, and is told how that goes until it is hung up. */
export function refer(extension: string): string {
  return `${inDialog('REFER', 1, `Refer-To: <sip:${extension}@${pbx}>`)}
    <recv response="202"/>
    <label id="1"/>
    <recv request="NOTIFY" optional="true" next="2"/>
    <recv request="BYE" next="3" timeout="60000"/>
    <label id="2"/>${ok}<nop next="1"/>
    <label id="3"/>${ok}<nop next="${end}"/>`
}

export const hangUp = (cseq: number) => `${inDialog('BYE', cseq)}<recv response="200"/><nop next="${end}"/>`
