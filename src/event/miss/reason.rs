//! Why a wait found nothing, in words.

use std::fmt::Write;

use super::{Miss, Passed};

impl Miss {
    /// `never seen in this incarnation (once in incarnation 1, seq 118, before the cursor at 131)`
    ///
    /// `wanted` is how many events it takes.
    pub fn reason(&self, wanted: u32) -> String {
        let mut text = match (self.same_name, self.matched) {
            (0, _) => format!("never seen{}", self.since_when()),
            (seen, 0) => format!("seen {}, but `where` was never true", times(seen)),
            (_, matched) => {
                format!("seen {} as wanted, and it takes {wanted}", times(matched))
            }
        };
        // What came early and was not as wanted explains nothing to whoever sees later ones that were not either.
        let tells = |passed: &&Passed| self.same_name == 0 || passed.matched > 0;
        let passed: Vec<&Passed> = self.passed.iter().filter(tells).collect();
        if !passed.is_empty() {
            write!(text, " ({})", before(&passed)).expect("a string takes all text");
        } else if self.names.is_empty() && self.same_name == 0 {
            text.push_str(": no event at all has come");
        }
        if self.is_partial {
            text.push_str("; only the newest records are counted here");
        }
        text
    }

    fn since_when(&self) -> String {
        let Some(last) = self.passed.last() else { return String::new() };
        let one_daemon = self.passed.iter().all(|passed| passed.daemon == last.daemon);
        if one_daemon && self.incarnation.is_some_and(|newest| last.incarnation < newest) {
            return " in this incarnation".to_owned();
        }
        " since the cursor".to_owned()
    }
}

fn before(passed: &[&Passed]) -> String {
    let counts = passed.iter().map(|passed| {
        let quality = match passed.matched {
            0 => ", not as wanted",
            matched if matched < passed.count => ", not always as wanted",
            _ => "",
        };
        format!("{} in incarnation {}{quality}", times(passed.count), passed.incarnation)
    });
    let mut text = counts.collect::<Vec<_>>().join(", ");
    if let Some(last) = passed.last() {
        let total: u64 = passed.iter().map(|passed| passed.count).sum();
        let word = if total > 1 { "last at seq" } else { "seq" };
        write!(text, ", {word} {}, before the cursor at {}", last.last, last.cursor)
            .expect("a string takes all text");
    }
    text
}

/// `once`, `twice`, `3 times`
fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    }
}
