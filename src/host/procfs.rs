//! What `/proc` says about processes (proc(5)). All of it may be out of date by the time it is read.

use std::fs;
use std::path::PathBuf;

/// A process id, or the id of a process group.
pub type Pid = i32;

/// The fields of `/proc/<pid>/stat` that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The program's name, cut to 15 bytes.
    pub comm: String,
    /// `R` running, `S` and `D` sleeping, `T` stopped, `Z` a zombie.
    pub state: char,
    pub parent: Pid,
    pub group: Pid,
}

impl Stat {
    /// Not a zombie, nor just being removed.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    fn parse(text: &str) -> Option<Self> {
        // The name stands in parentheses and may contain any character, parentheses included.
        let (before, after) = text.rsplit_once(')')?;
        let (_, comm) = before.split_once('(')?;
        let mut fields = after.split_ascii_whitespace();
        Some(Self {
            comm: comm.to_owned(),
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

pub fn own_pid() -> Pid {
    Pid::try_from(std::process::id()).expect("a process id fits pid_t")
}

/// `None` when there is no such process.
pub fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read(path(pid, "stat")).ok()?;
    Stat::parse(&String::from_utf8_lossy(&text))
}

/// Every process there is, in no particular order.
pub fn pids() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The living members of a process group.
pub fn members(group: Pid) -> Vec<Pid> {
    let is_member = |pid: &Pid| stat(*pid).is_some_and(|s| s.group == group && s.is_alive());
    pids().into_iter().filter(is_member).collect()
}

/// The children of a process, zombies included.
pub fn children(parent: Pid) -> Vec<(Pid, Stat)> {
    let with_stat = |pid| stat(pid).map(|stat| (pid, stat));
    pids().into_iter().filter_map(with_stat).filter(|(_, stat)| stat.parent == parent).collect()
}

/// Everything that descends from a process, zombies included, parents before their children.
pub fn descendants(ancestor: Pid) -> Vec<(Pid, Stat)> {
    let mut others: Vec<_> =
        pids().into_iter().filter_map(|pid| stat(pid).map(|stat| (pid, stat))).collect();
    let mut found: Vec<(Pid, Stat)> = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        let children = others.extract_if(.., |(_, stat)| stat.parent == parent);
        let children: Vec<_> = children.collect();
        parents.extend(children.iter().map(|(pid, _)| *pid));
        found.extend(children);
    }
    found
}

/// Whether a process was started with this `NAME=value`. Unknown, hence false, for processes of other users.
pub fn has_environment_entry(pid: Pid, entry: &str) -> bool {
    fs::read(path(pid, "environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|e| e == entry.as_bytes()))
}

/// The arguments a process was started with; empty for a zombie.
pub fn command_line(pid: Pid) -> Vec<String> {
    let bytes = fs::read(path(pid, "cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// The mask of signals that a process ignores, signal 1 in the lowest bit.
pub(super) fn ignored_signals(pid: Pid) -> u64 {
    let status = fs::read_to_string(path(pid, "status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

pub(super) fn path(pid: Pid, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_may_contain_parentheses_and_spaces() {
        let stat = Stat::parse("17 (a) b (c) S 3 17 17 0 -1 4194560").expect("well-formed");
        assert_eq!(stat.comm, "a) b (c");
        assert_eq!((stat.state, stat.parent, stat.group), ('S', 3, 17));
    }

    #[test]
    fn text_that_is_no_stat_line_is_no_stat() {
        for text in ["", "17", "17 (x)", "17 (x) S", "17 (x) S y 3", ") ("] {
            assert_eq!(Stat::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_process_is_alive_and_descends_from_its_parent() {
        let own = own_pid();
        let stat = stat(own).expect("it runs");
        assert!(stat.is_alive());
        assert!(descendants(stat.parent).iter().any(|(pid, _)| *pid == own));
    }
}
