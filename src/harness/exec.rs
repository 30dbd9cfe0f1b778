//! Programs that a test runs to their end.

use std::time::Duration;

use super::core::Core;
use crate::actors::daemon::surround;
use crate::daemon::CommandLine;
use crate::host::exec::{self, ExecError, Executed, Execution};

/// How a program ended, and what it said.
pub type ExecOutput = Executed;

impl Core {
    pub(super) async fn exec(
        &self,
        mut command: CommandLine,
        stdin: Vec<u8>,
        within: Duration,
    ) -> Result<ExecOutput, ExecError> {
        surround(&mut command, &self.around);
        let program = command.program.clone();
        let around = self.around.clone();
        let execution = Execution { command, stdin, within };
        let run = async move {
            let guardian = around.guardian.upgrade();
            exec::execute(execution, &around.budget, guardian.as_deref()).await
        };
        let gone = || ExecError::HarnessGone { program };
        self.run(run).await.unwrap_or_else(|| Err(gone()))
    }
}
