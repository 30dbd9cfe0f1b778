//! A daemon for tests: does what its arguments say, one verb after the other, then exits with code 0.
//!
//! Events go to the FIFO that the environment names (`TRIBUNAL_EVENT_PIPE`, else the path in `TEZOS_EVENTS_CONFIG`), one
//! write(2) a line, as Octez does; the FIFO is opened by the first verb that writes.
//!
//! | verb | does | stands for |
//! | --- | --- | --- |
//! | `event NAME JSON` | an event in the Octez envelope | a daemon that says something |
//! | `events N NAME` | N of them with payload `{"i":1}` … `{"i":N}` | a burst |
//! | `sized-events N NAME BYTES` | the same, padded to lines of that length, many in one write | a long burst |
//! | `burst-then-exit N NAME CODE` | the same, then exits at once | last words |
//! | `line TEXT`, `partial TEXT` | raw text with, without a newline | foreign output; half a line at exit |
//! | `long BYTES` | one line of that length | a line over the cap |
//! | `flood BYTES` | lines of 1 KiB, that many bytes in all | a chatty daemon, a full pipe |
//! | `stream` | lines of 1 KiB until killed | a writer that never stops |
//! | `split TEXT MS TEXT` | one line in two writes, that far apart | a line cut by the pipe |
//! | `stdout-events`, `file-events PATH` | later events go to standard output, are appended to a file | `events_from` |
//! | `close-pipe`, `reopen-pipe` | closes the FIFO; opens it anew | log rotation |
//! | `stdout TEXT`, `stderr TEXT` | a line there | ready lines, warnings |
//! | `env NAME` | that variable's value on standard output | |
//! | `cat` | copies standard input to standard output | |
//! | `sleep MS`, `forever` | waits; `forever` until killed | a daemon at work |
//! | `listen PORT` | listens on 127.0.0.1 with SO_REUSEADDR | a server |
//! | `listen-alone PORT` | the same without SO_REUSEADDR; exits 1 if the address is in use | a server of the old school |
//! | `ignore-term` | SIGTERM has no effect from here on | a daemon that hangs at its end |
//! | `on-term exit CODE` | SIGTERM makes it exit with that code | Octez (127) |
//! | `on-term flood BYTES` | SIGTERM makes it write as `flood`, then exit 0 | Octez, which says goodbye |
//! | `exit CODE`, `abort`, `kill-self SIGNAL` | ends it | crashes |
//! | `fail-first N FILE CODE` | exits with that code the first N times; FILE counts | a daemon that recovers |
//! | `pid-file PATH` | writes its process id there, in one step | |
//! | `setsid` | leaves its group and session | a daemon that daemonises |
//! | `grandchild OPTIONS VERBS` | spawns itself with VERBS, one argument split at spaces. OPTIONS, joined by commas: `plain`, `setsid`, `clearenv`, `hold-stdout` | what daemons leave behind |

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio, abort, exit};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, raise};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};

