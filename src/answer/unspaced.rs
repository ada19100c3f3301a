//! Questions in Japanese and Chinese, which have no spaces between words: what they ask for, and the words that say what they are about.
//!
//! # Not here
//! How their text is cut into terms: that is `index::analyzer`.

use super::expected::Expected;

/// Phrases of Japanese and Chinese and what they ask for; the first that a question has counts. `何年間` asks how long and `何年` when.
const ASKS: [(&str, Expected); 11] = [
    ("電話番号 电话号码", Expected::Phone),
    ("メールアドレス 电子邮件 邮箱", Expected::Email),
    ("誰 だれ どなた 谁", Expected::Person),
    ("何年間 何日間 何時間 何分間 何秒間 何週間 何か月 何ヶ月 何カ月 何ヵ月 何ケ月 多久 多长时间", Expected::Duration),
    ("どのくらいの頻度 どれくらいの頻度 多久一次", Expected::Anything),
    ("どのくらいの期間 どれくらいの期間 几天 几年 几个月 几小时 几分钟", Expected::Duration),
    ("いつ 何時 何日 何月 何曜日 何年 什么时候 何时 哪天 哪一天 几点 几月 几号", Expected::Time),
    ("何分 何秒 何週", Expected::Duration),
    (
        "いくつ いくら 何人 何名 何回 何度 何台 何件 何個 何社 何棟 何本 何枚 何冊 何通 何か所 何カ所 何ヶ所 何箇所",
        Expected::Number,
    ),
    ("何円 何番 何桁 何種類 何パーセント 多少 几家 几个 几人 几次 几台 几条 几种", Expected::Number),
    ("几", Expected::Number),
];
/// Words that only ask, longest first where one begins another. They stand between those that say what the question is about.
const ASKING: &str = "什么时候 多长时间 为什么 何曜日 何年間 何日間 何時間 何分間 何秒間 何週間 何か月 何ヶ月 何カ月 何ヵ月 何ケ月 \
                      何か所 何カ所 何ヶ所 何箇所 何種類 電話番号は何番 几个月 几小时 几分钟 哪一天 何番 何桁 何人 何名 何回 何度 何台 何件 \
                      何個 何社 何棟 何本 何枚 何冊 何通 何円 何時 何日 何月 何年 何分 何秒 何週 誰 谁 什么 怎么 怎样 如何 哪里 哪儿 哪个 哪些 哪天 何时 多久 多少 几家 \
                      几个 几人 几次 几台 几条 几种 几天 几年 几点 几月 几号 何";
/// Characters of Chinese that join words; in Japanese they are parts of words.
const CHINESE_JOINTS: &str = "的了吗呢是在有被由与和及把从到对也都哪几";
/// Counters that follow a number in Japanese and Chinese characters.
const COUNTERS: &str = "年月日時时分秒週周人名個个件台社家棟回次度本枚冊通階层番か所カヶ箇円元つ点種种条割倍万千百";
/// Units of time behind a number.
const UNITS_OF_TIME: [&str; 22] = [
    "年",
    "か月",
    "ヶ月",
    "カ月",
    "ヵ月",
    "ケ月",
    "箇月",
    "个月",
    "週",
    "周",
    "日",
    "天",
    "時間",
    "小时",
    "分",
    "秒",
    "ミリ秒",
    "毫秒",
    "晩",
    "ヶ年",
    "か年",
    "夜",
];
/// Words for a time without a number.
const TIMES: [&str; 20] = [
    "曜日", "毎日", "毎週", "毎月", "毎年", "毎晩", "毎朝", "每天", "每周", "每月", "每年", "星期", "今日", "明日",
    "昨日", "今天", "明天", "昨天", "正午", "深夜",
];
const ENDLESS: [&str; 4] = ["永久", "無期限", "无限期", "永远"];

const fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309f}' | '\u{30a0}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}')
}

const fn is_hiragana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309f}')
}

const fn is_han(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Whether a text is written in Japanese or Chinese: half of its letters are.
pub(super) fn is_unspaced(text: &str) -> bool {
    let (mut num_letters, mut num_unspaced) = (0, 0);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        num_letters += 1;
        num_unspaced += usize::from(is_han(c) || is_kana(c));
    }
    num_unspaced > 0 && num_unspaced * 2 >= num_letters
}

