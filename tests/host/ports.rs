use std::net::{TcpListener, TcpStream};

use libtest_mimic::Trial;
use tribunal::daemon::ExitStatus;
use tribunal::host::ports::{PortReservation, Ports, holder};

use crate::support::{Run, eventually, read, trials};

pub fn trials() -> Vec<Trial> {
    trials![
        a_held_port_can_be_listened_on_by_a_daemon_again_and_again,
        a_held_port_is_nobody_elses_and_refuses_connections,
        a_name_means_the_same_port_until_the_end,
        a_daemon_without_reuse_gets_the_port_once_it_is_released,
        who_listens_on_a_port_can_be_told,
    ]
}

async fn a_held_port_can_be_listened_on_by_a_daemon_again_and_again() {
    let run = Run::new();
    let port = PortReservation::new().expect("there are free ports");
    let number = port.port().to_string();
    for _ in 0..3 {
        let spawned = run.spawn(&["listen", &number, "stdout", "listening", "forever"]);
        let stdout = spawned.stdout.expect("piped");
        assert_eq!(read(&stdout, 10).await, b"listening\n");
        // A connection that its server ends leaves the port in TIME_WAIT.
        let connection = TcpStream::connect(("127.0.0.1", port.port())).expect("it listens");
        spawned.process.reap();
        drop(connection);
    }
}

async fn a_held_port_is_nobody_elses_and_refuses_connections() {
    let held: Vec<_> = (0..200).map(|_| PortReservation::new().expect("a free port")).collect();
    let mut numbers: Vec<u16> = held.iter().map(PortReservation::port).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), held.len(), "no port is given twice");
    for _ in 0..200 {
        let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let other = other.local_addr().expect("it is bound").port();
        assert!(numbers.binary_search(&other).is_err(), "{other} is held");
    }
    assert!(TcpStream::connect(("127.0.0.1", numbers[0])).is_err());
}

async fn a_name_means_the_same_port_until_the_end() {
    let mut ports = Ports::new();
    let (rpc, p2p) = (ports.get("rpc").expect("a free port"), ports.get("p2p").expect("another"));
    assert_ne!(rpc, p2p);
    assert!(ports.release("rpc"));
    assert!(!ports.release("rpc"), "it is not held any more");
    assert!(ports.release_number(p2p));
    assert!(!ports.release_number(p2p));
    assert_eq!(ports.get("rpc").ok(), Some(rpc));
    assert_eq!(ports.iter().collect::<Vec<_>>(), [("p2p", p2p), ("rpc", rpc)]);
}

async fn a_daemon_without_reuse_gets_the_port_once_it_is_released() {
    let run = Run::new();
    let mut ports = Ports::new();
    let port = ports.get("old").expect("a free port");
    let verbs = ["listen-alone", &port.to_string(), "stdout", "listening", "forever"];
    let refused = run.spawn(&verbs);
    assert_eq!(refused.process.exited().await, ExitStatus::Code(1));
    let said = read(&refused.stderr.expect("piped"), usize::MAX).await;
    assert!(String::from_utf8_lossy(&said).contains("Address already in use"));
    assert!(ports.release("old"));
    let taken = run.spawn(&verbs);
    assert_eq!(read(&taken.stdout.expect("piped"), 10).await, b"listening\n");
}

async fn who_listens_on_a_port_can_be_told() {
    let run = Run::new();
    let port = PortReservation::new().expect("there are free ports");
    assert_eq!(holder(port.port()), None, "to hold is not to listen");
    let process = run.spawn(&["listen", &port.port().to_string(), "forever"]).process;
    let holder = eventually("it listens", || holder(port.port())).await;
    assert_eq!((holder.pid, holder.comm.as_str()), (process.pid(), "fake-daemon"));
}
