//! The parameters of a protocol, which real Octez has in a file.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ClientError;
use crate::harness::InitError;
use crate::harness::programs::Programs;
use crate::octez::{ActivateOptions, real};

/// What real programs need for this protocol, if it is to be found; `None` in the sandbox.
pub(super) fn find(programs: &Programs, protocol: &str) -> Result<Option<Value>, InitError> {
    let Some(folder) = folder(programs) else { return Ok(None) };
    let named = std::env::var_os(real::PARAMETERS_VARIABLE).filter(|path| !path.is_empty());
    let path = match named {
        Some(path) => Some(PathBuf::from(path)),
        None => real::parameters_patterns(&folder, protocol).iter().find_map(|glob| first(glob)),
    };
    path.map(|path| read(&path)).transpose()
}

/// The folder of the real programs.
fn folder(programs: &Programs) -> Option<PathBuf> {
    let client = programs.are_real().then(|| programs.find("octez-client").ok())??;
    client.parent().map(Path::to_owned)
}

fn first(glob: &str) -> Option<PathBuf> {
    glob::glob(glob).ok()?.filter_map(Result::ok).find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Value, InitError> {
    let failed = |source| InitError::File { path: path.to_owned(), source };
    let text = std::fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

/// A real client that could not activate a protocol without its parameters failed for want of them.
pub(super) fn explained(
    error: ClientError,
    options: &ActivateOptions,
    is_complete: bool,
    programs: &Programs,
) -> ClientError {
    match (error, folder(programs)) {
        (error @ ClientError::Failed { .. }, Some(folder)) if !is_complete => {
            let patterns = real::parameters_patterns(&folder, options.protocol());
            ClientError::Parameters {
                failed: error.to_string(),
                hint: format!(
                    "real Octez needs all parameters of {}; name its sandbox-parameters.json in {}, or put it at one of {}",
                    options.protocol(),
                    real::PARAMETERS_VARIABLE,
                    patterns.join(", ")
                ),
            }
        }
        (error, _) => error,
    }
}
