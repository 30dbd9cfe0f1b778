//! What a terminal shows that was sent these bytes.

use crate::support::COLUMNS;

/// The lines of the screen and of what has been scrolled out of it, without the blank ones at the end.
pub fn shown(bytes: &str) -> Vec<String> {
    let mut screen = Screen::default();
    let mut rest = bytes.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => screen.escape(&mut rest),
            '\r' => screen.column = 0,
            '\n' => screen.row += 1,
            c => screen.put(c),
        }
    }
    let mut lines: Vec<String> = screen
        .lines
        .iter()
        .map(|line| line.iter().collect::<String>().trim_end().to_owned())
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    fn line(&mut self) -> &mut Vec<char> {
        while self.lines.len() <= self.row {
            self.lines.push(Vec::new());
        }
        &mut self.lines[self.row]
    }

    fn put(&mut self, c: char) {
        // A full line is left when the next character comes, not before.
        if self.column == usize::from(COLUMNS) {
            (self.row, self.column) = (self.row + 1, 0);
        }
        let column = self.column;
        let line = self.line();
        while line.len() <= column {
            line.push(' ');
        }
        line[column] = c;
        self.column += 1;
    }

    /// Those that the program may send: colours, which show nothing here, movements and deletions.
    fn escape(&mut self, rest: &mut std::str::Chars<'_>) {
        assert_eq!(rest.next(), Some('['), "an escape sequence that nobody should send");
        let mut number = String::new();
        let end = loop {
            match rest.next() {
                Some(c) if c.is_ascii_alphabetic() => break c,
                Some(c) => number.push(c),
                None => return,
            }
        };
        let count = number.parse().unwrap_or(1);
        let column = self.column;
        match (end, number.as_str()) {
            ('m', _) | ('h' | 'l', "?25") => {}
            ('A', _) => self.row = self.row.saturating_sub(count),
            ('B', _) => self.row += count,
            ('C', _) => self.column += count,
            ('D', _) => self.column = self.column.saturating_sub(count),
            ('G', _) => self.column = count.saturating_sub(1),
            ('K', "2") => self.line().clear(),
            ('K', _) => self.line().truncate(column),
            ('J', _) => {
                self.line().truncate(column);
                let row = self.row;
                self.lines.truncate(row + 1);
            }
            other => panic!("an escape sequence that nobody should send: {other:?}"),
        }
    }
}
