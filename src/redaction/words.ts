/** Words around numbers in the same eight languages, as `plainWord` writes them. */

const set = (...lists: readonly string[]) => new Set(lists.flatMap((list) => list.split(' ')))

/** They may stand between the digits of a number and end none: those who listen, hesitate, or read out what is printed. */
export const fillers = set(
  'so uh um er erm ah mm mhm hmm hm ok okay yes yeah yep right got it sure perfect great alright please next space dash hyphen minus comma stroke slash pause',
  'ja genau gut bitte strich bindestrich leerzeichen leerstelle komma schragstrich richtig ahm also gerne moment',
  'oui euh bon bien daccord tiret espace virgule voila ensuite puis alors parfait',
  'si vale bien guion coma espacio claro eh luego perfecto',
  'va bene trattino spazio virgola certo poi ecco',
  'sim ta hifen traco espaco certo pois depois',
  'goed streepje spatie klopt oke precies dan',
  'yyy eee ehm ahn hem traco tak dobrze kreska myslnik spacja przecinek potem',
)

/** Between two numbers they make one statement: from ten to twelve euros. */
export const rangeWords = set('and to or until till und bis oder et ou a y o e tot en of do i lub')

/** Say twice, say three times. */
export const multipliers = new Map<string, number>([
  ...[
    'double',
    'doppel',
    'doble',
    'doppio',
    'doppia',
    'dobro',
    'duplo',
    'dubbel',
    'dubbele',
    'podwojne',
    'podwojny',
    'podwojna',
  ].map((word) => [word, 2] as const),
  ...['triple', 'treble', 'dreifach', 'triplo', 'tripla', 'driedubbel', 'driedubbele', 'potrojne'].map(
    (word) => [word, 3] as const,
  ),
  ['quadruple', 4],
])

/** Between tens and units, or a hundred and what follows. */
export const connectors = set('and und et y e en i')

export const plusWords = set('plus piu mais')

/** In full only: abbreviations are other words, and `sept` is seven. */
export const months = set(
  'january february march april may june july august september october november december',
  'januar janner februar marz mai juni juli oktober dezember',
  'janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre',
  'enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre',
  'gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre',
  'janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro',
  'januari februari maart mei augustus',
  'styczen stycznia luty lutego marzec marca kwiecien kwietnia maj maja czerwiec czerwca lipiec lipca sierpien sierpnia wrzesien wrzesnia pazdziernik pazdziernika listopad listopada grudzien grudnia',
)

/** Between a day and its month, a month and its year. */
export const dateWords = set('of the de del di do den of in am le')

export const currencies = set(
  'euro euros dollar dollars pound pounds pence bucks quid eur usd gbp chf pln brl cent cents centimes centime centimos centavos centesimi eurocent',
  'franken rappen francs franc pesos peso reais real lire zloty zlotych zlote groszy grosze yen rupees kronen kronor',
)

/** What is counted or measured: its number is a quantity, not a part of a number that is read out. */
export const measures = set(
  'million millions billion billions millionen milliarden millones milhoes milioni miljoen miljard milion miliony milionow percent prozent pourcent porcento procent',
  'kilo kilos kilogram kilograms kg km mg ml cm mm gb mb tb grams gramm meters metres meter kilometers kilometres miles feet inches litres liters degrees grad',
  'seconds minutes minute hours hour days day weeks week months month years year sekunden minuten stunden tage tagen wochen monate monaten jahre jahren',
  'secondes heures jours semaines mois ans annees segundos minutos horas dias semanas meses anos secondi minuti ore giorni settimane mesi anni',
  'seconden uren uur dagen weken maanden jaar sekund minut godzin dni tygodni miesiecy lat',
  'people persons pieces items units boxes bottles packs copies times stuck stueck personen personnes pieces personas piezas unidades persone pezzi pessoas pecas stuks mensen osob sztuk pages seiten points',
)

export const clockWords = set('oclock am pm uhr heures heure h horas hora ore uur')

/** Between the name and the place of an address that is spoken. Those of the second are nothing else in speech. */
export const atWords = set('at')
export const sureAtWords = set('arobase arobas arroba chiocciola apenstaartje malpa klammeraffe atsign')
export const dotWords = set('dot kropka')
/** Also of a number, so that the end of a domain must follow. */
export const pointWords = set('point punkt punto ponto punt')
export const addressJoiners = set(
  'dot point punkt punto ponto punt kropka dash hyphen minus underscore bindestrich strich unterstrich tiret guion trattino hifen streepje myslnik podkreslenie underline',
)
export const topDomains = set(
  'com net org de fr es it pt br nl pl eu uk co info biz io ch at be us ca me mx ar ie gov edu app dev cloud online shop email',
)
/** The word before them is of no address. */
export const addressStops = set(
  'is its to email e mail emails address my at the a an for and or adresse meine ist die an unter lautet und est mon ma cest a et sur correo mi es el la direccion indirizzo la mia e il mio o meu endereco adres mijn is naar het en moj mail na i adresem write send contact reach via',
)
