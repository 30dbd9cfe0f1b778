//! Stand-in daemons as real processes, each with a FIFO for its events, and blocking waits for what they say.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::Value;

/// How long anything may take on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(1);

pub const PROTOCOL: &str = "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY";
pub const NAME: &str = "025-PsUshuai";

/// The protocol that may follow.
pub const ALPHA: &str = "ProtoALphaALphaALphaALphaALphaALphaALphaALphaDdp3zK";

/// A directory with the Octez names in `bin`, and whatever the daemons of one test write.
pub struct World {
    directory: tempfile::TempDir,
    /// Held, not listened on, so that no other test gets the port: the daemons set `SO_REUSEADDR`.
    ports: RefCell<Vec<OwnedFd>>,
}

impl World {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let exe = Path::new(env!("CARGO_BIN_EXE_tribunal"));
        tribunal::sandbox::install(&directory.path().join("bin"), exe).unwrap();
        Self { directory, ports: RefCell::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.path("bin").join(program));
        command.stdin(Stdio::null()).env_remove("TEZOS_EVENTS_CONFIG");
        // Whoever is given no directory writes into this one, not into the user's.
        command.env("TEZOS_CLIENT_DIR", self.path("home"));
        command
    }

    pub fn port(&self) -> u16 {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket, sockopt};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let bound = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        self.ports.borrow_mut().push(socket);
        bound.port()
    }

    /// A node with identity and configuration, not running, that is bootstrapped without peers.
    pub fn node(&self, name: &str) -> Node<'_> {
        self.node_with(name, &["--synchronisation-threshold", "0"])
    }

    pub fn node_with(&self, name: &str, options: &[&str]) -> Node<'_> {
        let data_dir = self.path(name).to_str().unwrap().to_owned();
        let (rpc, net) = (self.port(), self.port());
        succeeded(self.command("octez-node").args([
            "identity",
            "generate",
            "--data-dir",
            &data_dir,
            "0",
        ]));
        let mut config = self.command("octez-node");
        config.args(["config", "init", "--data-dir", &data_dir, "--network", "sandbox"]);
        config.args(["--expected-pow", "0", "--private-mode"]);
        succeeded(config.args(options));
        Node { world: self, name: name.to_owned(), data_dir, rpc, net }
    }

    /// An accuser on this node, not running.
    pub fn accuser(&self, endpoint: &str, options: &[&str]) -> Command {
        let base_dir = self.path("accuser");
        std::fs::create_dir_all(&base_dir).unwrap();
        let mut command = self.command("octez-accuser");
        command.args(["-E", endpoint, "--base-dir"]).arg(base_dir).arg("run").args(options);
        command
    }
}

/// A node that can be run again and again on its data directory.
pub struct Node<'a> {
    world: &'a World,
    name: String,
    data_dir: String,
    pub rpc: u16,
    pub net: u16,
}

