/**
 * Sentences in which somebody reads out a number, and sentences in which nobody does. It keeps its own account: each sentence knows
 * which of its words are secret, so nothing here asks the redaction what a number is. Its words are typed anew, as people of the
 * language write them.
 */
import { seededRandom } from '../../src/random.js'

export const languages = ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl'] as const
export type Language = (typeof languages)[number]
export const secrets = ['card', 'iban', 'email', 'phone', 'ssn', 'number'] as const
export type Secret = (typeof secrets)[number]

export interface SpokenWord {
  readonly text: string
  readonly isSecret: boolean
}

export interface Random {
  below(bound: number): number
  pick<T>(items: readonly T[]): T
}

export function randomOf(seed: number): Random {
  const next = seededRandom(seed)
  const below = (bound: number) => Math.floor(next() * bound)
  return { below, pick: (items) => items[below(items.length)] as never }
}

const singles: Readonly<Record<Language, readonly string[]>> = {
  en: ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
  de: ['null', 'eins', 'zwei', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun'],
  fr: ['zéro', 'un', 'deux', 'trois', 'quatre', 'cinq', 'six', 'sept', 'huit', 'neuf'],
  es: ['cero', 'uno', 'dos', 'tres', 'cuatro', 'cinco', 'seis', 'siete', 'ocho', 'nueve'],
  it: ['zero', 'uno', 'due', 'tre', 'quattro', 'cinque', 'sei', 'sette', 'otto', 'nove'],
  pt: ['zero', 'um', 'dois', 'três', 'quatro', 'cinco', 'seis', 'sete', 'oito', 'nove'],
  nl: ['nul', 'één', 'twee', 'drie', 'vier', 'vijf', 'zes', 'zeven', 'acht', 'negen'],
  pl: ['zero', 'jeden', 'dwa', 'trzy', 'cztery', 'pięć', 'sześć', 'siedem', 'osiem', 'dziewięć'],
}

/** From 10 to 99, as a person says a pair of digits. */
const pairs: Readonly<Record<Language, (value: number) => string>> = {
  en: (value) =>
    teensOrTens(
      value,
      'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen',
      'twenty thirty forty fifty sixty seventy eighty ninety',
      (ten, unit) => `${ten}-${singles.en[unit]}`,
    ),
  de: (value) =>
    teensOrTens(
      value,
      'zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn',
      'zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig',
      (ten, unit) => `${unit === 1 ? 'ein' : singles.de[unit]}und${ten}`,
    ),
  fr: french,
  es: (value) =>
    value > 20 && value < 30
      ? `veinti${['', 'uno', 'dós', 'trés', 'cuatro', 'cinco', 'séis', 'siete', 'ocho', 'nueve'][value - 20]}`
      : teensOrTens(
          value,
          'diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve',
          'veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa',
          (ten, unit) => `${ten} y ${singles.es[unit]}`,
        ),
  it: (value) =>
    teensOrTens(
      value,
      'dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove',
      'venti trenta quaranta cinquanta sessanta settanta ottanta novanta',
      (ten, unit) =>
        (unit === 1 || unit === 8 ? ten.slice(0, -1) : ten) + (unit === 3 ? 'tré' : singles.it[unit]),
    ),
  pt: (value) =>
    teensOrTens(
      value,
      'dez onze doze treze catorze quinze dezesseis dezessete dezoito dezenove',
      'vinte trinta quarenta cinquenta sessenta setenta oitenta noventa',
      (ten, unit) => `${ten} e ${singles.pt[unit]}`,
    ),
  nl: (value) =>
    teensOrTens(
      value,
      'tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien',
      'twintig dertig veertig vijftig zestig zeventig tachtig negentig',
      (ten, unit) =>
        `${['', 'een', 'twee', 'drie'][unit] ?? singles.nl[unit]}${unit === 2 || unit === 3 ? 'ë' : 'e'}n${ten}`,
    ),
  pl: (value) =>
    teensOrTens(
      value,
      'dziesięć jedenaście dwanaście trzynaście czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście',
      'dwadzieścia trzydzieści czterdzieści pięćdziesiąt sześćdziesiąt siedemdziesiąt osiemdziesiąt dziewięćdziesiąt',
      (ten, unit) => `${ten} ${singles.pl[unit]}`,
    ),
}

/** No digit is in them. */
const joiners = ['y', 'e', 'et']

function teensOrTens(
  value: number,
  teens: string,
  tens: string,
  both: (ten: string, unit: number) => string,
): string {
  if (value < 20) return teens.split(' ')[value - 10] as string
  const ten = tens.split(' ')[Math.floor(value / 10) - 2] as string
  return value % 10 === 0 ? ten : both(ten, value % 10)
}

function french(value: number): string {
  const small = [
    ...singles.fr,
    'dix',
    'onze',
    'douze',
    'treize',
    'quatorze',
    'quinze',
    'seize',
    'dix-sept',
    'dix-huit',
    'dix-neuf',
  ]
  if (value < 20) return small[value] as string
  if (value >= 80) return value === 80 ? 'quatre-vingts' : `quatre-vingt-${small[value - 80]}`
  const ten = ['vingt', 'trente', 'quarante', 'cinquante', 'soixante', 'soixante'][Math.floor(value / 10) - 2]
  const rest = value >= 60 ? value - 60 : value % 10
  if (rest === 0) return ten as string
  return rest === 1 || rest === 11 ? `${ten} et ${small[rest]}` : `${ten}-${small[rest]}`
}

const twice: Readonly<Record<Language, string | null>> = {
  en: 'double',
  de: null,
  fr: 'double',
  es: 'doble',
  it: 'doppio',
  pt: 'duplo',
  nl: 'dubbel',
  pl: 'podwójne',
}

/** Before and behind a number. */
const around: Readonly<Record<Language, readonly (readonly [before: string, behind: string])[]>> = {
  en: [
    ['Sure, my number is', 'and thank you very much.'],
    ['Please write down', 'if that helps.'],
    ['It is', 'that is all I have.'],
  ],
  de: [
    ['Gerne, meine Nummer lautet', 'vielen Dank dafür.'],
    ['Bitte schreiben Sie auf', 'falls das hilft.'],
    ['Die Karte hat', 'mehr weiß ich nicht.'],
  ],
  fr: [
    ['Bien sûr, mon numéro est le', 'merci beaucoup madame.'],
    ['Notez bien', 'je vous remercie.'],
    ["C'est le", 'voilà tout monsieur.'],
  ],
  es: [
    ['Claro, mi número es el', 'muchas gracias señora.'],
    ['Apunte por favor', 'eso es todo.'],
    ['La tarjeta es', 'ya está todo.'],
  ],
  it: [
    ['Certo, il mio numero è', 'grazie mille signora.'],
    ['Scriva per favore', 'questo è tutto.'],
    ['La carta è', 'non ho altro.'],
  ],
  pt: [
    ['Claro, o meu número é', 'muito obrigado senhora.'],
    ['Anote por favor', 'isso é tudo.'],
    ['O cartão é', 'não tenho mais.'],
  ],
  nl: [
    ['Zeker, mijn nummer is', 'hartelijk bedankt mevrouw.'],
    ['Schrijft u op', 'dat is alles.'],
    ['De kaart is', 'meer weet ik niet.'],
  ],
  pl: [
    ['Oczywiście, mój numer to', 'bardzo pani dziękuję.'],
    ['Proszę zapisać', 'więcej nie mam.'],
    ['Karta ma numer', 'nic więcej.'],
  ],
}

/** What somebody says in the middle of a number; never longer than three words. */
export const interjections: Readonly<Record<Language, readonly string[]>> = {
  en: ['uh', 'okay', 'yes', 'and then', 'got it', 'let me see', 'dash'],
  de: ['ähm', 'okay', 'ja', 'und dann', 'Moment bitte', 'habe ich', 'Strich'],
  fr: ['euh', "d'accord", 'oui', 'et puis', 'attendez un instant', 'tiret'],
  es: ['eh', 'vale', 'sí', 'y luego', 'un momentito', 'guion'],
  it: ['ehm', 'va bene', 'sì', 'e poi', 'ho scritto', 'trattino'],
  pt: ['ahn', 'certo', 'sim', 'e depois', 'só um instante', 'traço'],
  nl: ['eh', 'oké', 'ja', 'en dan', 'momentje graag', 'streepje'],
  pl: ['yyy', 'dobrze', 'tak', 'a potem', 'chwileczkę proszę', 'kreska'],
}

const scripts = [
  '0123456789',
  '٠١٢٣٤٥٦٧٨٩',
  '०१२३४५६७८९',
  '০১২৩৪৫৬৭৮৯',
  '０１２３４５６７８９',
  '๐๑๒๓๔๕๖๗๘๙',
].map((digits) => [...digits])

export type Style = 'singles' | 'pairs' | 'doubled' | 'joined' | 'grouped' | 'spaced'
export const styles: readonly Style[] = ['singles', 'pairs', 'doubled', 'joined', 'grouped', 'spaced']

/** Digits as somebody says them or a recogniser writes them. */
export function wordsOf(digits: string, language: Language, style: Style, random: Random): readonly string[] {
  const written = random.pick(scripts)
  const inScript = (text: string) => [...text].map((digit) => written[Number(digit)]).join('')
  const single = (digit: string) => singles[language][Number(digit)] as string
  switch (style) {
    case 'singles':
      return [...digits].map(single)
    case 'pairs':
      return chunks(digits, 2).flatMap((pair) =>
        pair.length === 2 && pair[0] !== '0'
          ? pairs[language](Number(pair)).split(' ')
          : [...pair].map(single),
      )
    case 'doubled':
      return (digits.match(/(.)\1?/g) ?? []).flatMap((part) => {
        const word = twice[language]
        return part.length === 2 && word !== null ? [word, single(part[0] as string)] : [...part].map(single)
      })
    case 'joined':
      return [inScript(digits)]
    case 'grouped':
      return chunks(digits, random.pick([3, 4])).map(inScript)
    case 'spaced':
      return [...digits].map(inScript)
  }
}

function chunks(text: string, length: number): readonly string[] {
  return text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []
}

export interface SpokenNumber {
  readonly language: Language
  readonly secret: Secret
  readonly digits: string
  readonly words: readonly SpokenWord[]
}

export function numberSentence(
  language: Language,
  secret: Exclude<Secret, 'email'>,
  random: Random,
): SpokenNumber {
  const digits = digitsFor(secret, random)
  const [before, behind] = random.pick(around[language])
  const said = wordsOf(digits, language, random.pick(styles), random)
  const mark = random.pick(['', '', ','])
  const secretWords = said.map((text, index) => ({
    text: index < said.length - 1 ? text + mark : text,
    isSecret: !joiners.includes(text),
  }))
  const country = secret === 'iban' ? [{ text: 'DE', isSecret: false }] : []
  return {
    language,
    secret,
    digits,
    words: [...plain(before), ...country, ...secretWords, ...plain(behind)],
  }
}

function plain(text: string): readonly SpokenWord[] {
  return text.split(' ').map((word) => ({ text: word, isSecret: false }))
}

function digitsFor(secret: Exclude<Secret, 'email'>, random: Random): string {
  const some = (count: number) => Array.from({ length: count }, () => random.below(10)).join('')
  switch (secret) {
    case 'card':
      return withLuhn(`4${some(14)}`)
    case 'iban':
      return some(20)
    case 'phone':
      return `0${some(8 + random.below(3))}`
    case 'ssn':
      return some(9)
    case 'number':
      return some(7 + random.below(6))
  }
}

/** By trying: the check digit of the industry's own examples. */
function withLuhn(body: string): string {
  for (let last = 0; last < 10; last++) {
    const digits = [...`${body}${last}`].reverse().map(Number)
    const sum = digits.reduce(
      (all, digit, index) =>
        all + (index % 2 === 0 ? digit : Math.floor((digit * 2) / 10) + ((digit * 2) % 10)),
      0,
    )
    if (sum % 10 === 0) return `${body}${last}`
  }
  throw new Error('no digit fits')
}

const addressWords: Readonly<
  Record<Language, readonly [at: string, dot: string, underscore: string, before: string, behind: string]>
> = {
  en: ['at', 'dot', 'underscore', 'Please write to', 'thank you very much.'],
  de: ['at', 'Punkt', 'Unterstrich', 'Meine Adresse ist', 'vielen Dank dafür.'],
  fr: ['arobase', 'point', 'tiret', 'Mon adresse est', 'merci beaucoup madame.'],
  es: ['arroba', 'punto', 'guion', 'Mi correo es', 'muchas gracias señora.'],
  it: ['chiocciola', 'punto', 'trattino', 'La mia mail è', 'grazie mille signora.'],
  pt: ['arroba', 'ponto', 'hífen', 'O meu e-mail é', 'muito obrigado senhora.'],
  nl: ['apenstaartje', 'punt', 'streepje', 'Mijn adres is', 'hartelijk bedankt mevrouw.'],
  pl: ['małpa', 'kropka', 'myślnik', 'Mój adres to', 'bardzo pani dziękuję.'],
}
const names = ['anna', 'weber', 'jan', 'kowalska', 'maria', 'rossi', 'silva', 'dupont', 'smith', 'garcia']
const hosts = ['gmail', 'example', 'posteo', 'firma', 'contoso']
const endings = ['com', 'de', 'org', 'net', 'pl', 'fr']

export function addressSentence(language: Language, random: Random): readonly SpokenWord[] {
  const [at, dot, joiner, before, behind] = addressWords[language]
  const isWritten = random.below(2) === 0
  const [first, second, host, ending] = [
    random.pick(names),
    random.pick(names),
    random.pick(hosts),
    random.pick(endings),
  ]
  const said = isWritten
    ? [`${first}.${second}@${host}.${ending}`]
    : random.pick([
        [first, at, host, dot, ending],
        [first, dot, second, at, host, dot, ending],
        [first, joiner, second, at, host, dot, ending],
      ])
  return [...plain(before), ...said.map((text) => ({ text, isSecret: true })), ...plain(behind)]
}

/** Sentences with numbers that nobody needs to hide; `#` is a small number, and months, prices and times are of the language. */
const harmless: Readonly<Record<Language, readonly string[]>> = {
  en: [
    'The invoice of 12 March 2024 was 1,249.50 dollars.',
    'We meet on 03/04/2025 at 10:30 or 11:45.',
    'I ordered two large pizzas, three small ones and four colas.',
    'Between 1500 and 2500 euros a month, for 12 months.',
    'It was ten past nine, then a quarter to eleven.',
    'In 2019 we had 45 people, in 2024 we have 120.',
    'Take 500 mg twice a day for 10 days, then 250 mg.',
    'The first one came on January 15, 2023, the second on February 2, 2024.',
    'I waited for forty-five minutes and then for two hours.',
    'That is $ 350 plus 19% tax, so 416.50 in all.',
    'You need size 42, not 44, and two pairs of them.',
    'It is twenty twenty-four and I have called five times.',
    'From nine thirty to ten fifteen I was on the phone.',
    'We want one adult and two children, three nights, room 214.',
  ],
  de: [
    'Die Rechnung vom 12. März 2024 war 1.249,50 Euro.',
    'Wir treffen uns am 03.04.2025 um 10:30 Uhr.',
    'Ich habe zwei große Pizzen, drei kleine und vier Cola bestellt.',
    'Zwischen 1500 und 2500 Euro im Monat, für 12 Monate.',
    'Um zehn nach neun war ich da, um Viertel vor elf wieder.',
    'Im Jahr 2019 waren wir 45 Leute, 2024 sind wir 120.',
    'Ein Glas und eine Tasse, also zwei Stück, acht Euro.',
    'Ich warte seit fünfundvierzig Minuten, gestern waren es zwei Stunden.',
    'Das sind 350 Euro plus 19 Prozent Steuer.',
    'Der Termin ist am 15. Januar 2025 um 14 Uhr 30.',
  ],
  fr: [
    'La facture du 12 mars 2024 est de 1 249 euros.',
    'On se voit le 03/04/2025 à 10:30.',
    "J'ai commandé deux grandes pizzas, trois petites et quatre colas.",
    'Entre 1500 et 2500 euros par mois, pendant 12 mois.',
    'En 2019 nous étions 45, en 2024 nous sommes 120.',
    "J'attends depuis quarante-cinq minutes, hier deux heures.",
    'Cela fait 350 euros plus 20 pourcent de taxe.',
    'Un adulte et deux enfants, trois nuits, chambre 214.',
    'Il est dix heures trente, le rendez-vous est à onze heures.',
  ],
  es: [
    'La factura del 12 de marzo de 2024 es de 1.249,50 euros.',
    'Nos vemos el 03/04/2025 a las 10:30.',
    'He pedido dos pizzas grandes, tres pequeñas y cuatro colas.',
    'Entre 1500 y 2500 euros al mes, durante 12 meses.',
    'En 2019 éramos 45 personas, en 2024 somos 120.',
    'Espero desde hace cuarenta y cinco minutos, ayer dos horas.',
    'Son 350 euros más el 21 por ciento.',
    'Un adulto y dos niños, tres noches.',
  ],
  it: [
    'La fattura del 12 marzo 2024 è di 1.249,50 euro.',
    'Ci vediamo il 03/04/2025 alle 10:30.',
    'Ho ordinato due pizze grandi, tre piccole e quattro cole.',
    'Tra 1500 e 2500 euro al mese, per 12 mesi.',
    'Nel 2019 eravamo 45, nel 2024 siamo 120.',
    'Aspetto da quarantacinque minuti, ieri due ore.',
    'Sono 350 euro più il 22 per cento.',
    'Un adulto e due bambini, tre notti.',
  ],
  pt: [
    'A fatura de 12 de março de 2024 foi de 1.249,50 euros.',
    'Vemo-nos em 03/04/2025 às 10:30.',
    'Pedi duas pizzas grandes, três pequenas e quatro colas.',
    'Entre 1500 e 2500 euros por mês, durante 12 meses.',
    'Em 2019 éramos 45 pessoas, em 2024 somos 120.',
    'Espero há quarenta e cinco minutos, ontem foram duas horas.',
    'São 350 euros mais 23 por cento.',
    'Um adulto e duas crianças, três noites.',
  ],
  nl: [
    'De factuur van 12 maart 2024 was 1.249,50 euro.',
    'We zien elkaar op 03-04-2025 om 10:30.',
    'Ik heb twee grote pizza’s, drie kleine en vier cola besteld.',
    'Tussen 1500 en 2500 euro per maand, voor 12 maanden.',
    'In 2019 waren we met 45, in 2024 zijn we met 120.',
    'Ik wacht al vijfenveertig minuten, gisteren twee uur.',
    'Dat is 350 euro plus 21 procent.',
    'Een volwassene en twee kinderen, drie nachten.',
  ],
  pl: [
    'Faktura z 12 marca 2024 wynosi 1249 złotych.',
    'Widzimy się 03.04.2025 o 10:30.',
    'Zamówiłem dwie duże pizze, trzy małe i cztery cole.',
    'Od 1500 do 2500 złotych miesięcznie, przez 12 miesięcy.',
    'W 2019 było nas 45 osób, w 2024 jest 120.',
    'Czekam czterdzieści pięć minut, wczoraj dwie godziny.',
    'To jest 350 złotych plus 23 procent.',
    'Jeden dorosły i dwoje dzieci, trzy noce.',
  ],
}

export function harmlessSentences(language: Language): readonly string[] {
  return harmless[language]
}

/** With other numbers of as many digits: a bound of a table must not be met by luck. */
export function varied(sentence: string, random: Random): string {
  return sentence.replace(/(?<![\d.,:/-])\d{2,3}(?![\d.,:/-])/g, (digits) =>
    // A day stays a day.
    digits.length === 2 ? String(10 + random.below(19)) : String(100 + random.below(900)),
  )
}
