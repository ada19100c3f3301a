//! Words of questions that are put to tables, by what they do there. English only.

/// Words that ask or join, and name nothing.
pub(super) const FILLERS: &str = " a about according actually all also am an and any anybody anyone anything are as asked at be been being both but by can could \
    did do does doing done each either every everything exactly exist exists few file files for from gave get gets getting give given gives go got had has have having he \
    hence her here him his how i if in into is it its just know known list listed let like long look looks made make makes many may me might much must my name named \
    names need of off on once one only or other our out over own please recorded say says see shall she should show shows so some such \
    tell than that the their them then there these they thing this those through to told too up us use used uses using was we \
    were what when where which while who whom whose why will with within would yet you your entry entries row rows record records table \
    column columns cell figure figures overall respectively currently please now moment present again approximately roughly still ever really correct right \
    kind ";

/// Verbs that say no more than that something is so; a table need not hold them.
pub(super) const LIGHT: &str = " run runs running reach reached reaches carry carries contain contains work works hold holds belong belongs take took taken takes happen happened \
    come came keep keeps stand stands bring brought set have has number amount value values kind type same total full exact per there equipped longer shorter higher \
    lower bigger larger smaller more less older newer faster slower greater cheaper \
    listen listens sit sits live lives ";

/// What may happen to a thing so that somebody is called. English only.
pub(super) const OCCASIONS: &str = " fail fails failed failing down break breaks broken broke crash crashes crashed go goes gone die dies died stop stops \
    stopped stuck hang hangs unreachable unavailable offline slow problem problems trouble fault outage incident alarm alarms fire fires wrong \
    respond responds responding answer answers ";

/// Words that turn a condition round.
pub(super) const NEGATIONS: &str =
    " not no never without except neither nor none isn't aren't wasn't doesn't don't didn't cannot can't ";

/// Words for the greatest value of a column.
pub(super) const GREATEST: [&str; 16] = [
    "highest", "largest", "biggest", "greatest", "most", "maximum", "max", "longest", "heaviest", "tallest", "deepest",
    "widest", "latest", "newest", "fastest", "top",
];
/// Words for the least value of a column.
pub(super) const LEAST: [&str; 13] = [
    "lowest",
    "smallest",
    "least",
    "fewest",
    "minimum",
    "min",
    "shortest",
    "lightest",
    "cheapest",
    "oldest",
    "earliest",
    "slowest",
    "narrowest",
];
