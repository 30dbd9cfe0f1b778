//! Signals by name and by number, without asking the system.

/// `SIGKILL` for 9; `signal 70` for a number without a name.
pub fn signal_name(signal: i32) -> String {
    match name_of(signal) {
        Some(name) => format!("SIG{name}"),
        None => format!("signal {signal}"),
    }
}

/// Linux signal numbers by name, without `SIG` (signal(7), x86 and ARM).
const SIGNALS: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

fn name_of(signal: i32) -> Option<&'static str> {
    SIGNALS.iter().find(|(_, number)| *number == signal).map(|(name, _)| *name)
}

/// The number of `USR1`, `SIGUSR1`, `usr1` or `10`.
pub fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    SIGNALS.iter().find(|(known, _)| *known == bare).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_in_every_usual_spelling() {
        for text in ["USR1", "SIGUSR1", "usr1", "sigusr1", "10"] {
            assert_eq!(signal_number(text), Some(10), "{text}");
        }
        for text in ["", "SIG", "NOPE", "0", "65", "-9", "9.0"] {
            assert_eq!(signal_number(text), None, "{text}");
        }
        assert_eq!(signal_name(9), "SIGKILL");
        assert_eq!(signal_name(40), "signal 40");
    }
}
