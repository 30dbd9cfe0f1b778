//! Which event a sink takes: ordered section prefixes with a threshold each, the first match wins.

use crate::daemon::Level;

/// The rules of one sink, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub rules: Vec<Rule>,
}

/// A threshold for the events whose section and name start with these words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub prefix: Vec<String>,
    /// `None`: such events are excluded.
    pub from: Option<Level>,
}

/// The prefix word that stands for any one word.
const ANY: &str = "_";

impl Filter {
    /// Whether an event of this section and simple name (without `.v0`) is written. What no rule matches is taken from info on.
    pub fn takes(&self, section: &[&str], name: &str, level: Level) -> bool {
        let from = self
            .rules
            .iter()
            .find(|rule| rule.matches(section, name))
            .map_or(Some(Level::Info), |rule| rule.from);
        from.is_some_and(|from| level >= from)
    }
}

impl Rule {
    /// Reads `section.name:level`, `section` (from info on), `section:none` or `:level`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (prefix, from) = match text.split_once(':') {
            None => (text, Some(Level::Info)),
            Some((prefix, level)) if level.eq_ignore_ascii_case("none") => (prefix, None),
            Some((prefix, level)) => (prefix, Some(parse_level(level)?)),
        };
        let words = prefix.split('.').filter(|word| !word.is_empty());
        Ok(Self { prefix: words.map(sanitised).collect(), from })
    }

    fn matches(&self, section: &[&str], name: &str) -> bool {
        let mut words = section.iter().copied().chain([name]);
        self.prefix
            .iter()
            .all(|wanted| words.next().is_some_and(|word| wanted == ANY || wanted == word))
    }
}

/// A level by its word, in any case.
pub fn parse_level(text: &str) -> Result<Level, String> {
    let levels =
        [Level::Debug, Level::Info, Level::Notice, Level::Warning, Level::Error, Level::Fatal];
    levels
        .into_iter()
        .find(|level| level.word().eq_ignore_ascii_case(text))
        .ok_or_else(|| format!("{text:?} is not a level"))
}

/// A word as Octez keeps it: what cannot stand in a section becomes `_`, so `*` is a wildcard.
fn sanitised(word: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "@_+=~-".contains(c);
    word.chars().map(|c| if legal(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Filter, Rule};
    use crate::daemon::Level;

    fn filter(rules: &[&str]) -> Filter {
        let rules = rules.iter().map(|rule| Rule::parse(rule).expect("a good rule")).collect();
        Filter { rules }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let denunciation = ["025-PsUshuai", "delegate", "denunciation"].as_slice();
        type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str, Level, bool);
        // Rules, section, name, level, taken.
        let cases: &[Case<'_>] = &[
            (&[":info"], denunciation, "accuser_saw_block", Level::Debug, false),
            (&[":info"], denunciation, "accuser_processed_block", Level::Notice, true),
            (&[":debug"], &[], "anything", Level::Debug, true),
            (&[], denunciation, "any", Level::Info, true),
            (&[], denunciation, "any", Level::Debug, false),
            (&["025-PsUshuai.delegate:debug", ":error"], denunciation, "x", Level::Debug, true),
            (&["025-PsUshuai.delegate:debug", ":error"], &["node"], "x", Level::Warning, false),
            (&[":error", "025-PsUshuai:debug"], denunciation, "x", Level::Notice, false),
            (&["*.delegate:none", ":debug"], denunciation, "x", Level::Fatal, false),
            (&["*.delegate:none", ":debug"], &["node", "main"], "x", Level::Debug, true),
            (&["node.main"], &["node", "main"], "x", Level::Info, true),
            (&["node.main"], &["node", "main"], "x", Level::Debug, false),
            (&["node.main.bye:none", ":debug"], &["node", "main"], "bye", Level::Notice, false),
            (&["node.main.bye:none", ":debug"], &["node", "main"], "byes", Level::Notice, true),
            (&["node.main.bye.v0:none", ":debug"], &["node", "main"], "bye", Level::Notice, true),
            (&["nod:none"], &["node"], "x", Level::Info, true),
            (&["agnostic-agent:NOTICE"], &["agnostic-agent"], "x", Level::Notice, true),
        ];
        for (rules, section, name, level, taken) in cases {
            assert_eq!(
                filter(rules).takes(section, name, *level),
                *taken,
                "{rules:?} on {section:?} {name} {level:?}"
            );
        }
    }

    #[test]
    fn a_rule_with_an_unknown_level_is_refused() {
        for text in ["node:loud", ":", "a:info:debug"] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
    }
}
