//! What a plain scalar is: the core schema of YAML 1.2, less what other YAMLs read differently.

use serde_json::Number;

/// The meaning of a plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    Text,
    Null,
    Boolean(bool),
    Integer(Number),
    Float(Number),
    Trap(Trap),
}

/// What YAML 1.1 and 1.2 read differently, or no JSON can hold: never guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// `yes`, `no`, `on`, `off`: booleans for YAML 1.1, texts for 1.2.
    Word(bool),
    /// `010`: eight for YAML 1.1, ten for 1.2.
    LeadingZero,
    /// `0x1f`, `0o17`, `0b1`.
    Radix,
    /// `1_000`: a number for YAML 1.1, a text for 1.2.
    Underscore,
    /// `.inf`, `.nan`.
    NotFinite,
    /// An integer beyond 64 bits.
    TooLarge,
}

impl Trap {
    /// What could have been meant instead of the text, if a value of another type.
    pub(crate) fn instead(&self, text: &str) -> Option<String> {
        let digits = || text.trim_start_matches(['+', '-', '0']).replace('_', "");
        match self {
            Self::Word(value) => Some(value.to_string()),
            Self::LeadingZero | Self::Underscore => Some(digits()),
            Self::Radix => radix(text).map(|number| number.to_string()),
            Self::NotFinite | Self::TooLarge => None,
        }
    }
}

pub(crate) fn classify(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Boolean(true),
        "false" | "False" | "FALSE" => return Plain::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => return Plain::Trap(Trap::NotFinite),
        _ => {}
    }
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" => return Plain::Trap(Trap::Word(true)),
        "no" | "off" => return Plain::Trap(Trap::Word(false)),
        _ => {}
    }
    number(text)
}

fn number(text: &str) -> Plain {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Plain::Trap(Trap::NotFinite);
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Plain::Text;
    }
    if radix(unsigned).is_some() {
        return Plain::Trap(Trap::Radix);
    }
    let digits_only = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if digits_only(unsigned) {
        return match text.strip_prefix('+').unwrap_or(text).parse::<i128>() {
            Ok(_) if unsigned.len() > 1 && unsigned.starts_with('0') => {
                Plain::Trap(Trap::LeadingZero)
            }
            Ok(value) => i64::try_from(value)
                .map(Number::from)
                .or_else(|_| u64::try_from(value).map(Number::from))
                .map_or(Plain::Trap(Trap::TooLarge), Plain::Integer),
            Err(_) => Plain::Trap(Trap::TooLarge),
        };
    }
    let bare = unsigned.replace('_', "");
    if bare.len() < unsigned.len()
        && bare.starts_with(|c: char| c.is_ascii_digit())
        && digits_only(&bare)
    {
        return Plain::Trap(Trap::Underscore);
    }
    // Rust's grammar of floats is the core schema's, but for the words, which begin with no digit.
    match text.parse::<f64>() {
        Ok(value) => Number::from_f64(value).map_or(Plain::Trap(Trap::TooLarge), Plain::Float),
        Err(_) => Plain::Text,
    }
}

fn radix(text: &str) -> Option<u64> {
    let (radix, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .iter()
        .find_map(|(prefix, radix)| text.strip_prefix(prefix).map(|digits| (*radix, digits)))?;
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_the_core_schema() {
        let integer = |n: i64| Plain::Integer(Number::from(n));
        let float = |n: f64| Plain::Float(Number::from_f64(n).unwrap());
        for (text, expected) in [
            ("node", Plain::Text),
            ("", Plain::Null),
            ("~", Plain::Null),
            ("null", Plain::Null),
            ("true", Plain::Boolean(true)),
            ("FALSE", Plain::Boolean(false)),
            ("0", integer(0)),
            ("-12", integer(-12)),
            ("+3", integer(3)),
            ("18446744073709551615", Plain::Integer(Number::from(u64::MAX))),
            ("1.50", float(1.5)),
            (".5", float(0.5)),
            ("1e3", float(1000.0)),
            ("1.2.3", Plain::Text),
            ("127.0.0.1:80", Plain::Text),
            ("3m", Plain::Text),
            ("-", Plain::Text),
            ("--port", Plain::Text),
            (".", Plain::Text),
            ("inf", Plain::Text),
            ("nan", Plain::Text),
            ("_1", Plain::Text),
            ("1__", Plain::Trap(Trap::Underscore)),
        ] {
            assert_eq!(classify(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_yaml_versions_read_differently_is_a_trap() {
        for (text, trap, instead) in [
            ("no", Trap::Word(false), Some("false")),
            ("Yes", Trap::Word(true), Some("true")),
            ("on", Trap::Word(true), Some("true")),
            ("OFF", Trap::Word(false), Some("false")),
            ("010", Trap::LeadingZero, Some("10")),
            ("0x1f", Trap::Radix, Some("31")),
            ("0o17", Trap::Radix, Some("15")),
            ("1_000", Trap::Underscore, Some("1000")),
            (".inf", Trap::NotFinite, None),
            ("-.Inf", Trap::NotFinite, None),
            (".nan", Trap::NotFinite, None),
            ("1e999", Trap::TooLarge, None),
            ("99999999999999999999", Trap::TooLarge, None),
            ("9999999999999999999999999999999999999999999999", Trap::TooLarge, None),
        ] {
            assert_eq!(classify(text), Plain::Trap(trap.clone()), "{text:?}");
            assert_eq!(trap.instead(text).as_deref(), instead, "{text:?}");
        }
    }
}