impl Node<'_> {
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc)
    }

    /// Runs it and waits until it is ready.
    pub fn run(&self) -> Daemon {
        self.run_with("?section-prefix=:info")
    }

    /// As [`Self::run`], with other options of the event sink.
    pub fn run_with(&self, sink: &str) -> Daemon {
        let daemon = Daemon::spawn(self.world, &self.name, self.run_command(), sink);
        daemon.wait_for("node_is_ready.v0", |_| true);
        daemon
    }

    /// The command that runs it.
    pub fn run_command(&self) -> Command {
        let rpc = format!("127.0.0.1:{}", self.rpc);
        let net = format!("127.0.0.1:{}", self.net);
        let mut command = self.world.command("octez-node");
        command.args(["run", "--data-dir", &self.data_dir, "--net-addr", &net, "--rpc-addr", &rpc]);
        command.args(["--allow-all-rpc", &rpc, "--singleprocess"]);
        command
    }

    /// Writes into its configuration that this protocol takes over after this level, as the harness does.
    pub fn upgrade(&self, level: u32, protocol: &str) {
        use tribunal::daemon::DaemonName;
        use tribunal::octez::{NodeOptions, NodePorts, Upgrade};
        let ports = NodePorts { rpc: self.rpc, net: self.net, metrics: 0 };
        let mut options = NodeOptions::new(&self.data_dir, ports);
        options.upgrades = vec![Upgrade { level, protocol: protocol.to_owned() }];
        let spec = options.spec(DaemonName::new(&self.name).unwrap());
        let network = spec.preparation.into_iter().find_map(|step| step.merge).unwrap();
        let path = Path::new(&self.data_dir).join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["network"] = network["network"].clone();
        std::fs::write(&path, config.to_string()).unwrap();
    }

    pub fn client(&self, words: &str) -> String {
        succeeded(&mut self.client_command(words))
    }

    /// What a command says on stderr that fails, as it must, with exit code 1.
    pub fn client_error(&self, words: &str) -> String {
        let output = self.client_command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {}", told(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    fn client_command(&self, words: &str) -> Command {
        let base_dir = self.world.path(&format!("{}-client", self.name));
        std::fs::create_dir_all(&base_dir).unwrap();
        let mut command = self.world.command("octez-client");
        command.args(["--endpoint", &self.endpoint(), "--base-dir"]).arg(base_dir);
        command.args(words.split_whitespace());
        command
    }

    pub fn admin(&self, words: &str) -> String {
        let mut command = self.world.command("octez-admin-client");
        command.args(["--endpoint", &self.endpoint()]);
        succeeded(command.args(words.split_whitespace()))
    }

    /// Trusts both ways and connects, as in a private network.
    pub fn connect(&self, other: &Node<'_>) {
        self.admin(&format!("trust address 127.0.0.1:{}", other.net));
        other.admin(&format!("trust address 127.0.0.1:{}", self.net));
        self.admin(&format!("connect address 127.0.0.1:{}", other.net));
    }

    pub fn activate(&self) {
        self.client(&self.activation());
    }

    pub fn activate_with(&self, parameters: &Value) {
        let command = self.activation();
        std::fs::write(self.world.path("parameters.json"), parameters.to_string()).unwrap();
        self.client(&command);
    }

    /// The command that activates; the same one makes the same block.
    pub fn activation(&self) -> String {
        let parameters = self.world.path("parameters.json");
        std::fs::write(&parameters, "{}").unwrap();
        format!(
            "activate protocol {PROTOCOL} with fitness 1 and key activator and parameters {} \
             --timestamp 2025-08-21T13:31:29Z",
            parameters.display()
        )
    }

    /// Bakes on the head, or where and how the options say; gives the block.
    pub fn bake(&self, key_and_options: &str) -> String {
        let text = self.client(&format!("bake for {key_and_options} --minimal-timestamp"));
        hash_in(&text)
    }

    pub fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.client(&format!("rpc get {path}"))).unwrap()
    }

    pub fn level(&self) -> u64 {
        self.get("/chains/main/blocks/head/header")["level"].as_u64().unwrap()
    }
}

fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The block or operation hash in a client's output.
pub fn hash_in(text: &str) -> String {
    let hash = text.split_whitespace().find(|word| word.len() == 51);
    hash.unwrap_or_else(|| panic!("no hash in {text:?}")).to_owned()
}

