//! Where templates and expressions stand in a step or a declaration.

use crate::scenario::model::{
    Action, Assignment, Condition, EventPattern, ExitWanted, Expect, Formula, Never, ReadyWhen,
    Settings, Since, Vote,
};
use crate::scenario::values::{FromValue, Setting, Text};

/// What a step reads before it does anything; its own captures and the steps below are not among it.
#[derive(Default)]
pub(super) struct Reads<'s> {
    pub(super) texts: Vec<&'s Text>,
    pub(super) conditions: Vec<&'s Condition>,
    /// Expressions over a payload: captures.
    pub(super) captures: Vec<&'s Assignment>,
}

impl<'s> Reads<'s> {
    pub(super) fn of(action: &'s Action) -> Self {
        let mut reads = Self::default();
        reads.action(action);
        reads
    }

    pub(super) fn of_settings(settings: &'s Settings) -> Self {
        let mut reads = Self::default();
        reads.settings(settings);
        reads
    }

    pub(super) fn of_never(never: &'s Never) -> Self {
        let mut reads = Self::default();
        reads.never(never);
        reads
    }

    fn text(&mut self, text: impl IntoIterator<Item = &'s Text>) {
        self.texts.extend(text);
    }

    fn setting<T: FromValue + Clone>(&mut self, setting: Option<&'s Setting<T>>) {
        if let Some(Setting::Text(text)) = setting {
            self.texts.push(text);
        }
    }

    fn action(&mut self, action: &'s Action) {
        match action {
            Action::Lifecycle(step) => {
                self.text(&step.daemons);
                self.setting(step.grace.as_ref());
                self.setting(step.within.as_ref());
                self.setting(step.lasting.as_ref());
                step.with.iter().for_each(|with| self.settings(with));
            }
            Action::Signal { daemon, signal } => self.text([daemon, signal]),
            Action::Exited(step) => {
                self.text([&step.daemon]);
                self.setting(step.within.as_ref());
                match &step.wanted {
                    ExitWanted::Any => {}
                    ExitWanted::Code(code) => self.setting(Some(code)),
                    ExitWanted::Signal(signal) => self.text([signal]),
                }
            }
            Action::Expect(expects) => expects.iter().for_each(|expect| self.expect(expect)),
            Action::Never(never) => self.never(never),
            Action::Mark(text) | Action::Log(text) => self.text([text]),
            Action::Sleep(duration) => self.setting(Some(duration)),
            Action::Repeat(repeat) => self.setting(Some(&repeat.times)),
            Action::For(each) => self.text(each.items.texts()),
            Action::Use(used) => {
                for (_, data) in &used.vars {
                    self.text(data.texts());
                }
            }
            Action::Let(_) | Action::Assert(_) | Action::Parallel(_) => {}
            other => self.asking(other),
        }
    }

    /// The verbs that ask a node or a program.
    fn asking(&mut self, action: &'s Action) {
        match action {
            Action::Reach(step) => {
                self.text(&step.nodes);
                self.setting(Some(&step.level));
                self.setting(step.within.as_ref());
            }
            Action::Activate(step) => {
                self.text([&step.node]);
                self.text(&step.protocol);
                self.text(&step.timestamp);
                self.text(step.parameters.iter().flat_map(|data| data.texts()));
                self.setting(step.within.as_ref());
            }
            Action::Bake(step) => {
                self.text([&step.node]);
                self.text(&step.keys);
                self.text(&step.parent);
                self.setting(step.times.as_ref());
                self.setting(step.round.as_ref());
                self.setting(step.within.as_ref());
                self.captures.extend(&step.capture);
            }
            Action::Vote(step) => self.vote(step),
            Action::Inject(step) => {
                self.text([&step.node, &step.operation]);
                self.text(&step.error);
                self.setting(step.within.as_ref());
                self.captures.extend(&step.capture);
            }
            Action::Connect(step) | Action::Disconnect(step) => {
                self.text(&step.nodes);
                self.setting(step.within.as_ref());
            }
            Action::Rpc(step) => {
                self.text([&step.node, &step.path]);
                self.text(step.body.iter().flat_map(|data| data.texts()));
                self.setting(step.status.as_ref());
                self.setting(step.within.as_ref());
                self.conditions.extend(&step.condition);
                self.captures.extend(&step.capture);
            }
            Action::Exec(step) => {
                self.text(&step.command);
                self.text(&step.stdin);
                self.text(step.env.iter().map(|(_, text)| text));
                self.setting(step.code.as_ref());
                self.setting(step.within.as_ref());
                self.conditions.extend(&step.condition);
                self.captures.extend(&step.capture);
            }
            _ => {}
        }
    }

