//! Declaration keys, wherever they stand: `daemons`, `defaults`, `with`.

use super::Reader;
use super::fields::{Fields, Slot};
use crate::daemon::{EventLevels, Level, RestartRule};
use crate::scenario::grammar::{BACKOFF, ENVELOPE, EVENT_LEVELS, READY, RESTART, Shape, UPGRADE};
use crate::scenario::model::{
    AccuserSettings, BackoffSettings, EnvelopeSettings, EventsFrom, NodeSettings, ProcessSettings,
    ReadyWhen, RestartSettings, Settings, Spanned, UpgradeSetting,
};
use crate::scenario::yaml::Content;

const LEVELS: [(&str, Level); 6] = [
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("notice", Level::Notice),
    ("warning", Level::Warning),
    ("error", Level::Error),
    ("fatal", Level::Fatal),
];

impl Reader {
    pub(super) fn settings(&mut self, fields: &Fields<'_>) -> Settings {
        Settings {
            env: fields.get("env").and_then(|slot| self.text_map(slot)),
            cwd: fields.get("cwd").and_then(|slot| self.text(slot)),
            args: fields.get("args").and_then(|slot| self.text_list(slot)),
            events: fields.get("events").and_then(|slot| self.event_levels(slot)),
            restart: fields.get("restart").and_then(|slot| self.restart(slot)),
            grace: fields.get("grace").and_then(|slot| self.duration(slot)),
            knows: fields.get("knows").and_then(|slot| self.names(slot)),
            binary: fields.get("binary").and_then(|slot| self.text(slot)),
            watched: fields.get("node").and_then(|slot| self.name(slot)),
            keep_alive: fields.get("keep_alive").and_then(|slot| self.boolean(slot)),
            node: self.node_settings(fields),
            accuser: self.accuser_settings(fields),
            keys: fields.get("keys").and_then(|slot| self.texts(slot)),
            process: self.process_settings(fields),
        }
    }

    fn node_settings(&mut self, fields: &Fields<'_>) -> NodeSettings {
        NodeSettings {
            synchronisation_threshold: fields
                .get("synchronisation_threshold")
                .and_then(|slot| self.integer(slot)),
            private_mode: fields.get("private_mode").and_then(|slot| self.boolean(slot)),
            connections: fields.get("connections").and_then(|slot| self.integer(slot)),
            peers: fields.get("peers").and_then(|slot| self.text_list(slot)),
            history_mode: fields.get("history_mode").and_then(|slot| self.text(slot)),
            singleprocess: fields.get("singleprocess").and_then(|slot| self.boolean(slot)),
            config: fields.get("config").and_then(|slot| self.object(slot)),
            upgrades: fields.get("upgrades").and_then(|slot| self.upgrades(slot)),
        }
    }

    fn upgrades(&mut self, slot: Slot<'_>) -> Option<Vec<UpgradeSetting>> {
        let items = self.items(slot)?;
        let upgrade = |item| self.upgrade(slot.item(Shape::Table(&UPGRADE), item));
        let all: Vec<Option<UpgradeSetting>> = items.iter().map(upgrade).collect();
        all.into_iter().collect()
    }

    fn upgrade(&mut self, slot: Slot<'_>) -> Option<UpgradeSetting> {
        let fields = self.fields(slot, &UPGRADE, slot.node.span)?;
        let level = fields.get("level").and_then(|slot| self.integer(slot));
        let protocol = fields.get("protocol").and_then(|slot| self.text(slot));
        Some(UpgradeSetting { level: level?, protocol: protocol? })
    }

    fn accuser_settings(&mut self, fields: &Fields<'_>) -> AccuserSettings {
        AccuserSettings {
            preserved_levels: fields.get("preserved_levels").and_then(|slot| self.integer(slot)),
            base_dir: fields.get("base_dir").and_then(|slot| self.text(slot)),
        }
    }

    fn process_settings(&mut self, fields: &Fields<'_>) -> ProcessSettings {
        ProcessSettings {
            command: fields.get("command").and_then(|slot| self.text_list(slot)),
            ready: fields.get("ready").and_then(|slot| self.ready(slot)),
            events_from: fields.get("events_from").and_then(|slot| self.events_from(slot)),
            envelope: fields.get("envelope").and_then(|slot| self.envelope(slot)),
        }
    }

    /// `info` or `{ level, sections }`.
    fn event_levels(&mut self, slot: Slot<'_>) -> Option<EventLevels> {
        if let Content::Scalar(_) = &slot.node.content {
            let level = self.word(slot, &LEVELS)?;
            return Some(EventLevels { level, sections: Vec::new() });
        }
        let fields = self.fields(slot, &EVENT_LEVELS, slot.node.span)?;
        let level = fields.get("level").and_then(|slot| self.word(slot, &LEVELS));
        let mut sections = Vec::new();
        if let Some(slot) = fields.get("sections") {
            for entry in &self.mapping(slot)?.entries {
                let section = self.free_key(&entry.key);
                let slot = Slot {
                    name: &entry.key.text,
                    shape: slot.shape,
                    node: &entry.value,
                    example: None,
                };
                if let (Some(section), Some(level)) = (section, self.word(slot, &LEVELS)) {
                    sections.push((section.value, level));
                }
            }
        }
        Some(EventLevels { level: level.unwrap_or_default(), sections })
    }

