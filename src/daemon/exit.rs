//! How a death stands in the log: written by the daemon's actor, read by whoever judges a record later.

use serde_json::{Value, json};

use super::{ExitCause, ExitReason, ExitStatus, Incarnation};

impl ExitReason {
    /// `{"code":127,"signal":null,"cause":"terminate","incarnation":1}`; a crash has its `fault` besides.
    pub fn to_record(&self) -> Value {
        let mut record = json!({
            "code": self.status.code(),
            "signal": self.status.signal(),
            "cause": self.cause.word(),
            "incarnation": self.incarnation.0,
        });
        if let ExitCause::Crash { fault } = self.cause {
            record["fault"] = fault.into();
        }
        record
    }

    /// The same read back, as far as it can be: what is missing is zero, or the daemon's own doing.
    pub fn from_record(record: &Value) -> Self {
        let number = |key: &str| record[key].as_i64().and_then(|number| i32::try_from(number).ok());
        let count = |key: &str| record[key].as_u64().and_then(|count| u32::try_from(count).ok());
        let status = match number("code") {
            Some(code) => ExitStatus::Code(code),
            None => ExitStatus::Signal(number("signal").unwrap_or_default()),
        };
        let cause = match record["cause"].as_str() {
            Some("terminate") => ExitCause::Terminate,
            Some("kill") => ExitCause::Kill,
            Some("crash") => ExitCause::Crash { fault: count("fault").unwrap_or_default() },
            Some("signal") => ExitCause::Signal,
            Some("host-lost") => ExitCause::HostLost,
            _ => ExitCause::Itself,
        };
        Self { incarnation: Incarnation(count("incarnation").unwrap_or_default()), status, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_read_as_it_was_written() {
        let causes = [
            ExitCause::Terminate,
            ExitCause::Kill,
            ExitCause::Crash { fault: 3 },
            ExitCause::Signal,
            ExitCause::Itself,
            ExitCause::HostLost,
        ];
        for (number, cause) in (1..).zip(causes) {
            for status in [ExitStatus::Code(127), ExitStatus::Signal(9)] {
                let death = ExitReason { incarnation: Incarnation(number), status, cause };
                assert_eq!(ExitReason::from_record(&death.to_record()), death);
            }
        }
    }
}
