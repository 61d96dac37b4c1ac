/**
 * Names that `\p{…}` takes, each as its words run together with one capital: general categories, their long names, and scripts.
 * Scripts of several words are not among them: Istio's admission does not find those by any spelling.
 */
const unicodeNames = new Set(
  `Any Ascii Assigned
  C Cc Cf Cn Co Cs L Lc Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs
  Casedletter Closepunctuation Cntrl Combiningmark Connectorpunctuation Control Currencysymbol Dashpunctuation Decimalnumber Digit Enclosingmark
  Finalpunctuation Format Initialpunctuation Letter Letternumber Lineseparator Lowercaseletter Mark Mathsymbol Modifierletter Modifiersymbol
  Nonspacingmark Number Openpunctuation Other Otherletter Othernumber Otherpunctuation Othersymbol Paragraphseparator Privateuse Punct Punctuation
  Separator Spaceseparator Spacingmark Surrogate Symbol Titlecaseletter Unassigned Uppercaseletter
  Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Carian Chakma Cham Cherokee
  Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha
  Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki
  Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Medefaidrin Miao Modi Mongolian Mro
  Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada
  Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta
  Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi`.split(/\s+/),
);

const posixNames = new Set(
  "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit".split(" "),
);

/** Whether `\p{name}` is known. Case, spaces, hyphens and underscores do not matter. */
export function isUnicodeClass(name: string): boolean {
  const letters = name.replace(/[-_ ]/g, "");
  if (!/^[A-Za-z]+$/.test(letters)) return false;
  return unicodeNames.has(letters.charAt(0).toUpperCase() + letters.slice(1).toLowerCase());
}

/** Whether `[:name:]` is known, where the name may begin with `^`. */
export function isPosixClass(name: string): boolean {
  return posixNames.has(name.replace(/^\^/, ""));
}