/// What a question in Japanese or Chinese asks for; `None` for one in another language.
pub(super) fn asked(question: &str) -> Option<Expected> {
    is_unspaced(question).then(|| {
        let has = |phrases: &&str| phrases.split(' ').any(|phrase| question.contains(phrase));
        ASKS.iter().find(|(phrases, _)| has(phrases)).map_or(Expected::Anything, |(_, expected)| *expected)
    })
}

/// Whether a sentence in Japanese or Chinese has what is asked for beside what the question names.
pub(super) fn has(expected: Expected, sentence: &str, question: &str) -> bool {
    let asked = numbers(question);
    let new = || numbers(sentence).into_iter().filter(|number| !asked.iter().any(|other| other.0 == number.0));
    let is_behind = |rest: &str, units: &[&str]| units.iter().any(|unit| rest.trim_start().starts_with(unit));
    match expected {
        Expected::Number | Expected::Port => new().next().is_some(),
        Expected::Phone => sentence.contains("内線") || has_phone_number(sentence),
        Expected::Duration => {
            new().any(|(_, rest)| is_behind(rest, &UNITS_OF_TIME)) || ENDLESS.iter().any(|word| sentence.contains(word))
        }
        Expected::Time => {
            new().any(|(_, rest)| is_behind(rest, &["年", "月", "日", "号", "時", "时", "点", ":", "-", "/"]))
                || TIMES.iter().any(|word| sentence.contains(word))
        }
        // A name has no mark of its own.
        _ => true,
    }
}

/// Whether a text has a number of six digits or more, with hyphens and brackets between them.
fn has_phone_number(text: &str) -> bool {
    const MIN_DIGITS: usize = 6;
    let is_part = |c: char| c.is_numeric() || matches!(c, '-' | '(' | ')' | '+' | ' ' | '（' | '）' | '－' | '‐');
    text.split(|c| !is_part(c)).any(|part| part.chars().filter(|c| c.is_numeric()).count() >= MIN_DIGITS)
}

/// A word in Katakana of a question in Japanese that a text has not: most are names or things, and what is said of others is no answer.
pub(super) fn missing_name(question: &str, text: &str) -> Option<String> {
    const MIN_CHARS: usize = 3;
    let names = content(question)?;
    let is_name = |name: &&str| name.chars().count() >= MIN_CHARS && name.chars().all(is_kana);
    names.split(' ').filter(is_name).find(|name| !text.contains(name)).map(str::to_owned)
}

/// The numbers of a text, in digits or before a counter in characters, each with what stands behind it.
fn numbers(text: &str) -> Vec<(&str, &str)> {
    let is_digit = |c: char| c.is_numeric();
    let is_character = |c: char| "〇一二三四五六七八九十百千万".contains(c);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let is_same: &dyn Fn(char) -> bool = if is_digit(c) {
            &|c| is_digit(c) || matches!(c, '.' | ',')
        } else if is_character(c) {
            &is_character
        } else {
            at += c.len_utf8();
            continue;
        };
        let end = text[at..].find(|c| !is_same(c)).map_or(text.len(), |len| at + len);
        let rest = &text[end..];
        if is_digit(c) || rest.starts_with(|c| COUNTERS.contains(c)) {
            found.push((&text[at..end], rest));
        }
        at = end;
    }
    found
}