pub fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\nstdout: {}\nstderr: {}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Lines that a thread collects and others wait for.
#[derive(Default)]
pub struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Lines {
    fn follow(source: impl Read + Send + 'static) -> (Arc<Self>, JoinHandle<()>) {
        let lines = Arc::new(Self::default());
        let followed = Arc::clone(&lines);
        let thread = std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                followed.lines.lock().unwrap().push(line);
                followed.more.notify_all();
            }
        });
        (lines, thread)
    }

    pub fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The first line from the position on that the function makes something of, and the position after it.
    fn find<T>(&self, from: usize, wanted: &str, pick: impl Fn(&str) -> Option<T>) -> (T, usize) {
        let deadline = Instant::now() + LIMIT;
        let mut lines = self.lines.lock().unwrap();
        let mut at = from;
        loop {
            while at < lines.len() {
                at += 1;
                if let Some(found) = pick(&lines[at - 1]) {
                    return (found, at);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{wanted} did not come; there was: {:#?}", *lines);
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub fn wait_for(&self, text: &str) {
        self.wait_for_nth(text, 1);
    }

    /// Waits for the n-th line with this text. What a program wrote to another pipe before may come later.
    pub fn wait_for_nth(&self, text: &str, n: usize) {
        let mut from = 0;
        for _ in 0..n {
            ((), from) = self.find(from, text, |line| line.contains(text).then_some(()));
        }
    }
}

/// A running stand-in. Dropped, it is killed.
pub struct Daemon {
    pub child: Child,
    pub stdout: Arc<Lines>,
    pub stderr: Arc<Lines>,
    events: Arc<Lines>,
    cursor: std::sync::atomic::AtomicUsize,
    /// End with the daemon, since it holds the only write ends.
    threads: Vec<JoinHandle<()>>,
}

/// A FIFO of this name, with its reading end open and blocking.
pub fn fifo(world: &World, name: &str) -> (PathBuf, File) {
    let path = world.path(&format!("{name}-{}", fastrand::u64(..)));
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let reader = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&path)
        .unwrap();
    (path, reader)
}

impl Daemon {
    /// Spawns it with its events in a FIFO that is read from the start.
    pub fn spawn(world: &World, name: &str, mut command: Command, options: &str) -> Self {
        let (path, reader) = fifo(world, name);
        command.env(
            "TEZOS_EVENTS_CONFIG",
            format!("file-descriptor-path://{}{options}", path.display()),
        );
        command.env("TEZOS_EVENT_HOSTNAME", "host");
        Self::spawn_with(command, Source::Fifo(reader))
    }

    pub fn spawn_with(mut command: Command, source: Source) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, first) = Lines::follow(child.stdout.take().unwrap());
        let (stderr, second) = Lines::follow(child.stderr.take().unwrap());
        let mut threads = vec![first, second];
        let events = match source {
            Source::None => Arc::default(),
            Source::Fifo(reader) => {
                let (events, third) = Lines::follow(Patient(reader));
                threads.push(third);
                events
            }
        };
        Self { child, stdout, stderr, events, cursor: 0.into(), threads }
    }

    /// The payload of the next event of this name that the function likes. Events before it are passed over for good.
    pub fn wait_for(&self, name: &str, like: impl Fn(&Value) -> bool) -> Value {
        use std::sync::atomic::Ordering::SeqCst;
        let (value, at) = self.events.find(self.cursor.load(SeqCst), name, |line| {
            let value = event(line).1.get(name).cloned()?;
            like(&value).then_some(value)
        });
        self.cursor.store(at, SeqCst);
        value
    }

    /// The line of an event of this name whose payload the function likes, the first one from the start. Passes nothing over.
    pub fn line_of(&self, name: &str, like: impl Fn(&Value) -> bool) -> String {
        let (line, _) = self.events.find(0, name, |line| {
            let found = event(line).1.get(name).is_some_and(&like);
            found.then(|| line.to_owned())
        });
        line
    }

    /// The events so far, as lines.
    pub fn lines(&self) -> Vec<String> {
        self.events.all()
    }

    /// The names of the events so far.
    pub fn names(&self) -> Vec<String> {
        self.events.all().iter().map(|line| name_of(line)).collect()
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits for its end and for everything it wrote.
    pub fn exited(&mut self) -> ExitStatus {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let pid = Pid::from_child(&self.child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let limit = Timespec::try_from(LIMIT).unwrap();
        let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)).unwrap();
        assert_eq!(ended, 1, "it did not exit: {:#?}", self.stderr.all());
        let status = self.child.wait().unwrap();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        status
    }

    pub fn terminate(mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.exited().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already dead is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub enum Source {
    None,
    Fifo(File),
}

/// A FIFO opened without waiting: until the first writer comes there is nothing, and that is not the end.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None)?;
            match self.0.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Envelope and event of a line.
pub fn event(line: &str) -> (Value, Value) {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let envelope = value["fd-sink-item.v0"].clone();
    let event = envelope["event"].clone();
    (envelope, event)
}

pub fn name_of(line: &str) -> String {
    event(line).1.as_object().unwrap().keys().next().unwrap().clone()
}