    fn restart(&mut self, slot: Slot<'_>) -> Option<RestartSettings> {
        let span = slot.node.span;
        let fields = self.fields(slot, &RESTART, span)?;
        let rules = [
            ("never", RestartRule::Never),
            ("on-failure", RestartRule::OnFailure),
            ("always", RestartRule::Always),
        ];
        let policy = fields.get("policy").and_then(|slot| self.word(slot, &rules));
        let max_restarts = fields.get("max_restarts").and_then(|slot| self.integer(slot));
        let window = fields.get("window").and_then(|slot| self.duration(slot));
        let backoff = fields.get("backoff").and_then(|slot| self.backoff(slot)).unwrap_or_default();
        let success = fields.get("success").and_then(|slot| self.codes(slot));
        Some(RestartSettings { span, policy: policy?, max_restarts, window, backoff, success })
    }

    fn backoff(&mut self, slot: Slot<'_>) -> Option<BackoffSettings> {
        let fields = self.fields(slot, &BACKOFF, slot.node.span)?;
        Some(BackoffSettings {
            initial: fields.get("initial").and_then(|slot| self.duration(slot)),
            factor: fields.get("factor").and_then(|slot| self.number(slot)),
            max: fields.get("max").and_then(|slot| self.duration(slot)),
            jitter: fields.get("jitter").and_then(|slot| self.number(slot)),
        })
    }

    fn codes(&mut self, slot: Slot<'_>) -> Option<Vec<i32>> {
        let items = self.items(slot)?;
        let shape = Shape::Integer(i64::MIN);
        items.iter().map(|item| self.fixed_integer(slot.item(shape, item))).collect()
    }

    fn ready(&mut self, slot: Slot<'_>) -> Option<ReadyWhen> {
        let span = slot.node.span;
        let fields = self.fields(slot, &READY, span)?;
        let present = fields.present(&["stdout", "event", "tcp", "http", "exit"]);
        self.only_one(&present);
        let condition = fields.get("where").map(|slot| self.condition(slot));
        if let (Some(_), Some(span), None) = (&condition, fields.key("where"), fields.key("event"))
        {
            let error = self.error(span, "`where` in `ready` goes with `event`");
            self.report(error.help("such as `{ event: started, where: port > 0 }`"));
        }
        if let Some(slot) = fields.get("event") {
            let event = self.text(slot)?;
            return Some(ReadyWhen::Event { event, condition: condition.flatten() });
        }
        if let Some(slot) = fields.get("stdout") {
            return self.text(slot).map(ReadyWhen::Stdout);
        }
        if let Some(slot) = fields.get("tcp") {
            return self.text(slot).map(ReadyWhen::Tcp);
        }
        if let Some(slot) = fields.get("http") {
            return self.text(slot).map(ReadyWhen::Http);
        }
        if let Some(slot) = fields.get("exit") {
            return self.fixed_integer(slot).map(ReadyWhen::Exit);
        }
        let error =
            self.error(span, "`ready` says nothing").help(format!("such as `{}`", READY.example));
        self.report(error);
        None
    }

    fn events_from(&mut self, slot: Slot<'_>) -> Option<EventsFrom> {
        let text = self.text(slot)?;
        Some(match text.literal() {
            Some("pipe") => EventsFrom::Pipe,
            Some("stdout") => EventsFrom::Stdout,
            Some("stderr") => EventsFrom::Stderr,
            _ => EventsFrom::File(text),
        })
    }

    fn envelope(&mut self, slot: Slot<'_>) -> Option<EnvelopeSettings> {
        let fields = self.fields(slot, &ENVELOPE, slot.node.span)?;
        let name = fields.get("name").and_then(|slot| self.field_path(slot));
        let value = fields.get("value").and_then(|slot| self.field_path(slot));
        let time = fields.get("time").and_then(|slot| self.field_path(slot));
        let named = name.as_ref().is_none_or(|name| !name.value.is_empty());
        if let (false, Some(name)) = (named, &name) {
            let error = self.error(name.span, "an event's name cannot be the whole line");
            self.report(error.help("name a field, such as `msg` or `event.name`"));
        }
        Some(EnvelopeSettings {
            name: name?.value,
            value: value.map(|path| path.value).unwrap_or_default(),
            time: time.map(|path| path.value),
        })
    }

    /// `a.b` as its parts; `.` as none.
    fn field_path(&mut self, slot: Slot<'_>) -> Option<Spanned<Vec<String>>> {
        let Spanned { value, span } = self.name(slot)?;
        if value == "." {
            return Some(Spanned { value: Vec::new(), span });
        }
        let parts: Vec<String> = value.split('.').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            let error = self.error(span, format!("`{value}` is no path of fields")).help(
                "names with a dot between, such as `event.name`; `.` alone is the whole line",
            );
            self.report(error);
            return None;
        }
        Some(Spanned { value: parts, span })
    }
}