fn main() -> ExitCode {
    match Daemon::default().play(&mut env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-daemon: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Daemon {
    sink: Option<File>,
    /// Sockets are held until the end.
    listeners: Vec<TcpListener>,
}

type Failure = Box<dyn std::error::Error>;

impl Daemon {
    fn play(&mut self, words: &mut dyn Iterator<Item = String>) -> Result<(), Failure> {
        while let Some(verb) = words.next() {
            let mut next = || words.next().ok_or_else(|| format!("{verb}: an argument is missing"));
            match verb.as_str() {
                "event" => {
                    let (name, payload) = (next()?, next()?);
                    self.line(envelope(&name, &payload))?;
                }
                "events" => {
                    let (count, name) = (next()?.parse()?, next()?);
                    self.events(count, &name)?;
                }
                "sized-events" => {
                    let (count, name, bytes) = (next()?.parse()?, next()?, next()?.parse()?);
                    self.sized_events(count, &name, bytes)?;
                }
                "burst-then-exit" => {
                    let (count, name, code) = (next()?.parse()?, next()?, next()?.parse()?);
                    self.events(count, &name)?;
                    exit(code);
                }
                "line" => self.line(next()?)?,
                "partial" => self.write(next()?.as_bytes())?,
                "long" => {
                    let length: usize = next()?.parse()?;
                    self.line("x".repeat(length))?;
                }
                "flood" => flood(self.sink()?, next()?.parse()?)?,
                "stream" => flood(self.sink()?, u64::MAX)?,
                "split" => {
                    let (begin, pause, end) = (next()?, next()?.parse()?, next()?);
                    self.write(begin.as_bytes())?;
                    thread::sleep(Duration::from_millis(pause));
                    self.line(end)?;
                }
                "stdout-events" => self.sink = Some(stdout()?),
                "file-events" => {
                    self.sink = Some(OpenOptions::new().append(true).create(true).open(next()?)?);
                }
                "close-pipe" => self.sink = None,
                "reopen-pipe" => self.sink = Some(open_pipe()?),
                "stdout" => writeln!(stdout()?, "{}", next()?)?,
                "stderr" => eprintln!("{}", next()?),
                "env" => writeln!(stdout()?, "{}", env::var(next()?).unwrap_or_default())?,
                "cat" => {
                    let mut input = Vec::new();
                    io::stdin().read_to_end(&mut input)?;
                    stdout()?.write_all(&input)?;
                }
                "sleep" => thread::sleep(Duration::from_millis(next()?.parse()?)),
                "forever" => loop {
                    thread::sleep(Duration::from_hours(1));
                },
                "listen" => {
                    self.listeners.push(TcpListener::bind(("127.0.0.1", next()?.parse()?))?);
                }
                "listen-alone" => self.listeners.push(listen_alone(next()?.parse()?)?),
                "ignore-term" => term().thread_block()?,
                "on-term" => {
                    let (what, argument) = (next()?, next()?.parse()?);
                    self.on_term(&what, argument)?;
                }
                "exit" => exit(next()?.parse()?),
                "abort" => abort(),
                "kill-self" => raise(Signal::try_from(next()?.parse::<i32>()?)?)?,
                "fail-first" => {
                    let (times, counter, code) = (next()?.parse()?, next()?, next()?.parse()?);
                    fail_first(times, &counter, code)?;
                }
                "pid-file" => write_pid(&next()?)?,
                "setsid" => drop(nix::unistd::setsid()?),
                "grandchild" => {
                    let (options, verbs) = (next()?, next()?);
                    grandchild(&options, &verbs)?;
                }
                unknown => return Err(format!("{unknown}: no such verb").into()),
            }
        }
        Ok(())
    }

    fn sink(&mut self) -> Result<&mut File, Failure> {
        if self.sink.is_none() {
            self.sink = Some(open_pipe()?);
        }
        self.sink.as_mut().ok_or_else(|| "no event pipe".into())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.sink()?.write_all(bytes)?)
    }

    fn line(&mut self, mut text: String) -> Result<(), Failure> {
        text.push('\n');
        self.write(text.as_bytes())
    }

    fn events(&mut self, count: u64, name: &str) -> Result<(), Failure> {
        (1..=count).try_for_each(|i| self.line(envelope(name, &format!("{{\"i\":{i}}}"))))
    }

    fn sized_events(&mut self, count: u64, name: &str, bytes: usize) -> Result<(), Failure> {
        const AT_ONCE: usize = 64 * 1024;
        let mut buffer = String::with_capacity(AT_ONCE + bytes);
        for i in 1..=count {
            let bare = envelope(name, &format!("{{\"i\":{i},\"pad\":\"\"}}")).len() + 1;
            let padding = "p".repeat(bytes.saturating_sub(bare));
            buffer.push_str(&envelope(name, &format!("{{\"i\":{i},\"pad\":\"{padding}\"}}")));
            buffer.push('\n');
            if buffer.len() >= AT_ONCE || i == count {
                self.write(buffer.as_bytes())?;
                buffer.clear();
            }
        }
        Ok(())
    }

    /// A thread waits for the signal, which is blocked everywhere else.
    fn on_term(&mut self, what: &str, argument: u64) -> Result<(), Failure> {
        let mut sink = match what {
            "flood" => Some(self.sink()?.try_clone()?),
            "exit" => None,
            unknown => return Err(format!("on-term {unknown}: no such reaction").into()),
        };
        term().thread_block()?;
        thread::spawn(move || {
            if term().wait().is_err() {
                abort();
            }
            let Some(sink) = &mut sink else {
                exit(i32::try_from(argument).unwrap_or(1));
            };
            exit(i32::from(flood(sink, argument).is_err()));
        });
        Ok(())
    }
}

fn term() -> SigSet {
    SigSet::from(Signal::SIGTERM)
}

fn envelope(name: &str, payload: &str) -> String {
    format!(
        r#"{{"fd-sink-item.v0":{{"hostname":"fake","time_stamp":1787318689.5,"section":["fake"],"event":{{"{name}":{payload}}}}}}}"#
    )
}

fn flood(sink: &mut File, bytes: u64) -> io::Result<()> {
    let mut line = envelope("flood.v0", "\"\"");
    line.insert_str(line.len() - 4, &"f".repeat(1023 - line.len()));
    line.push('\n');
    for _ in 0..bytes.div_ceil(1024) {
        sink.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn open_pipe() -> Result<File, Failure> {
    let path = match (env::var_os("TRIBUNAL_EVENT_PIPE"), env::var("TEZOS_EVENTS_CONFIG")) {
        (Some(path), _) => PathBuf::from(path),
        (None, Ok(uri)) => {
            let path = uri.strip_prefix("file-descriptor-path://").ok_or("no event sink")?;
            PathBuf::from(path.split('?').next().unwrap_or(path))
        }
        (None, Err(_)) => return Err("no event pipe in the environment".into()),
    };
    Ok(OpenOptions::new().append(true).open(path)?)
}

/// Standard output without the line buffer of `std::io::stdout`.
fn stdout() -> io::Result<File> {
    Ok(File::from(std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?))
}

fn listen_alone(port: u16) -> Result<TcpListener, Failure> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    listen(&socket, 16)?;
    Ok(TcpListener::from(socket))
}

fn fail_first(times: u32, counter: &str, code: i32) -> Result<(), Failure> {
    let so_far = fs::read_to_string(counter).map_or(Ok(0), |text| text.trim().parse::<u32>())?;
    if so_far < times {
        fs::write(counter, (so_far + 1).to_string())?;
        exit(code);
    }
    Ok(())
}

fn write_pid(path: &str) -> io::Result<()> {
    let unfinished = format!("{path}.{}", std::process::id());
    fs::write(&unfinished, std::process::id().to_string())?;
    fs::rename(unfinished, path)
}

fn grandchild(options: &str, verbs: &str) -> Result<(), Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut words: Vec<OsString> = Vec::new();
    for option in options.split(',') {
        match option {
            "plain" => {}
            "setsid" => words.push("setsid".into()),
            "clearenv" => drop(command.env_clear()),
            "hold-stdout" => drop(command.stdout(Stdio::inherit())),
            unknown => return Err(format!("grandchild {unknown}: no such option").into()),
        }
    }
    words.extend(verbs.split_whitespace().map(OsString::from));
    let _left_behind = command.args(words).spawn()?;
    Ok(())
}