    fn vote(&mut self, step: &'s Vote) {
        self.text([&step.node]);
        let texts = [&step.key, &step.of, &step.payload, &step.branch, &step.error];
        self.text(texts.into_iter().flatten());
        self.setting(step.level.as_ref());
        self.setting(step.round.as_ref());
        self.setting(step.slot.as_ref());
        self.setting(step.within.as_ref());
        self.captures.extend(&step.capture);
    }

    fn pattern(&mut self, pattern: &'s EventPattern) {
        self.text(&pattern.from);
        self.text([&pattern.event]);
        self.conditions.extend(&pattern.condition);
    }

    fn since(&mut self, since: Option<&'s Since>) {
        if let Some(Since::Mark(text)) = since {
            self.text([text]);
        }
    }

    fn expect(&mut self, expect: &'s Expect) {
        self.pattern(&expect.pattern);
        self.setting(expect.count.as_ref());
        self.setting(expect.within.as_ref());
        self.since(expect.since.as_ref());
        self.captures.extend(&expect.capture);
    }

    fn never(&mut self, never: &'s Never) {
        self.pattern(&never.pattern);
        self.since(never.since.as_ref());
        self.setting(never.lasting.as_ref());
        if let Some(until) = &never.until {
            self.pattern(&until.pattern);
            self.setting(until.within.as_ref());
        }
    }

    fn settings(&mut self, settings: &'s Settings) {
        self.text(settings.env.iter().flatten().map(|(_, text)| text));
        self.text(&settings.cwd);
        self.text(settings.args.iter().flatten());
        self.setting(settings.grace.as_ref());
        self.text(&settings.binary);
        if let Some(restart) = &settings.restart {
            self.setting(restart.max_restarts.as_ref());
            self.setting(restart.window.as_ref());
            self.setting(restart.backoff.initial.as_ref());
            self.setting(restart.backoff.factor.as_ref());
            self.setting(restart.backoff.max.as_ref());
            self.setting(restart.backoff.jitter.as_ref());
        }
        self.kind_settings(settings);
    }

    fn kind_settings(&mut self, settings: &'s Settings) {
        let node = &settings.node;
        self.setting(node.synchronisation_threshold.as_ref());
        self.setting(node.private_mode.as_ref());
        self.setting(node.connections.as_ref());
        self.text(node.peers.iter().flatten());
        self.text(&node.history_mode);
        self.setting(node.singleprocess.as_ref());
        self.text(node.config.iter().flat_map(|data| data.texts()));
        for upgrade in node.upgrades.iter().flatten() {
            self.setting(Some(&upgrade.level));
            self.text([&upgrade.protocol]);
        }
        self.setting(settings.accuser.preserved_levels.as_ref());
        self.setting(settings.keep_alive.as_ref());
        self.text(settings.keys.iter().flatten());
        self.text(&settings.accuser.base_dir);
        let process = &settings.process;
        self.text(process.command.iter().flatten());
        if let Some(crate::scenario::model::EventsFrom::File(path)) = &process.events_from {
            self.text([path]);
        }
        match &process.ready {
            Some(ReadyWhen::Event { event, condition }) => {
                self.text([event]);
                self.conditions.extend(condition);
            }
            Some(ReadyWhen::Stdout(text) | ReadyWhen::Tcp(text) | ReadyWhen::Http(text)) => {
                self.text([text]);
            }
            Some(ReadyWhen::Exit(_)) | None => {}
        }
    }
}

/// The expressions of `let` and `assert`, which have no payload to read.
pub(super) fn without_payload(action: &Action) -> Vec<(&Formula, &'static str)> {
    match action {
        Action::Let(assignments) => {
            assignments.iter().map(|assignment| (&assignment.formula, "let")).collect()
        }
        Action::Assert(formula) => vec![(formula, "assert")],
        _ => Vec::new(),
    }
}
