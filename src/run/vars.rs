//! `--var K=V`: what comes before a file's `vars`. Which type V has is for the file to say.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not K=V with a name of A-Z, a-z, 0-9 and `_` that begins with no digit")]
pub struct InvalidVar {
    text: String,
}

/// The name and the text after the first `=`.
pub fn parse(text: &str) -> Result<(String, String), InvalidVar> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.split_once('=') {
        Some((name, value))
            if name.starts_with(|c: char| legal(c) && !c.is_ascii_digit())
                && name.chars().all(legal) =>
        {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(InvalidVar { text: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_name_and_any_text() {
        let table = [
            ("times=3", "times", "3"),
            ("url=http://a/?b=c", "url", "http://a/?b=c"),
            ("_x=", "_x", ""),
        ];
        for (text, name, value) in table {
            assert_eq!(parse(text), Ok((name.to_owned(), value.to_owned())), "{text}");
        }
        for text in ["", "a", "=1", "a b=1", "1a=1", "a.b=1", "é=1"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
