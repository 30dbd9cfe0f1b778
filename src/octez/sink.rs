//! `TEZOS_EVENTS_CONFIG`: where an Octez daemon writes its events, and which.

use std::path::Path;

use crate::daemon::{EventLevels, Level};

/// A sink that appends one JSON line an event to `pipe`, as Tezt configures it (`tezt/lib_tezos/daemon.ml`).
///
/// The first matching prefix wins (`file_descriptor_sink.ml`), so the catch-all stands last. The path must consist of
/// `[A-Za-z0-9._/-]`: Octez splits the value at spaces and decodes nothing.
pub fn events_config(pipe: &Path, levels: &EventLevels) -> String {
    let mut config = format!("file-descriptor-path://{}?", pipe.display());
    for (section, level) in &levels.sections {
        config += "section-prefix=";
        config += section;
        config += ":";
        config += level.word();
        config += "&";
    }
    config += "section-prefix=:";
    config += levels.level.word();
    config
}

impl EventLevels {
    /// Whether an event of this section, name (without version) and level is written.
    pub fn show(&self, section: &[&str], name: &str, level: Level) -> bool {
        let path: Vec<&str> = section.iter().copied().chain([name]).collect();
        let covers = |prefix: &str| {
            let mut elements = prefix.split('.').filter(|element| !element.is_empty());
            let mut path = path.iter();
            // `*` in our own tables stands for the protocol, which no prefix is known to miss.
            elements.all(|element| {
                path.next().is_some_and(|part| *part == element || *part == "*" || element == "_")
            })
        };
        let own = self.sections.iter().find(|(prefix, _)| covers(prefix));
        level >= own.map_or(self.level, |(_, level)| *level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_stand_before_the_rest_in_their_order() {
        let levels = EventLevels {
            level: Level::Notice,
            sections: vec![("alpha.delegate".into(), Level::Debug), ("p2p".into(), Level::Error)],
        };
        assert_eq!(
            events_config(Path::new("/tmp/x/p"), &levels),
            "file-descriptor-path:///tmp/x/p?section-prefix=alpha.delegate:debug&section-prefix=p2p:error&section-prefix=:notice"
        );
    }

    #[test]
    fn the_first_section_that_covers_an_event_decides_its_level() {
        let levels = EventLevels {
            level: Level::Notice,
            sections: vec![("*.delegate".into(), Level::Debug), ("p2p".into(), Level::Error)],
        };
        assert!(levels.show(&["*", "delegate", "denunciation"], "x", Level::Debug));
        assert!(!levels.show(&["p2p", "pool"], "x", Level::Notice));
        assert!(!levels.show(&["node"], "x", Level::Info));
        assert!(levels.show(&["node"], "x", Level::Notice));
    }
}
