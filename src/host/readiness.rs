//! Descriptors as Tokio watches them.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the current runtime watch a descriptor for something to read.
pub(super) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "AsyncFd has no safe constructor")]
    // SAFETY: an OwnedFd stays open, and the same, until AsyncFd drops it, which deregisters it first; nobody gets a
    // mutable reference to it.
    unsafe {
        Ok(AsyncFd::register_with_interest(fd, Interest::READABLE)?)
    }
}
