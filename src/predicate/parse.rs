//! Tokens to a syntax tree: recursive descent, one function per level of precedence.

use super::ast::{ArithmeticOp, CompareOp, Compiled, EventField, Expr, Literal, Node};
use super::error::{ParseError, Refusal, Span};
use super::lex::{Lexer, Token};
use super::references::References;
use super::{MAX_DEPTH, MAX_SOURCE_BYTES};

/// Names that CEL keeps for itself. A field after a dot may have them, except the first four.
pub(super) const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

pub(super) const KEYWORDS: &[&str] = RESERVED.first_chunk::<4>().expect("there are more");

pub(super) fn predicate(source: &str) -> Result<Compiled, Refusal> {
    let compiled = expression(source)?;
    boolean(&compiled.root).map_err(|error| error.help("a predicate compares: `level >= 10`"))?;
    Ok(compiled)
}

pub(super) fn expression(source: &str) -> Result<Compiled, Refusal> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("longer than {MAX_SOURCE_BYTES} bytes");
        return Err(ParseError { span: 0..source.len(), message, help: None }.into());
    }
    let mut parser = Parser::new(source)?;
    if parser.token == Token::End {
        return Err(Refusal::new(parser.span, "there is no expression"));
    }
    let root = parser.expression()?;
    if parser.token != Token::End {
        return Err(parser.unexpected());
    }
    let references = References::of(&root);
    Ok(Compiled { source: source.into(), root: *root, references })
}

/// Refuses what can never be true or false.
pub(super) fn boolean(expr: &Expr) -> Result<(), Refusal> {
    let found = match &expr.node {
        Node::Literal(Literal::Null) => "null",
        Node::Literal(Literal::Int(_) | Literal::Float(_)) | Node::Negate(_) => "a number",
        Node::Literal(Literal::Str(_)) => "a string",
        Node::List { .. } => "a list",
        Node::Arithmetic { .. } | Node::Convert { .. } | Node::Event(_) => "a value",
        Node::Macro { kind, .. } if kind.gives_list() => "a list",
        _ => return Ok(()),
    };
    Err(Refusal::new(expr.span, format!("this is {found}, neither true nor false")))
}

/// Boxed on both sides, so that the frames of the recursion stay small.
pub(super) type Parsed = Result<Box<Expr>, Refusal>;

#[derive(Debug)]
pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    lexer: Lexer<'s>,
    pub(super) token: Token<'s>,
    pub(super) span: Span,
    /// Of the token before, where an expression ends.
    pub(super) previous: Span,
    depth: usize,
    /// The names that macros bind around this place, innermost last.
    pub(super) bound: Vec<&'s str>,
}

impl<'s> Parser<'s> {
    fn new(source: &'s str) -> Result<Self, Refusal> {
        let mut lexer = Lexer::new(source);
        let (token, span) = lexer.next_token()?;
        Ok(Self { source, lexer, token, span, previous: span, depth: 0, bound: Vec::new() })
    }

