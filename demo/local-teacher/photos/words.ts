/** The words that captions of photographs are read by. */

export const PHOTO_COLORS = [
  'red',
  'orange',
  'yellow',
  'green',
  'blue',
  'purple',
  'pink',
  'brown',
  'black',
  'white',
  'gray',
  'silver',
] as const;

export const MATERIALS = [
  'wooden',
  'stone',
  'brick',
  'metal',
  'glass',
  'plastic',
  'leather',
  'marble',
  'tiled',
] as const;

/** What captions name besides COCO's categories. */
const otherNouns =
  'man,woman,boy,girl,child,kid,baby,lady,guy,people,player,pitcher,skier,snowboarder,surfer,skateboarder,bike,plane,phone,' +
  'shirt,jacket,hat,helmet,dress,pants,shoes,uniform,coat,glasses,plate,tray,table,desk,counter,shelf,cabinets,cabinet,' +
  'wall,floor,carpet,window,door,mirror,curtain,curtains,lamp,light,sign,pole,fence,building,house,church,tower,bridge,' +
  'street,road,sidewalk,path,trail,track,tracks,platform,grass,field,hill,hillside,mountain,rock,rocks,tree,trees,branch,' +
  'bush,flower,flowers,leaves,water,lake,river,ocean,beach,sand,snow,sky,wave,waves,slope,court,ground,dirt,board,racquet,' +
  'bat,ball,food,bread,eggs,fruit,cake,pizza,stove,bathtub,tub,shower,box,basket,bag,luggage,toy,doll,train,bus,truck,van,' +
  'car,horse,cow,dog,cat,bird,bear,sheep,elephant,giraffe,zebra,picture,fire place,headboard,doorway,room,kitchen';

/** Actions as captions name them, and what follows on each. */
export const ACTIONS: readonly { name: string; forms: RegExp; next: string }[] = [
  action('sitting', 'sits?|sitting|sat|seated', 'getting up from the seat'),
  action('standing', 'stands?|standing|stranding', 'walking away'),
  action('walking', 'walks?|walking', 'arriving somewhere on foot'),
  action('running', 'runs?|running', 'slowing down out of breath'),
  action('riding', 'rides?|riding', 'getting off'),
  action('holding something', 'holds?|holding', 'putting it down'),
  action('eating', 'eats?|eating|feeding|feeds|pecks', 'being full'),
  action('drinking', 'drinks?|drinking', 'an empty glass'),
  action('cooking', 'cooks?|cooking|preparing|prepares|assembling|chopping', 'serving a meal'),
  action('lying down', 'lying|laying|lies|lays', 'waking up and rising'),
  action('sleeping', 'sleeps?|sleeping|asleep', 'opening the eyes'),
  action('looking at something', 'looks at|looking|looks|watching|watches|observing', 'turning the head elsewhere'),
  action('talking', 'talks?|talking|speaking', 'saying goodbye'),
  action('playing', 'plays?|playing', 'winning or losing'),
  action('throwing', 'throws?|throwing|pitch|pitching|pitches|winds up', 'a ball in the air'),
  action('serving', 'serves?|serving', 'a ball over the net, or a plate that is filled'),
  action('skiing', 'skis|skiing|skies', 'reaching the foot of the slope'),
  action('surfing', 'surfs?|surfing', 'falling into the water'),
  action('skateboarding', 'skateboards|skateboarding', 'rolling to a stop'),
  action('flying', 'flies|flying', 'coming down to the ground'),
  action('grazing', 'grazes?|grazing', 'moving on to fresh grass'),
  action('parking', 'parked|parks|parking', 'driving off'),
  action(
    'traveling',
    'travels?|traveling|travelling|driving|drives|passes|pulls|pulling',
    'stopping at the next station',
  ),
  action('cutting', 'cuts?|cutting', 'two pieces'),
  action('smiling', 'smiles?|smiling', 'a laugh'),
  action('hanging', 'hangs?|hanging', 'being taken down'),
  action('reading', 'reads?|reading', 'turning a page'),
  action('posing for a photo', 'poses?|posing', 'relaxing after the photo'),
];

