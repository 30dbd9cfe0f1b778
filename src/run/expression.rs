//! The expression of `-k`: words of names, joined by `and`, `or`, `not` and parentheses.
//!
//! Words side by side are one phrase, so that `-k "was killed and not two"` needs no inner quotes; quotes make a phrase
//! of anything, `"not found"` too. Case does not matter.

use std::str::FromStr;

/// Deeper nesting than this is refused, so that no argument can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// A test on the names by which a scenario goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameExpression(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    /// Lower case.
    Phrase(String),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    #[error("{wanted} expected at the end")]
    Incomplete { wanted: &'static str },
    #[error("{wanted} expected, found `{found}`")]
    Unexpected { wanted: &'static str, found: String },
    #[error("the quote {quote} is not closed")]
    UnclosedQuote { quote: char },
    #[error("nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl NameExpression {
    /// True if the expression holds, a phrase being true if any of the names contains it.
    pub fn matches(&self, names: &[&str]) -> bool {
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        self.0.holds(&names)
    }
}

impl Node {
    fn holds(&self, names: &[String]) -> bool {
        match self {
            Self::Phrase(phrase) => names.iter().any(|name| name.contains(phrase)),
            Self::Not(node) => !node.holds(names),
            Self::And(nodes) => nodes.iter().all(|node| node.holds(names)),
            Self::Or(nodes) => nodes.iter().any(|node| node.holds(names)),
        }
    }
}

impl FromStr for NameExpression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0 };
        let node = parser.any_of(0)?;
        match parser.take() {
            None => Ok(Self(node)),
            Some(token) => Err(ExpressionError::Unexpected {
                wanted: "`and`, `or` or the end",
                found: token.text().to_owned(),
            }),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Word(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Open => "(",
            Self::Close => ")",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::Word(word) => word,
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            quote @ ('"' | '\'') => {
                let inner = rest[1..]
                    .find(quote)
                    .map(|end| &rest[1..=end])
                    .ok_or(ExpressionError::UnclosedQuote { quote })?;
                (Token::Word(inner.to_lowercase()), inner.len() + 2)
            }
            _ => {
                let end = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
                let word = rest.split(end).next().unwrap_or(rest);
                (keyword(word), word.len())
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn keyword(word: &str) -> Token {
    match word.to_lowercase() {
        word if word == "and" => Token::And,
        word if word == "or" => Token::Or,
        word if word == "not" => Token::Not,
        word => Token::Word(word),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += usize::from(token.is_some());
        token
    }

    fn take_if(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.next) == Some(wanted);
        self.next += usize::from(found);
        found
    }

    fn any_of(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut nodes = vec![self.all_of(depth)?];
        while self.take_if(&Token::Or) {
            nodes.push(self.all_of(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Or(nodes) })
    }

    fn all_of(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        let mut nodes = vec![self.one(depth)?];
        while self.take_if(&Token::And) {
            nodes.push(self.one(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::And(nodes) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, ExpressionError> {
        const WANTED: &str = "a word, `not` or `(`";
        if depth > MAX_DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        match self.take() {
            None => Err(ExpressionError::Incomplete { wanted: WANTED }),
            Some(Token::Not) => Ok(Node::Not(Box::new(self.one(depth + 1)?))),
            Some(Token::Open) => {
                let node = self.any_of(depth + 1)?;
                match self.take() {
                    Some(Token::Close) => Ok(node),
                    None => Err(ExpressionError::Incomplete { wanted: "`)`" }),
                    Some(other) => Err(ExpressionError::Unexpected {
                        wanted: "`)`",
                        found: other.text().to_owned(),
                    }),
                }
            }
            Some(Token::Word(first)) => Ok(Node::Phrase(self.phrase(first))),
            Some(other) => {
                Err(ExpressionError::Unexpected { wanted: WANTED, found: other.text().to_owned() })
            }
        }
    }

    fn phrase(&mut self, first: String) -> String {
        let mut phrase = first;
        while let Some(Token::Word(word)) = self.tokens.get(self.next) {
            phrase.push(' ');
            phrase.push_str(word);
            self.next += 1;
        }
        phrase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_selects_by_words_of_the_names() {
        let names = ["an accuser that was killed still denounces", "accuser_kill"];
        let table = [
            ("killed", true),
            ("KILLED", true),
            ("accuser_kill", true),
            ("was killed", true),
            ("killed was", false),
            ("killed and denounces", true),
            ("killed and two", false),
            ("two or killed", true),
            ("not two", true),
            ("not not killed", true),
            ("not killed or denounces", true),
            ("not (killed or denounces)", false),
            ("killed and not (two or three)", true),
            ("two or killed and three", false),
            ("(two or killed) and still", true),
            ("\"killed still\"", true),
            ("'not killed'", false),
            ("notary", false),
        ];
        for (text, expected) in table {
            let expression: NameExpression = text.parse().expect(text);
            assert_eq!(expression.matches(&names), expected, "{text}");
        }
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let table = [
            ("", "a word, `not` or `(` expected at the end"),
            ("and x", "a word, `not` or `(` expected, found `and`"),
            ("x and", "a word, `not` or `(` expected at the end"),
            ("(x", "`)` expected at the end"),
            ("x)", "`and`, `or` or the end expected, found `)`"),
            ("x not y", "`and`, `or` or the end expected, found `not`"),
            ("\"x", "the quote \" is not closed"),
        ];
        for (text, expected) in table {
            let error = text.parse::<NameExpression>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_ends() {
        for text in ["(".repeat(100_000), "not ".repeat(100_000)] {
            assert_eq!(text.parse::<NameExpression>(), Err(ExpressionError::TooDeep));
        }
    }
}