/// The words of a question in Japanese or Chinese that say what it is about, with spaces between them: runs of Han characters, of Katakana, and
/// of other letters, without particles, endings and words that only ask. `None` for a question in another language, or where nothing is left.
pub(super) fn content(question: &str) -> Option<String> {
    if !is_unspaced(question) {
        return None;
    }
    let mut rest = question.to_owned();
    for asking in ASKING.split_whitespace() {
        rest = rest.replace(asking, " ");
    }
    let is_japanese = question.chars().any(is_kana);
    let mut runs: Vec<String> = Vec::new();
    let mut before = None;
    for c in rest.chars() {
        let is_joint = is_hiragana(c) || !is_japanese && CHINESE_JOINTS.contains(c);
        let kind = (c.is_alphanumeric() && !is_joint).then(|| (is_han(c), is_kana(c)));
        match (kind, before == Some(kind), runs.last_mut()) {
            (None, _, _) => {}
            (Some(_), true, Some(run)) => run.push(c),
            _ => runs.push(c.to_string()),
        }
        before = Some(kind);
    }
    // A single character is the beginning of a verb more often than a word.
    let is_word = |run: &String| run.chars().count() > 1 || !run.chars().all(|c| is_han(c) || is_kana(c));
    if runs.iter().any(is_word) {
        runs.retain(is_word);
    }
    (!runs.is_empty()).then(|| runs.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_question_is_about_stands_without_particles_and_words_that_ask() {
        for (question, expected) in [
            ("ゲートウェイの障害時の当番は誰ですか", "ゲートウェイ 障害時 当番"),
            ("帳簿は何年間保存しますか", "帳簿 保存"),
            ("神戸に倉庫は何棟ありますか？", "神戸 倉庫"),
            ("API キーはいつ更新されましたか", "API キー 更新"),
            ("网关停机的负责人是谁？", "网关停机 负责人"),
            ("受影响的快递公司有几家？", "受影响 快递公司"),
        ] {
            assert_eq!(content(question).as_deref(), Some(expected), "{question}");
        }
        for question in ["Who is on call?", "Wer ist 田中?", "誰ですか", ""] {
            assert_eq!(content(question), None, "{question}");
        }
    }

    #[test]
    fn a_question_says_what_it_asks_for_and_a_sentence_has_it_or_not() {
        for (question, expected, with, without) in [
            ("当番は誰ですか", Expected::Person, "当番は佐藤です。", ""),
            ("帳簿は何年間保存しますか", Expected::Duration, "帳簿は7年間保存する。", "帳簿は3冊ある。"),
            ("帳簿は何年間保存しますか", Expected::Duration, "帳簿は七年間保存する。", "一般に保存する。"),
            ("いつ停止しましたか", Expected::Time, "9月12日に停止した。", "3台が停止した。"),
            ("バックアップはいつですか", Expected::Time, "毎週日曜日に取る。", "大阪に取る。"),
            ("倉庫は何棟ありますか", Expected::Number, "倉庫は3棟ある。", "倉庫はある。"),
            ("9月12日に何社ありましたか", Expected::Number, "9月12日に11社あった。", "9月12日にあった。"),
            ("有几家公司？", Expected::Number, "共有11家。", "公司很多。"),
            ("什么时候停机？", Expected::Time, "上午6点停机。", "已经停机。"),
            ("保存先はどこですか", Expected::Anything, "大阪です。", ""),
        ] {
            assert_eq!(asked(question), Some(expected), "{question}");
            assert!(has(expected, with, question), "{question} {with}");
            assert!(without.is_empty() || !has(expected, without, question), "{question} {without}");
        }
        assert_eq!(asked("When is it?"), None);
        assert!(has(Expected::Phone, "電話: 03-1234-5678", "佐藤の電話番号は？"));
        assert!(!has(Expected::Phone, "15分以内に電話する。", "佐藤の電話番号は？"));
    }

    #[test]
    fn a_name_in_katakana_has_to_be_there() {
        let question = "ルーターの証明書はいつ更新されましたか";
        assert_eq!(missing_name(question, "証明書は9月に更新した。").as_deref(), Some("ルーター"));
        assert_eq!(missing_name(question, "ルーターは9月に更新した。"), None);
        assert_eq!(missing_name("When was the router renewed?", ""), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_content_without_blank_words(text in "(?s)[ぁ-んァ-ヶ一-龠a-z0-9 ？。]{0,40}|.{0,40}") {
            let content = content(&text);
            proptest::prop_assert!(content.is_none_or(|words| words.split(' ').all(|word| !word.trim().is_empty())));
            let _ = (asked(&text), has(Expected::Number, &text, ""), has(Expected::Time, &text, &text));
        }
    }
}
