//! TCP ports for daemons: chosen by the kernel and kept from everybody else for the whole run.
//!
//! A socket that is bound with SO_REUSEADDR but does not listen keeps its port out of the kernel's hands (`bind` to port 0
//! and `connect` elsewhere do not get it), while a daemon that sets SO_REUSEADDR too, as servers do, can listen on it,
//! restarts included (socket(7)). Connections are refused as long as no daemon listens.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

use super::procfs::{self, Pid};

/// No port could be reserved.
#[derive(Debug, thiserror::Error)]
#[error("no free port for {name:?} on 127.0.0.1")]
pub struct PortError {
    pub name: String,
    #[source]
    pub source: io::Error,
}

/// A port that nobody is given as long as this exists.
#[derive(Debug)]
pub struct PortReservation {
    port: u16,
    _socket: OwnedFd,
}

impl PortReservation {
    /// Reserves a port that is free on 127.0.0.1.
    pub fn new() -> io::Result<Self> {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let port = SocketAddrV4::try_from(getsockname(&socket)?)?.port();
        Ok(Self { port, _socket: socket })
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// The ports of a run by name; a name means the same port wherever it stands.
#[derive(Debug, Default)]
pub struct Ports(BTreeMap<String, Held>);

#[derive(Debug)]
struct Held {
    port: u16,
    reservation: Option<PortReservation>,
}

impl Ports {
    pub fn new() -> Self {
        Self::default()
    }

    /// The port of this name, reserved when first asked for.
    pub fn get(&mut self, name: &str) -> Result<u16, PortError> {
        if let Some(held) = self.0.get(name) {
            return Ok(held.port);
        }
        let reservation =
            PortReservation::new().map_err(|source| PortError { name: name.to_owned(), source })?;
        let port = reservation.port();
        self.0.insert(name.to_owned(), Held { port, reservation: Some(reservation) });
        Ok(port)
    }

    /// Gives a port up, for a daemon that does not set SO_REUSEADDR; the name keeps its number. True if it was held.
    pub fn release(&mut self, name: &str) -> bool {
        self.0.get_mut(name).is_some_and(|held| held.reservation.take().is_some())
    }

    /// Gives up the port of this number. True if it was held.
    pub fn release_number(&mut self, port: u16) -> bool {
        // Numbers are unique as long as they are held.
        let held = self.0.values_mut().find(|held| held.port == port && held.reservation.is_some());
        held.is_some_and(|held| held.reservation.take().is_some())
    }

    /// All that have been asked for.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|(name, held)| (name.as_str(), held.port))
    }
}

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    pub pid: Pid,
    /// The program's name, cut to 15 bytes.
    pub comm: String,
}

/// Who listens on a TCP port of this machine. `None` also where that cannot be seen: other users' processes.
pub fn holder(port: u16) -> Option<PortHolder> {
    let inodes = listening_inodes(port);
    if inodes.is_empty() {
        return None;
    }
    let targets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let pid = procfs::pids().into_iter().find(|pid| has_open(*pid, &targets))?;
    let comm = procfs::stat(pid).map(|stat| stat.comm).unwrap_or_default();
    Some(PortHolder { pid, comm })
}

fn has_open(pid: Pid, targets: &[String]) -> bool {
    let Ok(entries) = fs::read_dir(procfs::path(pid, "fd")) else {
        return false;
    };
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|link| targets.iter().any(|target| link.as_os_str() == target.as_str()))
}

fn listening_inodes(port: u16) -> Vec<u64> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| inodes_in(&table, port))
        .collect()
}

/// The inodes of the listening sockets in a table of proc_net(5).
fn inodes_in(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let matches =
            u16::from_str_radix(local_port, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        if matches { fields.get(9)?.parse().ok() } else { None }
    };
    table.lines().filter_map(inode).collect()
}
