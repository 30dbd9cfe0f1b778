//! All that is different with the real programs of Octez, instead of the sandbox's stand-ins.
//!
//! What is not here is the same for both: command lines, keys (see [`wallet`](super::wallet)), RPCs, which are always
//! asked for JSON. Real programs talk to each other in binary, an accuser even by default; nobody needs to know.
//!
//! - A protocol needs all its parameters, bootstrap accounts included. They come with the sources and the images of Octez
//!   ([`parameters_patterns`]); without them it is tried with the few that the sandbox needs.
//! - The client tells what it did in log lines of 80 columns ([`unwrapped`]), and may say only the beginning of a hash, or
//!   none.
//! - It bakes and votes for what is next and true: another parent, round, level or payload is the sandbox's alone
//!   ([`BakeOptions::needs_sandbox`](super::BakeOptions::needs_sandbox),
//!   [`VoteOptions::needs_sandbox`](super::VoteOptions::needs_sandbox)).

use std::path::Path;

/// Names a file with the parameters of the protocol that `activate` activates.
pub const PARAMETERS_VARIABLE: &str = "TRIBUNAL_OCTEZ_PARAMETERS";

/// What every real client is told: not to warn that this is no mainnet (`tezt/lib_tezos/client.ml`).
pub const CLIENT_ENVIRONMENT: [(&str, &str); 1] = [("TEZOS_CLIENT_UNSAFE_DISABLE_DISCLAIMER", "Y")];

/// Where the parameters of a protocol can be, seen from the folder of the programs, as globs in the order of preference:
/// beside the programs, where the images of Octez have them, and where a build in its sources leaves them.
pub fn parameters_patterns(programs: &Path, protocol: &str) -> Vec<String> {
    const FILE: &str = "sandbox-parameters.json";
    let programs = glob::Pattern::escape(&programs.to_string_lossy());
    // Folders are called after the number and the beginning of the hash: `025-PsUshuai`.
    let short: String = protocol.chars().take(8).collect();
    let (image, sources) = match short.as_str() {
        "ProtoALp" | "alpha" => ("alpha".to_owned(), "alpha".to_owned()),
        short => {
            let short = glob::Pattern::escape(short);
            (format!("[0-9]*-{short}"), format!("[0-9]*_{short}"))
        }
    };
    vec![
        format!("{programs}/{FILE}"),
        format!("{programs}/{image}-parameters/{FILE}"),
        format!("{programs}/../share/tezos/{image}-parameters/{FILE}"),
        format!("{programs}/src/proto_{sources}/parameters/{FILE}"),
        format!("{programs}/_build/default/src/proto_{sources}/parameters/{FILE}"),
        format!("{programs}/_build/default/src/proto_{sources}/lib_parameters/{FILE}"),
    ]
}

/// What a program said, without the stamps of its log lines (`Nov 23 17:34:55.195 NOTICE │ `) and the breaks that keep
/// these within 80 columns.
pub fn unwrapped(said: &str) -> String {
    let texts = said.lines().map(|line| line.split_once('│').map_or(line, |(_, text)| text));
    texts.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_log_lines_are_read_as_one() {
        let said = "Nov 23 17:34:55.195 NOTICE │ block\n\
                    Nov 23 17:34:55.195 NOTICE │   BLxyz at level 2, round\n\
                    Nov 23 17:34:55.195 NOTICE │   0 injected\nplain\n";
        assert_eq!(unwrapped(said), "block BLxyz at level 2, round 0 injected plain");
    }

    #[test]
    fn parameters_are_looked_for_by_the_short_name_of_the_protocol() {
        let found = |protocol: &str, path: &str| {
            let patterns = parameters_patterns(Path::new("/opt/[octez]/bin"), protocol);
            let matches =
                |pattern: &String| glob::Pattern::new(pattern).expect("a valid glob").matches(path);
            patterns.iter().any(matches)
        };
        let hash = "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY";
        let alpha = "ProtoALphaALphaALphaALphaALphaALphaALphaALphaDdp3zK";
        let file = "sandbox-parameters.json";
        assert!(found(hash, &format!("/opt/[octez]/bin/{file}")));
        let image = |name| format!("/opt/[octez]/bin/../share/tezos/{name}-parameters/{file}");
        assert!(found(hash, &image("025-PsUshuai")) && !found(hash, &image("024-PtTALLiN")));
        assert!(found(alpha, &image("alpha")) && !found(hash, &image("alpha")));
        let sources = |name| format!("/opt/[octez]/bin/src/proto_{name}/parameters/{file}");
        assert!(found(hash, &sources("025_PsUshuai")) && found(alpha, &sources("alpha")));
    }
}