    pub(super) fn advance(&mut self) -> Result<Token<'s>, Refusal> {
        let (token, span) = self.lexer.next_token()?;
        self.previous = std::mem::replace(&mut self.span, span);
        Ok(std::mem::replace(&mut self.token, token))
    }

    pub(super) fn at(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(found) if found == symbol)
    }

    pub(super) fn eat(&mut self, symbol: &str) -> Result<bool, Refusal> {
        let found = self.at(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, symbol: &str, opened: Span) -> Result<(), Refusal> {
        if self.eat(symbol)? {
            return Ok(());
        }
        if self.token == Token::End {
            let open = opened.of(self.source);
            return Err(Refusal::new(opened, format!("this `{open}` has no `{symbol}`")));
        }
        let error = self.unexpected();
        Err(if error.has_help() { error } else { error.help(format!("`{symbol}` may come here")) })
    }

    /// The tree from `start` to the last token, unless it gets too deep.
    pub(super) fn build(&self, node: Node, start: Span) -> Parsed {
        let expr = Expr::new(node, start.to(self.previous));
        if expr.depth > MAX_DEPTH { Err(self.too_deep()) } else { Ok(Box::new(expr)) }
    }

    fn too_deep(&self) -> Refusal {
        Refusal::new(self.span, format!("nested deeper than {MAX_DEPTH} levels"))
    }

    pub(super) fn expression(&mut self) -> Parsed {
        if self.depth == MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let start = self.span;
        let condition = self.disjunction()?;
        let expr = if self.at("?") { self.conditional(condition, start)? } else { condition };
        self.depth -= 1;
        Ok(expr)
    }

    fn conditional(&mut self, condition: Box<Expr>, start: Span) -> Parsed {
        boolean(&condition)?;
        let question = self.span;
        self.advance()?;
        let then = self.expression()?;
        self.expect(":", question)?;
        let otherwise = self.expression()?;
        self.build(Node::Conditional { condition, then, otherwise }, start)
    }

    fn disjunction(&mut self) -> Parsed {
        self.chain("||", Self::conjunction, Node::Or)
    }

    fn conjunction(&mut self) -> Parsed {
        self.chain("&&", Self::relation, Node::And)
    }

    fn chain(
        &mut self,
        symbol: &str,
        operand: fn(&mut Self) -> Parsed,
        node: fn(Vec<Expr>) -> Node,
    ) -> Parsed {
        let start = self.span;
        let first = operand(self)?;
        if !self.at(symbol) {
            return Ok(first);
        }
        boolean(&first)?;
        let mut items = vec![*first];
        while self.eat(symbol)? {
            let item = operand(self)?;
            boolean(&item)?;
            items.push(*item);
        }
        self.build(node(items), start)
    }

    fn relation(&mut self) -> Parsed {
        let start = self.span;
        let left = self.sum()?;
        let node = if let Some(op) = self.comparison() {
            self.advance()?;
            Node::Compare { op, left, right: self.sum()? }
        } else if self.token == Token::Word("in") {
            self.advance()?;
            Node::In { item: left, container: self.sum()? }
        } else {
            return Ok(left);
        };
        if self.comparison().is_some() || self.token == Token::Word("in") {
            let error = Refusal::new(self.span, "comparisons do not chain");
            return Err(error.help("write `a < b && b < c`, or brackets"));
        }
        self.build(node, start)
    }

    fn comparison(&self) -> Option<CompareOp> {
        match self.token {
            Token::Symbol(symbol) => CompareOp::named(symbol),
            _ => None,
        }
    }

    fn sum(&mut self) -> Parsed {
        self.arithmetic(&[ArithmeticOp::Add, ArithmeticOp::Subtract], Self::product)
    }

    fn product(&mut self) -> Parsed {
        use ArithmeticOp::{Divide, Multiply, Remainder};
        self.arithmetic(&[Multiply, Divide, Remainder], Self::unary)
    }

    fn arithmetic(&mut self, ops: &[ArithmeticOp], operand: fn(&mut Self) -> Parsed) -> Parsed {
        let start = self.span;
        let mut left = operand(self)?;
        while let Token::Symbol(symbol) = self.token
            && let Some(op) = ArithmeticOp::named(symbol).filter(|op| ops.contains(op))
        {
            self.advance()?;
            let right = operand(self)?;
            left = self.build(Node::Arithmetic { op, left, right }, start)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let mut signs = Vec::new();
        while self.at("!") || self.at("-") {
            signs.push((self.at("!"), self.span));
            self.advance()?;
        }
        let mut expr = self.postfix()?;
        for (not, start) in signs.into_iter().rev() {
            let node = if not {
                boolean(&expr)?;
                Node::Not(expr)
            } else {
                negated(expr)
            };
            expr = self.build(node, start)?;
        }
        Ok(expr)
    }

    fn postfix(&mut self) -> Parsed {
        let start = self.span;
        let mut expr = self.primary()?;
        loop {
            if self.eat(".")? {
                expr = self.member(expr, start)?;
            } else if self.at("[") {
                expr = self.index(expr, start)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn member(&mut self, base: Box<Expr>, start: Span) -> Parsed {
        let Token::Word(field) = self.token else {
            return Err(match self.token {
                Token::Int(index) => self.unexpected().help(format!("write `[{index}]`")),
                Token::End => Refusal::new(self.previous, "a field is missing after the dot"),
                _ => self.unexpected(),
            });
        };
        if KEYWORDS.contains(&field) {
            let error = Refusal::new(self.span, format!("`{field}` is a word of CEL"));
            return Err(error.help(format!("write the field as `[\"{field}\"]`, without the dot")));
        }
        let name = self.span;
        self.advance()?;
        if self.at("(") {
            return self.method(base, field, name, start);
        }
        self.build(Node::Member { base, field: field.into() }, start)
    }

    fn index(&mut self, base: Box<Expr>, start: Span) -> Parsed {
        let opened = self.span;
        self.advance()?;
        let index = self.expression()?;
        self.expect("]", opened)?;
        let node = match index.node {
            // `a["b"]` is `a.b`.
            Node::Literal(Literal::Str(field)) => Node::Member { base, field },
            _ => Node::Index { base, index },
        };
        self.build(node, start)
    }

    fn primary(&mut self) -> Parsed {
        let start = self.span;
        let literal = match &mut self.token {
            Token::Int(value) => Literal::Int(*value),
            Token::Float(value) => Literal::Float(*value),
            Token::Str(text) => Literal::Str(std::mem::take(text).into()),
            Token::Word("true") => Literal::Bool(true),
            Token::Word("false") => Literal::Bool(false),
            Token::Word("null") => Literal::Null,
            Token::Word(word) => {
                let word = *word;
                return self.name(word, start);
            }
            Token::Variable(name) => {
                let name = (*name).into();
                self.advance()?;
                return self.build(Node::Variable(name), start);
            }
            Token::Symbol("(") => return self.bracketed(start),
            Token::Symbol("[") => return self.list(start),
            Token::Symbol(_) | Token::End => return Err(self.missing_operand()),
        };
        self.advance()?;
        self.build(Node::Literal(literal), start)
    }

    fn bracketed(&mut self, opened: Span) -> Parsed {
        self.advance()?;
        let expr = self.expression()?;
        self.expect(")", opened)?;
        Ok(expr)
    }

    fn list(&mut self, opened: Span) -> Parsed {
        self.advance()?;
        let mut items = Vec::new();
        while !self.at("]") {
            items.push(*self.expression()?);
            if !self.eat(",")? {
                break;
            }
        }
        self.expect("]", opened)?;
        self.build(Node::list(items), opened)
    }

    fn name(&mut self, word: &'s str, start: Span) -> Parsed {
        if word == "in" {
            return Err(self.missing_operand());
        }
        self.advance()?;
        if self.at("(") {
            return self.function(word, start);
        }
        if let Some(up) = self.bound.iter().rev().position(|name| *name == word) {
            return self.build(Node::Bound { name: word.into(), up }, start);
        }
        match word {
            "self" => self.build(Node::Payload, start),
            "event" => self.event(start),
            _ if RESERVED.contains(&word) => {
                let error = Refusal::new(start, format!("`{word}` is a reserved word of CEL"));
                Err(error.help(format!("write the field as `self[\"{word}\"]`")))
            }
            "not" if self.begins_operand() => Err(no_operator(start, word, "!")),
            _ => {
                let payload = Box::new(Expr::new(Node::Payload, start));
                self.build(Node::Member { base: payload, field: word.into() }, start)
            }
        }
    }

    fn event(&mut self, start: Span) -> Parsed {
        const PAYLOAD: &str = "a field of the payload with that name is `self.event`";
        if !self.eat(".")? {
            let error = Refusal::new(start, "`event` alone is no value");
            return Err(error.help(format!("write `event.name` or the like; {PAYLOAD}")));
        }
        let (Token::Word(word), span) = (self.token.clone(), self.span) else {
            return Err(
                Refusal::new(self.span, "a field of `event` is missing").help(EventField::list())
            );
        };
        let Some(field) = EventField::named(word) else {
            let error = Refusal::new(span, format!("`event` has no `{word}`"));
            return Err(error.help(format!("it has {}; {PAYLOAD}", EventField::list())));
        };
        self.advance()?;
        self.build(Node::Event(field), start)
    }

    fn begins_operand(&self) -> bool {
        match self.token {
            Token::Word(word) => word != "in",
            Token::Int(_) | Token::Float(_) | Token::Str(_) | Token::Variable(_) => true,
            Token::Symbol(_) | Token::End => false,
        }
    }

    fn missing_operand(&self) -> Refusal {
        if self.token == Token::End {
            let end = Span { start: self.span.end, end: self.span.end };
            let before = self.previous.of(self.source);
            let error = Refusal::new(end, format!("something is missing after `{before}`"));
            return error.help("an expression is such as `level >= 4`");
        }
        let found = self.span.of(self.source);
        let error = Refusal::new(self.span, format!("a value is missing before `{found}`"));
        match found {
            "." => error.help("write `0.5`, or the name that the dot belongs to"),
            _ => error,
        }
    }

    /// The error of a token that follows a complete expression.
    pub(super) fn unexpected(&self) -> Refusal {
        let found = self.span.of(self.source);
        if let Token::Word(word) = self.token {
            match word {
                "and" | "AND" => return no_operator(self.span, word, "&&"),
                "or" | "OR" => return no_operator(self.span, word, "||"),
                "is" | "eq" | "equals" => return no_operator(self.span, word, "=="),
                "ne" => return no_operator(self.span, word, "!="),
                "not" => {
                    return Refusal::new(self.span, "`not` is no operator")
                        .help("write `!` in front: `!(x in list)`");
                }
                "contains" | "startsWith" | "endsWith" | "matches" => {
                    return Refusal::new(self.span, format!("`{word}` is no operator"))
                        .help(format!("write `text.{word}(\"…\")`"));
                }
                _ => {}
            }
        }
        match &self.token {
            Token::End => Refusal::new(self.span, "the expression ends too early"),
            Token::Symbol(")" | "]") => {
                Refusal::new(self.span, format!("nothing is open for this `{found}`"))
            }
            Token::Symbol(_) => Refusal::new(self.span, format!("`{found}` is unexpected")),
            _ => Refusal::new(self.span, format!("an operator is missing before `{found}`")),
        }
    }
}

fn no_operator(span: Span, word: &str, symbol: &str) -> Refusal {
    Refusal::new(span, format!("`{word}` is no operator")).help(format!("write `{symbol}`"))
}

/// A minus before a number belongs to the number.
fn negated(expr: Box<Expr>) -> Node {
    match expr.node {
        Node::Literal(Literal::Int(value)) if value != i128::MIN => {
            Node::Literal(Literal::Int(-value))
        }
        Node::Literal(Literal::Float(value)) => Node::Literal(Literal::Float(-value)),
        _ => Node::Negate(expr),
    }
}

#[cfg(test)]
mod tests;
