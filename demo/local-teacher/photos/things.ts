/**
 * What the local teacher knows about COCO's 80 categories: what kind of thing each is, what it weighs in the real world,
 * what it is for, and a fact that can't be seen.
 */
export const KINDS = [
  'person',
  'animal',
  'vehicle',
  'furniture',
  'food',
  'tableware',
  'device',
  'sports gear',
  'accessory',
  'street object',
  'household object',
  'plant',
] as const;
export type Kind = (typeof KINDS)[number];

export interface Thing {
  name: string;
  kind: Kind;
  /** In kilograms, typically. */
  weight: number;
  /** Completes "Which thing here ...?", as does the fact. Undefined for what nobody uses. */
  use: string | undefined;
  fact: string;
}

// Name | kind | kilograms | use | fact
const table = `
person | person | 70 | | can speak a language
bicycle | vehicle | 13 | is moved by pedals | has a chain and needs no fuel
car | vehicle | 1400 | takes a family on the road | is parked in a garage
motorcycle | vehicle | 200 | carries one or two riders with an engine | is ridden with a crash helmet
airplane | vehicle | 40000 | flies passengers | needs a runway
bus | vehicle | 12000 | takes many passengers along a city's streets | stops where a timetable says
train | vehicle | 300000 | carries passengers on rails | runs on a track
truck | vehicle | 8000 | hauls heavy loads on the road | is loaded with cargo
boat | vehicle | 3000 | carries people over water | has a hull and is moored in a harbor
traffic light | street object | 20 | tells drivers when to go | shows red, yellow or green in turn
fire hydrant | street object | 150 | gives firefighters water | is connected to a water main
stop sign | street object | 5 | makes drivers halt | has eight sides
parking meter | street object | 30 | takes money for a place to park | measures the time of a parked car
bench | street object | 60 | offers several people a seat | is often found in a park
bird | animal | 0.05 | | lays eggs and has feathers
cat | animal | 4 | catches mice | purrs
dog | animal | 25 | guards a house | barks
horse | animal | 500 | can be ridden with a saddle | neighs
sheep | animal | 80 | gives wool | is shorn once a year
cow | animal | 650 | gives milk | moos
elephant | animal | 5000 | | has a trunk
bear | animal | 300 | | sleeps through much of the winter
zebra | animal | 300 | | has stripes that no other of its kind has
giraffe | animal | 1100 | | is the tallest animal of all
backpack | accessory | 1 | carries things on the back | is worn with two straps
umbrella | accessory | 0.5 | keeps rain off | folds up
handbag | accessory | 0.8 | holds a purse and keys | is carried on the arm
tie | accessory | 0.1 | is worn around the neck with a suit | is tied in a knot
suitcase | accessory | 4 | holds clothes on a journey | is checked in at an airport
frisbee | sports gear | 0.2 | is thrown from hand to hand | spins while it flies
skis | sports gear | 6 | lets one slide down a slope on both feet | is used in pairs on snow
snowboard | sports gear | 4 | lets one glide over snow on one board | is ridden sideways on snow
sports ball | sports gear | 0.4 | is thrown, kicked or hit in a game | bounces
kite | sports gear | 0.3 | is flown on a string | needs wind
baseball bat | sports gear | 0.9 | hits a ball in baseball | is swung by a batter
baseball glove | sports gear | 0.6 | catches a hard ball | is worn on one hand by a fielder
skateboard | sports gear | 2.5 | rolls a rider along with one foot pushing | has four small wheels
surfboard | sports gear | 3 | lets one ride a wave | is rubbed with wax
tennis racket | sports gear | 0.3 | hits a ball over a net | has strings
bottle | tableware | 0.5 | keeps a drink closed up | has a narrow neck
wine glass | tableware | 0.2 | is for drinking wine | stands on a thin stem
cup | tableware | 0.3 | holds a hot drink | is often put on a saucer
fork | tableware | 0.05 | picks up bites of food | has prongs
knife | tableware | 0.1 | cuts food | has a blade
spoon | tableware | 0.05 | is for eating soup | stirs tea
bowl | tableware | 0.4 | holds soup or cereal | is round and deep
banana | food | 0.15 | can be peeled and eaten | grows in bunches in the tropics
apple | food | 0.15 | can be pressed into cider | grows on trees in orchards
sandwich | food | 0.25 | makes a quick lunch between slices of bread | is named after an earl
orange | food | 0.2 | can be squeezed into juice | is a citrus fruit
broccoli | food | 0.4 | is cooked as a green vegetable | is a relative of cabbage
carrot | food | 0.1 | is eaten as a root vegetable | grows under the ground
hot dog | food | 0.15 | is eaten with mustard in a bun | contains a sausage
pizza | food | 0.6 | is eaten by the slice | comes from Italy
donut | food | 0.07 | is a sweet snack with a hole | is fried in oil
cake | food | 1.2 | is served at birthdays | is baked from flour, eggs and sugar
chair | furniture | 6 | is for one person to sit on | has four legs and a back
couch | furniture | 45 | is for two or three to sit on softly | stands in a living room
potted plant | plant | 4 | decorates a room with green | needs water and light to grow
bed | furniture | 60 | is for sleeping | has a mattress
dining table | furniture | 35 | is where people sit down to a meal | is set with plates
toilet | household object | 40 | is used in private and flushed | is connected to a sewer
tv | device | 12 | shows programs in the evening | receives broadcasts
laptop | device | 2 | is a computer that folds shut | runs on a battery and has a keyboard
mouse | device | 0.1 | moves a pointer on a screen | is clicked
remote | device | 0.15 | switches channels from afar | sends infrared light
keyboard | device | 0.8 | is typed on | has a key for each letter
cell phone | device | 0.2 | makes calls anywhere | contains a SIM card
microwave | device | 14 | warms up food in a minute | heats by waves
oven | device | 50 | bakes and roasts | reaches more than 200 degrees
toaster | device | 1.5 | browns slices of bread | lets bread pop up
sink | household object | 10 | is for washing up | has a drain
refrigerator | device | 70 | keeps food cold | runs day and night
book | household object | 0.4 | is for reading | has pages
clock | household object | 1.5 | tells the time | ticks
vase | household object | 1.2 | holds cut flowers | is filled with water for flowers
scissors | household object | 0.1 | cuts paper | has two blades
teddy bear | household object | 0.4 | is for a child to cuddle | is stuffed
hair drier | device | 0.6 | dries hair | blows hot air
toothbrush | household object | 0.02 | cleans teeth | has bristles
`;

/** COCO's categories by name. */
export const THINGS: ReadonlyMap<string, Thing> = new Map(
  table
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', kind, weight, use, fact = ''] = line.split('|').map((cell) => cell.trim());
      return [name, { name, kind: kind as Kind, weight: Number(weight), use: use || undefined, fact }];
    }),
);

/** Things that are found indoors, and those that are found outdoors. */
export const INDOORS: ReadonlySet<string> = new Set(
  'bed,toilet,tv,mouse,keyboard,microwave,oven,toaster,sink,refrigerator,couch,hair drier,toothbrush'.split(','),
);
export const OUTDOORS: ReadonlySet<string> = new Set(
  'airplane,bus,train,truck,traffic light,fire hydrant,stop sign,parking meter,horse,sheep,cow,elephant,bear,zebra,giraffe,skis,snowboard,kite,surfboard'.split(
    ',',
  ),
);