function action(name: string, forms: string, next: string) {
  return { name, forms: new RegExp(`\\b(?:${forms})\\b`), next };
}

function withPattern([name = '', words]: readonly string[]) {
  return { name, pattern: new RegExp(`\\b(?:${words})\\b`) };
}

/** Surroundings, the narrow ones first. */
export const SURROUNDINGS: readonly { name: string; pattern: RegExp }[] = [
  ['a living room', 'living room|couch'],
  ['a bathroom', 'bathroom|toilet|shower|bathtub'],
  ['a bedroom', 'bedroom|bed|mattress'],
  ['a kitchen', 'kitchen|stove|oven'],
  ['a restaurant', 'restaurant|restaraunt|cafe|diner'],
  ['an office', 'office|cubicle|work station|desk'],
  ['an airport', 'airport|tarmac|runway'],
  ['a train station', 'train station|subway station|station|railway'],
  ['a baseball field', 'baseball'],
  ['a tennis court', 'tennis'],
  ['a ski slope', 'ski|skis|skiing|slope|snowboard|snowboarder'],
  ['a beach', 'beach|ocean|surf|sea|waves?'],
  ['a zoo', 'zoo|enclosure|captive'],
  ['a barn', 'barn|farm'],
  ['a river or a lake', 'river|lake|dock|harbor'],
  ['a street', 'street|road|intersection|sidewalk|parking|traffic'],
  ['a dining room', 'dining'],
  ['a park', 'park'],
  ['a meadow', 'field|meadow|pasture|grass|grassy|hillside|hill'],
  ['a forest', 'forest|forested|woods|trees|tree'],
  ['a shop', 'store|shop|market|buffet'],
  ['the sky', 'sky|flying'],
].map(withPattern);

export const MOODS: readonly { name: string; pattern: RegExp }[] = [
  ['cozy', 'christmas|decorat\\w+|candle\\w*|teddy|stuffed'],
  ['lively', 'crowd\\w*|many people|group of people|playing|game|party|kids|children|busy|traffic|players?'],
  ['cluttered', 'clutter\\w*|messy|lots of'],
  ['gloomy', 'dark|dim\\w*|deserted|old|abandoned|ghost\\w*'],
  ['adventurous', 'ski\\w*|snowboard\\w*|surf\\w*|skateboard\\w*|rides|riding|wave'],
  [
    'peaceful',
    'graz\\w+|lake|field|beach|garden|alone|lone|single|sleep\\w*|laying|sitting|river|trees?|parked|perched',
  ],
  ['friendly', 'cute|pretty|smil\\w+|family|friends'],
  ['neutral', 'plate|room|table|kitchen|station|airport'],
].map(withPattern);

export const STYLES: readonly { name: string; pattern: RegExp }[] = [
  ['a cartoon or computer image', 'cartoon|animated|cgi|surreal\\w*|illustration'],
  ['a drawing', 'drawing|sketch|drawn'],
  ['a painting', 'painting|painted by'],
  ['a model of toys', 'lego|diorama|miniature'],
  ['a black and white photo', 'black and white (?:photo|picture|image)'],
].map(withPattern);

export const QUALITY_WORDS: readonly { name: string; pattern: RegExp }[] = [
  ['blurry', 'blurry|blurred|out of focus'],
  ['dark', 'dark|dimly|night|dusk'],
  ['bright', 'bright|brightly|sunny|lit'],
].map(withPattern);

export const GROUPS_OF_PEOPLE = ['nobody', 'one person alone', 'two people', 'three or more people'] as const;

/** A noun of one or two words. */
export function nounPattern(categories: Iterable<string>): string {
  const all = [...new Set([...categories, ...otherNouns.split(',')])];
  return all.sort((left, right) => right.length - left.length).join('|');
}
